/** Group 22: sessions and their ephemerals over synchronisations, snapshots and changes of the leader. */
import assert from 'node:assert/strict';
import { encodeUtf8 } from '@zoots/base';
import { type Connection, Ephemerals, Server, SessionTable } from '@zoots/core';
import { formatZxid, makeZxid, OP, PACKET } from '@zoots/protocol';
import { patch } from '../../mutant.js';
import { MemberStage } from './member-stage.js';
import { establish, joinAs, propose } from './passages.js';
import type { Played } from './played.js';
import { scenario } from './scenario.js';
import { StageClient } from './stage-client.js';
import { closeSessionTxn, createTxn, sessionTxn, txn } from './txns.js';

const z = (counter: number): number => makeZxid(1, counter);
const [HIGH, LOW] = [0x0200_0000, 9];
const TIMEOUT_MS = 6_000;
const PATHS = ['/mine', '/mine2'];

/** A session, two ephemerals with something between, the end of the session, and something behind it. */
const LIFE: readonly Uint8Array[] = [
  sessionTxn(z(1), HIGH, LOW, TIMEOUT_MS),
  createTxn(z(2), PATHS[0] as string, HIGH, LOW),
  txn(z(3)),
  createTxn(z(4), PATHS[1] as string, HIGH, LOW),
  // A list that is not complete: leaders of 3.5 send none, and long ones are cut.
  closeSessionTxn(z(5), HIGH, LOW, PATHS.slice(0, 1)),
  txn(z(6)),
];

function has(stage: MemberStage, path: string): boolean {
  const bytes = encodeUtf8(path);
  return stage.server.tree.find(bytes, 0, bytes.length) >= 0;
}

/** No ephemeral without a session, no session without a timeout; and after all of its life both are gone. */
function check(stage: MemberStage, count: number, when: string): void {
  const isAlive = count >= 1 && count < 5;
  const session = stage.server.sessions.get(HIGH, LOW);
  assert.equal(session !== undefined, isAlive, `${when}: the session ${isAlive ? 'is missing' : 'lives'}`);
  if (session !== undefined) assert.equal(session.timeoutMs, TIMEOUT_MS, `${when}: the session has another timeout`);
  assert.equal(has(stage, '/mine'), count >= 2 && isAlive, `${when}: the first ephemeral`);
  assert.equal(has(stage, '/mine2'), count >= 4 && isAlive, `${when}: the second ephemeral`);
}

function sendTxn(leader: Played, at: number): void {
  leader.say(PACKET.proposal, z(at + 1), LIFE[at] as Uint8Array);
  leader.say(PACKET.commit, z(at + 1));
}

/** What a leader sends behind SNAP after so much of it. */
function snapshotAfter(count: number): Uint8Array {
  const stage = new MemberStage({ rules: { forceSnapshotSync: true } }).start();
  const leader = stage.electOther(1);
  propose(leader, 1);
  leader.say(PACKET.diff, 0);
  for (let at = 0; at < count; at++) sendTxn(leader, at);
  establish(leader, 1);
  leader.breakOff();
  stage.pass(30);
  stage.electSelf();
  const learner = stage.learner();
  joinAs(learner, 2, 1, 0);
  assert.equal(learner.snapshots.length, 1);
  return learner.snapshots[0] as Uint8Array;
}

/** `inSync` of them come with the sync, out of a snapshot or one by one, the others while the learner serves. */
function follow(inSync: number, snapshot: Uint8Array | null, until: number): MemberStage {
  const stage = new MemberStage().start();
  const leader = stage.electOther(2);
  propose(leader, 2);
  if (snapshot !== null) leader.say(PACKET.snap, z(inSync)).sayBytes(snapshot);
  else {
    leader.say(PACKET.diff, z(inSync));
    for (let at = 0; at < inSync; at++) sendTxn(leader, at);
  }
  // The next one is outstanding at NEWLEADER.
  if (inSync < until) leader.say(PACKET.proposal, z(inSync + 1), LIFE[inSync] as Uint8Array);
  establish(leader, 2);
  if (inSync < until) leader.say(PACKET.commit, z(inSync + 1));
  for (let at = inSync + 1; at < until; at++) sendTxn(leader, at);
  stage.pass(20);
  return stage;
}

scenario(
  22,
  'ZOOKEEPER-1367, -1208, -3144, -4837: a session closes at any point of a synchronisation by DIFF or SNAP; it and its ephemerals are there, or all gone',
  () => {
    for (let inSync = 0; inSync <= LIFE.length; inSync++) {
      const snapshot = inSync === 0 ? null : snapshotAfter(inSync);
      for (const bytes of snapshot === null ? [null] : [null, snapshot]) {
        for (let until = inSync; until <= LIFE.length; until++) {
          const when = `${inSync} by ${bytes === null ? 'DIFF' : 'SNAP'}, ${until} in all`;
          const stage = follow(inSync, bytes, until);
          check(stage, until, when);
          stage.powerCutAndRestart();
          check(stage, until, `${when}, after a restart`);
        }
      }
    }
  },
  {
    bug: 'the last ephemeral of a session is forgotten',
    plant: () =>
      patch(Ephemerals.prototype, 'of', (original) => {
        return function (this: unknown, high: number, low: number) {
          return new Set([...original.call(this, high, low)].slice(0, -1));
        };
      }),
    caughtBy: /the (first|second) ephemeral/,
  },
  {
    bug: 'a session that comes with a snapshot has no timeout',
    plant: () =>
      patch(SessionTable.prototype, 'add', (original) => {
        return function (this: unknown, high: number, low: number, _timeoutMs: number, nowMs: number) {
          return original.call(this, high, low, 0, nowMs);
        };
      }),
    caughtBy: /has another timeout/,
  },
);

scenario(
  22,
  'ZOOKEEPER-1496, -3471: the owner of an ephemeral is silent when the leader changes; the new leader waits its full timeout, and then both go',
  () => {
    // Four transactions: the session lives.
    const stage = follow(4, null, 4);
    stage.leader?.breakOff();
    stage.pass(50);
    stage.electSelf();
    const follower = stage.learner();
    joinAs(follower, 2, 2, z(4));
    const epoch = makeZxid(3, 0);
    follower.say(PACKET.ack, epoch);
    stage.pass(20);
    const begunUs = stage.simulator.nowUs;
    let closedMs = -1;
    follower.onHeard = (line) => {
      if (line === `PROPOSAL ${formatZxid(epoch + 1)}`) closedMs = (stage.simulator.nowUs - begunUs) / 1_000;
    };
    for (let waited = 0; waited < 10_000 && closedMs < 0; waited += 100) {
      stage.pass(100);
      // The follower lives, and has not heard of that session.
      follower.say(PACKET.ping, epoch, new Uint8Array(0));
    }
    assert.ok(closedMs >= TIMEOUT_MS - 100, `the session was closed after ${closedMs} ms`);
    assert.ok(closedMs <= TIMEOUT_MS + 500, `the session is still not closed after ${closedMs} ms`);
    follower.say(PACKET.ack, epoch + 1);
    stage.pass(20);
    check(stage, 5, 'after the expiry');
    assert.equal(stage.server.sessions.count, 0);
  },
  {
    bug: 'a new leader counts on with the time that the old one had',
    plant: () =>
      patch(SessionTable.prototype, 'touchAll', (original) => {
        return function (this: unknown, nowMs: number) {
          original.call(this, nowMs - TIMEOUT_MS / 2);
        };
      }),
    caughtBy: /was closed after/,
  },
  {
    bug: 'a new leader does not know the sessions’ time at all',
    plant: () => {
      const known = Object.getOwnPropertyDescriptor(SessionTable.prototype, 'nextExpiryMs') as PropertyDescriptor;
      Object.defineProperty(SessionTable.prototype, 'nextExpiryMs', { get: () => Infinity, configurable: true });
      return () => Object.defineProperty(SessionTable.prototype, 'nextExpiryMs', known);
    },
    caughtBy: /was closed after -1 ms/,
  },
);

/** What the played leader is asked for, in order; it does so. */
function serveRequests(leader: Played, from: number): { readonly ops: number[]; readonly lastZxid: number } {
  const ops: number[] = [];
  let zxid = from;
  for (const data of leader.heardData.splice(0)) {
    if (data === null || data.length < 16) continue;
    const view = new DataView(data.buffer, data.byteOffset);
    const [high, low, cxid, op] = [0, 4, 8, 12].map((at) => view.getInt32(at)) as [number, number, number, number];
    ops.push(op);
    zxid++;
    const done =
      op === OP.createSession
        ? sessionTxn(zxid, high, low, view.getInt32(16))
        : op === OP.closeSession
          ? closeSessionTxn(zxid, high, low, [])
          : createTxn(zxid, '/mine', high, low);
    new DataView(done.buffer).setInt32(8, cxid);
    leader.say(PACKET.proposal, zxid, done);
    leader.say(PACKET.commit, zxid);
  }
  leader.stage.pass(10);
  return { ops, lastZxid: zxid };
}

scenario(
  22,
  'ZOOKEEPER-3471: a client with a local session makes an ephemeral, and closes while the session becomes a global one; neither is left',
  () => {
    for (const isAtOnce of [true, false]) {
      const rules = { localSessionsEnabled: true, localSessionsUpgradingEnabled: true };
      const stage = new MemberStage({ rules }).start();
      const leader = stage.electOther(1);
      propose(leader, 1);
      leader.say(PACKET.diff, 0);
      establish(leader, 1);
      leader.heardData.length = 0;
      const client = new StageClient(stage);
      assert.equal(client.isConnected, true, 'a local session needs no leader');
      assert.deepEqual(serveRequests(leader, z(0)).ops, [], 'the leader hears of a local session');
      client.ask(OP.create, { path: '/mine', data: 'x', flags: 1 });
      // The session is on its way to being a global one, or is one already.
      let served = { ops: [] as number[], lastZxid: z(0) };
      if (!isAtOnce) served = serveRequests(leader, z(0));
      client.ask(OP.closeSession);
      stage.pass(10);
      const all = [...served.ops, ...serveRequests(leader, served.lastZxid).ops];
      stage.pass(10);
      all.push(...serveRequests(leader, z(3)).ops);
      assert.equal(
        has(stage, '/mine'),
        false,
        `the ephemeral is left, ${isAtOnce ? 'closed at once' : 'closed later'}`,
      );
      assert.equal(stage.server.sessions.count, 0, 'the session is left');
      assert.equal(all.at(-1), OP.closeSession, 'the leader does not hear of the end');
    }
  },
  {
    bug: 'the end of a session that was local is this server’s own affair',
    plant: () =>
      patch(Server.prototype, 'prepareWrite', (original) => {
        return function (this: Server, connection: Connection, op: number, ...rest: unknown[]) {
          if (op === OP.closeSession) this.close(connection);
          else original.call(this, connection, op, ...rest);
        };
      }),
    caughtBy: /is left|does not hear/,
  },
);
