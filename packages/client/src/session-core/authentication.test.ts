import assert from 'node:assert/strict';
import test from 'node:test';
import { ByteReader, ByteWriter, decodeUtf8 } from '@zoots/base';
import { ERROR, OP, XID } from '@zoots/protocol';
import { Authentication } from './authentication.js';

/** Scheme and auth of each frame. */
function framesIn(out: ByteWriter): string[] {
  const bytes = out.toBytes();
  const frames: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const reader = new ByteReader(bytes, at);
    const end = at + 4 + reader.int32();
    assert.deepEqual([reader.int32(), reader.int32(), reader.int32()], [XID.auth, OP.auth, 0]);
    const scheme = reader.string();
    const auth = reader.buffer() ?? new Uint8Array(0);
    assert.equal(reader.offset, end);
    frames.push(`${scheme} ${decodeUtf8(auth, 0, auth.length)}`);
    at = end;
  }
  return frames;
}

const ANN = { scheme: 'digest', auth: 'ann:secret' };
const BOB = { scheme: 'digest', auth: new Uint8Array([0x62, 0x3a, 0xc3, 0xa9]) };

test('every connection hears all identities, in order, also those that came while there was none', () => {
  const authentication = new Authentication([ANN]);
  authentication.add(BOB, () => {}, null);
  for (let connection = 0; connection < 2; connection++) {
    const out = new ByteWriter();
    authentication.sendAll(out);
    assert.deepEqual(framesIn(out), ['digest ann:secret', 'digest b:é']);
    authentication.onDisconnected();
  }
});

test('whoever added one is told once, of the first answer', () => {
  const authentication = new Authentication([ANN]);
  const codes: number[] = [];
  const first = new ByteWriter();
  authentication.sendAll(first);
  authentication.add(BOB, (code) => codes.push(code), first);
  assert.deepEqual(framesIn(first), ['digest ann:secret', 'digest b:é']);
  assert.equal(authentication.onReply(ERROR.ok), true);
  assert.deepEqual(codes, [], 'this answer is for the identity before');
  assert.equal(authentication.onReply(ERROR.ok), true);
  authentication.onDisconnected();
  authentication.sendAll(new ByteWriter());
  authentication.onReply(ERROR.ok);
  authentication.onReply(ERROR.ok);
  authentication.failAll();
  assert.deepEqual(codes, [ERROR.ok]);
});

test('an answer that a lost connection took along is given by the next one', () => {
  const authentication = new Authentication([]);
  const codes: number[] = [];
  authentication.add(ANN, (code) => codes.push(code), new ByteWriter());
  authentication.onDisconnected();
  authentication.sendAll(new ByteWriter());
  assert.equal(authentication.onReply(ERROR.authFailed), false);
  assert.deepEqual(codes, [ERROR.authFailed]);
});

test('who waits at the end is told that it failed', () => {
  const authentication = new Authentication([]);
  const codes: number[] = [];
  authentication.add(ANN, (code) => codes.push(code), null);
  authentication.failAll();
  authentication.failAll();
  assert.deepEqual(codes, [ERROR.authFailed]);
});
