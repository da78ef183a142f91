/** Groups 15, 17, 19, 20, 25 and 30: what a leader may propose and commit, and when it must give up. */
import assert from 'node:assert/strict';
import type { ByteWriter } from '@zoots/base';
import { Ephemerals, type Peer, S, Server } from '@zoots/core';
import { ERROR, formatZxid, makeZxid, OP, PACKET, TXN_DIGEST_BYTES } from '@zoots/protocol';
import { patch } from '../../mutant.js';
import { Leader, LeaderRole, LearnerHandle, Overlay, Submission } from './core-parts.js';
import { swallowWriteErrors } from './disk-bugs.js';
import { MemberStage } from './member-stage.js';
import { acknowledgeAll, askCreate, CLIENT, followWith, forward, joinAs, leadWith, openSession } from './passages.js';
import type { Played } from './played.js';
import { scenario } from './scenario.js';
import { StageClient } from './stage-client.js';
import { sessionTxn } from './txns.js';

const z = (counter: number): number => makeZxid(1, counter);
const z2 = (counter: number): number => makeZxid(2, counter);
const THREE = [1, 2, 3].map(z);
const TYPE_AT = 28;

/** Type of the transaction in the last PROPOSAL that was heard. */
function lastProposedType(follower: Played): number {
  const data = follower.heardData.filter((one) => one !== null && one.length > TYPE_AT + 4).at(-1) as Uint8Array;
  return new DataView(data.buffer, data.byteOffset).getInt32(TYPE_AT);
}

const linesOf = (lines: readonly string[], word: string): string[] => lines.filter((line) => line.startsWith(word));

scenario(
  15,
  'ZOOKEEPER-1154, -1156: the server with the newest log comes when another one leads; its tail goes, what was committed stays',
  () => {
    const stage = new MemberStage().start();
    const follower = leadWith(stage, THREE);
    // It could not take part in the election. Its tail was never committed.
    const late = stage.learner();
    const sent = joinAs(late, 3, 1, z(5));
    assert.equal(sent[1], `TRUNC ${formatZxid(z(3))}`, 'its tail is cut behind what was committed');
    assert.equal(stage.server.isServing, true, 'the leader stays');
    late.say(PACKET.ack, z2(0));
    openSession(follower);
    assert.ok(acknowledgeAll(follower).includes(`PROPOSAL ${formatZxid(z2(1))}`));
    assert.deepEqual(stage.zxids, THREE);
  },
  {
    bug: 'whoever has more than the leader gets a DIFF',
    plant: () =>
      patch(LearnerHandle.prototype, 'send', (original) => {
        return function (this: unknown, type: number, ...rest: unknown[]) {
          original.call(this, type === PACKET.trunc ? PACKET.diff : type, ...rest);
        };
      }),
    caughtBy: /its tail is cut/,
  },
);

scenario(
  15,
  'ZOOKEEPER-1282, -1264: nothing is proposed, and nobody is served, before a quorum has acknowledged NEWLEADER',
  () => {
    const stage = new MemberStage().start();
    followWith(stage, THREE).breakOff();
    stage.pass(50);
    stage.electSelf();
    const follower = stage.learner();
    const sent = joinAs(follower, 2, 1, z(3));
    assert.equal(sent.at(-1), `NEWLEADER ${formatZxid(z2(0))}`);
    stage.pass(100);
    assert.equal(stage.server.isServing, false, 'it serves alone');
    openSession(follower);
    assert.equal(stage.server.tree.lastProcessedZxid, z(3), 'it has committed alone');
    assert.deepEqual(linesOf(follower.take(), 'PROPOSAL'), [], 'it proposes before it leads');
  },
  {
    bug: 'one server is a quorum',
    plant: () =>
      patch(MemberStage.prototype, 'onServerMade', () => {
        return (server: Server) => {
          const rule = (server.peer as Peer).rule as { isQuorum: (ids: ReadonlySet<number>) => boolean };
          rule.isQuorum = (ids) => ids.size > 0;
        };
      }),
    caughtBy: /it serves alone|the server does not lead|NEWLEADER|did not dial/,
  },
);

scenario(
  17,
  'ZOOKEEPER-1277, -2789: the counter of an epoch runs out; the leader gives up before it runs over, and no zxid is used twice',
  () => {
    const stage = new MemberStage().start();
    const follower = leadWith(stage, THREE);
    openSession(follower);
    acknowledgeAll(follower);
    const undo = patch(Submission.prototype, 'remote', (original) => {
      return function (this: { preparedZxid: number }, ...request: unknown[]) {
        // Four milliards of writes later.
        if (this.preparedZxid === z2(1)) this.preparedZxid = z2(0xfffffffd);
        original.apply(this, request);
      };
    });
    try {
      for (let cxid = 1; cxid <= 4; cxid++) askCreate(follower, cxid, `/n${cxid}`);
    } finally {
      undo();
    }
    const proposed = linesOf(follower.take(), 'PROPOSAL');
    assert.deepEqual(proposed.slice(0, 1), [`PROPOSAL ${formatZxid(z2(0xfffffffe))}`], 'the last zxids are given');
    for (const line of proposed) assert.ok(!line.includes('0x300000000'), 'the counter has run over into the epoch');
    assert.equal(stage.peer.role, 'looking', 'it still leads');
    assert.equal(follower.isClosed, true, 'its followers are not told');
  },
  {
    bug: 'nobody looks at the counter',
    plant: () => patch(Leader.prototype, 'end', () => () => {}),
    caughtBy: /it still leads|has run over/,
  },
);

scenario(
  19,
  'ZOOKEEPER-2247: the leader cannot write its log; it goes, instead of standing there, and what was committed is on its disk',
  () => {
    const stage = new MemberStage().start();
    const follower = leadWith(stage, THREE);
    openSession(follower);
    acknowledgeAll(follower);
    askCreate(follower, 1, '/t0x200000002');
    acknowledgeAll(follower);
    stage.disk.manner.writeErrorChance = 1;
    askCreate(follower, 2, '/t0x200000003');
    const heard = acknowledgeAll(follower);
    stage.pass(50);
    const committed = linesOf([...heard, ...follower.take()], 'COMMIT').length;
    const wasUp = stage.isUp;
    stage.disk.manner.writeErrorChance = 0;
    stage.powerCut();
    stage.start();
    // With the follower's acknowledgement alone there was no quorum.
    const expected = [...THREE, z2(2)];
    assert.deepEqual(stage.zxids, expected.slice(0, expected.length), 'what is on its disk');
    assert.equal(wasUp, false, 'it stands there, and cannot write');
    assert.ok(committed <= 1, 'it has committed what it does not have');
  },
  {
    bug: 'an error of the log is passed over',
    plant: swallowWriteErrors,
    caughtBy: /cannot write|does not have|what is on its disk|the server is gone/,
  },
);

scenario(
  20,
  'ZOOKEEPER-2678, -3240: a learner stops reading amid its snapshot; the others’ writes go on',
  () => {
    const stage = new MemberStage({ core: { snapshotSliceBytes: 1 }, rules: { forceSnapshotSync: true } }).start();
    const follower = leadWith(stage, THREE);
    const stuck = stage.learner();
    stage.stuck.add(stuck.stream);
    joinAs(stuck, 3, 0, 0);
    openSession(follower);
    acknowledgeAll(follower);
    for (let cxid = 1; cxid <= 20; cxid++) {
      askCreate(follower, cxid, `/n${cxid}`);
      assert.equal(linesOf(acknowledgeAll(follower), 'PROPOSAL').length, 1, `write ${cxid} is not proposed`);
      assert.equal(stage.server.tree.lastProcessedZxid, z2(1 + cxid), `write ${cxid} is not committed`);
    }
    assert.equal(stage.server.isServing, true);
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
    caughtBy: /is not committed/,
  },
);

scenario(
  20,
  'ZOOKEEPER-2201, -3240: a connection dangles, and nobody is on the other side; it counts for syncLimit, and no longer',
  () => {
    const stage = new MemberStage().start();
    const follower = leadWith(stage, THREE);
    // Five ticks of 100 ms, and some for the check; the follower says nothing more, and its connection does not break.
    stage.pass(1_200);
    assert.equal(follower.isClosed, true, 'the dangling connection is kept');
    assert.equal(stage.peer.role, 'looking', 'it leads alone');
    assert.equal(stage.server.isServing, false, 'it serves alone');
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
    caughtBy: /the dangling connection is kept/,
  },
);

/** What a reader of packets and records with default settings takes, here. */
const READER_BYTES_MAX = 4_096;
let juteExtraBytes = 0;
const longPath = (number: number): string => `/${'long'.repeat(20)}${number}`;

scenario(
  25,
  'ZOOKEEPER-4306, -3496: a session with more ephemerals than fit into a frame closes; every server can read the transaction, and all of them go',
  () => {
    const core = { juteMaxBytes: READER_BYTES_MAX, juteExtraBytes };
    const stage = new MemberStage({ core }).start();
    const follower = leadWith(stage, THREE);
    openSession(follower);
    acknowledgeAll(follower);
    const creations: Uint8Array[] = [];
    for (let cxid = 1; cxid <= 60; cxid++) {
      follower.heardData.length = 0;
      askCreate(follower, cxid, longPath(cxid), 1);
      acknowledgeAll(follower);
      creations.push(follower.heardData[0] as Uint8Array);
    }
    assert.equal(stage.server.tree.ephemerals.count, 60);
    follower.heardData.length = 0;
    forward(follower, 61, OP.closeSession, () => {});
    const close = follower.heardData.find((data) => data !== null && data.length > READER_BYTES_MAX / 2) as Uint8Array;
    assert.ok(close.length <= READER_BYTES_MAX, 'the transaction is longer than a reader accepts');
    acknowledgeAll(follower);
    assert.equal(stage.server.tree.ephemerals.count, 0, 'ephemerals are left');
    stage.powerCutAndRestart();
    assert.equal(stage.server.tree.ephemerals.count, 0, 'ephemerals are back after a restart');
    // A follower that gets the same transactions.
    const other = new MemberStage({ core }).start();
    const leader = followWith(other, THREE);
    leader.say(PACKET.proposal, z(4), sessionTxn(z(4), CLIENT.high, CLIENT.low, 20_000));
    leader.say(PACKET.commit, z(4));
    for (const [i, bytes] of [...creations, close].entries()) {
      leader.say(PACKET.proposal, z(5 + i), withZxid(bytes, z(5 + i)));
      leader.say(PACKET.commit, z(5 + i));
    }
    other.pass(20);
    assert.equal(leader.isClosed, false, 'the learner cannot bear the transaction');
    assert.equal(other.server.tree.ephemerals.count, 0, 'ephemerals are left on the follower');
  },
  {
    bug: 'the list of paths is as long as it may get',
    plant: () => {
      juteExtraBytes = 1_000_000;
      return () => {
        juteExtraBytes = 0;
      };
    },
    caughtBy: /longer than a reader accepts/,
  },
  {
    bug: 'the last of a session’s ephemerals is forgotten',
    plant: () =>
      patch(Ephemerals.prototype, 'of', (original) => {
        return function (this: unknown, high: number, low: number) {
          return new Set([...original.call(this, high, low)].slice(0, -1));
        };
      }),
    caughtBy: /ephemerals are left/,
  },
);

/** The same transaction with another zxid, and without the digest behind it: the tree is another one. */
function withZxid(bytes: Uint8Array, zxid: number): Uint8Array {
  const copy = bytes.slice(0, bytes.length - TXN_DIGEST_BYTES);
  const view = new DataView(copy.buffer);
  view.setInt32(12, Math.floor(zxid / 2 ** 32));
  view.setUint32(16, zxid % 2 ** 32);
  return copy;
}

scenario(
  30,
  'ZOOKEEPER-2623: a check outside a multi comes from a learner; it becomes an error, and no transaction that nobody can apply',
  () => {
    const stage = new MemberStage().start();
    const follower = leadWith(stage, THREE);
    openSession(follower);
    acknowledgeAll(follower);
    forward(follower, 1, OP.check, (out) => {
      out.string('/');
      out.int32(-1);
    });
    assert.equal(linesOf(acknowledgeAll(follower), 'PROPOSAL').length, 1, 'the learner waits for an answer');
    assert.equal(lastProposedType(follower), OP.error, 'a check was proposed');
    stage.powerCutAndRestart();
    assert.equal(stage.isUp, true);
    assert.equal(stage.server.tree.lastProcessedZxid, z2(2));
  },
  {
    bug: 'what a learner forwards is proposed as it is',
    plant: () =>
      patch(LeaderRole.prototype, 'onRequest', (original) => {
        return function (
          this: unknown,
          handle: unknown,
          high: number,
          low: number,
          cxid: number,
          op: number,
          reader: unknown,
        ) {
          original.call(this, handle, high, low, cxid, op === OP.check ? OP.createSession : op, reader);
        };
      }),
    caughtBy: /a check was proposed/,
  },
);

/** setData, as a part of a multi. */
function setOf(path: string, version: number): (out: ByteWriter) => void {
  return (out) => {
    out.int32(OP.setData);
    out.bool(false);
    out.int32(-1);
    out.string(path);
    out.buffer(new Uint8Array([7]));
    out.int32(version);
  };
}

function askMulti(follower: Played, cxid: number, parts: readonly ((out: ByteWriter) => void)[]): void {
  forward(follower, cxid, OP.multi, (out) => {
    for (const part of parts) part(out);
    out.int32(-1);
    out.bool(true);
    out.int32(-1);
  });
}

scenario(
  30,
  'ZOOKEEPER-2623: a multi that fails leaves nothing behind that the next check could see',
  () => {
    const stage = new MemberStage().start();
    const follower = leadWith(stage, THREE);
    openSession(follower);
    acknowledgeAll(follower);
    askCreate(follower, 1, '/base');
    // Both are prepared while nothing is committed: set /base to version 1 and fail; then set it if its version is 0.
    askMulti(follower, 2, [setOf('/base', 0), setOf('/missing', 0)]);
    askMulti(follower, 3, [setOf('/base', 0)]);
    const heard = linesOf(acknowledgeAll(follower), 'PROPOSAL');
    assert.equal(heard.length, 3, 'each request becomes one transaction');
    stage.pass(10);
    const path = new TextEncoder().encode('/base');
    const id = stage.server.tree.find(path, 0, path.length);
    assert.equal(stage.server.tree.store.stat(id, S.version), 1, 'the second multi saw what the first left behind');
    assert.equal(stage.server.queueSizes.overlay, 0, 'records of outstanding changes are left');
  },
  {
    bug: 'the parts of a failed multi stay in the records of outstanding changes',
    plant: () =>
      patch(Overlay.prototype, 'endMulti', (original) => {
        return function (this: unknown) {
          original.call(this, true);
        };
      }),
    caughtBy: /the second multi saw|records of outstanding changes|digest mismatch/,
  },
);

/** A client of the server on the stage, which follows; the played leader takes its session in. */
function clientOfFollower(stage: MemberStage, leader: Played, zxid: number): StageClient {
  leader.heardData.length = 0;
  const client = new StageClient(stage);
  const request = leader.heardData.find((data) => data !== null && data.length >= 20) as Uint8Array;
  const view = new DataView(request.buffer, request.byteOffset);
  leader.say(PACKET.proposal, zxid, sessionTxn(zxid, view.getInt32(0), view.getInt32(4), view.getInt32(16)));
  leader.say(PACKET.commit, zxid);
  stage.pass(10);
  assert.equal(client.isConnected, true);
  leader.take();
  return client;
}

scenario(
  30,
  'ZOOKEEPER-2623, every role: a client sends a check outside a multi to the leader and to a follower; it is refused there, and nobody else hears of it',
  () => {
    const leading = new MemberStage().start();
    const follower = leadWith(leading, THREE);
    const ofLeader = new StageClient(leading);
    acknowledgeAll(follower);
    leading.pass(5);
    follower.take();
    const first = ofLeader.ask(OP.check, { path: '/', version: -1 });
    assert.deepEqual(follower.take(), [], 'a follower hears of it');
    assert.equal(ofLeader.answers.get(first), ERROR.unimplemented, 'the leader’s answer');
    const following = new MemberStage().start();
    const leader = followWith(following, THREE);
    const ofFollower = clientOfFollower(following, leader, z(4));
    const second = ofFollower.ask(OP.check, { path: '/', version: -1 });
    assert.deepEqual(linesOf(leader.take(), 'REQUEST'), [], 'the leader hears of it');
    assert.equal(ofFollower.answers.get(second), ERROR.unimplemented, 'the follower’s answer');
  },
  {
    bug: 'a check is a write like any other (here: a delete, which has the same body): it is forwarded, and ordered',
    plant: () =>
      patch(Server.prototype, 'onClientChunk', (original) => {
        return function (this: Server, connection: unknown, bytes: Uint8Array, start: number, end: number) {
          const opAt = start + 8;
          const view = new DataView(bytes.buffer, bytes.byteOffset);
          if (end > opAt + 4 && view.getInt32(opAt) === OP.check) view.setInt32(opAt, OP.delete);
          original.call(this, connection, bytes, start, end);
        };
      }),
    caughtBy: /hears of it/,
  },
);
