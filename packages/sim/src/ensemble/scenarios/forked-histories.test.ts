/**
 * Groups 1, 2, 8, 10, 11, 12, 18 and 21: a learner's memory and its disk must tell of one history. What it has logged and nobody committed goes
 * when a new leader says so, from the log, from snapshots and from memory; what is only in memory must not count as had.
 *
 * Group 8 was a thread that went on appending when its server had been shut down. There are no threads here; the story breaks the connection with
 * entries on their way to the disk, and the planted bug appends them once more when the next leader is followed.
 */
import assert from 'node:assert/strict';
import { makeZxid, PACKET } from '@zoots/protocol';
import { patch } from '../../mutant.js';
import { Database, LearnerRole, patchGetter } from './core-parts.js';
import { keepsNewerSnapshots, swallowWriteErrors } from './disk-bugs.js';
import { MemberStage } from './member-stage.js';
import { establish, followLeaderOf, followWith, propose, sendCommitted, sendHistory, snapshotOf } from './passages.js';
import { scenario } from './scenario.js';
import { closeSessionTxn, createTxn, sessionTxn, txn } from './txns.js';

const z = (counter: number): number => makeZxid(1, counter);
const z2 = (counter: number): number => makeZxid(2, counter);
const FOUR = [1, 2, 3, 4].map(z);
/** What the new leader's history is: the fifth of epoch 1 is not in it. */
const OTHERS = [...FOUR, z2(1), z2(2)];

/** Server 1 has four transactions, and a fifth in its log that nobody else has. */
function memberWithTail(stage: MemberStage): MemberStage {
  const leader = followWith(stage, FOUR);
  leader.say(PACKET.proposal, z(5), txn(z(5)));
  stage.pass(10);
  leader.breakOff();
  stage.pass(20);
  return stage;
}

/** Now, and after a power cut: memory and disk say the same. */
function mustHave(stage: MemberStage, zxids: readonly number[], when: string): void {
  assert.deepEqual(stage.zxids, zxids, `${when}: its tree`);
  stage.powerCutAndRestart();
  assert.deepEqual(stage.zxids, zxids, `${when}: its tree after a restart`);
}

scenario(
  1,
  'ZOOKEEPER-1549: an uncommitted transaction is in the log, a restart takes it into a snapshot; the new leader has never heard of it',
  () => {
    const stage = memberWithTail(new MemberStage().start());
    stage.powerCutAndRestart();
    assert.deepEqual(stage.zxids, [...FOUR, z(5)], 'a vote speaks of everything in the log');
    stage.server.snapshotter.start(null, null);
    stage.server.tick();
    stage.pass(50);
    assert.equal(stage.server.snapshotter.lastZxid, z(5), 'the snapshot was not taken');
    followLeaderOf(stage, 2, OTHERS);
    mustHave(stage, OTHERS, 'back among the others');
  },
  {
    bug: 'the snapshot behind the cut stays, and the next start loads it',
    plant: keepsNewerSnapshots,
    caughtBy: /its tree/,
  },
);

scenario(
  2,
  'ZOOKEEPER-2845: it loses its leader and goes on without a restart; the vote and ACKEPOCH speak of its log, not of what was committed',
  () => {
    const stage = memberWithTail(new MemberStage().start());
    followLeaderOf(stage, 2, OTHERS);
    mustHave(stage, OTHERS, 'with the new leader');
  },
  {
    bug: 'the last zxid is the last committed one',
    plant: () => {
      let committedZxid = 0;
      const hear = patch(LearnerRole.prototype, 'commitUpTo', (original) => {
        return function (this: unknown, zxid: number) {
          committedZxid = zxid;
          original.call(this, zxid);
        };
      });
      const tell = patchGetter(LearnerRole, 'lastLoggedZxid', () => () => committedZxid);
      return () => {
        hear();
        tell();
      };
    },
    caughtBy: /its tree/,
  },
);

/** What is in the log and not committed when a role ends stays where it is. */
function leavesTailUnapplied(): () => void {
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
}

scenario(
  8,
  'ZOOKEEPER-4712, -4541: the leader goes with any number of proposals on their way to the disk; memory and log are one when it follows again',
  () => {
    for (let queued = 1; queued <= 5; queued++) {
      const tail = [5, 6, 7, 8, 9].map(z).slice(0, queued);
      // The new leader has all of it, or nothing.
      for (const history of [
        [...FOUR, ...tail, z2(1)],
        [...FOUR, z2(1)],
      ]) {
        const stage = new MemberStage().start();
        const leader = followWith(stage, FOUR);
        stage.slowLog(30);
        for (const zxid of tail) leader.hold(PACKET.proposal, zxid, txn(zxid));
        leader.sayHeld().breakOff();
        stage.slowLog(0);
        stage.pass(100);
        assert.equal(stage.vote2.zxid, tail.at(-1), 'the vote speaks of everything that will be in the log');
        followLeaderOf(stage, 2, history);
        mustHave(stage, history, `with ${queued} on their way`);
      }
    }
  },
  {
    bug: 'what was on its way is logged once more when the next leader is followed',
    plant: () => {
      type Entry = readonly [zxid: number, bytes: Uint8Array, start: number, end: number];
      let before: Entry[] = [];
      let own: Entry[] = [];
      const hear = patch(LearnerRole.prototype, 'append', (original) => {
        return function (this: unknown, zxid: number, bytes: Uint8Array, start: number, end: number) {
          own.push([zxid, bytes.slice(start, end), 0, end - start]);
          original.call(this, zxid, bytes, start, end);
        };
      });
      const late = patch(LearnerRole.prototype, 'serve', (original) => {
        return function (this: { append: (...entry: Entry) => void }, epoch: number) {
          original.call(this, epoch);
          for (const entry of before) this.append(...entry);
          before = own;
          own = [];
        };
      });
      return () => {
        hear();
        late();
      };
    },
    caughtBy: /its tree|the server is gone|everything that will be in the log/,
  },
);

scenario(
  10,
  'ZOOKEEPER-5094: behind a TRUNC transactions are committed, and the connection breaks before NEWLEADER; the next sync leaves no gap',
  () => {
    for (const isCut of [false, true]) {
      const stage = memberWithTail(new MemberStage().start());
      const leader = stage.electOther(2);
      assert.equal(propose(leader, 2), z(5));
      leader.say(PACKET.trunc, z(4));
      stage.pass(30);
      sendCommitted(leader, z2(1), z2(2));
      leader.breakOff();
      stage.pass(50);
      if (isCut) stage.powerCutAndRestart();
      followLeaderOf(stage, 3, [...OTHERS, makeZxid(3, 1)]);
      mustHave(stage, [...OTHERS, makeZxid(3, 1)], isCut ? 'after a power cut' : 'after the break');
    }
  },
  {
    bug: 'behind a TRUNC transactions are only in memory, and count',
    plant: () => {
      let isBehindTrunc = false;
      let memoryZxid = 0;
      const undo = [
        patch(LearnerRole.prototype, 'truncate', (original) => {
          return function (this: unknown, ...args: unknown[]) {
            isBehindTrunc = true;
            original.apply(this, args);
          };
        }),
        patch(LearnerRole.prototype, 'append', (original) => {
          return function (this: unknown, zxid: number, ...rest: unknown[]) {
            if (isBehindTrunc) memoryZxid = zxid;
            else original.call(this, zxid, ...rest);
          };
        }),
        patch(LearnerRole.prototype, 'onEnded', (original) => {
          return function (this: unknown, reason: string) {
            isBehindTrunc = false;
            original.call(this, reason);
          };
        }),
        patchGetter(LearnerRole, 'lastLoggedZxid', (original) => {
          return function (this: unknown) {
            return Math.max(memoryZxid, original.call(this) as number);
          };
        }),
      ];
      return () => {
        for (const one of undo) one();
      };
    },
    caughtBy: /its tree/,
  },
);

scenario(
  11,
  'ZOOKEEPER-4882: the disk fails at any append while the transaction is committed; nobody goes on with a log that has a hole',
  () => {
    for (let failing = 1; failing <= 4; failing++) {
      const stage = new MemberStage().start();
      const leader = followWith(stage, FOUR);
      let count = 0;
      for (let counter = 5; counter <= 8 && stage.isUp; counter++) {
        stage.disk.manner.writeErrorChance = ++count === failing ? 1 : 0;
        sendCommitted(leader, z(counter));
        stage.pass(20);
      }
      stage.disk.manner.writeErrorChance = 0;
      const history = [...FOUR, ...[5, 6, 7, 8].map(z)];
      // It has given up; whoever starts it again finds a beginning of the history.
      if (!stage.isUp) stage.start();
      else leader.breakOff();
      stage.pass(50);
      followLeaderOf(stage, 2, [...history, z2(1)]);
      mustHave(stage, [...history, z2(1)], `append ${failing} failed`);
    }
  },
  {
    bug: 'an append that failed is passed over',
    plant: swallowWriteErrors,
    caughtBy: /its tree|the server is gone|did not dial|ACKEPOCH/,
  },
);

const NINE = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(z);
const SNAPSHOT = snapshotOf(NINE);

scenario(
  12,
  'ZOOKEEPER-3642: a snapshot has come into memory and its leader goes before it is written; the next leader sends what the disk lacks',
  () => {
    const stage = new MemberStage().start();
    followWith(stage, NINE.slice(0, 3)).breakOff();
    stage.pass(50);
    const leader = stage.electOther(2);
    propose(leader, 2);
    leader.say(PACKET.snap, z(9)).sayBytes(SNAPSHOT);
    assert.deepEqual(stage.zxids, NINE, 'the snapshot is in memory');
    leader.breakOff();
    stage.pass(50);
    followLeaderOf(stage, 3, [...NINE, makeZxid(3, 1)]);
    mustHave(stage, [...NINE, makeZxid(3, 1)], 'with the next leader');
  },
  {
    bug: 'the zxid of the snapshot counts as had',
    plant: () => {
      let snapshotZxid = 0;
      const hear = patch(LearnerRole.prototype, 'beginSnapshot', (original) => {
        return function (this: unknown, zxid: number) {
          snapshotZxid = zxid;
          original.call(this, zxid);
        };
      });
      const tell = patchGetter(LearnerRole, 'lastLoggedZxid', (original) => {
        return function (this: unknown) {
          return Math.max(snapshotZxid, original.call(this) as number);
        };
      });
      return () => {
        hear();
        tell();
      };
    },
    caughtBy: /its tree/,
  },
);

scenario(
  18,
  'ZOOKEEPER-3701: the disk is full when the log must be cut; the server does not go on with a forked log',
  () => {
    const stage = memberWithTail(new MemberStage().start());
    const leader = stage.electOther(2);
    const learnerZxid = propose(leader, 2);
    stage.disk.manner.metadataErrorChance = 1;
    stage.disk.manner.writeErrorChance = 1;
    sendHistory(leader, learnerZxid, OTHERS);
    leader.say(PACKET.newLeader, makeZxid(2, 0), new Uint8Array(0));
    stage.pass(50);
    assert.equal(stage.isUp, false, 'it goes on without having cut');
    assert.deepEqual(leader.take(), [], 'it acknowledges a history that it does not have');
    stage.disk.manner.metadataErrorChance = 0;
    stage.disk.manner.writeErrorChance = 0;
    stage.start();
    assert.deepEqual(stage.zxids, [...FOUR, z(5)], 'it has what it had');
    followLeaderOf(stage, 2, OTHERS);
    mustHave(stage, OTHERS, 'with room on the disk');
  },
  {
    bug: 'the failure is logged, and no more',
    plant: () =>
      patch(LearnerRole.prototype, 'truncate', () => {
        return function (this: unknown, _zxid: number, done: (problem: null) => void) {
          done(null);
        };
      }),
    caughtBy: /goes on without having cut|a history that it does not have|it has what it had/,
  },
);

const SESSION = { high: 0x1000, low: 7 };
const MINE = '/mine';

function hasMine(stage: MemberStage): boolean {
  const path = new TextEncoder().encode(MINE);
  return stage.server.tree.find(path, 0, path.length) >= 0;
}

scenario(
  21,
  'ZOOKEEPER-2355: an ephemeral survives because its closeSession was read, the connection broke, and the zxid counted as had',
  () => {
    for (const isSlow of [false, true]) {
      const stage = new MemberStage().start();
      const { high, low } = SESSION;
      const leader = stage.electOther(1);
      propose(leader, 1);
      leader.say(PACKET.diff, 0);
      establish(leader, 1);
      const history = [sessionTxn(z(1), high, low, 30_000), createTxn(z(2), MINE, high, low)];
      for (const [i, bytes] of history.entries())
        leader.say(PACKET.proposal, z(i + 1), bytes).say(PACKET.commit, z(i + 1));
      stage.pass(10);
      assert.equal(hasMine(stage), true);
      // Read, and perhaps on its way to the disk; never committed here.
      if (isSlow) stage.slowLog(30);
      const close = closeSessionTxn(z(3), high, low, [MINE]);
      leader.say(PACKET.proposal, z(3), close).breakOff();
      stage.slowLog(0);
      stage.pass(100);
      const next = stage.electOther(2);
      const learnerZxid = propose(next, 2);
      next.say(PACKET.diff, z(3));
      if (learnerZxid < z(3)) next.say(PACKET.proposal, z(3), close).say(PACKET.commit, z(3));
      establish(next, 2);
      assert.equal(hasMine(stage), false, 'the ephemeral of a closed session is there');
      assert.equal(stage.server.sessions.get(high, low), undefined, 'the session lives');
      stage.powerCutAndRestart();
      assert.equal(hasMine(stage), false, 'the ephemeral is back after a restart');
    }
  },
  {
    bug: 'what was read and not applied counts',
    plant: leavesTailUnapplied,
    caughtBy: /the ephemeral of a closed session is there/,
  },
);
