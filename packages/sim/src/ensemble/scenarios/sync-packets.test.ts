/** Groups 6, 7 and 9: the packets of a synchronisation in every order that may be, and with a hole that may not. */
import assert from 'node:assert/strict';
import { formatZxid, makeZxid, PACKET } from '@zoots/protocol';
import { patch } from '../../mutant.js';
import { CommittedLog, Leader, LearnerHandle, LearnerRole, patchGetter } from './core-parts.js';
import { MemberStage } from './member-stage.js';
import {
  acknowledgeAll,
  establish,
  followWith,
  joinAs,
  leadWith,
  openSession,
  propose,
  sendCommitted,
} from './passages.js';
import type { Played } from './played.js';
import { scenario } from './scenario.js';
import { txn } from './txns.js';

const z = (counter: number): number => makeZxid(1, counter);
const EPOCH_1 = makeZxid(1, 0);
const EPOCH_2 = makeZxid(2, 0);

type Step = (leader: Played) => void;

/** What a leader with two outstanding proposals sends, and a third that comes meanwhile. */
const TRAFFIC: readonly Step[] = [
  (leader) => leader.say(PACKET.commit, z(1)),
  (leader) => leader.say(PACKET.commit, z(2)),
  (leader) => leader.say(PACKET.proposal, z(3), txn(z(3))),
  (leader) => leader.say(PACKET.commit, z(3)),
];

/** NEWLEADER comes before step `newLeaderAt`, UPTODATE before step `upToDateAt`. */
function syncAmidTraffic(newLeaderAt: number, upToDateAt: number): void {
  const when = `NEWLEADER at ${newLeaderAt}, UPTODATE at ${upToDateAt}`;
  const stage = new MemberStage().start();
  const leader = stage.electOther(1);
  propose(leader, 1);
  leader.say(PACKET.diff, 0);
  for (const zxid of [z(1), z(2)]) leader.say(PACKET.proposal, zxid, txn(zxid));
  for (let step = 0; step <= TRAFFIC.length; step++) {
    if (step === newLeaderAt) {
      leader.say(PACKET.newLeader, EPOCH_1, new Uint8Array(0));
      stage.pass(30);
      assert.ok(leader.take().includes(`ACK ${formatZxid(EPOCH_1)}`), `${when}: NEWLEADER is not acknowledged`);
    }
    if (step === upToDateAt) leader.say(PACKET.upToDate, -1);
    TRAFFIC[step]?.(leader);
    stage.pass(5);
  }
  stage.pass(30);
  assert.equal(leader.isClosed, false, `${when}: the learner went`);
  assert.equal(stage.server.isServing, true, `${when}: the learner does not serve`);
  assert.deepEqual(stage.zxids, [z(1), z(2), z(3)], when);
  stage.powerCutAndRestart();
  assert.deepEqual(stage.zxids, [z(1), z(2), z(3)], `${when}, after a restart`);
}

scenario(
  6,
  'ZOOKEEPER-4394: proposals are outstanding at NEWLEADER, and their COMMITs come anywhere around NEWLEADER and UPTODATE',
  () => {
    for (let newLeaderAt = 0; newLeaderAt <= TRAFFIC.length; newLeaderAt++) {
      for (let upToDateAt = newLeaderAt; upToDateAt <= TRAFFIC.length; upToDateAt++) {
        syncAmidTraffic(newLeaderAt, upToDateAt);
      }
    }
  },
  {
    bug: 'what was proposed before NEWLEADER is forgotten with it, and its COMMIT finds nothing',
    plant: () =>
      patch(LearnerRole.prototype, 'commitUpTo', (original) => {
        return function (this: { learner: { stage: string; end: (reason: string) => void } }, zxid: number) {
          if (this.learner.stage === 'waiting') this.learner.end('there is no such proposal');
          else original.call(this, zxid);
        };
      }),
    caughtBy: /the learner went/,
  },
);

scenario(
  6,
  'ZOOKEEPER-4394, the leader’s side: between NEWLEADER and UPTODATE a learner gets proposals and no COMMIT (3.5.9 to 3.9.2 cannot bear one)',
  () => {
    const stage = new MemberStage().start();
    const follower = leadWith(stage, [z(1)]);
    const slow = stage.learner();
    const history = joinAs(slow, 3, 1, z(1));
    assert.equal(history.at(-1), `NEWLEADER ${formatZxid(EPOCH_2)}`);
    openSession(follower);
    acknowledgeAll(follower);
    assert.ok(follower.take().includes(`COMMIT ${formatZxid(EPOCH_2 + 1)}`), 'the others commit');
    const until = slow.take();
    assert.ok(until.includes(`PROPOSAL ${formatZxid(EPOCH_2 + 1)}`), 'live proposals come at once');
    assert.deepEqual(
      until.filter((line) => line.startsWith('COMMIT')),
      [],
      'a COMMIT came before UPTODATE',
    );
    slow.say(PACKET.ack, EPOCH_2);
    stage.pass(10);
    const [first, ...rest] = slow.take();
    assert.equal(first, 'UPTODATE 0xffffffffffffffff');
    assert.ok(rest.includes(`COMMIT ${formatZxid(EPOCH_2 + 1)}`), 'the COMMIT comes behind UPTODATE');
  },
  {
    bug: 'COMMITs are not held back',
    plant: () => patch(LearnerHandle.prototype, 'holdCommits', () => () => {}),
    caughtBy: /a COMMIT came before UPTODATE/,
  },
);

scenario(
  7,
  'ZOOKEEPER-4685: a follower’s log thread acknowledges a proposal before its main thread acknowledges NEWLEADER',
  () => {
    const stage = new MemberStage().start();
    followWith(stage, [z(1), z(2)]).breakOff();
    stage.pass(50);
    stage.electSelf();
    const follower = stage.learner();
    const sent = joinAs(follower, 2, 1, z(1));
    assert.ok(sent.includes(`PROPOSAL ${formatZxid(z(2))}`), 'the follower is sent what it lacks');
    // As 3.8.0 does it.
    follower.say(PACKET.ack, z(2));
    stage.pass(10);
    assert.equal(follower.isClosed, false, 'the leader has dropped the follower');
    follower.say(PACKET.ack, EPOCH_2);
    stage.pass(20);
    assert.ok(
      follower.take().some((line) => line.startsWith('UPTODATE')),
      'the ensemble does not become active',
    );
    assert.equal(stage.server.isServing, true);
  },
  {
    bug: 'the first ACK counts as that of NEWLEADER, and a wrong zxid is an error',
    plant: () =>
      patch(Leader.prototype, 'onBytes', (original) => {
        type Handle = { readonly stage: string };
        return function (
          this: { drop: (handle: Handle) => void },
          handle: Handle,
          bytes: Uint8Array,
          start: number,
          end: number,
        ) {
          const view = new DataView(bytes.buffer, bytes.byteOffset);
          const isAck = end - start >= 12 && view.getInt32(start) === PACKET.ack;
          if (handle.stage === 'synced' && isAck && view.getInt32(start + 8) !== 0) this.drop(handle);
          else original.call(this, handle, bytes, start, end);
        };
      }),
    caughtBy: /has dropped the follower/,
  },
);

scenario(
  7,
  'ZOOKEEPER-4685, the learner’s side: proposals of the sync are on its disk at once; the first ACK is that of NEWLEADER, theirs come with UPTODATE',
  () => {
    const stage = new MemberStage().start();
    const leader = stage.electOther(1);
    propose(leader, 1);
    leader.say(PACKET.diff, 0);
    for (const zxid of [z(1), z(2)]) leader.say(PACKET.proposal, zxid, txn(zxid));
    stage.pass(20);
    assert.deepEqual(leader.take(), [], 'it acknowledges a proposal before NEWLEADER');
    leader.say(PACKET.newLeader, EPOCH_1, new Uint8Array(0));
    stage.pass(20);
    assert.deepEqual(leader.take(), [`ACK ${formatZxid(EPOCH_1)}`]);
    leader.say(PACKET.upToDate, -1);
    stage.pass(20);
    const acks = leader.take();
    for (const zxid of [z(1), z(2)]) {
      assert.equal(
        acks.filter((line) => line === `ACK ${formatZxid(zxid)}`).length,
        1,
        'each proposal is acknowledged once',
      );
    }
  },
  {
    bug: 'its log thread acknowledges whatever it has written',
    plant: () =>
      patch(LearnerRole.prototype, 'append', (original) => {
        type Role = { readonly stream: { send: (type: number, zxid: number) => void } };
        return function (this: Role, zxid: number, ...bytes: unknown[]) {
          original.call(this, zxid, ...bytes);
          this.stream.send(PACKET.ack, zxid);
        };
      }),
    caughtBy: /before NEWLEADER/,
  },
);

scenario(
  9,
  'ZOOKEEPER-4925: what came by a sync is in the memory of a later leader, too; a third server gets it without a hole',
  () => {
    const stage = new MemberStage().start();
    followWith(stage, [z(1), z(2)]).breakOff();
    stage.pass(50);
    // The third transaction comes by the sync, the fourth and fifth while it follows.
    const leader = stage.electOther(2);
    propose(leader, 2);
    leader.say(PACKET.diff, z(3));
    sendCommitted(leader, z(3));
    establish(leader, 2);
    sendCommitted(leader, makeZxid(2, 1), makeZxid(2, 2));
    stage.pass(20);
    leader.breakOff();
    stage.pass(50);
    stage.electSelf();
    const all = [z(1), z(2), z(3), makeZxid(2, 1), makeZxid(2, 2)];
    joinAs(stage.learner(), 2, 2, all.at(-1) as number);
    for (const has of [2, 3]) {
      const stale = stage.learner();
      const sent = joinAs(stale, 3, 1, all[has - 1] as number);
      const proposed = sent.filter((line) => line.startsWith('PROPOSAL'));
      const lacking = all.slice(has).map((zxid) => `PROPOSAL ${formatZxid(zxid)}`);
      if (!sent.some((line) => line.startsWith('SNAP'))) assert.deepEqual(proposed, lacking, 'a hole in what is sent');
      stale.breakOff();
    }
  },
  {
    bug: 'transactions of a sync are applied and not kept for others',
    plant: () =>
      patch(CommittedLog.prototype, 'add', (original) => {
        return function (this: unknown, zxid: number, ...bytes: unknown[]) {
          if (zxid !== z(3)) original.call(this, zxid, ...bytes);
        };
      }),
    caughtBy: /a hole in what is sent/,
  },
);

scenario(
  9,
  'ZOOKEEPER-4925, the learner’s side: a leader that leaves one out is not followed',
  () => {
    for (const isServing of [false, true]) {
      const stage = new MemberStage().start();
      const leader = isServing ? followWith(stage, [z(1), z(2)]) : stage.electOther(1);
      if (!isServing) {
        propose(leader, 1);
        leader.say(PACKET.diff, z(4));
        sendCommitted(leader, z(1), z(2));
      }
      sendCommitted(leader, z(4));
      stage.pass(300);
      assert.equal(leader.isClosed, true, `a hole ${isServing ? 'in the live traffic' : 'in a DIFF'} is accepted`);
      assert.deepEqual(stage.zxids, [z(1), z(2)]);
      assert.equal(stage.vote2.zxid, z(2), 'its vote speaks of what it has');
    }
  },
  {
    bug: 'the one that is missing counts as had',
    plant: () =>
      patchGetter(LearnerRole, 'lastLoggedZxid', (original) => {
        return function (this: unknown) {
          const zxid = original.call(this) as number;
          return zxid === z(2) ? z(3) : zxid;
        };
      }),
    caughtBy: /a hole in a DIFF is accepted/,
  },
);
