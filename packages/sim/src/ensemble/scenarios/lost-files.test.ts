/**
 * Group 24: files that are missing, empty or cut short. A server may use an older pair of snapshot and logs, or refuse; it never starts
 * with less than was promised. ZOOKEEPER-2099, -3644, -2325, -3231, -2332, -3056.
 */
import assert from 'node:assert/strict';
import { makeZxid, PACKET } from '@zoots/protocol';
import { patch } from '../../mutant.js';
import { SimDisk } from '../../sim-disk.js';
import { MemberStage } from './member-stage.js';
import { int32 } from './passages.js';
import { scenario } from './scenario.js';
import { logNameOf, Refusal, StorageStage } from './storage-stage.js';
import { txn } from './txns.js';

const z = (counter: number): number => makeZxid(1, counter);
const LAST = z(9);
const SNAPSHOTS = ['snapshot.0', 'snapshot.100000003', 'snapshot.100000006'];
const LOGS = [z(1), z(4), z(7)].map(logNameOf);

/** Three snapshots, each with the log behind it. */
function wholeHistory(change: Partial<StorageStage['options']> = {}): StorageStage {
  const stage = new StorageStage();
  Object.assign(stage.options, settings, change);
  stage.snapshot(0);
  for (const first of [1, 4, 7]) {
    stage.log(z(first), z(first + 1), z(first + 2));
    if (first < 7) stage.snapshot(z(first + 2));
  }
  return stage;
}

/** What planted bugs set. */
let settings: Partial<StorageStage['options']> = {};
let liesAboutDirectories = false;

/** Comes back with everything, or not at all. */
function mustNotForget(stage: StorageStage, what: string): 'whole' | 'refused' {
  try {
    const { snapshotZxid, zxids } = stage.recover();
    const last = zxids.at(-1) ?? snapshotZxid;
    assert.equal(last, LAST, `${what}: it started with a part of its history`);
    const missing = Array.from({ length: 9 }, (_, i) => z(i + 1)).filter(
      (zxid) => zxid > snapshotZxid && !zxids.includes(zxid),
    );
    assert.deepEqual(missing, [], `${what}: it started with a hole in its history`);
    return 'whole';
  } catch (error) {
    if (error instanceof Refusal) return 'refused';
    throw error;
  }
}

const outcomes = (damage: (stage: StorageStage, name: string) => void, names: readonly string[]): string[] =>
  names.map((name) => {
    const stage = wholeHistory();
    damage(stage, name);
    return mustNotForget(stage, name);
  });

const truncatedTo = (share: number) => (stage: StorageStage, name: string) => {
  stage.cutFile(name, Math.floor(stage.sizeOf(name) * share));
};

scenario(
  24,
  'ZOOKEEPER-2325, -3231, -3056: a snapshot that is gone, empty or cut short is replaced by an older one with its logs',
  () => {
    const all = (damage: (stage: StorageStage, name: string) => void): string[] => outcomes(damage, SNAPSHOTS);
    assert.deepEqual(
      all((stage, name) => stage.remove(name)),
      ['whole', 'whole', 'whole'],
    );
    assert.deepEqual(all(truncatedTo(0)), ['whole', 'whole', 'whole']);
    assert.deepEqual(all(truncatedTo(0.5)), ['whole', 'whole', 'whole']);
    // All of them gone: the logs alone are no database, even if they look whole.
    const stage = wholeHistory();
    for (const name of SNAPSHOTS) stage.cutFile(name, 3);
    mustNotForget(stage, 'no snapshot');
    // And with the first log purged there is a hole in what is left.
    const purged = wholeHistory();
    purged.remove(LOGS[0] as string);
    for (const name of SNAPSHOTS) purged.remove(name);
    assert.equal(mustNotForget(purged, 'logs without their snapshot'), 'refused');
  },
  {
    bug: 'logs without a snapshot are replayed onto an empty tree (snapshot.trust.empty and gaps allowed)',
    plant: () => {
      settings = { trustEmptySnapshot: true, allowGaps: true };
      return () => {
        settings = {};
      };
    },
    caughtBy: /started with a hole in its history/,
  },
  {
    bug: 'a directory that cannot be listed counts as empty',
    plant: () =>
      patch(SimDisk.prototype, 'list', (original) => {
        return function (this: SimDisk, directory: string, done: (error: null, entries: readonly never[]) => void) {
          original.call(this, directory, () => done(null, []));
        };
      }),
    caughtBy: /started with a part of its history/,
  },
);

scenario(
  24,
  'ZOOKEEPER-2332, -3644: a log that is gone or empty in the middle is refused; only an unfinished end is let go',
  () => {
    // The snapshot behind it covers the first two; the last one has what nothing else has.
    const remove = (stage: StorageStage, name: string): void => stage.remove(name);
    assert.deepEqual(outcomes(remove, LOGS.slice(0, 2)), ['whole', 'whole']);
    for (const newest of [0, 1, 2]) {
      // With older and older snapshots only, every log counts.
      const stage = wholeHistory();
      for (const name of SNAPSHOTS.slice(newest + 1)) stage.remove(name);
      if (newest < 2) stage.remove(LOGS[newest] as string);
      assert.equal(mustNotForget(stage, `snapshot ${newest} alone`), newest < 2 ? 'refused' : 'whole');
    }
    const emptied = wholeHistory();
    emptied.remove(SNAPSHOTS[2] as string);
    emptied.cutFile(LOGS[1] as string, 0);
    assert.equal(mustNotForget(emptied, 'an empty log in the middle'), 'refused');
  },
  {
    bug: 'holes are passed over',
    plant: () => {
      settings = { allowGaps: true };
      return () => {
        settings = {};
      };
    },
    caughtBy: /started with a hole in its history/,
  },
);

scenario(
  24,
  'ZOOKEEPER-2099, and Apache’s first start: the power fails at every step of a first start and of the first writes; it starts again with what it acknowledged',
  () => {
    let crashes = 0;
    for (let operation = 1; operation <= 60; operation++) {
      const stage = new MemberStage({ seed: operation });
      stage.disk.manner.liesAboutDirectories = liesAboutDirectories;
      const acknowledged: number[] = [];
      stage.before('any', '', operation, () => stage.powerCut());
      stage.start();
      if (stage.isUp) {
        const leader = stage.electOther(1);
        leader.onHeard = (line) => {
          if (line.startsWith('ACK ') && !line.endsWith('00000000'))
            acknowledged.push(Number.parseInt(line.slice(6), 16));
        };
        leader.say(PACKET.leaderInfo, makeZxid(1, 0), int32(0x10000));
        stage.pass(10);
        leader.say(PACKET.diff, 0).say(PACKET.newLeader, makeZxid(1, 0), new Uint8Array(0));
        stage.pass(10);
        leader.say(PACKET.upToDate, -1);
        for (const zxid of [z(1), z(2), z(3)]) leader.say(PACKET.proposal, zxid, txn(zxid)).say(PACKET.commit, zxid);
        stage.pass(10);
      }
      if (!stage.isUp) crashes++;
      stage.powerCutAndRestart();
      assert.equal(stage.isUp, true, `crash before operation ${operation}: it does not start: ${stage.ends.at(-1)}`);
      const lost = acknowledged.filter((zxid) => !stage.zxids.includes(zxid));
      assert.deepEqual(lost, [], `crash before operation ${operation}: acknowledged writes are lost`);
    }
    assert.ok(crashes > 20, `only ${crashes} crashes`);
  },
  {
    bug: 'directories are not synced behind new files',
    plant: () => {
      liesAboutDirectories = true;
      return () => {
        liesAboutDirectories = false;
      };
    },
    caughtBy: /acknowledged writes are lost|it does not start/,
  },
);
