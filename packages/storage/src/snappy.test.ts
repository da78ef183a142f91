import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter } from '@zoots/base';
import { SnappyCompressor, snappyDecompress, snappyLength } from './snappy.js';

function xorshift(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Inputs from incompressible to one repeated byte, of the lengths where the format changes shape. */
function* inputs(): Generator<Uint8Array> {
  const next = xorshift(42);
  for (const length of [0, 1, 4, 15, 16, 17, 59, 60, 61, 255, 256, 257, 4000, 32767, 32768, 65535]) {
    yield Uint8Array.from({ length }, () => next());
    yield new Uint8Array(length).fill(7);
    yield Uint8Array.from({ length }, (_, i) => (i % 11 === 0 ? next() : i));
    yield Uint8Array.from({ length }, (_, i) => ((i >> 7) * 31) ^ (next() % 50 === 0 ? 1 : 0));
    yield Uint8Array.from({ length }, (_, i) => (i < length / 2 ? next() % 3 : i % (1 + (i >> 10))));
  }
}

function compress(input: Uint8Array, compressor = new SnappyCompressor()): Uint8Array {
  const out = new ByteWriter(16);
  compressor.compress(input, 0, input.length, out);
  return out.toBytes();
}

test('what is compressed comes back', () => {
  const compressor = new SnappyCompressor();
  for (const input of inputs()) {
    const packed = compress(input, compressor);
    assert.equal(snappyLength(packed, 0, packed.length), input.length);
    const target = new Uint8Array(input.length);
    assert.equal(snappyDecompress(packed, 0, packed.length, target), input.length);
    assert.deepEqual(target, input);
    assert.ok(packed.length <= 32 + input.length + input.length / 6);
  }
  assert.ok(compress(new Uint8Array(32768)).length < 2000);
});

test('a range in the middle of a buffer', () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 13);
  const out = new ByteWriter(16);
  out.int32(5);
  new SnappyCompressor().compress(bytes, 100, 900, out);
  const target = new Uint8Array(2000);
  assert.equal(snappyDecompress(out.bytes, 4, out.length, target), 800);
  assert.deepEqual(target.slice(0, 800), bytes.slice(100, 900));
});

test('hand-made blocks: every kind of element', () => {
  const cases: [number[], string][] = [
    [[5, 4 << 2, 104, 101, 108, 108, 111], 'hello'],
    // Copy with one byte of offset, overlapping.
    [[10, 1 << 2, 97, 98, 1 | ((8 - 4) << 2), 2], 'ababababab'],
    // Copies with two and four bytes of offset.
    [[6, 2 << 2, 97, 98, 99, 2 | (2 << 2), 3, 0], 'abcabc'],
    [[6, 2 << 2, 97, 98, 99, 3 | (2 << 2), 3, 0, 0, 0], 'abcabc'],
    // A literal with its length in one more byte.
    [[3, 60 << 2, 2, 120, 121, 122], 'xyz'],
  ];
  for (const [block, text] of cases) {
    const target = new Uint8Array(20);
    const length = snappyDecompress(Uint8Array.from(block), 0, block.length, target);
    assert.equal(Buffer.from(target.subarray(0, length)).toString(), text);
  }
});

test('malformed blocks are refused, and never read or written out of bounds', () => {
  const bad = [
    [],
    [5],
    [0x80],
    [5, 4 << 2, 104, 101],
    [2, 4 << 2, 104, 101, 108, 108, 111],
    [4, 0, 97, 1, 0],
    [4, 0, 97, 1, 2],
    [9, 0, 97, 1, 1],
    [5, 63 << 2, 255, 255, 255, 255],
    [5, 0, 97, 2],
    [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1],
  ];
  for (const block of bad)
    assert.equal(snappyDecompress(Uint8Array.from(block), 0, block.length, new Uint8Array(64)), -1);
  const next = xorshift(5);
  const whole = compress(Uint8Array.from({ length: 3000 }, (_, i) => (i * i) >> 5));
  for (let run = 0; run < 3000; run++) {
    const damaged = whole.slice();
    for (let k = 0; k < 1 + (run % 4); k++) damaged[next() % damaged.length] = next();
    const length = snappyDecompress(damaged, 0, damaged.length, new Uint8Array(4000));
    assert.ok(length >= -1 && length <= 4000);
  }
});
