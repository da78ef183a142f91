/** The simulation of ensembles itself: reproducible, clean on a few seeds, and with something happening in them. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type EnsembleResult, runEnsembleSeed } from './run-ensemble.js';
import { shorter } from './swarm.js';

/** Short ones, with crashes and partitions between them. */
const SEEDS = [2, 4, 6, 8];

function run(seed: number, recentLines = 0): EnsembleResult {
  return runEnsembleSeed(seed, { adjust: shorter, recentLines });
}

test('a seed gives the same number twice, and whoever looks on does not change it', () => {
  const first = run(SEEDS[0] as number);
  const second = run(SEEDS[0] as number, 10);
  assert.equal(first.failure, null, first.failure?.stack);
  assert.equal(first.number, second.number);
  assert.equal(first.events, second.events);
});

test('seeds run clean, differ, and are full of faults and elections', () => {
  const results = SEEDS.map((seed) => run(seed));
  for (const { seed, failure, replies } of results) {
    assert.equal(failure, null, `seed ${seed}: ${failure?.stack}`);
    assert.ok(replies > 0, `seed ${seed} checked nothing`);
  }
  assert.equal(new Set(results.map(({ number }) => number)).size, SEEDS.length);
  assert.ok(results.reduce((sum, { epochs }) => sum + epochs, 0) > 2 * SEEDS.length, 'hardly anybody was elected');
  assert.ok(
    results.some(({ faults }) => Object.keys(faults).length > 3),
    'hardly anything went wrong',
  );
});
