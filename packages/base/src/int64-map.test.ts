import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import {
  highOf,
  highOfBigint,
  isSafePair,
  lowOf,
  lowOfBigint,
  pairToBigint,
  pairToHex,
  pairToNumber,
  toHex,
} from './int64.js';
import { Int64Map } from './int64-map.js';
import { Prng } from './prng.js';

test('a random history of sets and deletes leaves what a Map of bigints has', () => {
  const prng = new Prng(7);
  const map = new Int64Map<number>();
  const model = new Map<bigint, number>();
  for (let step = 0; step < 50_000; step++) {
    // Few distinct keys, of which many collide in one half: probing and backward-shift deletion are exercised.
    const high = prng.below(4) - 2;
    const low = (prng.below(200) << 8) | 0;
    const key = pairToBigint(high, low);
    if (prng.chance(0.45)) {
      assert.equal(map.delete(high, low), model.delete(key));
    } else {
      map.set(high, low, step);
      model.set(key, step);
    }
    assert.equal(map.size, model.size);
    assert.equal(map.get(high, low), model.get(key));
  }
  assert.deepEqual([...map.values()].sort(), [...model.values()].sort());
});

test('numbers, pairs and bigints agree on both sides of zero', () => {
  for (const value of [
    0,
    1,
    -1,
    0xffffffff,
    0x100000000,
    -0x100000000,
    Number.MAX_SAFE_INTEGER,
    -Number.MAX_SAFE_INTEGER,
  ]) {
    assert.equal(pairToNumber(highOf(value), lowOf(value)), value);
    assert.equal(pairToBigint(highOf(value), lowOf(value)), BigInt(value));
    assert.equal(highOfBigint(BigInt(value)), highOf(value));
    assert.equal(lowOfBigint(BigInt(value)), lowOf(value));
    assert.equal(toHex(value), BigInt.asUintN(64, BigInt(value)).toString(16));
  }
  assert.equal(pairToHex(0, 10), 'a');
  assert.ok(isSafePair(0x1fffff, -1));
  assert.ok(!isSafePair(0x200000, 0));
  assert.ok(isSafePair(-1, -1));
  assert.ok(!isSafePair(-0x200000, 0));
});

test('a seed gives one sequence, forks are independent of each other', () => {
  const draw = (prng: Prng): number[] => Array.from({ length: 8 }, () => prng.uint32());
  assert.deepEqual(draw(new Prng(1)), draw(new Prng(1)));
  assert.notDeepEqual(draw(new Prng(1)), draw(new Prng(2)));
  assert.notDeepEqual(draw(new Prng(1)), draw(new Prng(2 ** 32 + 1)));
  assert.notDeepEqual(draw(new Prng(1).fork('disk')), draw(new Prng(1).fork('network')));
  const prng = new Prng(3);
  for (let i = 0; i < 1000; i++) {
    const value = prng.between(-3, 3);
    assert.ok(value >= -3 && value <= 3);
  }
});
