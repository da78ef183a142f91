/** Groups 28 and 29: what may come over the election port, and who joins an ensemble that has a leader. */
import assert from 'node:assert/strict';
import { ByteWriter, Prng } from '@zoots/base';
import { Peer, Server } from '@zoots/core';
import { makeZxid, PEER_STATE, writeNotification } from '@zoots/protocol';
import { patch } from '../../mutant.js';
import { Election } from './core-parts.js';
import { MemberStage } from './member-stage.js';
import { followWith, leadWith } from './passages.js';
import { scenario } from './scenario.js';

const z = (counter: number): number => makeZxid(1, counter);

/** Bodies of frames that are no votes, or nearly. */
function garbage(prng: Prng): Uint8Array[] {
  const out = new ByteWriter(128);
  const vote = { state: 0, leader: 2, zxid: 7, round: 1, peerEpoch: 1, config: 'server.1=ä\u{1f418}:1:2:participant' };
  writeNotification(out, vote);
  const whole = out.toBytes();
  const bodies = Array.from({ length: whole.length }, (_, length) => whole.slice(0, length));
  for (let i = 0; i < 200; i++) {
    const body = Uint8Array.from({ length: prng.below(120) }, () => prng.below(256));
    bodies.push(body);
  }
  // A length of the configuration that is negative, or longer than all there is.
  for (const length of [-1, -0x80000000, 0x7fffffff, whole.length]) {
    const body = whole.slice();
    new DataView(body.buffer).setInt32(40, length);
    bodies.push(body);
  }
  // Text that is no UTF-8.
  const body = whole.slice();
  body.fill(0xff, 44);
  bodies.push(body);
  return bodies;
}

function throwGarbage(stage: MemberStage, seed: number): void {
  for (const body of garbage(new Prng(seed))) {
    for (const from of [2, 3, 77]) stage.inject((peer) => peer.onElectionFrame(from, body.slice(), 0, body.length));
  }
}

scenario(
  28,
  'ZOOKEEPER-4787, FLEMalformedNotificationMessageTest: garbage on the election port; whoever votes is answered as before',
  () => {
    // Nobody here answers pings.
    const rules = { syncLimit: 10_000 };
    const looking = new MemberStage({ rules }).start();
    throwGarbage(looking, 1);
    assert.equal(looking.isUp, true, 'garbage has ended the server');
    // Some of it is a vote by accident, of a round far ahead; the election goes on from there.
    const leader = followWith(looking, [z(1)]);
    throwGarbage(looking, 2);
    assert.equal(leader.isClosed, false, 'garbage has ended a role');
    looking.votes.clear();
    looking.vote(2, { state: PEER_STATE.looking, leader: 2, zxid: z(1), round: 50, peerEpoch: 1 });
    assert.equal(looking.votes.get(2)?.leader, 3, 'who looks for a leader is not answered');
    const leading = new MemberStage({ rules }).start();
    leadWith(leading, [z(1)]);
    throwGarbage(leading, 3);
    assert.equal(leading.peer.role, 'leading', 'garbage has ended a leader');
  },
  {
    bug: 'a message that cannot be read ends the listener',
    plant: () =>
      patch(Peer.prototype, 'onElectionFrame', (original) => {
        return function (this: Peer, from: number, bytes: Uint8Array, start: number, end: number) {
          if (end - start < 28) this.stop();
          else original.call(this, from, bytes, start, end);
        };
      }),
    caughtBy: /did not dial|not answered/,
  },
);

/** How far a server has come when it is told to stop. */
const MOMENTS: readonly (readonly [string, (stage: MemberStage) => void])[] = [
  ['it looks for a leader', () => {}],
  ['it dials the leader', (stage) => void stage.electOther(1)],
  ['it follows', (stage) => void followWith(stage, [z(1)])],
  [
    'it has lost its leader',
    (stage) => {
      const leader = followWith(stage, [z(1)]);
      stage.slowLog(50);
      leader.breakOff();
    },
  ],
  ['it waits for followers', (stage) => stage.electSelf()],
  ['it leads', (stage) => void leadWith(stage, [z(1)])],
];

scenario(
  28,
  'ZOOKEEPER-2080, -2778, -2687, -2380: it is told to stop at any moment between an election and serving; it stops, and starts again',
  () => {
    for (const [moment, reach] of MOMENTS) {
      const stage = new MemberStage().start();
      reach(stage);
      stage.host.stop();
      stage.pass(1_000);
      assert.equal(stage.host.state, 'down', `it does not stop while ${moment}`);
      stage.slowLog(0);
      stage.start();
      assert.equal(stage.isUp, true, `it does not start again after ${moment}`);
    }
  },
  {
    bug: 'a server that looks for a leader holds the lock that stopping needs',
    plant: () =>
      patch(Server.prototype, 'stop', (original) => {
        return function (this: Server, done: () => void) {
          if (this.peer?.role !== 'looking') original.call(this, done);
        };
      }),
    caughtBy: /does not stop while it looks for a leader/,
  },
);

const ROUNDS = [1, 4, 9];
const ZXIDS = [z(1), z(5), makeZxid(2, 3)];

/** 2 follows 3, and each tells of the election in its own words. */
function join(roundOf2: number, roundOf3: number, zxidOf2: number, isLeaderFirst: boolean, lateBy: number): void {
  const when = `rounds ${roundOf2} and ${roundOf3}, zxid ${zxidOf2}, ${isLeaderFirst ? 'leader' : 'follower'} first, ${lateBy} ms late`;
  const stage = new MemberStage().start();
  stage.pass(lateBy);
  const of2 = { state: PEER_STATE.following, leader: 3, zxid: zxidOf2, round: roundOf2, peerEpoch: 2 };
  const of3 = { state: PEER_STATE.leading, leader: 3, zxid: z(5), round: roundOf3, peerEpoch: 2 };
  const votes = [() => stage.vote(2, of2), () => stage.vote(3, of3)];
  for (const vote of isLeaderFirst ? votes.reverse() : votes) vote();
  // Twice initLimit.
  stage.pass(2_000);
  assert.deepEqual(stage.dialled.slice(0, 1), [3], `${when}: it does not join`);
}

scenario(
  29,
  'ZOOKEEPER-3109, -3769, -1732: it comes to an ensemble whose members remember their election differently; it joins within twice initLimit',
  () => {
    for (const roundOf2 of ROUNDS) {
      for (const roundOf3 of ROUNDS) {
        for (const zxid of ZXIDS) {
          for (const isLeaderFirst of [false, true]) join(roundOf2, roundOf3, zxid, isLeaderFirst, 0);
        }
      }
    }
    for (const lateBy of [50, 190, 210, 1_500, 20_000]) join(4, 9, z(1), true, lateBy);
  },
  {
    bug: 'votes of another round, or with another zxid, do not agree',
    plant: () => {
      type Told = { readonly state: number; readonly round: number; readonly zxid: number };
      return patch(Election.prototype, 'onNotification', (original) => {
        return function (this: { readonly round: number }, from: number, told: Told, nowMs: number) {
          if (told.state === PEER_STATE.looking || told.round === this.round) original.call(this, from, told, nowMs);
        };
      });
    },
    caughtBy: /it does not join/,
  },
);

scenario(
  29,
  'ZOOKEEPER-1818: a follower’s word alone, or a quorum without the leader’s own, makes nobody follow',
  () => {
    const of2 = { state: PEER_STATE.following, leader: 3, zxid: z(5), round: 4, peerEpoch: 2 };
    const stage = new MemberStage({ voterCount: 5 }).start();
    for (const from of [2, 4, 5]) stage.vote(from, of2);
    stage.pass(1_000);
    assert.deepEqual(stage.dialled, [], 'it follows one that may be gone');
    stage.vote(3, { ...of2, state: PEER_STATE.leading });
    stage.pass(50);
    assert.deepEqual(stage.dialled, [3], 'it does not join');
    // The leader alone is no quorum.
    const other = new MemberStage({ voterCount: 5 }).start();
    other.vote(3, { ...of2, state: PEER_STATE.leading });
    other.vote(2, of2);
    other.pass(1_000);
    assert.deepEqual(other.dialled, [], 'it follows one whom no quorum follows');
  },
  {
    bug: 'whoever follows somebody says that this one leads',
    plant: () => {
      type Told = { readonly state: number; readonly leader: number };
      return patch(Election.prototype, 'onNotification', (original) => {
        return function (this: unknown, from: number, told: Told, nowMs: number) {
          original.call(this, from, told, nowMs);
          if (told.state === PEER_STATE.following) {
            original.call(this, told.leader, { ...told, state: PEER_STATE.leading }, nowMs);
          }
        };
      });
    },
    caughtBy: /one that may be gone|no quorum follows/,
  },
);
