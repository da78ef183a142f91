/** Every planted bug is found within a bounded number of seeds. The bounds are several times what was measured. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { MUTANTS } from './mutants.js';
import { runSeed } from './run.js';

const SEEDS_MAX = 40;

for (const mutant of MUTANTS) {
  test(`${mutant.name} is found: ${mutant.bug}`, () => {
    for (let seed = 1; seed <= SEEDS_MAX; seed++) if (runSeed(seed, { mutant }).failure !== null) return;
    assert.fail(`${SEEDS_MAX} seeds ran clean although ${mutant.bug}`);
  });
}

test('the bugs are taken back: a seed that found them runs clean without them', () => {
  for (let seed = 1; seed <= 3; seed++) assert.equal(runSeed(seed).failure, null);
});
