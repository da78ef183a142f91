import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import { adler32 as adler32Of, crc32 } from './index.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function adler32(bytes: Uint8Array, start: number, end: number, seed?: number): number {
  return adler32Of(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), start, end, seed);
}

/** The definitions, byte by byte: what the fast versions are compared with. */
function slowCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

function slowAdler(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (const byte of bytes) {
    low = (low + byte) % 65521;
    high = (high + low) % 65521;
  }
  return high * 65536 + low;
}

function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 0x2545f491;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

test('known values', () => {
  const check = text('123456789');
  assert.equal(crc32(check, 0, check.length), 0xcbf43926);
  assert.equal(adler32(check, 0, check.length), 0x091e01de);
  assert.equal(crc32(check, 0, 0), 0);
  assert.equal(adler32(check, 0, 0), 1);
});

test('every length and alignment equals the definition', () => {
  const bytes = noise(300);
  for (let start = 0; start < 9; start++) {
    for (let end = start; end <= bytes.length; end++) {
      const slice = bytes.slice(start, end);
      assert.equal(crc32(bytes, start, end), slowCrc(slice));
      assert.equal(adler32(bytes, start, end), slowAdler(slice));
    }
  }
});

test('a checksum can be continued at any place', () => {
  const bytes = noise(500);
  for (let cut = 0; cut <= bytes.length; cut++) {
    assert.equal(crc32(bytes, cut, bytes.length, crc32(bytes, 0, cut)), crc32(bytes, 0, bytes.length));
    assert.equal(adler32(bytes, cut, bytes.length, adler32(bytes, 0, cut)), adler32(bytes, 0, bytes.length));
  }
});

test('long runs of the largest byte do not overflow', () => {
  const bytes = new Uint8Array(200_003).fill(0xff);
  assert.equal(adler32(bytes, 0, bytes.length), slowAdler(bytes));
  const seed = 0xfff0fff0;
  let low = seed & 0xffff;
  let high = seed >>> 16;
  for (let i = 0; i < 5000; i++) {
    low = (low + 0xff) % 65521;
    high = (high + low) % 65521;
  }
  assert.equal(adler32(bytes, 0, 5000, seed), high * 65536 + low);
});

test('a long input equals zlib, where Node offers it', { skip: typeof zlib.crc32 !== 'function' }, () => {
  const bytes = noise(1 << 20);
  assert.equal(crc32(bytes, 0, bytes.length), zlib.crc32(bytes));
});
