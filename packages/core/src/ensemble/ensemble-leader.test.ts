/** Leaders come and go: what was acknowledged stays, sessions live on, and who has lost its quorum serves nobody. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COUNTER_MAX, CREATE_MODE, counterOf, epochOf, makeZxid } from '@zoots/protocol';
import { Submission } from '../request/submission.js';
import type { TestClient, TestSession } from './stage-client.js';
import { INIT_LIMIT, SYNC_LIMIT, TICK_MS } from './stage-config.js';
import { TestEnsemble } from './stage-ensemble.js';

/** A new leader, once the one before is gone. */
function electedAfter(ensemble: TestEnsemble, count: number): void {
  ensemble.until(
    `${count} servers serve`,
    () => ensemble.members.filter(({ isServing }) => isServing).length === count,
    (INIT_LIMIT + SYNC_LIMIT) * TICK_MS + 5_000,
  );
}

test('the leader is killed under load: nothing acknowledged is lost, sessions go on, ephemerals stay', () => {
  const ensemble = new TestEnsemble({ voters: [1, 2, 3, 4, 5], observers: [6], chunkBytesMax: 50, seed: 3 }).start();
  const { leader } = ensemble;
  const clients = ensemble.members.map((member) => ensemble.client(member, { timeoutMs: 8_000 }));
  for (const [i, client] of clients.entries()) client.create(`/e${i}`, '', CREATE_MODE.ephemeral);
  clients[0]!.create('/q');
  ensemble.settle();
  // Some are answered, some are on their way.
  const asked: { client: TestClient; xid: number; path: string }[] = [];
  for (let i = 0; i < 30; i++) {
    const client = clients[i % clients.length]!;
    asked.push({ client, xid: client.create(`/q/${i}`), path: `/q/${i}` });
  }
  const answeredOf = (): typeof asked => asked.filter(({ client, xid }) => client.code(xid) === 0);
  while (answeredOf().length < 5) assert.ok(ensemble.step());
  const answered = answeredOf();
  assert.ok(answered.length < asked.length, `${answered.length} were answered`);
  leader.kill();
  electedAfter(ensemble, 5);
  for (const client of clients) assert.ok(client.isClosed, 'a change of leaders ends every connection');
  for (const member of ensemble.members) {
    if (member === leader) continue;
    for (const { path } of answered) assert.ok(member.has(path), `${path} was acknowledged`);
    for (let i = 0; i < clients.length; i++) assert.ok(member.has(`/e${i}`));
  }
  const others = ensemble.members.filter((member) => member !== leader);
  clients.forEach((client, i) => {
    const resumed = ensemble.client(others[i % others.length]!, {
      session: client.session as TestSession,
      lastZxidSeen: client.lastZxid,
    });
    const xid = resumed.setData(`/e${i}`, 'again');
    ensemble.settle();
    assert.equal(resumed.code(xid), 0);
  });
  ensemble.check();
  leader.start();
  electedAfter(ensemble, 6);
  ensemble.settle().check();
});

test('every server is killed and started again: the state is what it was, the epoch is higher', () => {
  const ensemble = new TestEnsemble().start();
  const client = ensemble.client(ensemble.leader, { timeoutMs: 5_000 });
  client.create('/p', 'kept');
  client.create('/e', '', CREATE_MODE.ephemeral);
  ensemble.settle();
  const epoch = epochOf(ensemble.leader.zxid);
  for (const member of ensemble.members) member.kill();
  ensemble.start();
  for (const member of ensemble.members) {
    assert.equal(member.data('/p'), 'kept');
    assert.ok(member.has('/e'));
  }
  const resumed = ensemble.client(ensemble.followers[0]!, { session: client.session as TestSession });
  const xid = resumed.create('/more');
  ensemble.settle();
  assert.equal(resumed.code(xid), 0);
  assert.equal(epochOf(ensemble.leader.zxid), epoch + 1);
  ensemble.advance(6_000);
  for (const member of ensemble.members) assert.ok(!member.has('/e'), 'the new leader counts the timeout');
  ensemble.check();
});

test('what only the old leader had is cut off when it comes back', () => {
  const ensemble = new TestEnsemble().start();
  const old = ensemble.leader;
  const client = ensemble.client(old);
  client.create('/committed');
  ensemble.settle();
  for (const follower of ensemble.followers) ensemble.network.stall(old.id, follower.id);
  const lost = client.create('/alone');
  ensemble.settle();
  assert.equal(client.reply(lost), undefined);
  old.kill();
  for (const follower of ensemble.members) ensemble.network.heal(old.id, follower.id);
  electedAfter(ensemble, 2);
  const writer = ensemble.client(ensemble.leader);
  writer.create('/later');
  ensemble.settle();
  old.start();
  electedAfter(ensemble, 3);
  ensemble.settle();
  assert.ok(!old.has('/alone'));
  assert.ok(old.has('/later') && old.has('/committed'));
  ensemble.check();
  // And it stays cut off.
  old.restart();
  electedAfter(ensemble, 3);
  assert.ok(!old.has('/alone'));
  ensemble.check();
});

test('what one follower has in its log decides the election, and is committed', () => {
  const ensemble = new TestEnsemble().start();
  const old = ensemble.leader;
  const [blind, seeing] = ensemble.followers;
  const client = ensemble.client(old);
  ensemble.network.stall(old.id, blind!.id);
  ensemble.network.stall(seeing!.id, old.id);
  const xid = client.create('/proposed');
  ensemble.settle();
  assert.equal(client.reply(xid), undefined);
  old.kill();
  for (const member of ensemble.members) ensemble.network.heal(old.id, member.id);
  electedAfter(ensemble, 2);
  assert.equal(ensemble.leader, seeing);
  assert.ok(blind!.has('/proposed'));
  ensemble.check();
});

test('a leader that hears no quorum steps down within syncLimit, and acknowledges nothing meanwhile', () => {
  const ensemble = new TestEnsemble({ voters: [1, 2, 3, 4, 5] }).start();
  const old = ensemble.leader;
  const client = ensemble.client(old, { timeoutMs: 9_000 });
  // Nobody is told: bytes just do not come.
  for (const member of ensemble.members) {
    if (member === old) continue;
    ensemble.network.stall(old.id, member.id);
    ensemble.network.stall(member.id, old.id);
  }
  const xid = client.create('/a');
  const sync = client.sync();
  ensemble.until('the leader steps down', () => old.role === 'looking', (SYNC_LIMIT + 2) * TICK_MS);
  assert.ok(client.isClosed);
  assert.equal(client.reply(xid), undefined);
  assert.equal(client.reply(sync), undefined);
  electedAfter(ensemble, 4);
  const other = ensemble.client(ensemble.leader);
  other.create('/b');
  ensemble.settle();
  for (const member of ensemble.members) ensemble.network.heal(old.id, member.id);
  electedAfter(ensemble, 5);
  ensemble.settle();
  assert.ok(old.has('/b') && !old.has('/a'));
  ensemble.check();
});

test('followers that hear nothing of their leader look for another one within syncLimit', () => {
  const ensemble = new TestEnsemble().start();
  const old = ensemble.leader;
  const clients = ensemble.followers.map((member) => ensemble.client(member, { timeoutMs: 9_000 }));
  for (const { id } of ensemble.followers) ensemble.network.stall(old.id, id);
  ensemble.until('a new leader serves', () => ensemble.members.some((one) => one !== old && one.role === 'leading'));
  for (const client of clients) assert.ok(client.isClosed);
  for (const member of ensemble.members) ensemble.network.heal(old.id, member.id);
  electedAfter(ensemble, 3);
  ensemble.check();
});

test('one follower more or less changes nothing for the others', () => {
  const ensemble = new TestEnsemble().start();
  const { leader } = ensemble;
  const [first, second] = ensemble.followers;
  const clients = [leader, second!].map((member) => ensemble.client(member, { timeoutMs: 9_000 }));
  first!.kill();
  ensemble.advance(3_000);
  first!.start();
  electedAfter(ensemble, 3);
  for (const client of clients) {
    assert.ok(client.isConnected);
    const xid = client.create('/n-', '', CREATE_MODE.persistentSequential);
    ensemble.settle();
    assert.equal(client.code(xid), 0);
  }
  assert.equal(ensemble.leader, leader);
  ensemble.check();
});

test('a follower whose disk hangs is dropped after syncLimit, serves nobody, and catches up when it is well', () => {
  const ensemble = new TestEnsemble().start();
  const { leader } = ensemble;
  const [slow, other] = ensemble.followers;
  const writer = ensemble.client(other!, { timeoutMs: 9_000 });
  const reader = ensemble.client(slow!, { timeoutMs: 9_000 });
  slow!.isDiskHeld = true;
  const codes: number[] = [];
  for (let i = 0; i < SYNC_LIMIT + 3; i++) {
    const xid = writer.create(`/n${i}`);
    ensemble.advance(TICK_MS);
    codes.push(writer.code(xid));
  }
  assert.deepEqual(new Set(codes), new Set([0]), 'nobody waits for it');
  const isThere = leader.live.peer!.learners.some(({ serverId, isSynced }) => serverId === slow!.id && isSynced);
  assert.ok(!isThere, 'the leader has dropped it');
  assert.ok(reader.isClosed);
  slow!.isDiskHeld = false;
  electedAfter(ensemble, 3);
  ensemble.settle().check();
  assert.equal(ensemble.leader, leader);
});

test('observers do not count: two voters of three and any number of observers make no quorum without a voter', () => {
  const ensemble = new TestEnsemble({ observers: [4, 5, 6] }).start();
  const writer = ensemble.client(ensemble.member(4), { timeoutMs: 9_000 });
  for (const { id } of ensemble.followers) ensemble.member(id).isDiskHeld = true;
  const xid = writer.create('/a');
  ensemble.settle();
  assert.equal(writer.reply(xid), undefined);
  for (const id of [1, 2]) ensemble.member(id).kill();
  ensemble.until('the leader steps down', () => ensemble.member(3).role === 'looking', 3_000);
  ensemble.until('observers look for a leader', () => [4, 5, 6].every((id) => ensemble.member(id).role === 'looking'));
  assert.ok(writer.isClosed);
  ensemble.member(1).start();
  ensemble.until('a quorum serves', () => [1, 3, 4, 5, 6].every((id) => ensemble.member(id).isServing));
  ensemble.settle().check();
});

test('groups: a majority of groups, each with a majority of its weight, and no other', () => {
  const groups = new Map([
    [1, [1, 2, 3]],
    [2, [4, 5, 6]],
    [3, [7, 8, 9]],
  ]);
  const weights = new Map([[9, 0]]);
  const ensemble = new TestEnsemble({ voters: [1, 2, 3, 4, 5, 6, 7, 8, 9], groups, weights }).start();
  assert.equal(ensemble.leader.id, 8, 'who has no weight never leads');
  const writer = ensemble.client(ensemble.leader, { timeoutMs: 9_000 });
  // Of 7, 8 and 9 only 8 has a disk that works, and one vote of two is no majority; 1 and 2 are one of 1, 2 and 3.
  const hold = (ids: readonly number[], isHeld: boolean): void => {
    for (const id of ids) ensemble.member(id).isDiskHeld = isHeld;
  };
  hold([3, 6, 7, 9], true);
  const two = writer.create('/two-groups');
  ensemble.settle();
  assert.equal(writer.code(two), 0, '1, 2 and 4, 5 are two groups');
  hold([5], true);
  const one = writer.create('/one-group');
  ensemble.settle();
  assert.equal(writer.reply(one), undefined, 'five of nine disks, and one group');
  hold([9], false);
  ensemble.settle();
  assert.equal(writer.reply(one), undefined, '9 has no weight');
  hold([7], false);
  ensemble.settle();
  assert.equal(writer.code(one), 0, '1, 2 and 7, 8 are two groups');
  hold([3, 5, 6], false);
  ensemble.settle().check();
});

test('leaderServes=no: clients of the leader are refused, and those of followers served', () => {
  const ensemble = new TestEnsemble({ rules: { leaderServes: false } }).start();
  const refused = ensemble.attempt(ensemble.leader);
  assert.equal(refused.session, null);
  assert.ok(refused.isClosed);
  const client = ensemble.client(ensemble.followers[0]!);
  const xids = [client.create('/a', 'x'), client.sync(), client.getData('/a')];
  ensemble.settle();
  assert.deepEqual(
    xids.map((xid) => client.code(xid)),
    [0, 0, 0],
  );
  ensemble.advance(3_000);
  assert.ok(client.isClosed, 'and sessions expire at the leader all the same');
  assert.equal(ensemble.leader.live.sessions.count, 0);
  ensemble.check();
});

test('the zxids of an epoch run out: the leader resigns, and no zxid is given twice', () => {
  const ensemble = new TestEnsemble().start();
  const old = ensemble.leader;
  const epoch = epochOf(old.zxid);
  const proposed: number[] = [];
  for (const { live } of ensemble.members) {
    live.peer!.observer = { onProposed: (zxid) => proposed.push(zxid) };
  }
  const client = ensemble.client(ensemble.followers[0]!, { timeoutMs: 9_000 });
  const leapTo = makeZxid(epoch, COUNTER_MAX - 15);
  for (const { live } of ensemble.members) live.tree.lastProcessedZxid = leapTo;
  const restore = leapBefore(leapTo);
  const asked: number[] = [];
  for (let i = 0; i < 30; i++) {
    // The last ones together: some have a zxid when the leader resigns, and none an answer.
    asked.push(client.create(`/n${i}`));
    if (i < 10) ensemble.settle();
  }
  ensemble.settle();
  restore();
  const answered = asked.filter((xid) => client.code(xid) === 0);
  assert.equal(answered.length, 10);
  assert.ok(client.isClosed);
  electedAfter(ensemble, 3);
  assert.equal(ensemble.leader.live.peer!.status.epoch, epoch + 1);
  const resumed = ensemble.client(ensemble.followers[0]!, { session: client.session as TestSession });
  const again = resumed.create('/again');
  ensemble.settle();
  assert.equal(resumed.code(again), 0);
  assert.equal(new Set(proposed).size, proposed.length);
  assert.ok(proposed.every((zxid) => counterOf(zxid) > 0 && counterOf(zxid) < COUNTER_MAX));
  assert.equal(epochOf(proposed.at(-1) as number), epoch + 1);
  for (const member of ensemble.members) {
    for (let i = 0; i < 10; i++) assert.ok(member.has(`/n${i}`));
    assert.ok(!member.has('/n14'), 'up to and with 0xfffffffe there were fourteen');
  }
  ensemble.check();
});

/** The next write that a learner forwards gets a zxid behind this one. Returns what undoes it. */
function leapBefore(zxid: number): () => void {
  const original = Submission.prototype.remote;
  let isDone = false;
  Submission.prototype.remote = function (this: Submission, ...args: Parameters<typeof original>): void {
    if (!isDone) this.preparedZxid = zxid;
    isDone = true;
    original.apply(this, args);
  };
  return () => {
    Submission.prototype.remote = original;
  };
}
