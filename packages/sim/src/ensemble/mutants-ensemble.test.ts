/**
 * Every bug planted in a member of an ensemble is found within a bounded number of seeds. The seeds begin where each is found soon, so
 * that the tests take seconds; docs/simulation.md has what was measured from one seed on for all. What few seeds come to has a story of its own.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { OP } from '@zoots/protocol';
import { makeRequest } from '../request.js';
import type { Member } from './member.js';
import type { EnsembleMutant } from './mutant-ensemble.js';
import { ENSEMBLE_MUTANTS } from './mutants-ensemble.js';
import { runEnsembleSeed } from './run-ensemble.js';
import { ScriptedEnsemble } from './script.js';
import { shorter } from './swarm.js';

const SEEDS_MAX = 40;

const FIRST_SEEDS: Readonly<Record<string, number>> = {
  'ack-before-sync': 102,
  'promise-forgotten': 124,
  'history-not-durable': 106,
};

/** A leader's tail that nobody else has; the others begin an epoch and write nothing before it is back. */
function cutTail(): void {
  const world = new ScriptedEnsemble({ clients: 1 });
  world.start();
  const old = world.awaitLeader();
  const client = world.client(1, old.id);
  world.write(client, '/a', 'x');
  world.settle();
  world.isolate(old.id);
  client.ask(makeRequest(OP.create, { path: '/lost', data: 'y' }));
  world.until('the others lead', () => world.leader !== null && world.leader.id !== old.id);
  world.healAll();
  world.until('the tail is cut', () => world.sent('TRUNC') > 0);
  world.settle();
  assert.deepEqual(world.tree(old.id), ['/a x']);
}

/** A follower hears nothing of its leader for a while. Behind a sync, its clients must read what was answered to others before. */
function syncBehind(mutant: EnsembleMutant | null = null): void {
  const world = new ScriptedEnsemble({ clients: 2 });
  if (mutant?.onServer !== undefined) world.world.patchServer = mutant.onServer;
  world.start();
  const leader = world.awaitLeader();
  const [behind] = world.world.members.filter(({ id }) => id !== leader.id);
  const writer = world.client(1, leader.id);
  const reader = world.client(2, (behind as Member).id);
  world.write(writer, '/a', 'x');
  world.settle();
  world.cutOneWay(leader.id, (behind as Member).id);
  world.write(writer, '/a', 'y');
  reader.ask(makeRequest(OP.sync, { path: '/a' }));
  reader.ask(makeRequest(OP.getData, { path: '/a' }));
  world.run(20);
  assert.equal(reader.outstandingCount, 2, 'the sync is not answered before the leader is heard');
  world.healAll();
  world.until('both are answered', () => reader.outstandingCount === 0);
}

/** What few seeds come to, or none. */
const STORIES: Readonly<Record<string, (mutant: EnsembleMutant | null) => void>> = {
  'trunc-skipped': cutTail,
  'sync-at-once': syncBehind,
};

test('a tail that was never committed is cut', cutTail);

test('a sync waits for the leader', () => syncBehind());

for (const mutant of ENSEMBLE_MUTANTS) {
  test(`${mutant.name} is found: ${mutant.bug}`, () => {
    const story = STORIES[mutant.name];
    if (story !== undefined) {
      const undo = mutant.plant?.();
      assert.throws(() => story(mutant));
      undo?.();
      return;
    }
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
