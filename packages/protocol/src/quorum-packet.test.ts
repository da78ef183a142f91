import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter, Prng } from '@zoots/base';
import {
  PACKET,
  QUORUM_PROTOCOL_VERSION,
  QuorumPacketReader,
  readLearnerInfo,
  writeLearnerInfo,
  writeQuorumPacket,
} from './quorum-packet.js';

const DATA_BYTES_MAX = 1_000_000;

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
}

function hexOf(writer: ByteWriter): string {
  return Buffer.from(writer.bytes.subarray(0, writer.length)).toString('hex');
}

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly type: number;
  readonly zxid: number;
  readonly data: string | null;
  readonly identities?: readonly { readonly scheme: string; readonly id: string }[];
}

/** From a running 3.8.0 ensemble and its classes. */
const VECTORS: readonly Vector[] = [
  {
    name: 'FOLLOWERINFO',
    hex: '0000000b 0000000500000000 00000014 0000000000000002 00010000 0000000100000000 ffffffff',
    type: PACKET.followerInfo,
    zxid: 0x500000000,
    data: '0000000000000002000100000000000100000000',
  },
  {
    name: 'LEADERINFO',
    hex: '00000011 0000000600000000 00000004 00010000 ffffffff',
    type: PACKET.leaderInfo,
    zxid: 0x600000000,
    data: '00010000',
  },
  {
    name: 'DIFF',
    hex: '0000000d 0000000500000007 ffffffff ffffffff',
    type: PACKET.diff,
    zxid: 0x500000007,
    data: null,
  },
  { name: 'UPTODATE', hex: '0000000c ffffffffffffffff ffffffff ffffffff', type: PACKET.upToDate, zxid: -1, data: null },
  {
    name: 'PING reply',
    hex: '00000005 0000000600000001 00000000 ffffffff',
    type: PACKET.ping,
    zxid: 0x600000001,
    data: '',
  },
  {
    name: 'REQUEST with an identity',
    hex: `00000001 ffffffffffffffff 0000003e 018bcfe568000000 00000001 00000001
      00000004 2f666f6f 00000003 626172 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 00000000
      00000001 00000002 6970 00000008 31302e302e302e39`,
    type: PACKET.request,
    zxid: -1,
    data: '018bcfe5680000000000000100000001000000042f666f6f00000003626172000000010000001f00000005776f726c6400000006616e796f6e6500000000',
    identities: [{ scheme: 'ip', id: '10.0.0.9' }],
  },
];

function dataOf(reader: QuorumPacketReader): string | null {
  if (reader.dataStart < 0) return null;
  return Buffer.from(reader.bytes.slice(reader.dataStart, reader.dataEnd)).toString('hex');
}

test('the vectors of a real ensemble, read and written', () => {
  for (const vector of VECTORS) {
    const bytes = bytesOf(vector.hex);
    const reader = new QuorumPacketReader(DATA_BYTES_MAX);
    reader.push(bytes);
    assert.equal(reader.next(), 'packet', vector.name);
    assert.deepEqual([reader.type, reader.zxid, dataOf(reader)], [vector.type, vector.zxid, vector.data], vector.name);
    assert.deepEqual(reader.identities, vector.identities ?? null, vector.name);
    assert.equal(reader.next(), 'more');
    const writer = new ByteWriter();
    const data = vector.data === null ? undefined : bytesOf(vector.data);
    writeQuorumPacket(
      writer,
      vector.type,
      vector.zxid,
      data,
      data === undefined ? -1 : 0,
      data?.length,
      vector.identities,
    );
    assert.equal(hexOf(writer), Buffer.from(bytes).toString('hex'), vector.name);
  }
});

test('any chunks give the same packets', () => {
  const stream = new ByteWriter();
  const expected: string[] = [];
  const prng = new Prng(7);
  for (let i = 0; i < 300; i++) {
    const vector = VECTORS[prng.below(VECTORS.length)] as Vector;
    stream.raw(bytesOf(vector.hex));
    expected.push(`${vector.type} ${vector.zxid} ${vector.data} ${JSON.stringify(vector.identities ?? null)}`);
    if (!prng.chance(0.1)) continue;
    const large = new Uint8Array(prng.between(1_000, 20_000)).fill(i);
    writeQuorumPacket(stream, PACKET.proposal, i, large, 0, large.length);
    expected.push(`${PACKET.proposal} ${i} ${Buffer.from(large).toString('hex')} null`);
  }
  for (let run = 0; run < 50; run++) {
    const reader = new QuorumPacketReader(DATA_BYTES_MAX);
    const seen: string[] = [];
    for (let at = 0; at < stream.length; ) {
      const end = Math.min(stream.length, at + prng.between(1, run < 25 ? 40 : 5_000));
      // The chunk is overwritten afterwards, as a socket's buffer is.
      const chunk = stream.bytes.slice(at, end);
      reader.push(chunk);
      while (reader.next() === 'packet') {
        seen.push(`${reader.type} ${reader.zxid} ${dataOf(reader)} ${JSON.stringify(reader.identities)}`);
      }
      chunk.fill(0xee);
      at = end;
    }
    assert.deepEqual(seen, expected);
  }
});

test('a consumer may stop between two packets while more arrives', () => {
  const [first, second, third] = VECTORS.slice(0, 3).map(({ hex }) => bytesOf(hex)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const reader = new QuorumPacketReader(DATA_BYTES_MAX);
  const chunk = new Uint8Array([...first, ...second.subarray(0, 9)]);
  reader.push(chunk);
  assert.equal(reader.next(), 'packet');
  reader.keepRest();
  chunk.fill(0xee);
  const more = new Uint8Array([...second.subarray(9), ...third]);
  reader.push(more);
  reader.keepRest();
  more.fill(0xee);
  const types: number[] = [];
  while (reader.next() === 'packet') types.push(reader.type);
  assert.deepEqual(types, [PACKET.leaderInfo, PACKET.diff]);
});

test('what stands behind a packet can be had raw', () => {
  const writer = new ByteWriter();
  writeQuorumPacket(writer, PACKET.snap, 5);
  writer.raw(bytesOf('010203'));
  const reader = new QuorumPacketReader(DATA_BYTES_MAX);
  reader.push(writer.bytes, 0, writer.length);
  assert.equal(reader.next(), 'packet');
  assert.deepEqual([...reader.takeRest()], [1, 2, 3]);
  reader.push(bytesOf(VECTORS[2]?.hex as string));
  assert.equal(reader.next(), 'packet');
  assert.equal(reader.type, PACKET.diff);
});

test('lengths that lie are malformed, and cost nothing', () => {
  for (const hex of ['00000001 ffffffffffffffff fffffffe ffffffff', '00000001 ffffffffffffffff 7fffffff ffffffff']) {
    const reader = new QuorumPacketReader(DATA_BYTES_MAX);
    reader.push(bytesOf(hex));
    assert.equal(reader.next(), 'malformed');
  }
  const reader = new QuorumPacketReader(10);
  reader.push(bytesOf('00000001 ffffffffffffffff ffffffff 7fffffff'));
  assert.equal(reader.next(), 'more');
  let result = 'more';
  for (let i = 0; i < 400 && result === 'more'; i++) {
    reader.push(new Uint8Array(4096).fill(0xff));
    result = reader.next();
  }
  assert.equal(result, 'malformed');
});

test('LearnerInfo of every age', () => {
  const writer = new ByteWriter();
  writeLearnerInfo(writer, 2, 0x100000000);
  assert.equal(hexOf(writer), '0000000000000002000100000000000100000000');
  const { bytes } = writer;
  const full = { serverId: 2, protocolVersion: QUORUM_PROTOCOL_VERSION, configVersion: 0x100000000 };
  assert.deepEqual(readLearnerInfo(bytes, 0, 20), full);
  assert.deepEqual(readLearnerInfo(bytes, 0, 12), { ...full, configVersion: 0 });
  assert.deepEqual(readLearnerInfo(bytes, 0, 8), { serverId: 2, protocolVersion: 0, configVersion: 0 });
  assert.deepEqual(readLearnerInfo(bytes, -1, -1), { serverId: null, protocolVersion: 0, configVersion: 0 });
});
