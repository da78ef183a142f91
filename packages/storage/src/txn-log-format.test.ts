import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter } from '@zoots/base';
import { LOG_HEADER_BYTES, readMark, writeLogHeader } from './txn-log-format.js';

function headerOf(mark: number): Uint8Array {
  const writer = new ByteWriter();
  writeLogHeader(writer, mark);
  assert.equal(writer.length, LOG_HEADER_BYTES);
  return writer.toBytes();
}

function markOf(header: Uint8Array): number {
  return readMark(new DataView(header.buffer), 0);
}

test('without a mark the header is that of Apache', () => {
  assert.equal(Buffer.from(headerOf(0)).toString('hex'), '5a4b4c47000000020000000000000000');
});

test('a mark comes back, whatever the size of the file', () => {
  for (const mark of [16, 255, 256, 65520, 65521, 65536, 2 ** 31, 2 ** 32 + 5, 2 ** 40])
    assert.equal(markOf(headerOf(mark)), mark);
});

test('another dbid, a flipped bit, or half of a mark is no mark', () => {
  for (const mark of [16, 0xff, 0x1234, 0xffff, 0x123456, 2 ** 33]) {
    for (let bit = 0; bit < 64; bit++) {
      const header = headerOf(mark);
      header[8 + (bit >> 3)] ^= 1 << (bit & 7);
      assert.equal(markOf(header), 0);
    }
    for (const later of [mark + 1, mark + 100, mark + 0x10000, mark * 3]) {
      for (let cut = 1; cut < 8; cut++) {
        const header = headerOf(mark);
        header.set(headerOf(later).subarray(8, 8 + cut), 8);
        assert.ok([0, mark, later].includes(markOf(header)), `${mark} ${later} ${cut}`);
      }
    }
  }
  for (let dbid = 1; dbid < 300; dbid++) {
    const header = headerOf(0);
    header[15] = dbid;
    header[14] = dbid >> 8;
    assert.equal(markOf(header), 0);
  }
});
