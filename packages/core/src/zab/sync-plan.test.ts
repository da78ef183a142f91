import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '@zoots/base';
import { makeZxid } from '@zoots/protocol';
import { CommittedLog } from './committed-log.js';
import { HistoryWalk, type LeaderHistory, planSync, type SyncPlan } from './sync-plan.js';

const history: LeaderHistory = {
  lastProcessedZxid: makeZxid(2, 9),
  minCommittedZxid: makeZxid(2, 3),
  maxCommittedZxid: makeZxid(2, 9),
  mayUseDisk: true,
  mustSnap: false,
};

test('the first decision, row by row', () => {
  const rows: readonly (readonly [string, number, Partial<LeaderHistory>, SyncPlan | 'walk'])[] = [
    ['the same', makeZxid(2, 9), {}, { kind: 'none' }],
    ['ahead', makeZxid(2, 12), {}, { kind: 'trunc', to: makeZxid(2, 9) }],
    ['ahead in a later epoch', makeZxid(3, 1), {}, { kind: 'trunc', to: makeZxid(2, 9) }],
    ['an epoch that only began', makeZxid(3, 0), {}, { kind: 'snap' }],
    ['within', makeZxid(2, 5), {}, 'walk'],
    ['at the start', makeZxid(2, 3), {}, 'walk'],
    ['before', makeZxid(1, 70), {}, { kind: 'disk' }],
    ['before, without disk', makeZxid(1, 70), { mayUseDisk: false }, { kind: 'snap' }],
    ['forced', makeZxid(2, 9), { mustSnap: true }, { kind: 'snap' }],
    ['nothing in memory', makeZxid(2, 8), { minCommittedZxid: null, maxCommittedZxid: null }, { kind: 'disk' }],
    ['empty', 0, {}, { kind: 'disk' }],
  ];
  for (const [name, zxid, change, plan] of rows)
    assert.deepEqual(planSync(zxid, { ...history, ...change }), plan, name);
});

function walk(learnerZxid: number, zxids: readonly number[]): HistoryWalk {
  const upTo = zxids.at(-1) as number;
  const walking = new HistoryWalk(learnerZxid, upTo);
  for (const zxid of zxids) walking.feed(zxid);
  walking.end();
  return walking;
}

const ENTRIES = [makeZxid(1, 4), makeZxid(1, 5), makeZxid(2, 1), makeZxid(2, 2), makeZxid(2, 4)];
const UP_TO = makeZxid(2, 4);

test('the walk finds the place, or where the ways part', () => {
  assert.deepEqual(walk(makeZxid(1, 5), ENTRIES).plan, { kind: 'diff', upTo: UP_TO });
  assert.deepEqual(walk(makeZxid(2, 3), ENTRIES).plan, { kind: 'trunc', to: makeZxid(2, 2) });
  assert.equal(walk(makeZxid(2, 3), ENTRIES).sendAfter, makeZxid(2, 2));
  // It has an entry of epoch 1 that the leader never had: no cut across epochs.
  assert.deepEqual(walk(makeZxid(1, 6), ENTRIES).plan, { kind: 'snap' });
  assert.deepEqual(walk(makeZxid(2, 0), ENTRIES).plan, { kind: 'diff', upTo: UP_TO });
  assert.deepEqual(walk(makeZxid(1, 3), ENTRIES).plan, { kind: 'snap' });
  assert.deepEqual(walk(makeZxid(3, 0), ENTRIES).plan, { kind: 'diff', upTo: UP_TO });
  assert.deepEqual(walk(makeZxid(3, 1), ENTRIES).plan, { kind: 'snap' });
});

/** A history is zxids in order; a learner's is a prefix of the leader's, perhaps with a tail of its own in its last epoch. */
test('whatever the histories, following the plan makes them equal', () => {
  for (let seed = 0; seed < 2_000; seed++) {
    const prng = new Prng(seed);
    const leader: number[] = [];
    for (let epoch = 1; epoch <= 3; epoch++) {
      for (let counter = 1, count = prng.below(5); counter <= count; counter++) leader.push(makeZxid(epoch, counter));
    }
    const log = new CommittedLog(prng.between(1, 6));
    for (const zxid of leader) log.add(zxid, new Uint8Array([zxid % 251]), 0, 1);
    if (leader.length === 0) continue;
    const learner = leader.slice(0, prng.below(leader.length + 1));
    const lastEpoch = learner.length === 0 ? 0 : Math.floor((learner.at(-1) as number) / 2 ** 32);
    for (let extra = prng.below(3); extra > 0; extra--) {
      const next = (learner.at(-1) ?? makeZxid(lastEpoch, 0)) + 1;
      // Two leaders of one epoch do not exist, so a tail of its own never has a zxid that is somebody else's.
      if (leader.includes(next)) break;
      learner.push(next);
    }
    assert.deepEqual(synchronise(learner, leader, log), leader, `seed ${seed}`);
  }
});

function synchronise(learner: readonly number[], leader: readonly number[], log: CommittedLog): number[] {
  const learnerZxid = learner.at(-1) ?? 0;
  const last = leader.at(-1) as number;
  const plan = planSync(learnerZxid, {
    lastProcessedZxid: last,
    minCommittedZxid: log.minZxid,
    maxCommittedZxid: log.maxZxid,
    mayUseDisk: true,
    mustSnap: false,
  });
  if (plan === 'walk') {
    const inMemory = Array.from({ length: log.count }, (_, i) => log.at(i).zxid);
    return follow(walk(learnerZxid, inMemory), learner, inMemory, leader);
  }
  if (plan.kind === 'disk') return follow(walk(learnerZxid, leader), learner, leader, leader);
  if (plan.kind === 'snap') return [...leader];
  if (plan.kind === 'trunc') return learner.filter((zxid) => zxid <= plan.to);
  return [...learner];
}

function follow(
  walking: HistoryWalk,
  learner: readonly number[],
  entries: readonly number[],
  leader: readonly number[],
): number[] {
  if (walking.plan?.kind === 'snap') return [...leader];
  const kept = learner.filter((zxid) => zxid <= walking.sendAfter);
  return [...kept, ...entries.filter((zxid) => zxid > walking.sendAfter)];
}

test('the committed log keeps the last entries and their bytes', () => {
  const log = new CommittedLog(3);
  assert.equal(log.minZxid, null);
  assert.equal(log.maxZxid, null);
  for (let zxid = 1; zxid <= 8; zxid++) {
    const bytes = new Uint8Array(zxid).fill(zxid);
    log.add(zxid, bytes, 0, zxid);
    bytes.fill(0);
  }
  assert.deepEqual([log.count, log.minZxid, log.maxZxid], [3, 6, 8]);
  const entry = log.at(1);
  assert.deepEqual([entry.zxid, ...entry.bytes.subarray(0, entry.length)], [7, 7, 7, 7, 7, 7, 7, 7]);
  assert.throws(() => log.add(8, new Uint8Array(1), 0, 1), /zxid order/);
  log.clear();
  assert.equal(log.count, 0);
  log.add(2, new Uint8Array(100_000), 0, 100_000);
  log.add(3, new Uint8Array(1), 0, 1);
  assert.equal(log.maxZxid, 3);
});
