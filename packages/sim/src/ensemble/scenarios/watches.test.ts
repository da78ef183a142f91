/** Group 27: watches over reconnects, to a server that knows less, and many of them. */
import assert from 'node:assert/strict';
import { Server, WatchTable } from '@zoots/core';
import { makeZxid, OP } from '@zoots/protocol';
import { patch } from '../../mutant.js';
import { makeRequest, type Request } from '../../request.js';
import { ScriptedWorld } from '../../scenarios/scripted-world.js';
import { MemberStage } from './member-stage.js';
import { acknowledgeAll, askCreate, leadWith, openSession } from './passages.js';
import type { Played } from './played.js';
import { scenario } from './scenario.js';
import { StageClient } from './stage-client.js';

const z = (counter: number): number => makeZxid(1, counter);

const create = (path: string): Request => makeRequest(OP.create, { path, data: 'x' });
const set = (path: string): Request => makeRequest(OP.setData, { path, data: 'y' });
const remove = (path: string): Request => makeRequest(OP.delete, { path });
const RECURSIVE = 1;

/** What the watcher sets, and what others do meanwhile: each of its watches is touched, or not. */
const WATCHES: readonly Request[] = [
  makeRequest(OP.getData, { path: '/changed', watch: true }),
  makeRequest(OP.getData, { path: '/same', watch: true }),
  makeRequest(OP.exists, { path: '/none', watch: true }),
  makeRequest(OP.getChildren, { path: '/parent', watch: true }),
  makeRequest(OP.addWatch, { path: '/deep', type: RECURSIVE }),
];

scenario(
  27,
  'ZOOKEEPER-1412, -4475, -4655: watches are set, the connection is lost, things happen, it comes back; every event once, none lost, also of a recursive watch',
  () => {
    const world = new ScriptedWorld({ clientCount: 2 });
    const [watcher, other] = [world.client(1), world.client(2)];
    other.ask(...['/changed', '/same', '/parent', '/deep', '/deep/a'].map(create));
    world.pass(30);
    watcher.ask(...WATCHES);
    world.pass(30);
    // While it is away and afterwards: the oracle knows which events are due, and that none comes twice.
    watcher.drop(true);
    other.ask(set('/changed'), create('/none'), create('/parent/x'), set('/deep/a'), create('/deep/b'));
    world.pass(300);
    assert.equal(watcher.isConnected, true, 'the watcher is not back');
    other.ask(set('/same'), set('/changed'), remove('/none'), remove('/parent/x'));
    other.ask(create('/deep/c'), set('/deep/c'), remove('/deep/c'));
    world.pass(100);
    for (const path of ['/same', '/deep', '/parent']) watcher.ask(makeRequest(OP.exists, { path }));
    world.pass(100);
    watcher.drop(true);
    world.pass(300);
    other.ask(remove('/deep/a'));
    world.pass(50);
    watcher.ask(makeRequest(OP.exists, { path: '/deep/a' }));
    world.pass(100);
  },
  {
    bug: 'watches that are set again are forgotten',
    plant: () => {
      let count = 0;
      return patch(WatchTable.prototype, 'add', (original) => {
        return function (this: WatchTable, ...args: unknown[]) {
          if (++count <= 6) original.apply(this, args);
        };
      });
    },
    caughtBy: /watches: /,
  },
  {
    bug: 'a change below a recursive watch is told to nobody',
    plant: () =>
      patch(WatchTable.prototype, 'onDataChanged', (original) => {
        let count = 0;
        return function (this: WatchTable, ...args: unknown[]) {
          if (++count !== 5) original.apply(this, args);
        };
      }),
    caughtBy: /watches: /,
  },
);

function leaderAndFollower(): readonly [MemberStage, Played] {
  const stage = new MemberStage().start();
  const follower = leadWith(stage, [z(1)]);
  openSession(follower);
  acknowledgeAll(follower);
  return [stage, follower];
}

function connect(stage: MemberStage, follower: Played, lastZxidSeen = 0): StageClient {
  const client = new StageClient(stage, lastZxidSeen);
  acknowledgeAll(follower);
  stage.pass(5);
  return client;
}

scenario(
  27,
  'ZOOKEEPER-1412: a client that has seen more than this server comes with its watches; it is sent away, and no event is lost',
  () => {
    const [stage, follower] = leaderAndFollower();
    const zxid = stage.server.tree.lastProcessedZxid;
    const ahead = connect(stage, follower, zxid + 1);
    assert.deepEqual([ahead.isConnected, ahead.isClosed], [false, true], 'it is served by a server that knows less');
    assert.equal(connect(stage, follower, zxid).isConnected, true, 'it is sent away without a reason');
  },
  {
    bug: 'nobody asks what the client has seen',
    plant: () => patch(Server.prototype, 'lastZxid', () => () => Number.MAX_SAFE_INTEGER),
    caughtBy: /served by a server that knows less/,
  },
);

const COUNT = 12_000;
const longPath = (number: number): string => `/${'n'.repeat(95)}${number}`;

scenario(
  27,
  'ZOOKEEPER-1412: more than a megabyte of watched paths is set again, in several requests; each one fires once',
  () => {
    const [stage, follower] = leaderAndFollower();
    const client = connect(stage, follower);
    assert.equal(client.isConnected, true);
    const before = stage.server.tree.lastProcessedZxid;
    askCreate(follower, 1, longPath(5));
    acknowledgeAll(follower);
    // As after a reconnect: it waits for all of them to come to be, and one of them has.
    const paths = Array.from({ length: COUNT }, (_, number) => longPath(number));
    for (let from = 0; from < COUNT; from += 4_000) {
      const lists = [[], paths.slice(from, from + 4_000), []];
      const xid = client.ask(OP.setWatches, { lists, relativeZxid: before });
      stage.pass(50);
      assert.equal(client.answers.get(xid) ?? client.answers.get(-8), 0, 'setWatches is not answered');
    }
    assert.deepEqual(client.events, [`1 ${longPath(5)}`], 'what was missed is told once');
    for (const number of [0, 3_999, 4_000, 11_999]) {
      askCreate(follower, 2 + number, longPath(number));
      acknowledgeAll(follower);
      stage.pass(5);
      assert.equal(client.events.at(-1), `1 ${longPath(number)}`, `watch ${number} is lost`);
    }
    assert.equal(client.events.length, 5, 'an event came twice');
  },
  {
    bug: 'the second request takes the place of the first',
    plant: () =>
      patch(WatchTable.prototype, 'add', (original) => {
        let count = 0;
        return function (this: WatchTable, table: string, path: number, connection: object, mode: number) {
          if (++count % 4_000 === 0)
            (this as unknown as { removeConnection: (one: object) => void }).removeConnection(connection);
          original.call(this, table, path, connection, mode);
        };
      }),
    caughtBy: /is lost/,
  },
);
