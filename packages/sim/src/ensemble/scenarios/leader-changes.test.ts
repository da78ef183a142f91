/**
 * Groups 1 to 4 and 15 with whole ensembles: what a leader leaves behind, and what the next one makes of it. All checkers are on; the
 * planted bugs are found by them.
 */
import assert from 'node:assert/strict';
import { epochOf, makeZxid, OP } from '@zoots/protocol';
import { patch } from '../../mutant.js';
import { makeRequest } from '../../request.js';
import { ScriptedEnsemble } from '../script.js';
import { Database, LearnerRole, patchGetter } from './core-parts.js';
import { keepsNewerSnapshots } from './disk-bugs.js';
import { scenario } from './scenario.js';

const create = (path: string) => makeRequest(OP.create, { path, data: 'x' });

/** Three servers, led by 3; a client at the leader. */
function threeServers(clients = 2): ScriptedEnsemble {
  const world = new ScriptedEnsemble({ clients });
  world.start();
  assert.equal(world.awaitLeader().id, 3);
  return world;
}

scenario(
  1,
  'ZOOKEEPER-1549, three servers: the leader alone logs a write, restarts and takes it into a snapshot; the others go on without it',
  () => {
    const world = threeServers();
    const client = world.client(1, 3);
    world.write(client, '/kept', 'x');
    world.settle();
    const proposals = world.hold(({ name, from }) => name === 'PROPOSAL' && from === 3);
    client.ask(create('/lost'));
    world.until('the proposal is on its way', () => proposals.count > 0);
    world.run(5);
    world.powerCut(3);
    proposals.release();
    world.until('the others lead', () => world.leader !== null);
    // Back, and before it hears anybody it has taken all of its log into a snapshot.
    world.isolate(3);
    world.start(3);
    world.until('it is back', () => world.member(3).isUp);
    assert.ok(world.tree(3).includes('/lost x'), 'its log has the write');
    const { snapshotter } = world.server(3);
    snapshotter.start(null, null);
    world.server(3).tick();
    world.until('the snapshot is there', () => !snapshotter.isRunning);
    world.healAll();
    world.settle();
    assert.deepEqual(world.tree(3), ['/kept x']);
    world.write(world.client(2, 1), '/others', 'x');
    world.powerCut(3);
    world.start(3);
    world.settle();
    assert.deepEqual(world.tree(3), ['/kept x', '/others x'], 'after another restart');
  },
  {
    bug: 'the snapshot behind the cut stays, and the next start loads it',
    plant: keepsNewerSnapshots,
    caughtBy: /I12 EqualDigests|I15 NoHoles|I10 |tree:|digest mismatch|agreement: |strictly deep-equal/,
  },
);

scenario(
  2,
  'ZOOKEEPER-2845, three servers: the leader is cut off with a write in its log, comes back without a restart, and restarts later',
  () => {
    const world = threeServers();
    const client = world.client(1, 3);
    world.write(client, '/kept', 'x');
    world.settle();
    world.isolate(3);
    client.ask(create('/lost'));
    world.until('others lead', () => world.leader !== null && world.leader.id !== 3);
    world.healAll();
    world.settle();
    assert.deepEqual(world.tree(3), ['/kept x']);
    world.write(world.client(2, 1), '/others', 'x');
    world.powerCut(3);
    world.start(3);
    world.settle();
    assert.deepEqual(world.tree(3), ['/kept x', '/others x']);
  },
  {
    bug: 'a vote and ACKEPOCH speak of what was committed, not of the log',
    plant: () => {
      const undo = patchGetter(Database, 'lastLoggedZxid', (original) => {
        return function (this: unknown) {
          const zxid = original.call(this) as number;
          return zxid % 2 ** 32 > 1 && epochOf(zxid) === 1 ? Math.min(zxid, makeZxid(1, 2)) : zxid;
        };
      });
      return undo;
    },
    caughtBy: /I\d+ |tree:|waited|some are missing|digest mismatch|agreement: |log level|strictly deep-equal/,
  },
);

scenario(
  3,
  'ZOOKEEPER-3911, three servers: a follower has just acknowledged the history when its power fails; the leader goes, and the other two must have all of it',
  () => {
    const world = threeServers();
    const client = world.client(1, 3);
    world.write(client, '/first', 'x');
    world.settle();
    // Server 1 is away, and comes back for nine writes.
    world.powerCut(1);
    for (let i = 0; i < 9; i++) world.write(client, `/n${i}`, 'x');
    world.slowDisk(1, 20);
    const seen = world.packets.length;
    world.start(1);
    const newLeader = makeZxid(world.epochs(3).current, 0);
    world.until('server 1 acknowledges the history', () =>
      world.packets.slice(seen).some(({ name, from, zxid }) => name === 'ACK' && from === 1 && zxid === newLeader),
    );
    world.powerCut(1);
    world.slowDisk(1, 1);
    world.kill(3);
    world.start(1);
    world.settle();
    assert.equal(world.tree(1).length, 10);
  },
  {
    bug: 'acknowledged before it is synced',
    plant: () =>
      patch(Database.prototype, 'whenDurable', () => {
        return function (this: unknown, done: (problem: null) => void) {
          done(null);
        };
      }),
    caughtBy: /I10 AcknowledgedIsDurable/,
  },
);

scenario(
  4,
  'ZOOKEEPER-4643, three servers: the power fails while a server takes over an epoch, at every step on its disk; then it must not win over one that has more',
  () => {
    for (let step = 1; step <= 14; step++) {
      const world = threeServers();
      const client = world.client(1, 3);
      world.write(client, '/first', 'x');
      world.settle();
      world.powerCut(2);
      for (let i = 0; i < 4; i++) world.write(client, `/n${i}`, 'x');
      // A new epoch begins with 2 among the followers.
      world.kill(3);
      world.crashAt(2, step % 2 === 0 ? 'write' : 'rename', /./, Math.ceil(step / 2));
      world.start(2, 3);
      world.run(3_000);
      world.member(2).disk.onOperation = () => {};
      if (world.role(2) === 'down') world.start(2);
      world.settle();
      assert.equal(world.tree(2).length, 5, `step ${step}: writes are lost`);
    }
  },
  {
    bug: 'currentEpoch goes to the disk while the history is on its way',
    plant: () =>
      patch(LearnerRole.prototype, 'whenDurable', () => {
        return function (this: unknown, done: (problem: null) => void) {
          done(null);
        };
      }),
    caughtBy: /I10 |I9 |writes are lost|agreement/,
  },
);

scenario(
  15,
  'ZOOKEEPER-1154, -1319, three servers: the one with the newest log is away when the others elect; what it alone has goes, what was committed stays',
  () => {
    const world = threeServers();
    const client = world.client(1, 3);
    world.write(client, '/committed', 'x');
    world.settle();
    // 2 gets a proposal that nobody else gets, and 3 does not hear of it.
    const toOne = world.hold(({ name, to }) => name === 'PROPOSAL' && to === 1);
    const acks = world.hold(({ name, from, to }) => name === 'ACK' && from === 2 && to === 3);
    world.slowDisk(3, 500);
    client.ask(create('/only-2'));
    world.until('server 2 has acknowledged', () => acks.count > 0);
    world.powerCut(2);
    world.powerCut(3);
    toOne.release();
    acks.release();
    world.slowDisk(3, 1);
    world.start(3);
    const leader = world.awaitLeader();
    world.start(2);
    world.settle();
    world.write(world.client(2, leader.id), '/others', 'x');
    world.settle();
    for (const id of [1, 2, 3]) assert.deepEqual(world.tree(id), ['/committed x', '/others x']);
  },
  {
    bug: 'nobody is told to cut',
    plant: () =>
      patch(LearnerRole.prototype, 'truncate', () => {
        return function (this: unknown, _zxid: number, done: (problem: null) => void) {
          done(null);
        };
      }),
    caughtBy: /I\d+ |tree:|digest mismatch/,
  },
);
