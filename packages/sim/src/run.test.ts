/** The simulator itself: reproducible, clean on a few seeds, and able to fail. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Violation } from './checkers/violation.js';
import { runSeed } from './run.js';

/** Seeds that take little time and have, between them, every kind of crash. */
const SEEDS = [1, 3, 7, 10, 14, 22];

test('a seed gives the same number twice, and whoever looks on does not change it', () => {
  for (const seed of SEEDS.slice(0, 3)) {
    const first = runSeed(seed);
    const second = runSeed(seed);
    const watched = runSeed(seed, { recentLines: 10 });
    assert.equal(first.failure, null);
    assert.equal(first.number, second.number, `seed ${seed}`);
    assert.equal(first.number, watched.number, `seed ${seed}, watched`);
    assert.equal(first.events, second.events);
  }
});

test('seeds run clean, and give different numbers', () => {
  let starts = 0;
  const numbers = new Set<number>();
  for (const seed of SEEDS) {
    const result = runSeed(seed);
    assert.equal(result.failure, null, `seed ${seed}: ${result.failure?.stack}`);
    assert.ok(result.replies > 0, `seed ${seed} checked nothing`);
    starts += result.starts;
    numbers.add(result.number);
  }
  assert.equal(numbers.size, SEEDS.length);
  assert.ok(starts > 3 * SEEDS.length, 'no server was ever restarted in the middle');
});

test('a checker that must fail does', () => {
  const { failure } = runSeed(1, { isCanary: true });
  assert.ok(failure instanceof Violation);
  assert.equal(failure.checker, 'canary');
});
