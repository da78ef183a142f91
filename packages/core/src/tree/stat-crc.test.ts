import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { crc32, Prng } from '@zoots/base';
import { contentChange, crcWithStat, setField } from './stat-crc.js';
import { S, STAT_INTS } from './stat-rows.js';

/** The 60 bytes as the digest takes them. */
function bytesOf(stat: Int32Array): Uint8Array {
  const order = [S.czxid, S.mzxid, S.pzxid, S.ctime, S.mtime].flatMap((field) => [field, field + 1]);
  order.push(S.version, S.cversion, S.aversion, S.owner, S.owner + 1);
  const view = new DataView(new ArrayBuffer(4 * order.length));
  for (const [index, field] of order.entries()) view.setInt32(4 * index, stat[field] as number);
  return new Uint8Array(view.buffer);
}

function crcOfBytes(stat: Int32Array, contentCrc: number): number {
  const bytes = bytesOf(stat);
  return crc32(bytes, 0, bytes.length, contentCrc) | 0;
}

function randomInt(prng: Prng): number {
  return prng.pick([0, 1, -1, prng.below(300), prng.uint32() | 0]);
}

test('content and stat have the CRC of their bytes', () => {
  const prng = new Prng(11);
  const zeros = new Int32Array(STAT_INTS);
  assert.equal(crcWithStat(zeros, 0, 0), crcOfBytes(zeros, 0));
  for (let round = 0; round < 2000; round++) {
    const content = randomInt(prng);
    const at = prng.below(5);
    const row = Int32Array.from({ length: STAT_INTS + at }, () => randomInt(prng));
    assert.equal(crcWithStat(row, at, content), crcOfBytes(row.slice(at), content));
  }
});

test('changes keep the CRC up', () => {
  const prng = new Prng(12);
  const at = 3;
  const row = Int32Array.from({ length: STAT_INTS + at }, () => randomInt(prng));
  let content = randomInt(prng);
  let crc = crcWithStat(row, at, content);
  for (let round = 0; round < 5000; round++) {
    if (prng.chance(0.2)) {
      const next = randomInt(prng);
      crc ^= contentChange(content ^ next);
      content = next;
    } else {
      const field = prng.below(STAT_INTS);
      const value = randomInt(prng);
      crc ^= setField(row, at, field, value);
      assert.equal(row[at + field], value);
    }
    assert.equal(crc, crcOfBytes(row.slice(at), content));
  }
});
