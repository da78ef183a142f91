/**
 * Whole passages of the protocol between the server on the stage and the played ones: following a leader with some history, leading with a
 * follower, forwarding what clients ask. A story says what is particular about it, and leaves the rest to these.
 */
import assert from 'node:assert/strict';
import { ByteWriter, encodeUtf8 } from '@zoots/base';
import { epochOf, formatZxid, makeZxid, OP, PACKET, writeLearnerInfo } from '@zoots/protocol';
import { MemberStage } from './member-stage.js';
import type { Played } from './played.js';
import { txn } from './txns.js';

export const followerInfo = (serverId: number): Uint8Array => {
  const out = new ByteWriter(20);
  writeLearnerInfo(out, serverId, 0);
  return out.toBytes();
};

export const int32 = (value: number): Uint8Array => {
  const out = new ByteWriter(4);
  out.int32(value);
  return out.toBytes();
};

/** The played leader proposes its epoch; what the server answers, its last zxid, comes back. */
export function propose(leader: Played, epoch: number): number {
  leader.stage.pass(5);
  leader.take();
  leader.say(PACKET.leaderInfo, makeZxid(epoch, 0), int32(0x10000));
  leader.stage.pass(20);
  const [answer = ''] = leader.take();
  assert.match(answer, /^ACKEPOCH /);
  return Number.parseInt(answer.slice(11), 16);
}

/** PROPOSAL and COMMIT of each. */
export function sendCommitted(leader: Played, ...zxids: readonly number[]): void {
  for (const zxid of zxids) {
    leader.say(PACKET.proposal, zxid, txn(zxid));
    leader.say(PACKET.commit, zxid);
  }
}

/** As a leader decides who has this history and hears the learner's last zxid: nothing to cut, or what is too much. */
export function sendHistory(leader: Played, learnerZxid: number, history: readonly number[]): void {
  const common = history.filter((zxid) => zxid <= learnerZxid).at(-1) ?? 0;
  if (common === learnerZxid) leader.say(PACKET.diff, history.at(-1) ?? 0);
  else leader.say(PACKET.trunc, common);
  leader.stage.pass(20);
  sendCommitted(leader, ...history.filter((zxid) => zxid > common));
}

/** Server 3 leads a new epoch with this history, and server 1 follows it. */
export function followLeaderOf(stage: MemberStage, epoch: number, history: readonly number[]): Played {
  const leader = stage.electOther(epoch);
  sendHistory(leader, propose(leader, epoch), history);
  establish(leader, epoch);
  return leader;
}

/** NEWLEADER, the answer, UPTODATE. */
export function establish(leader: Played, epoch: number): void {
  leader.say(PACKET.newLeader, makeZxid(epoch, 0), encodeUtf8(''));
  leader.stage.pass(30);
  assert.ok(leader.take().includes(`ACK ${formatZxid(makeZxid(epoch, 0))}`), 'NEWLEADER was not acknowledged');
  leader.say(PACKET.upToDate, -1);
  leader.stage.pass(20);
}

/** Server 1 becomes a follower of 3 with this history. */
export function followWith(stage: MemberStage, zxids: readonly number[]): Played {
  const last = zxids.at(-1) ?? 0;
  const epoch = Math.max(1, epochOf(last));
  const leader = stage.electOther(epoch);
  propose(leader, epoch);
  leader.say(PACKET.diff, last);
  sendCommitted(leader, ...zxids);
  establish(leader, epoch);
  assert.deepEqual(stage.zxids, zxids);
  return leader;
}

/** A played follower of server 1, which leads: up to the history and NEWLEADER. What it was sent comes back. */
export function joinAs(
  learner: Played,
  serverId: number,
  accepted: number,
  lastZxid: number,
  current = accepted,
): string[] {
  learner.say(PACKET.followerInfo, makeZxid(accepted, 0), followerInfo(serverId));
  learner.stage.pass(20);
  learner.say(PACKET.ackEpoch, lastZxid, int32(current));
  learner.stage.pass(40);
  return learner.take();
}

/** Server 1 leads the next epoch, and 2, which has the same history, follows it. */
export function leadWith(stage: MemberStage, zxids: readonly number[]): Played {
  const last = zxids.at(-1) ?? 0;
  if (zxids.length > 0) {
    followWith(stage, zxids).breakOff();
    stage.pass(50);
  }
  stage.electSelf();
  const follower = stage.learner();
  joinAs(follower, 2, epochOf(last), last);
  follower.say(PACKET.ack, makeZxid(stage.epochs[1], 0));
  stage.pass(20);
  assert.ok(
    follower.take().some((line) => line.startsWith('UPTODATE')),
    'the server does not lead',
  );
  return follower;
}

/** The bytes that a leader with this history sends behind SNAP. */
export function snapshotOf(zxids: readonly number[]): Uint8Array {
  const stage = new MemberStage({ rules: { forceSnapshotSync: true } }).start();
  followWith(stage, zxids).breakOff();
  stage.pass(50);
  stage.electSelf();
  const learner = stage.learner();
  joinAs(learner, 2, 0, 0);
  const [snapshot] = learner.snapshots;
  assert.ok(snapshot !== undefined, 'the leader sends no snapshot');
  return snapshot;
}

/** The session of the played follower 2's client. */
export const CLIENT = { high: 0x0200_0001, low: 1 };

/** A request as a learner forwards it. */
export function forward(
  follower: Played,
  cxid: number,
  op: number,
  body: (out: ByteWriter) => void,
  session = CLIENT,
): void {
  const out = new ByteWriter(128);
  out.int32(session.high);
  out.int32(session.low);
  out.int32(cxid);
  out.int32(op);
  body(out);
  follower.say(PACKET.request, -1, out.toBytes());
  follower.stage.pass(5);
}

export function openSession(follower: Played, timeoutMs = 20_000, session = CLIENT): void {
  forward(follower, 0, OP.createSession, (out) => out.int32(timeoutMs), session);
}

export function askCreate(follower: Played, cxid: number, path: string, flags = 0, session = CLIENT): void {
  const body = (out: ByteWriter): void => {
    out.string(path);
    out.buffer(encodeUtf8('x'));
    out.int32(1);
    out.int32(31);
    out.string('world');
    out.string('anyone');
    out.int32(flags);
  };
  forward(follower, cxid, OP.create, body, session);
}

/** The played follower acknowledges every proposal that it has heard. */
export function acknowledgeAll(follower: Played): string[] {
  const heard = follower.take();
  for (const line of heard) {
    if (line.startsWith('PROPOSAL ')) follower.say(PACKET.ack, Number.parseInt(line.slice(11), 16));
  }
  follower.stage.pass(5);
  return heard;
}
