/** Group 26: cuts at every place of a history of several files, and what is appended behind. ZOOKEEPER-1489, -1642, -3137. */
import assert from 'node:assert/strict';
import { makeZxid } from '@zoots/protocol';
import { patch } from '../../mutant.js';
import { SimDisk } from '../../sim-disk.js';
import { scenario } from './scenario.js';
import { logNameOf, StorageStage } from './storage-stage.js';

const z = (counter: number): number => makeZxid(1, counter);
const ALL = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(z);

/** Three logs, the last of them with nothing but its header, and a snapshot amid the first. */
function historyOfThreeLogs(seed: number): StorageStage {
  const stage = new StorageStage(seed);
  stage.snapshot(0);
  stage.log(...ALL.slice(0, 3));
  stage.snapshot(z(2));
  stage.log(...ALL.slice(3, 6));
  stage.log(...ALL.slice(6, 9));
  stage.put(logNameOf(z(10)), 'ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0');
  return stage;
}

/** What the history is now; the snapshot stands for what is before it. */
function historyOf(stage: StorageStage): number[] {
  const { snapshotZxid, zxids } = stage.recover();
  return [...ALL.filter((zxid) => zxid <= snapshotZxid), ...zxids.filter((zxid) => zxid > snapshotZxid)];
}

function cutAndGoOn(seed: number, at: number): void {
  const stage = historyOfThreeLogs(seed);
  const name = `cut behind ${at}`;
  assert.equal(stage.truncate(z(at)), null, name);
  const kept = ALL.slice(0, at);
  assert.deepEqual(historyOf(stage), kept, `${name}: the history that is left`);
  // The leader's own history follows, first into a new file, then behind a restart.
  const next = [makeZxid(2, 1), makeZxid(2, 2)];
  stage.log(...next);
  stage.powerCut();
  assert.deepEqual(historyOf(stage), [...kept, ...next], `${name}: what was appended`);
}

scenario(
  26,
  'ZOOKEEPER-1489, -1642: a cut at any zxid, at the border of two files as well, leaves exactly that history, and the next append is readable',
  () => {
    for (let at = 1; at <= 9; at++) for (const seed of [1, 2]) cutAndGoOn(seed, at);
  },
  {
    bug: 'a cut at the end of a file leaves the files behind it',
    plant: () =>
      patch(SimDisk.prototype, 'remove', (original) => {
        return function (this: SimDisk, path: string, done: (error: null) => void) {
          if (path.endsWith(logNameOf(z(7)))) this.list('/', () => done(null));
          else original.call(this, path, done);
        };
      }),
    // Here recovery refuses the hole; Apache's server read on.
    caughtBy: /transactions are missing between/,
  },
  {
    bug: 'the cut file keeps its bytes',
    plant: () => patchTruncate(() => null),
    caughtBy: /the history that is left/,
  },
  {
    bug: 'the cut falls into the record that is to stay',
    plant: () => patchTruncate((sizeBytes) => Math.max(16, sizeBytes - 20)),
    caughtBy: /the history that is left/,
  },
  {
    bug: 'newer snapshots stay where the next start finds them',
    plant: () =>
      patch(SimDisk.prototype, 'rename', (original) => {
        return function (this: SimDisk, from: string, to: string, done: (error: null) => void) {
          if (to.includes('undone')) this.list('/', () => done(null));
          else original.call(this, from, to, done);
        };
      }),
    caughtBy: /the history that is left/,
  },
);

/** Changes where files are cut; null: nowhere. */
function patchTruncate(change: (sizeBytes: number) => number | null): () => void {
  type Opened = (
    error: unknown,
    file: { truncate: (size: number, done: (error: null) => void) => void } | null,
  ) => void;
  return patch(SimDisk.prototype, 'open', (original) => {
    return function (this: SimDisk, path: string, mode: string, done: Opened) {
      original.call(this, path, mode, (error: unknown, file: Parameters<Opened>[1]) => {
        if (file !== null && mode === 'write') {
          const truncate = file.truncate.bind(file);
          const list = this.list.bind(this);
          const isLog = path.includes('/log.');
          file.truncate = (size, then) => {
            const changed = isLog ? change(size) : size;
            if (changed === null) list('/', () => then(null));
            else truncate(changed, then);
          };
        }
        done(error, file);
      });
    };
  });
}

scenario(
  26,
  'ZOOKEEPER-3137: a log with only a header, or none of the zxid, is no reason to cut elsewhere',
  () => {
    const stage = historyOfThreeLogs(1);
    const before = stage.names;
    const refusal = stage.truncate(makeZxid(1, 12));
    assert.equal(refusal?.kind, 'absent', 'a zxid that is not there');
    assert.deepEqual(stage.names, before, 'a refused cut changes nothing');
    assert.deepEqual(historyOf(stage), ALL);
    // Repeating a cut that is done does nothing.
    assert.equal(stage.truncate(z(5)), null);
    assert.equal(stage.truncate(z(5)), null);
    assert.deepEqual(historyOf(stage), ALL.slice(0, 5));
  },
  {
    bug: 'a refused cut has removed files before it was refused',
    plant: () =>
      patch(SimDisk.prototype, 'list', (original) => {
        return function (this: SimDisk, directory: string, done: () => void) {
          const last = logNameOf(z(10));
          if (this.image.names.has(`${directory}/${last}`)) this.image.remove(`${directory}/${last}`);
          original.call(this, directory, done);
        };
      }),
    caughtBy: /a refused cut changes nothing/,
  },
);
