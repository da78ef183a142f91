/** How a server that was away comes to the leader's history: by which way, while writes go on, and with the way broken off anywhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CREATE_MODE } from '@zoots/protocol';
import type { TestClient } from './stage-client.js';
import type { TestOptions } from './stage-config.js';
import { TestEnsemble, type TestMember } from './stage-ensemble.js';

const VALUE = 'x'.repeat(50);

/** The ways in which servers were synchronised that this one led, with their ids. */
function waysOf(member: TestMember): string[] {
  return member.log.records
    .filter(({ event }) => event === 'synchronising a learner')
    .map(({ fields }) => `${fields.serverId} ${fields.how}`);
}

function write(ensemble: TestEnsemble, client: TestClient, prefix: string, count: number): void {
  const xids = Array.from({ length: count }, (_, i) => client.create(`/${prefix}${i}`, VALUE));
  ensemble.settle();
  for (const xid of xids) assert.equal(client.code(xid), 0, `/${prefix}`);
}

/** Server 1 is down, and the others have gone on by `count` writes. */
function behind(options: TestOptions, count: number): { ensemble: TestEnsemble; away: TestMember; client: TestClient } {
  const ensemble = new TestEnsemble(options).start();
  const client = ensemble.client(ensemble.leader, { timeoutMs: 9_000 });
  write(ensemble, client, 'before', 3);
  const away = ensemble.member(1);
  away.kill();
  ensemble.settle();
  write(ensemble, client, 'meanwhile', count);
  return { ensemble, away, client };
}

function comeBack(ensemble: TestEnsemble, member: TestMember): string | undefined {
  ensemble.leader.log.records.length = 0;
  if (member.server === null) member.start();
  ensemble.until(`server ${member.id} serves`, () => member.isServing);
  ensemble.settle().check();
  return waysOf(ensemble.leader).at(-1);
}

/** It has it on its disk, too. */
function checkRestart(ensemble: TestEnsemble, member: TestMember): void {
  const { leader } = ensemble;
  member.kill();
  comeBack(ensemble, member);
  assert.equal(waysOf(leader).at(-1), `${member.id} DIFF`);
}

/** No history on disk that is worth its bytes: SNAP. */
const SNAP_RULES = { committedLogCount: 3, snapshotSizeFactor: -1 };
const DISK_RULES = { committedLogCount: 3, snapshotSizeFactor: 1_000 };

for (const kind of ['follower', 'observer']) {
  const options: TestOptions = kind === 'follower' ? {} : { voters: [2, 3, 4], observers: [1] };

  test(`${kind}: nothing is missing`, () => {
    const { ensemble, away } = behind(options, 0);
    assert.equal(comeBack(ensemble, away), '1 DIFF');
    checkRestart(ensemble, away);
  });

  test(`${kind}: DIFF from memory`, () => {
    const { ensemble, away } = behind(options, 40);
    assert.equal(comeBack(ensemble, away), '1 DIFF');
    assert.ok(away.has('/meanwhile39'));
    checkRestart(ensemble, away);
  });

  test(`${kind}: DIFF from disk`, () => {
    const { ensemble, away } = behind({ ...options, rules: DISK_RULES }, 40);
    assert.equal(comeBack(ensemble, away), '1 DIFF');
    checkRestart(ensemble, away);
  });

  test(`${kind}: DIFF from the disk of a leader of a later epoch`, () => {
    const voters = kind === 'follower' ? [1, 2, 3, 4, 5] : [2, 3, 4, 5];
    const { ensemble, away, client } = behind({ ...options, voters, rules: DISK_RULES }, 20);
    client.disconnect();
    for (let round = 0; round < 3; round++) {
      const old = ensemble.leader;
      old.restart();
      ensemble.until('four serve', () => ensemble.members.filter(({ isServing }) => isServing).length === 4);
      write(ensemble, ensemble.client(ensemble.leader), `round${round}-`, 10);
    }
    assert.equal(comeBack(ensemble, away), '1 DIFF');
    checkRestart(ensemble, away);
  });

  test(`${kind}: SNAP where the log would be longer`, () => {
    const { ensemble, away, client } = behind({ ...options, rules: { ...DISK_RULES, snapshotSizeFactor: 0.33 } }, 10);
    for (let i = 0; i < 50; i++) client.setData('/before0', VALUE);
    ensemble.settle();
    assert.equal(comeBack(ensemble, away), '1 SNAP');
    checkRestart(ensemble, away);
  });

  test(`${kind}: SNAP by rule`, () => {
    const { ensemble, away } = behind({ ...options, rules: { forceSnapshotSync: true } }, 10);
    assert.equal(comeBack(ensemble, away), '1 SNAP');
    away.kill();
    assert.equal(comeBack(ensemble, away), '1 SNAP');
  });

  test(`${kind}: SNAP onto a wiped disk`, () => {
    const { ensemble, away } = behind({ ...options, rules: SNAP_RULES }, 10);
    away.wipe();
    assert.equal(comeBack(ensemble, away), '1 SNAP');
    checkRestart(ensemble, away);
  });

  test(`${kind}: SNAP while writes go on, in and out of what was sent already`, () => {
    const config = { snapshotSliceBytes: 100 };
    const { ensemble, away, client } = behind({ ...options, config, rules: SNAP_RULES, chunkBytesMax: 400 }, 60);
    away.start();
    ensemble.stepUntil(() => waysOf(ensemble.leader).at(-1) === '1 SNAP');
    const xids: number[] = [];
    for (let i = 0; i < 60; i++) {
      xids.push(client.setData(`/meanwhile${i}`, 'new'), client.create(`/meanwhile${59 - i}/child`, 'new'));
      xids.push(client.create('/s-', 'x', CREATE_MODE.ephemeralSequential));
      if (i % 3 === 0) xids.push(client.delete(`/meanwhile${59 - i}/child`));
      for (let steps = 0; steps < 5; steps++) ensemble.step();
    }
    assert.ok(!away.isServing, 'the snapshot was on its way all the time');
    ensemble.until('it serves', () => away.isServing);
    ensemble.settle().check();
    for (const xid of xids) assert.equal(client.code(xid), 0);
    checkRestart(ensemble, away);
  });
}

test('many learners at once: one walk over the tree at a time, and all get it', () => {
  const options = { observers: [4, 5, 6, 7, 8, 9], rules: SNAP_RULES, config: { snapshotSliceBytes: 200 } };
  const ensemble = new TestEnsemble(options).start([1, 2, 3]);
  const client = ensemble.client(ensemble.leader, { timeoutMs: 9_000 });
  write(ensemble, client, 'n', 60);
  const late = options.observers.map((id) => ensemble.member(id));
  for (const member of late) member.start();
  let count = 0;
  ensemble.until('they all serve', () => {
    client.setData('/n0', `${count++}`);
    return late.every(({ isServing }) => isServing);
  });
  ensemble.settle().check();
  assert.deepEqual(
    waysOf(ensemble.leader).filter((way) => way.endsWith('SNAP')),
    options.observers.map((id) => `${id} SNAP`),
  );
});

test('observers beyond the limit are turned away, and followers never', () => {
  // None at all: whether two come at the same moment is not for a test to arrange.
  const rules = { ...SNAP_RULES, snapSyncsMax: 0 };
  const ensemble = new TestEnsemble({ observers: [4], rules }).start([2, 3]);
  write(ensemble, ensemble.client(ensemble.leader, { timeoutMs: 9_000 }), 'n', 60);
  for (const id of [1, 4]) ensemble.member(id).start();
  ensemble.until('the follower serves', () => ensemble.member(1).isServing);
  ensemble.until('the observer came twice', () => countOf(waysOf(ensemble.leader), '4 not now') >= 2);
  assert.ok(waysOf(ensemble.leader).includes('1 SNAP'));
  assert.equal(ensemble.member(4).isServing, false);
});

function countOf(ways: readonly string[], way: string): number {
  return ways.filter((one) => one === way).length;
}

/** The leader that was has an uncommitted tail of `count` txns, and the others a later epoch. */
function withTail(options: TestOptions, count: number, later: number): { ensemble: TestEnsemble; old: TestMember } {
  const ensemble = new TestEnsemble(options).start();
  const old = ensemble.leader;
  const client = ensemble.client(old, { timeoutMs: 9_000 });
  write(ensemble, client, 'both', 5);
  for (const { id } of ensemble.followers) ensemble.network.stall(old.id, id);
  for (let i = 0; i < count; i++) client.create(`/tail${i}`, VALUE);
  ensemble.settle();
  old.kill();
  for (const { id } of ensemble.members) ensemble.network.heal(old.id, id);
  ensemble.until('the others serve', () => ensemble.members.filter(({ isServing }) => isServing).length === 2);
  if (later > 0) write(ensemble, ensemble.client(ensemble.leader), 'later', later);
  return { ensemble, old };
}

const TAILS: [string, TestOptions, number, number, string][] = [
  ['TRUNC to the end of what the leader has', {}, 4, 0, 'TRUNC'],
  ['SNAP where an epoch has begun since', {}, 4, 6, 'SNAP'],
  ['SNAP where the cut is not in memory', { rules: SNAP_RULES }, 4, 6, 'SNAP'],
  ['SNAP to one whose tail is longer than all the rest', { rules: SNAP_RULES }, 60, 6, 'SNAP'],
  ['SNAP by rule', { rules: { forceSnapshotSync: true } }, 4, 0, 'SNAP'],
];

for (const [name, options, count, later, way] of TAILS) {
  test(`an uncommitted tail is cut off: ${name}`, () => {
    const { ensemble, old } = withTail(options, count, later);
    const found = comeBack(ensemble, old);
    assert.ok(!old.has('/tail0'));
    assert.equal(found, `${old.id} ${way}`);
    old.kill();
    comeBack(ensemble, old);
    assert.ok(!old.has('/tail0'), 'on disk, too');
  });
}

/** A scenario that is broken off after each of its steps. */
interface Broken {
  readonly name: string;
  readonly make: () => { readonly ensemble: TestEnsemble; readonly away: TestMember };
}

const BROKEN: Broken[] = [
  { name: 'DIFF from memory', make: () => behind({ chunkBytesMax: 300 }, 8) },
  { name: 'DIFF from disk', make: () => behind({ rules: DISK_RULES, chunkBytesMax: 300 }, 12) },
  {
    name: 'SNAP',
    make: () => behind({ rules: SNAP_RULES, chunkBytesMax: 300, config: { snapshotSliceBytes: 300 } }, 12),
  },
  {
    name: 'TRUNC',
    make: () => {
      const { ensemble, old } = withTail({ chunkBytesMax: 300 }, 4, 0);
      return { ensemble, away: old };
    },
  },
  {
    name: 'SNAP over a tail',
    make: () => {
      const { ensemble, old } = withTail({ rules: SNAP_RULES, chunkBytesMax: 300 }, 12, 6);
      return { ensemble, away: old };
    },
  },
];

type Break = (ensemble: TestEnsemble, away: TestMember) => void;

const BREAKS: [string, Break][] = [
  ['the connection breaks', (ensemble, { id }) => ensemble.network.breakStreams(id, ensemble.leader.id)],
  ['the learner is killed', (_, away) => away.restart()],
  [
    'the leader is killed',
    (ensemble) => {
      const { leader } = ensemble;
      leader.kill();
      ensemble.settle();
      leader.start();
    },
  ],
];

for (const { name, make } of BROKEN) {
  for (const [how, breakOff] of BREAKS) {
    test(`${name}: ${how}, at any time`, () => {
      let places = 0;
      for (let at = 0; ; at += 1 + Math.floor(at / 12)) {
        const { ensemble, away } = make();
        away.start();
        // What matters begins with the first word to the leader.
        ensemble.stepUntil(() => away.role === 'following');
        let steps = 0;
        ensemble.stepUntil(() => away.isServing || steps++ === at);
        const isOver = away.isServing;
        breakOff(ensemble, away);
        ensemble.until('all serve', () => ensemble.members.every(({ isServing }) => isServing), 60_000);
        const client = ensemble.client(ensemble.leader);
        write(ensemble, client, 'after', 2);
        ensemble.settle().check();
        assert.ok(!away.has('/tail0'));
        assert.ok(away.has('/after1'));
        places++;
        if (isOver) break;
      }
      assert.ok(places > 5, `broken off at ${places} places`);
    });
  }
}
