import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { isReader } from './conventions.js';
import { compareSequences, sequenceOf } from './sequence.js';

const NAMES: readonly (readonly [name: string, sequence: number | null])[] = [
  ['_c_6b2d1c9e-0a1f-4f9e-9c39-2b8a0d9f1e11-lock-0000000007', 7],
  ['6b2d1c9e0a1f4f9e9c392b8a0d9f1e11__lock__0000000042', 42],
  ['lock-2147483647', 2147483647],
  ['lock--2147483648', -2147483648],
  ['__lock__-2147483648', -2147483648],
  ['lock--1000000001', -1000000001],
  ['lock-1000000001', 1000000001],
  ['lock--000000001', -1],
  ['__READ__-000000012', -12],
  ['0000000000', 0],
  ['job120000000005', 5],
  ['lock-4294967295', null],
  ['lease_holder', null],
  ['lock-123', null],
  ['', null],
];

test('the number at the end of a name, whatever is before it', () => {
  for (const [name, sequence] of NAMES) assert.equal(sequenceOf(name), sequence, name);
});

test('the order goes on over the wrap-around of the counter', () => {
  const inOrder = [2147483646, 2147483647, -2147483648, -2147483647];
  for (let i = 0; i < inOrder.length; i++) {
    for (let j = 0; j < inOrder.length; j++) {
      const order = compareSequences(inOrder[i] as number, inOrder[j] as number);
      assert.equal(Math.sign(order), Math.sign(i - j), `${inOrder[i]} and ${inOrder[j]}`);
    }
  }
  assert.ok(compareSequences(-1, 0) < 0);
});

test('readers are told from everybody else by the word before the number', () => {
  assert.ok(isReader('_c_x-__READ__0000000001'));
  assert.ok(isReader('abc__rlock__-2147483648'));
  assert.ok(!isReader('_c_x-__WRIT__0000000001'));
  assert.ok(!isReader('abc__lock__0000000001'));
  assert.ok(!isReader('_c_x-lock-0000000001'));
});
