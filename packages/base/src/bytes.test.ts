import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { ByteReader, ByteWriter, decodeUtf8, encodeUtf8 } from './bytes.js';
import { Prng } from './prng.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('the vectors of jute primitives', () => {
  const cases: [(writer: ByteWriter) => void, string][] = [
    [(w) => w.string(null), 'ffffffff'],
    [(w) => w.string(''), '00000000'],
    [(w) => w.string('/a'), '000000022f61'],
    [(w) => w.string('é'), '00000002c3a9'],
    // Java encodes each UTF-16 unit on its own: six bytes.
    [(w) => w.string('\u{1f600}'), '00000006eda0bdedb880'],
    [(w) => w.buffer(null), 'ffffffff'],
    [(w) => w.buffer(new Uint8Array([1, 2])), '000000020102'],
    [(w) => w.long(-1), 'ffffffffffffffff'],
    [(w) => w.long(0x100000002), '0000000100000002'],
    [(w) => w.bool(true), '01'],
  ];
  for (const [write, expected] of cases) {
    const writer = new ByteWriter(1);
    write(writer);
    assert.equal(hex(writer.toBytes()), expected);
  }
});

test('a read past the end fails for good and yields zeros, wherever the bytes are cut', () => {
  const writer = new ByteWriter();
  writer.int32(7);
  writer.string('path');
  writer.long(12345678901);
  writer.buffer(new Uint8Array(9));
  const whole = writer.toBytes();
  for (let cut = 0; cut <= whole.length; cut++) {
    const reader = new ByteReader(whole, 0, cut);
    reader.int32();
    reader.string();
    reader.long();
    reader.buffer();
    assert.equal(reader.failed, cut < whole.length, `cut at ${cut}`);
    assert.ok(reader.offset <= cut);
  }
});

test('negative and lying lengths fail', () => {
  for (const length of [-2, -2147483648, 5, 2147483647]) {
    const writer = new ByteWriter();
    writer.int32(length);
    writer.int32(0);
    const reader = new ByteReader(writer.toBytes());
    reader.range();
    assert.ok(reader.failed, String(length));
  }
  const reader = new ByteReader(new Uint8Array([0x7f, 0xff, 0xff, 0xff]));
  assert.equal(reader.count(4), 0);
  assert.ok(reader.failed);
});

test('decodeUtf8 agrees with TextDecoder on random bytes', () => {
  const prng = new Prng(11);
  const decoder = new TextDecoder();
  const interesting = [
    0x00, 0x2f, 0x7f, 0x80, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xa0, 0xed, 0x9f, 0xef, 0xf0, 0x90, 0xf4, 0x8f, 0xf5,
  ];
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from({ length: prng.below(9) }, () =>
      prng.chance(0.8) ? prng.pick(interesting) : prng.below(256),
    );
    // TextDecoder drops a leading byte order mark; Java does not.
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) continue;
    assert.equal(decodeUtf8(bytes, 0, bytes.length), decoder.decode(bytes), hex(bytes));
  }
});

test('a writer that grows keeps what it has', () => {
  const writer = new ByteWriter(1);
  const expected: number[] = [];
  for (let i = 0; i < 5000; i++) {
    writer.int8(i & 0xff);
    expected.push(i & 0xff);
  }
  assert.deepEqual([...writer.toBytes()], expected);
  assert.deepEqual([...encodeUtf8('ä')], [0xc3, 0xa4]);
});

test('a buffer that was read is a copy, also out of bytes whose own slice gives a view', () => {
  const bytes = Buffer.from('000000020102', 'hex');
  const copy = new ByteReader(bytes).buffer() as Uint8Array;
  bytes.fill(0);
  assert.equal(hex(copy), '0102');
});

test('a range of a reader is written as bufferRange writes it, whatever its length and place', () => {
  const bytes = new Uint8Array(2048).map((_, at) => (at * 37) ^ (at >> 3));
  const reader = new ByteReader(bytes.subarray(5), 0, 2000);
  for (const length of [0, 1, 3, 4, 5, 31, 32, 127, 128, 255, 256, 257, 1000]) {
    for (const start of [0, 1, 6, 500]) {
      const expected = new ByteWriter(16);
      const written = new ByteWriter(16);
      for (const writer of [expected, written]) writer.int8(7);
      expected.bufferRange(reader.bytes, start, start + length);
      written.bufferFrom(reader, start, start + length);
      assert.deepEqual(written.toBytes(), expected.toBytes(), `${length} bytes from ${start}`);
    }
  }
});
