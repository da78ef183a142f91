/**
 * The two epochs that a member of an ensemble must never forget, as they lie on its disk.
 *
 * - `acceptedEpoch`: the newest epoch that the server promised to a leader. Durable *before* ACKEPOCH is sent (and, on the
 *   leader, before LEADERINFO): a server that forgot the promise could make it to two leaders.
 * - `currentEpoch`: the newest epoch whose history the server took over. Durable *after* all of that history is, and
 *   *before* NEWLEADER is acknowledged: it says how the server's log is to be compared with the logs of others.
 *
 * Hence currentEpoch <= acceptedEpoch, always, and no logged txn is of a later epoch than currentEpoch, but for a crash
 * between the two steps of the second point. A stand-alone server has no such files; where one is missing, the epoch of the last
 * logged txn stands for it and is written. Source: ZooKeeper's QuorumPeer.loadDataBase; where it refuses and we do not, the
 * code says why.
 */
import { assert } from '@zoots/base';
import { EPOCH_MAX, epochOf, formatZxid } from '@zoots/protocol';
import type { Disk, DiskError, Done } from './disk.js';
import { type EpochFileName, readEpoch, writeEpoch } from './epoch-file.js';
import { joinPath } from './file-names.js';
import { REMEDIES, type RecoveryError } from './recovery-errors.js';

export class Epochs {
  readonly #disk: Disk;
  readonly #directory: string;
  #accepted: number;
  #current: number;
  #isWriting = false;
  /** What was missing or behind when the files were read, and was written: sentences, for the log. */
  readonly repairs: readonly string[];

  /** Made by {@link loadEpochs}. */
  constructor(disk: Disk, directory: string, accepted: number, current: number, repairs: readonly string[]) {
    assert(current <= accepted, 'currentEpoch is ahead of acceptedEpoch');
    this.#disk = disk;
    this.#directory = directory;
    this.#accepted = accepted;
    this.#current = current;
    this.repairs = repairs;
  }

  /** As on disk; a value being written counts only once it is durable. */
  get accepted(): number {
    return this.#accepted;
  }

  /** As on disk. */
  get current(): number {
    return this.#current;
  }

  /** A value is on its way to the disk; the next one must wait. */
  get isWriting(): boolean {
    return this.#isWriting;
  }

  /**
   * Promises `epoch`, which is not below the one promised before. It is durable when `done` comes without an error; after
   * an error nobody knows which value is on disk, and the server must stop.
   */
  setAccepted(epoch: number, done: Done): void {
    assert(epoch >= this.#accepted, 'acceptedEpoch would go back');
    this.#write('acceptedEpoch', epoch, done, () => {
      this.#accepted = epoch;
    });
  }

  /** Takes over the history of `epoch`, which was accepted before. Durability and errors as for {@link setAccepted}. */
  setCurrent(epoch: number, done: Done): void {
    assert(epoch >= this.#current, 'currentEpoch would go back');
    assert(epoch <= this.#accepted, 'currentEpoch would pass acceptedEpoch');
    this.#write('currentEpoch', epoch, done, () => {
      this.#current = epoch;
    });
  }

  #write(name: EpochFileName, epoch: number, done: Done, onDurable: () => void): void {
    assert(epoch <= EPOCH_MAX, 'an epoch is beyond its limit');
    assert(!this.#isWriting, 'two epochs are written at once');
    this.#isWriting = true;
    writeEpoch(this.#disk, this.#directory, name, epoch, (error) => {
      this.#isWriting = false;
      if (error === null) onDurable();
      done(error);
    });
  }
}

export type OnEpochsLoaded = (error: RecoveryError | null, epochs: Epochs | null) => void;

/** What was read; null for a file that is missing. */
interface Found {
  readonly accepted: number | null;
  readonly current: number | null;
  /** `currentEpoch.tmp`, which a crash may have left; null also if it holds no number. */
  readonly unfinished: number | null;
}

/** What the epochs must be, and which files have to be written for that. */
interface Plan {
  readonly accepted: number;
  readonly current: number;
  readonly writes: readonly { readonly name: EpochFileName; readonly epoch: number }[];
  readonly repairs: readonly string[];
}

/**
 * Reads both epochs from `directory` (the snapshots' `version-2`), after recovery: `lastZxid` is what the server's state
 * stands at, -1 for a server without a database. Missing values are written before `done`.
 */
export function loadEpochs(disk: Disk, directory: string, lastZxid: number, done: OnEpochsLoaded): void {
  readAll(disk, directory, (readError, found) => {
    if (found === null) return done(refuseFile(readError as DiskError, REMEDIES.epochFile), null);
    const plan = planEpochs(directory, lastZxid, found);
    if ('remedy' in plan) return done(plan, null);
    const { accepted, current, writes, repairs } = plan;
    const writeFrom = (index: number): void => {
      const write = writes[index];
      if (write === undefined) {
        done(null, new Epochs(disk, directory, accepted, current, repairs));
        return;
      }
      writeEpoch(disk, directory, write.name, write.epoch, (error) =>
        error === null ? writeFrom(index + 1) : done(refuseFile(error, REMEDIES.disk), null),
      );
    };
    writeFrom(0);
  });
}

function readAll(disk: Disk, directory: string, done: (error: DiskError | null, found: Found | null) => void): void {
  readEpoch(disk, directory, 'acceptedEpoch', (acceptedError, accepted) => {
    if (acceptedError !== null) return done(acceptedError, null);
    readEpoch(disk, directory, 'currentEpoch', (currentError, current) => {
      if (currentError !== null) return done(currentError, null);
      // A crash while it was written may have left anything in it; only a good number in it means something.
      readEpoch(disk, directory, 'currentEpoch.tmp', (_error, unfinished) =>
        done(null, { accepted, current, unfinished }),
      );
    });
  });
}

/** The epochs that follow from what was found, or why the server must not start. */
function planEpochs(directory: string, lastZxid: number, found: Found): Plan | RecoveryError {
  const logged = Math.max(0, epochOf(lastZxid));
  const writes: { name: EpochFileName; epoch: number }[] = [];
  const repairs: string[] = [];
  const accepted = found.accepted ?? logged;
  if (found.accepted === null) writes.push({ name: 'acceptedEpoch', epoch: accepted });
  let current = found.current ?? logged;
  if (found.current === null) writes.push({ name: 'currentEpoch', epoch: current });
  const place = (name: EpochFileName): string => joinPath(directory, name);
  if (accepted > EPOCH_MAX) return refuse(place('acceptedEpoch'), `${accepted} is no epoch`, REMEDIES.epochFile);
  if (current > accepted) {
    const origin = found.accepted === null ? ', taken from the last transaction because the file is missing' : '';
    const message = `the accepted epoch ${accepted}${origin}, is below the current epoch ${current}`;
    return refuse(place('acceptedEpoch'), message, REMEDIES.acceptedEpoch);
  }
  if (logged > current) {
    // Txns of an epoch are logged only behind everything that the epoch began with, and the epoch was accepted before: so
    // the history is that epoch's, and a crash came before the number was written. Apache's server starts here only if it
    // finds the new number in currentEpoch.tmp.
    if (logged > accepted) {
      const message = `the current epoch ${current} and the accepted epoch ${accepted} are older than the last transaction ${formatZxid(lastZxid)}`;
      return refuse(place('currentEpoch'), message, REMEDIES.currentEpoch);
    }
    const { unfinished } = found;
    const raised = unfinished !== null && unfinished > logged && unfinished <= accepted ? unfinished : logged;
    repairs.push(`raised currentEpoch from ${current} to ${raised}, the epoch of ${formatZxid(lastZxid)}`);
    current = raised;
    writes.push({ name: 'currentEpoch', epoch: current });
  }
  return { accepted, current, writes, repairs };
}

function refuse(file: string, message: string, remedy: string): RecoveryError {
  return { file, offset: 0, message, remedy };
}

function refuseFile({ path, message }: DiskError, remedy: string): RecoveryError {
  return refuse(path, message, remedy);
}
