import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteReader, ByteWriter } from '@zoots/base';
import {
  NO_VOTE,
  PEER_STATE,
  readInitMessage,
  readNotification,
  writeInitMessage,
  writeNotification,
} from './election-message.js';

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
}

function hexOf(writer: ByteWriter): string {
  return Buffer.from(writer.bytes.subarray(0, writer.length)).toString('hex');
}

const INIT = 'ffffffffffff0000 0000000000000002 0000000d 31302e302e302e323a33383838';

test('the init message of every age', () => {
  const writer = new ByteWriter();
  writeInitMessage(writer, 2, ['10.0.0.2:3888']);
  assert.equal(hexOf(writer), INIT.replace(/\s/g, ''));
  const message = { serverId: 2, address: '10.0.0.2:3888', byteCount: 33 };
  assert.deepEqual(readInitMessage(new ByteReader(bytesOf(INIT))), message);
  assert.deepEqual(readInitMessage(new ByteReader(bytesOf('0000000000000003'))), {
    serverId: 3,
    address: '',
    byteCount: 8,
  });
  writer.clear();
  writeInitMessage(writer, 2, ['a:1', 'b:2']);
  const several = readInitMessage(new ByteReader(writer.bytes, 0, writer.length));
  assert.ok(several !== null && typeof several === 'object');
  assert.equal(several.address, 'a:1|b:2');
});

test('an init message that is cut anywhere is waited for', () => {
  const bytes = bytesOf(INIT);
  for (let end = 0; end < bytes.length; end++) {
    assert.equal(readInitMessage(new ByteReader(bytes, 0, end)), null, String(end));
  }
});

test('what is no init message is told', () => {
  assert.match(String(readInitMessage(new ByteReader(bytesOf('fffffffffffffff0')))), /neither a server id/);
  assert.match(String(readInitMessage(new ByteReader(bytesOf(`ffffffffffff0000${'00'.repeat(8)}00000801`)))), /2049/);
});

const CONFIG = [
  'server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181',
  'server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181',
  'server.3=10.0.0.3:2888:3888:participant;0.0.0.0:2181',
  'version=0',
].join('\n');

const HEAD = '00000000 0000000000000002 0000000500000007 0000000000000001 0000000000000005';

test('a notification of today, to the byte', () => {
  const notification = {
    state: PEER_STATE.looking,
    leader: 2,
    zxid: 0x500000007,
    round: 1,
    peerEpoch: 5,
    config: CONFIG,
  };
  const writer = new ByteWriter();
  writeNotification(writer, notification);
  const hex = `${HEAD} 00000002 000000a8 ${Buffer.from(CONFIG).toString('hex')}`.replace(/\s/g, '');
  assert.equal(hexOf(writer), hex);
  assert.deepEqual(readNotification(new ByteReader(bytesOf(hex))), { ...notification, version: 2 });
});

test('older ones, and those that are none', () => {
  const full = bytesOf(`${HEAD} 00000001`);
  assert.deepEqual(readNotification(new ByteReader(full)), {
    state: 0,
    leader: 2,
    zxid: 0x500000007,
    round: 1,
    peerEpoch: 5,
    version: 0,
    config: null,
  });
  assert.equal(readNotification(new ByteReader(full, 0, 28))?.peerEpoch, 5);
  assert.equal(readNotification(new ByteReader(full, 0, 27)), null);
  assert.equal(readNotification(new ByteReader(bytesOf(`${HEAD} 00000002 00000009 41`))), null);
  assert.equal(readNotification(new ByteReader(bytesOf(`${HEAD} 00000002 fffffff0`))), null);
});

test('an observer that looks has no vote', () => {
  const writer = new ByteWriter();
  const nothing = { leader: NO_VOTE, zxid: NO_VOTE, peerEpoch: NO_VOTE };
  writeNotification(writer, { state: 0, round: 3, config: null, ...nothing });
  assert.equal(hexOf(writer).slice(8, 40), '80000000000000008000000000000000');
  const read = readNotification(new ByteReader(writer.bytes, 0, writer.length));
  assert.deepEqual(
    { leader: read?.leader, zxid: read?.zxid, peerEpoch: read?.peerEpoch, round: read?.round },
    { ...nothing, round: 3 },
  );
});
