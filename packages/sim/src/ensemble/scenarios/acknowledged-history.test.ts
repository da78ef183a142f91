/**
 * Groups 3, 4, 5 and 13: what a learner must have on its disk before it says so. The leader counts on the ACK of NEWLEADER: with it the
 * history is committed, and clients have read it.
 */
import assert from 'node:assert/strict';
import { formatZxid, makeZxid, PACKET } from '@zoots/protocol';
import { patch } from '../../mutant.js';
import { Database, LearnerRole } from './core-parts.js';
import { MemberStage } from './member-stage.js';
import { followWith, propose, sendCommitted, snapshotOf } from './passages.js';
import type { Played } from './played.js';
import { scenario } from './scenario.js';
import { txn } from './txns.js';

const z = (counter: number): number => makeZxid(1, counter);
const NINE = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(z);
const EPOCH_2 = makeZxid(2, 0);

/** Server 1 has nothing; leader 3 of epoch 2 has nine transactions, the last `uncommitted` of them still without a quorum. */
function beginSync(stage: MemberStage, committed: readonly number[], uncommitted: readonly number[]): Played {
  const leader = stage.electOther(2);
  assert.equal(propose(leader, 2), 0);
  leader.say(PACKET.diff, z(9));
  sendCommitted(leader, ...committed);
  for (const zxid of uncommitted) leader.say(PACKET.proposal, zxid, txn(zxid));
  return leader;
}

const earlyDurability = (bug: string, caughtBy: RegExp): Parameters<typeof scenario>[3] => ({
  bug,
  plant: () =>
    patch(Database.prototype, 'whenDurable', () => {
      return function (this: unknown, done: (problem: null) => void) {
        done(null);
      };
    }),
  caughtBy,
});

scenario(
  3,
  'ZOOKEEPER-3911, -3023, -4646: the power fails in the moment in which NEWLEADER is acknowledged; everything of the sync is there',
  () => {
    for (const seed of [1, 2, 3, 4]) {
      const stage = new MemberStage({ seed }).start();
      stage.slowLog(20);
      const leader = beginSync(stage, NINE, []);
      let isAcknowledged = false;
      leader.onHeard = (line) => {
        if (line !== `ACK ${formatZxid(EPOCH_2)}`) return;
        isAcknowledged = true;
        stage.powerCut();
      };
      leader.say(PACKET.newLeader, EPOCH_2, new Uint8Array(0));
      stage.pass(300);
      assert.ok(isAcknowledged);
      stage.start();
      assert.deepEqual(stage.zxids, NINE, 'a part of the history that was acknowledged is lost');
    }
  },
  earlyDurability('NEWLEADER is acknowledged before the log is synced', /is lost/),
);

scenario(
  4,
  'ZOOKEEPER-4643: the power fails at every step of taking over an epoch; whoever says that he is in it has its history',
  () => {
    let entered = 0;
    let before = 0;
    for (let operation = 0; operation < 40; operation++) {
      const stage = new MemberStage({ seed: operation + 1 }).start();
      stage.slowLog(20);
      const leader = beginSync(stage, NINE, []);
      stage.before('any', '', operation + 1, () => stage.powerCut());
      leader.say(PACKET.newLeader, EPOCH_2, new Uint8Array(0));
      stage.pass(100);
      stage.powerCut();
      stage.start();
      const [accepted, current] = stage.epochs;
      assert.equal(accepted, 2, 'the promise of ACKEPOCH is forgotten');
      if (current === 2) assert.deepEqual(stage.zxids, NINE, 'it is in epoch 2 without the history of epoch 2');
      if (current === 2) entered++;
      else before++;
    }
    assert.ok(entered > 3 && before > 3, `${entered} crashes behind the epoch, ${before} before it`);
  },
  earlyDurability('currentEpoch goes to the disk while the history is on its way', /without the history of epoch 2/),
);

scenario(
  5,
  'ZOOKEEPER-4785: the process exits with any number of proposals between its memory and its disk; what it acknowledged is there',
  () => {
    for (let queued = 0; queued <= 9; queued++) {
      for (const seed of [1, 2, 3]) {
        const stage = new MemberStage({ seed }).start();
        const leader = beginSync(stage, NINE.slice(0, 9 - queued), []);
        let isAcknowledged = false;
        leader.onHeard = (line) => {
          if (line !== `ACK ${formatZxid(EPOCH_2)}`) return;
          isAcknowledged = true;
          stage.host.kill();
        };
        // Everything that is queued comes in one piece with NEWLEADER.
        stage.slowDown(3);
        for (const zxid of NINE.slice(9 - queued)) {
          leader.hold(PACKET.proposal, zxid, txn(zxid));
          leader.hold(PACKET.commit, zxid);
        }
        leader.hold(PACKET.newLeader, EPOCH_2, new Uint8Array(0));
        leader.sayHeld();
        stage.pass(100);
        assert.ok(isAcknowledged);
        stage.slowDown(1);
        stage.start();
        assert.deepEqual(stage.zxids, NINE, `with ${queued} in the queue: a part of the history is lost`);
      }
    }
  },
  earlyDurability(
    'NEWLEADER is acknowledged with proposals still in the queue',
    /in the queue: a part of the history is lost/,
  ),
);

/** Server 1 has the first three; leader 3 of epoch 2 sends it a snapshot of all nine. */
function beginSnapshot(stage: MemberStage, share: number): Played {
  followWith(stage, NINE.slice(0, 3)).breakOff();
  stage.pass(50);
  const leader = stage.electOther(2);
  assert.equal(propose(leader, 2), z(3));
  leader.say(PACKET.snap, z(9));
  leader.sayBytes(SNAPSHOT.slice(0, Math.floor(SNAPSHOT.length * share)));
  return leader;
}

const SNAPSHOT = snapshotOf(NINE);

scenario(
  13,
  'ZOOKEEPER-2872: half of a snapshot has come when the server crashes, or loses its leader; its own history is whole',
  () => {
    for (const share of [0, 0.3, 0.7, 0.99]) {
      const crashed = new MemberStage().start();
      beginSnapshot(crashed, share);
      crashed.powerCutAndRestart();
      assert.deepEqual(crashed.zxids, NINE.slice(0, 3), `after a crash with ${share} of the snapshot`);
      const abandoned = new MemberStage().start();
      beginSnapshot(abandoned, share).breakOff();
      abandoned.pass(300);
      assert.deepEqual(abandoned.zxids, NINE.slice(0, 3), `after the end of the leader with ${share} of the snapshot`);
      assert.equal(abandoned.vote2.zxid, z(3), 'its vote speaks of what it has');
    }
  },
  {
    bug: 'the old files are removed when a snapshot begins to come',
    plant: () => {
      let disk: MemberStage['disk'] | null = null;
      const forget = patch(MemberStage.prototype, 'start', (original) => {
        return function (this: MemberStage) {
          disk = this.disk;
          return original.call(this);
        };
      });
      const remove = patch(LearnerRole.prototype, 'beginSnapshot', (original) => {
        return function (this: unknown, zxid: number) {
          for (const path of disk?.image.names.keys() ?? []) if (path.includes('/log.')) disk?.image.remove(path);
          disk?.image.syncDirectory('/data/version-2');
          original.call(this, zxid);
        };
      });
      return () => {
        forget();
        remove();
      };
    },
    caughtBy: /with 0 of the snapshot/,
  },
);

scenario(
  13,
  'ZOOKEEPER-3104: a snapshot counts when it is on disk, and NEWLEADER is acknowledged then and not before',
  () => {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const stage = new MemberStage({ seed }).start();
      const leader = beginSnapshot(stage, 1);
      stage.slowDown(10);
      let isAcknowledged = false;
      leader.onHeard = (line) => {
        if (line !== `ACK ${formatZxid(EPOCH_2)}`) return;
        isAcknowledged = true;
        stage.powerCut();
      };
      leader.say(PACKET.newLeader, EPOCH_2, new Uint8Array(0));
      stage.pass(300);
      assert.ok(isAcknowledged);
      stage.slowDown(1);
      stage.start();
      assert.deepEqual(stage.zxids, NINE, 'the snapshot that was acknowledged is lost');
    }
  },
  {
    bug: 'NEWLEADER is acknowledged while the snapshot is being written',
    plant: () =>
      patch(LearnerRole.prototype, 'writeSnapshot', (original) => {
        return function (this: unknown, done: (problem: null) => void) {
          original.call(this, () => {});
          done(null);
        };
      }),
    caughtBy: /is lost/,
  },
);
