import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashOfLong, hashOfString, inHashOrder } from './hash-order.js';

test('hashes are those of Java', () => {
  assert.equal(hashOfString(''), 0);
  assert.equal(hashOfString('zookeeper'), 1600681804);
  assert.equal(hashOfString('ä'), 228);
  // The halves 0x01000018 and 0x86b10000, one xor the other.
  assert.equal(hashOfLong(0x1000018_86b10000n), 0x87b10018 | 0);
  assert.equal(hashOfLong(-1n), 0);
});

test('order is by bucket, and by arrival within one', () => {
  const byNumber = (items: number[], buckets: number) => inHashOrder(items, (item) => item, buckets);
  assert.deepEqual(byNumber([9, 1, 8, 0], 8), [8, 0, 9, 1]);
  // The seventh of eight buckets is one too many: sixteen.
  assert.deepEqual(byNumber([9, 1, 8, 0, 2, 3, 4], 8), [0, 1, 2, 3, 4, 8, 9]);
  assert.deepEqual(byNumber([0x10000, 1, 0], 8), [0, 0x10000, 1]);
});

// Orders as a HashSet of Java 17 gives them.
test('a bucket of nine doubles a small table early', () => {
  const multiples = (step: number) => Array.from({ length: 9 }, (_, i) => i * step);
  const order = (step: number, buckets: number) => inHashOrder([16, ...multiples(step)], (item) => item, buckets);
  assert.deepEqual(order(32, 8), [0, 64, 128, 192, 256, 16, 32, 96, 160, 224]);
  assert.deepEqual(order(64, 16), [...multiples(64), 16]);
});
