import assert from 'node:assert/strict';
import test from 'node:test';
import { ByteReader, ByteWriter } from '@zoots/base';
import { OP, XID } from '@zoots/protocol';
import { SET_WATCHES_BYTES_MAX, writeSetWatches } from './set-watches.js';

interface Frame {
  readonly op: number;
  readonly bytes: number;
  readonly relativeZxid: number;
  readonly lists: string[][];
}

function framesOf(lists: readonly (readonly string[])[], zxid: number, bytesMax?: number): Frame[] {
  const out = new ByteWriter();
  const count = writeSetWatches(out, lists, zxid, bytesMax);
  const bytes = out.toBytes();
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = new ByteReader(bytes, at).int32();
    const reader = new ByteReader(bytes, at + 4, at + 4 + length);
    assert.equal(reader.int32(), XID.setWatches);
    const op = reader.int32();
    const relativeZxid = reader.long();
    const read: string[][] = [];
    while (reader.remaining > 0) read.push(Array.from({ length: reader.count(4) }, () => reader.string() ?? ''));
    assert.equal(reader.failed, false);
    frames.push({ op, bytes: length, relativeZxid, lists: read });
    at += 4 + length;
  }
  assert.equal(count, frames.length);
  return frames;
}

test('no watches, no frame', () => {
  assert.deepEqual(framesOf([], 1), []);
  assert.deepEqual(framesOf([[], [], [], [], []], 1), []);
});

test('one-shot watches alone go with the operation that every server knows', () => {
  const [frame, ...more] = framesOf([['/a', '/b'], ['/c'], [], [], []], 0x1_0000_0005);
  assert.equal(more.length, 0);
  assert.deepEqual(frame, {
    op: OP.setWatches,
    bytes: frame?.bytes,
    relativeZxid: 0x1_0000_0005,
    lists: [['/a', '/b'], ['/c'], []],
  });
});

test('persistent ones need the other operation', () => {
  const [frame] = framesOf([['/a'], [], ['/k'], ['/p'], ['/r', '/s']], 9);
  assert.equal(frame?.op, OP.setWatches2);
  assert.deepEqual(frame?.lists, [['/a'], [], ['/k'], ['/p'], ['/r', '/s']]);
});

test('many paths are split, each path is told once, all frames are relative to the same zxid', () => {
  const paths = (name: string, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `/${name}/${'x'.repeat(60)}${i}`);
  const lists = [paths('data', 3_000), paths('exist', 10), paths('child', 2_000), [], paths('recursive', 500)];
  const frames = framesOf(lists, 77);
  assert.ok(frames.length > 2);
  const told = lists.map((_, i) => frames.flatMap((frame) => frame.lists[i] ?? []));
  assert.deepEqual(told, lists);
  for (const frame of frames) {
    assert.equal(frame.relativeZxid, 77);
    assert.ok(frame.bytes < SET_WATCHES_BYTES_MAX + 200);
    const isOneShot = frame.lists.slice(3).every((list) => list.length === 0);
    assert.equal(frame.op, isOneShot ? OP.setWatches : OP.setWatches2);
  }
});

test('a bound below one path means a frame for each', () => {
  const frames = framesOf([['/a', '/b'], [], ['/a'], [], []], 1, 1);
  assert.deepEqual(
    frames.map(({ lists }) => lists),
    [
      [['/a'], [], []],
      [['/b'], [], []],
      [[], [], ['/a']],
    ],
  );
});
