/**
 * Groups 8, 12, 19 to 22 and 29 with whole ensembles and clients: disks that fail, servers that stand still, sessions that end while somebody
 * synchronises. All checkers are on.
 */
import assert from 'node:assert/strict';
import { Ephemerals, Peer } from '@zoots/core';
import { OP } from '@zoots/protocol';
import { patch } from '../../mutant.js';
import { makeRequest, type Request } from '../../request.js';
import { ScriptedEnsemble } from '../script.js';
import { Database, Leader, LeaderRole, LearnerRole } from './core-parts.js';
import { swallowWriteErrors } from './disk-bugs.js';
import { scenario } from './scenario.js';

const EPHEMERAL = 1;
const create = (path: string, flags = 0): Request => makeRequest(OP.create, { path, data: 'x', flags });
const CLOSE = makeRequest(OP.closeSession);
const LOG = /\/log\./;

function threeServers(clients = 2, settings: ConstructorParameters<typeof ScriptedEnsemble>[0] = {}): ScriptedEnsemble {
  const world = new ScriptedEnsemble({ clients, ...settings });
  world.start();
  assert.equal(world.awaitLeader().id, 3);
  return world;
}

scenario(
  8,
  'ZOOKEEPER-4712, -4541, three servers: a follower with a slow disk has proposals on their way when the leader goes; an ephemeral’s session closes meanwhile',
  () => {
    const world = threeServers();
    const owner = world.client(1, 3);
    world.call(owner, create('/mine', EPHEMERAL));
    const writer = world.client(2, 2);
    world.settle();
    world.slowDisk(1, 50);
    for (const path of ['/a', '/b', '/c']) world.call(writer, create(path));
    owner.ask(CLOSE);
    world.run(3);
    world.kill(3);
    world.until('a new leader', () => world.leader !== null);
    world.slowDisk(1, 1);
    world.start(3);
    world.settle();
    for (const id of [1, 2, 3]) assert.ok(!world.tree(id).some((line) => line.startsWith('/mine')), `on server ${id}`);
    for (const id of [1, 2, 3]) world.powerCut(id);
    world.start();
    world.settle();
    for (const id of [1, 2, 3]) assert.equal(world.tree(id).length, 3, `on server ${id} after a power cut`);
  },
  {
    bug: 'what was on its way when the leader went is acknowledged, and dropped',
    plant: () => {
      let isDropping = false;
      const end = patch(LearnerRole.prototype, 'onEnded', (original) => {
        return function (this: unknown, reason: string) {
          isDropping = true;
          original.call(this, reason);
          isDropping = false;
        };
      });
      const drop = patch(Database.prototype, 'whenDurable', (original) => {
        return function (this: { log: { batch: { clear: () => void } } }, done: (problem: null) => void) {
          if (isDropping) this.log.batch.clear();
          original.call(this, done);
        };
      });
      return () => {
        end();
        drop();
      };
    },
    caughtBy: /I\d+ |tree:|on server|waited|agreement|batch|assert/i,
  },
);

scenario(
  12,
  'ZOOKEEPER-3642, three servers: a follower gets a snapshot, the leader goes before it is written, and the next one has to bring it up to date',
  () => {
    const world = threeServers(1, { rules: { forceSnapshotSync: true } });
    const client = world.client(1, 3);
    world.write(client, '/first', 'x');
    world.settle();
    world.powerCut(1);
    for (let i = 0; i < 6; i++) world.write(client, `/n${i}`, 'x');
    const newLeader = world.hold(({ name, to }) => name === 'NEWLEADER' && to === 1);
    world.start(1);
    world.until('the snapshot is there', () => newLeader.count > 0);
    world.run(5);
    world.kill(3);
    newLeader.release();
    world.start(3);
    world.settle();
    assert.equal(world.tree(1).length, 7);
    world.powerCut(1);
    world.start(1);
    world.settle();
  },
  {
    bug: 'the memory is not read anew: disk and memory are of two histories',
    plant: () =>
      patch(Database.prototype, 'reload', () => {
        return function (this: unknown, _nowMs: number, done: (problem: null) => void) {
          done(null);
        };
      }),
    caughtBy: /I\d+ |tree:|waited|agreement|Maximum call stack/,
  },
);

scenario(
  19,
  'ZOOKEEPER-2247, -1069, -3598, three servers: the leader cannot write its log; another one leads soon, and no acknowledged write is lost or done twice',
  () => {
    for (let failing = 1; failing <= 4; failing++) {
      const world = threeServers();
      const client = world.client(2, 1);
      world.write(client, '/first', 'x');
      world.settle();
      world.failAt(3, 'write', LOG, failing);
      for (let i = 0; i < 6 && world.downs.length === 0; i++) {
        client.ask(makeRequest(OP.create, { path: '/n', data: 'x', flags: 2 }));
        world.run(20);
      }
      assert.equal(world.role(3), 'down', `write ${failing}: the leader stands there`);
      // Ticks of a second, initLimit 10.
      world.until('another one leads', () => world.leader !== null && world.leader.id !== 3, 20_000);
      world.write(world.client(2, 1), '/after', 'x');
      world.start(3);
      world.settle();
    }
  },
  {
    bug: 'an error of the log is passed over',
    plant: swallowWriteErrors,
    caughtBy: /the leader stands there|I\d+ |waited/,
  },
);

scenario(
  20,
  'ZOOKEEPER-2678, -2201, three servers: a follower stands still amid its snapshot; the others’ writes go on, and it comes back',
  () => {
    const world = threeServers(1, { rules: { forceSnapshotSync: true }, core: { snapshotSliceBytes: 1 } });
    const client = world.client(1, 2);
    for (let i = 0; i < 20; i++) world.write(client, `/n${i}`, 'x');
    world.powerCut(1);
    world.start(1);
    const seen = world.packets.length;
    world.until('its snapshot is on the way', () =>
      world.packets.slice(seen).some(({ name, to }) => name === 'SNAP' && to === 1),
    );
    world.pause(1);
    const begunUs = world.world.simulator.nowUs;
    for (let i = 0; i < 10; i++) world.write(client, `/m${i}`, 'x');
    // syncLimit is 5 s; nobody has waited for it.
    assert.ok(world.world.simulator.nowUs - begunUs < 1_000_000, 'writes waited for the one that stands still');
    world.run(20_000);
    world.write(client, '/later', 'x');
    world.wake(1);
    world.settle();
  },
  {
    bug: 'commits wait for the snapshot',
    plant: () =>
      patch(LeaderRole.prototype, 'commitUpTo', (original) => {
        type Role = { leader: { handles: Iterable<{ stage: string }> } };
        return function (this: Role, zxid: number) {
          for (const { stage } of this.leader.handles) if (stage !== 'current') return;
          original.call(this, zxid);
        };
      }),
    caughtBy: /writes waited|waited \d+ ms until the answer comes|I\d+ /,
  },
);

scenario(
  20,
  'ZOOKEEPER-3240, three servers: both followers stand still; the leader steps down, and does not answer as if it led',
  () => {
    const world = threeServers(1);
    const client = world.client(1, 3);
    world.write(client, '/first', 'x');
    world.pause(1);
    world.pause(2);
    world.until('the leader steps down', () => world.leader === null, 10_000);
    world.run(2_000);
    world.wake(1);
    world.wake(2);
    world.settle();
    world.write(world.client(1, 2), '/after', 'x');
  },
  {
    bug: 'open connections count, whether anybody is heard on them or not',
    plant: () =>
      patch(Leader.prototype, 'onTime', (original) => {
        type Handles = { handles: Iterable<{ readonly stream: { heardMs: number } }> };
        return function (this: Handles) {
          for (const { stream } of this.handles) stream.heardMs = Number.MAX_SAFE_INTEGER;
          original.call(this);
        };
      }),
    caughtBy: /waited 10000 ms until the leader steps down/,
  },
);

scenario(
  21,
  'ZOOKEEPER-2355, three servers: a session closes; the proposal comes to a follower, and its connection breaks before the COMMIT; the ephemeral goes there, too',
  () => {
    const world = threeServers();
    const owner = world.client(1, 3);
    world.call(owner, create('/mine', EPHEMERAL));
    world.settle();
    const commits = world.hold(({ name, to }) => name === 'COMMIT' && to === 1);
    owner.finish(true);
    world.until('the COMMIT is held', () => commits.count > 0);
    world.breakStreams(1, 3);
    commits.release();
    world.settle(5_000);
    for (const id of [1, 2, 3]) assert.deepEqual(world.tree(id), [], `the ephemeral survives on server ${id}`);
  },
  {
    bug: 'what was read and not applied counts',
    plant: () => {
      type Parts = { readonly pipeline: { commitUpTo: (zxid: number) => void } };
      return patch(Database.prototype, 'whenDurable', (original) => {
        return function (this: Parts, done: (problem: null) => void) {
          const { pipeline } = this;
          original.call(this, () => {
            const commit = pipeline.commitUpTo;
            pipeline.commitUpTo = (zxid) => {
              if (zxid !== Number.POSITIVE_INFINITY) commit.call(pipeline, zxid);
            };
            done(null);
            pipeline.commitUpTo = commit;
          });
        };
      });
    },
    caughtBy: /survives on server 1|waited|tree:|I\d+ /,
  },
);

/** Where a third server is in its synchronisation when the session ends. */
const POINTS = ['LEADERINFO', 'DIFF', 'SNAP', 'PROPOSAL', 'NEWLEADER', 'UPTODATE'] as const;

function closeDuringSync(point: (typeof POINTS)[number], how: 'close' | 'expire', mustSnap: boolean): void {
  const world = threeServers(2, { rules: { forceSnapshotSync: mustSnap } });
  const owner = world.client(1, 2);
  world.call(owner, create('/mine', EPHEMERAL));
  world.write(world.client(2, 3), '/kept', 'x');
  world.settle();
  world.powerCut(1);
  world.write(world.client(2, 3), '/meanwhile', 'x');
  const held = world.hold(({ name, to }) => name === point && to === 1);
  world.start(1);
  if (how === 'close') {
    world.run(20);
    world.call(owner, CLOSE);
  } else {
    owner.pause(60_000_000);
    // The longest timeout, and a tick.
    world.run(21_000);
    assert.ok(!world.tree(3).some((line) => line.startsWith('/mine')), 'the session has not expired');
  }
  held.release();
  world.settle();
  const kept = ['/kept x', '/meanwhile x'];
  for (const id of [1, 2, 3]) assert.deepEqual(world.tree(id), kept, `${how} at ${point}: server ${id}`);
  for (const id of [1, 2, 3])
    assert.ok(world.server(id).sessions.count <= 1, `${how} at ${point}: server ${id}'s sessions`);
}

scenario(
  22,
  'ZOOKEEPER-1367, -1208, -4837, three servers: a session is closed, or expires, at every point of a follower’s synchronisation; its ephemeral goes on all three',
  () => {
    for (const point of POINTS) {
      for (const mustSnap of [false, true]) {
        if (point === (mustSnap ? 'DIFF' : 'SNAP')) continue;
        closeDuringSync(point, 'close', mustSnap);
        closeDuringSync(point, 'expire', mustSnap);
      }
    }
  },
  {
    bug: 'the last ephemeral of a session is forgotten where the transaction does not list it',
    plant: () =>
      patch(Ephemerals.prototype, 'of', (original) => {
        return function (this: unknown, high: number, low: number) {
          return new Set([...original.call(this, high, low)].slice(0, -1));
        };
      }),
    caughtBy: /ephemerals|tree:|server \d|outcome|replies|waited/,
  },
);

scenario(
  29,
  'ZOOKEEPER-3109, -3769, five servers: one comes back at any moment of the others’ election; it joins within twice initLimit',
  () => {
    for (let lateMs = 0; lateMs <= 1_000; lateMs += 200) {
      const world = new ScriptedEnsemble({ members: 5, clients: 1 });
      world.start(1, 2, 3, 4);
      world.awaitLeader();
      world.kill(4);
      world.run(lateMs);
      world.start(5);
      // Ticks of a second, initLimit 10.
      world.awaitLeader(20_000);
      world.write(world.client(1, 5), '/there', 'x');
      world.settle();
    }
  },
  {
    bug: 'a leader that is established takes no more followers',
    plant: () =>
      patch(Peer.prototype, 'accept', (original) => {
        return function (this: Peer, address: string) {
          return this.status.why.includes('is established') ? null : original.call(this, address);
        };
      }),
    caughtBy: /waited 20000 ms/,
  },
);
