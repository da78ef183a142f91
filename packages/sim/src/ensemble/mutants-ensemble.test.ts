/**
 * Every bug planted in a member of an ensemble is found within a bounded number of seeds. The seeds begin where each is found soon, so
 * that the tests take seconds; docs/simulation.md has what was measured from one seed on for all.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ENSEMBLE_MUTANTS } from './mutants-ensemble.js';
import { runEnsembleSeed } from './run-ensemble.js';
import { shorter } from './swarm.js';

const SEEDS_MAX = 40;

const FIRST_SEEDS: Readonly<Record<string, number>> = {};

for (const mutant of ENSEMBLE_MUTANTS) {
  test(`${mutant.name} is found: ${mutant.bug}`, () => {
    const first = FIRST_SEEDS[mutant.name] ?? 101;
    for (let seed = first; seed < first + SEEDS_MAX; seed++) {
      if (runEnsembleSeed(seed, { mutant, adjust: shorter }).failure !== null) return;
    }
    assert.fail(`${SEEDS_MAX} seeds ran clean although ${mutant.bug}`);
  });
}

test('the bugs are taken back: a seed that found them runs clean without them', () => {
  assert.equal(runEnsembleSeed(101, { adjust: shorter }).failure, null);
});
