/** Group 16: the two numbers that a member must never forget. ZOOKEEPER-1653, -2307, -2354, -1387, -4269. */
import assert from 'node:assert/strict';
import { epochOf, makeZxid } from '@zoots/protocol';
import { Epochs } from '@zoots/storage';
import { patch } from '../../mutant.js';
import { SimDisk } from '../../sim-disk.js';
import { scenario } from './scenario.js';
import { Refusal, StorageStage } from './storage-stage.js';

/** What the others have heard from this member. */
interface Told {
  /** ACKEPOCH: it follows nobody below. */
  accepted: number;
  /** ACK of NEWLEADER: it has the history of this epoch. */
  current: number;
  lastZxid: number;
}

const LAST = makeZxid(1, 3);

function memberOfEpoch1(seed: number): { readonly stage: StorageStage; readonly epochs: Epochs } {
  const stage = new StorageStage(seed);
  stage.snapshot(0);
  stage.log(makeZxid(1, 1), makeZxid(1, 2), LAST);
  return { stage, epochs: stage.loadEpochs(LAST) };
}

/** A member of epoch 1 is taken over into epoch 2, in the order of `Learner`, until the power fails. */
function enterEpoch2(stage: StorageStage, epochs: Epochs): Told {
  const told: Told = { accepted: 1, current: 1, lastZxid: LAST };
  const write = (set: (done: (error: unknown) => void) => void): boolean => {
    let isDone = false;
    set((error) => {
      isDone = error === null;
    });
    stage.settle();
    return isDone;
  };
  if (!write((done) => epochs.setAccepted(2, done))) return told;
  told.accepted = 2;
  const log = stage.openLog();
  for (const zxid of [makeZxid(1, 4), makeZxid(1, 5)]) {
    stage.append(log, zxid);
    if (stage.hasCrashed) return told;
    told.lastZxid = zxid;
  }
  if (!write((done) => epochs.setCurrent(2, done))) return told;
  told.current = 2;
  stage.append(log, makeZxid(2, 1));
  if (!stage.hasCrashed) told.lastZxid = makeZxid(2, 1);
  return told;
}

/** Comes back, and is asked for everything that it said. */
function comeBack(stage: StorageStage, told: Told, when: string): void {
  const { zxids } = stage.recover();
  const lastZxid = zxids.at(-1) ?? 0;
  const { accepted, current } = stage.loadEpochs(lastZxid);
  assert.ok(lastZxid >= told.lastZxid, `${when}: a transaction is lost`);
  assert.ok(accepted >= told.accepted, `${when}: it promised epoch ${told.accepted} and would promise it again`);
  assert.ok(current >= told.current, `${when}: it has the history of epoch ${told.current} and says ${current}`);
  assert.ok(current <= accepted && epochOf(lastZxid) <= current, `${when}: ${accepted}, ${current}, ${lastZxid}`);
}

scenario(
  16,
  'ZOOKEEPER-1653, -4269: the power fails at every step into a new epoch; it starts again and remembers each promise',
  () => {
    let crashes = 0;
    for (let operation = 0; operation < 60; operation++) {
      for (let seed = 1; seed <= 4; seed++) {
        const { stage, epochs } = memberOfEpoch1(seed);
        stage.crashBefore(operation);
        const told = enterEpoch2(stage, epochs);
        if (!stage.hasCrashed) continue;
        crashes++;
        comeBack(stage, told, `crash before operation ${operation}, seed ${seed}`);
      }
    }
    assert.ok(crashes > 60, `only ${crashes} crashes`);
  },
  {
    bug: 'ACKEPOCH leaves before acceptedEpoch is on disk',
    plant: () =>
      patch(Epochs.prototype, 'setAccepted', (original) => {
        return function (this: Epochs, epoch: number, done: (error: null) => void) {
          original.call(this, epoch, () => {});
          done(null);
        };
      }),
    caughtBy: /promised epoch 2 and would promise it again/,
  },
  {
    bug: 'the directory is not synced behind the rename',
    plant: () =>
      patch(SimDisk.prototype, 'syncDirectory', () => {
        return function (this: SimDisk, _directory: string, done: (error: null) => void) {
          this.list('/', () => done(null));
        };
      }),
    caughtBy: /is lost|would promise it again|has the history/,
  },
);

scenario(
  16,
  'ZOOKEEPER-1387, -2354: what a crash left beside the epoch files does no harm, and a file without a number is named',
  () => {
    // A half-written replacement.
    const { stage } = memberOfEpoch1(1);
    stage.put('currentEpoch.tmp', '');
    stage.put('acceptedEpoch.tmp', 'x');
    comeBack(stage, { accepted: 1, current: 1, lastZxid: LAST }, 'with .tmp files');
    // The files are not there at all: a stand-alone server becomes a member.
    const plain = memberOfEpoch1(2).stage;
    plain.remove('currentEpoch');
    plain.remove('acceptedEpoch');
    comeBack(plain, { accepted: 1, current: 1, lastZxid: LAST }, 'without files');
    // One that was emptied says nothing: guessing 0 could give a promise twice.
    for (const name of ['acceptedEpoch', 'currentEpoch']) {
      const emptied = memberOfEpoch1(3).stage;
      emptied.put(name, '');
      emptied.cutFile(name, 0);
      assert.throws(
        () => comeBack(emptied, { accepted: 1, current: 1, lastZxid: LAST }, 'emptied'),
        (error) => error instanceof Refusal && error.message.includes(name),
        `an empty ${name} must be refused by name`,
      );
    }
  },
  {
    bug: 'an epoch file that cannot be read counts as missing',
    plant: () =>
      patch(SimDisk.prototype, 'open', (original) => {
        return function (this: SimDisk, path: string, mode: string, done: (error: unknown, file: null) => void) {
          const isEmpty = mode === 'read' && path.endsWith('Epoch') && this.image.names.get(path)?.cachedLength === 0;
          if (isEmpty) this.list('/', () => done({ code: 'not-found', path, message: 'missing' }, null));
          else original.call(this, path, mode, done);
        };
      }),
    caughtBy: /must be refused by name/,
  },
);

scenario(
  16,
  'ZOOKEEPER-2307: the crash falls between the history of an epoch and its number; the next start goes on with both',
  () => {
    const { stage, epochs } = memberOfEpoch1(1);
    let isAccepted = false;
    epochs.setAccepted(2, () => {
      isAccepted = true;
    });
    stage.settle();
    assert.ok(isAccepted);
    // Another leader's member (3.9.2 and before) logs transactions of the epoch before its number.
    stage.log(makeZxid(2, 1));
    stage.powerCut();
    const lastZxid = stage.recover().zxids.at(-1) as number;
    assert.equal(lastZxid, makeZxid(2, 1));
    const again = stage.loadEpochs(lastZxid);
    assert.deepEqual([again.accepted, again.current], [2, 2]);
    assert.match(again.repairs.join(), /raised currentEpoch from 1 to 2/);
    // And of an epoch that it never accepted: somebody has swapped files, and nobody may guess.
    stage.log(makeZxid(3, 1));
    assert.throws(() => stage.loadEpochs(makeZxid(3, 1)), /currentEpoch/);
  },
  {
    bug: 'the number that was lost is not repaired',
    plant: () =>
      patch(SimDisk.prototype, 'open', (original) => {
        return function (this: SimDisk, path: string, mode: string, done: (error: unknown, file: null) => void) {
          const isRepair = mode === 'create' && path.endsWith('currentEpoch.tmp');
          if (isRepair) this.list('/', () => done({ code: 'io', path, message: 'io' }, null));
          else original.call(this, path, mode, done);
        };
      }),
    caughtBy: /currentEpoch/,
  },
);
