/**
 * The Disk port in simulated time: operations take a while, run beside one another (as in a thread pool), and may fail.
 * The contents and what a crash leaves of them are in disk-image.ts.
 *
 * Bytes given to `write` are taken when the operation is carried out, not when it is asked for: a caller that reuses its
 * buffer before `done` writes rubbish here, as it would on a real disk.
 */
import type { Prng } from '@zoots/base';
import type { Disk, DiskEntry, DiskError, DiskErrorCode, DiskFile, Done, OpenMode } from '@zoots/storage';
import { DiskImage, type Inode, type SyncCapture } from './disk-image.js';
import { Gate } from './sim-gate.js';
import type { Simulator } from './simulator.js';
import { NOTE, type Trace } from './trace.js';

const PAGE_BYTES = 4096;

/** How the disk behaves; the run's faults change it. */
export interface DiskManner {
  opMinUs: number;
  opMaxUs: number;
  syncMinUs: number;
  syncMaxUs: number;
  slowSyncChance: number;
  slowSyncMaxUs: number;
  /** Chances per operation of an I/O error. */
  syncErrorChance: number;
  writeErrorChance: number;
  readErrorChance: number;
  metadataErrorChance: number;
  isFull: boolean;
  /** After a failed sync the cache goes on showing the lost bytes. */
  keepsFailedPages: boolean;
  /** A planted bug: syncs are acknowledged and not done. */
  liesAboutSync: boolean;
  liesAboutDirectories: boolean;
  /** A planted bug: a synced write is acknowledged when it is in the cache. */
  acksBeforeSync: boolean;
}

export type DiskOperation =
  | 'list'
  | 'mkdir'
  | 'open'
  | 'remove'
  | 'rename'
  | 'syncdir'
  | 'read'
  | 'truncate'
  | 'close'
  | 'write'
  | 'sync';

/** Told of every write when it is asked for. */
export interface DiskWatcher {
  onWrite(path: string, position: number, bytes: Uint8Array, start: number, end: number): void;
  /** The platter has more than before. */
  onSynced(): void;
}

interface PendingWrite {
  readonly inode: Inode;
  readonly position: number;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

export class SimDisk implements Disk {
  image = new DiskImage();
  readonly manner: DiskManner;
  watcher: DiskWatcher | null = null;
  /** For scenarios: told of every operation before it is carried out; a crash from within ends it there. */
  onOperation: (name: DiskOperation, path: string) => void = () => {};
  /** For scenarios: the error that strikes this operation, or null. */
  faultOf: (name: DiskOperation, path: string) => DiskErrorCode | null = () => null;
  #struck: DiskErrorCode | null = null;
  /** Faults that really happened, for the budget. */
  errorCount = 0;
  syncCount = 0;
  readonly #simulator: Simulator;
  readonly #prng: Prng;
  readonly #trace: Trace;
  /** Of the process: what is done while it stands still is told to it afterwards. */
  readonly gate = new Gate();
  readonly #directories = new Set<string>();
  /** Of the process that uses the disk; operations of an earlier one are dropped. */
  #generation = 0;
  readonly #pendingWrites = new Set<PendingWrite>();

  constructor(simulator: Simulator, prng: Prng, trace: Trace, manner: DiskManner) {
    this.#simulator = simulator;
    this.#prng = prng;
    this.#trace = trace;
    this.manner = manner;
  }

  addDirectory(path: string): void {
    this.#directories.add(path);
  }

  /** The process dies; the machine lives on, and with it the page cache. Writes under way were made, or in part, or not. */
  kill(): void {
    this.#generation++;
    for (const { inode, position, bytes, start, end } of this.#pendingWrites) {
      const wasMade = this.#prng.chance(0.5);
      inode.write(position, bytes, start, wasMade ? end : this.#cutAtPage(position, start, end));
    }
    this.#pendingWrites.clear();
  }

  /** A write that is interrupted or fails ends with a page: the kernel copies each page whole. */
  #cutAtPage(position: number, start: number, end: number): number {
    const cut = position + this.#prng.between(start, end) - start;
    const pageStart = Math.floor(cut / PAGE_BYTES) * PAGE_BYTES;
    return Math.max(start, start + pageStart - position);
  }

  /** The disk is replaced by an empty one, with the directories. */
  wipe(): void {
    this.#generation++;
    this.#pendingWrites.clear();
    this.image = new DiskImage();
  }

  powerCut(isTorn: boolean): void {
    this.#generation++;
    this.#pendingWrites.clear();
    this.image.powerCut(this.#prng, isTorn);
  }

  // ---- carrying out ----

  #after(delayUs: number, run: () => void): void {
    const generation = this.#generation;
    this.#simulator.after(delayUs, () => {
      if (generation !== this.#generation) return;
      this.gate.pass(() => {
        if (generation === this.#generation) run();
      });
    });
  }

  #isInterrupted(name: DiskOperation, path: string): boolean {
    const generation = this.#generation;
    this.onOperation(name, path);
    this.#struck = this.faultOf(name, path);
    return generation !== this.#generation;
  }

  #opUs(): number {
    return this.#prng.between(this.manner.opMinUs, this.manner.opMaxUs);
  }

  /** Carries out a short operation after a while; `run` gets the error that struck it, if any. */
  #submit(name: DiskOperation, path: string, errorChance: number, run: (error: DiskError | null) => void): void {
    this.#after(this.#opUs(), () => {
      if (this.#isInterrupted(name, path)) return;
      this.#trace.text(NOTE.disk, name);
      const isUnlucky = errorChance > 0 && this.#prng.chance(errorChance);
      const code = this.#struck ?? (isUnlucky ? 'io' : null);
      const error = code === null ? null : this.#fault(code, name, path);
      if (error !== null) this.#trace.line(`disk: ${error.message}`);
      run(error);
    });
  }

  #fault(code: DiskErrorCode, operation: string, path: string): DiskError {
    this.errorCount++;
    return errorOf(code, operation, path);
  }

  list(directory: string, done: (error: DiskError | null, entries: readonly DiskEntry[]) => void): void {
    this.#submit('list', directory, this.manner.readErrorChance, (error) => {
      if (error !== null) return done(error, []);
      if (!this.#directories.has(directory)) return done(errorOf('not-found', 'list', directory), []);
      const entries: DiskEntry[] = [];
      for (const [path, inode] of this.image.names) {
        const slash = path.lastIndexOf('/');
        if (path.slice(0, slash) !== directory) continue;
        entries.push({ name: path.slice(slash + 1), sizeBytes: inode.cachedLength, isDirectory: false });
      }
      done(null, this.#prng.shuffle(entries));
    });
  }

  makeDirectory(directory: string, done: Done): void {
    this.#submit('mkdir', directory, this.manner.metadataErrorChance, (error) => {
      if (error === null) this.#directories.add(directory);
      done(error);
    });
  }

  open(path: string, mode: OpenMode, done: (error: DiskError | null, file: DiskFile | null) => void): void {
    this.#submit('open', path, mode === 'create' ? this.manner.metadataErrorChance : 0, (error) => {
      if (error !== null) return done(error, null);
      if (mode === 'create' && this.manner.isFull) return done(this.#fault('no-space', 'open', path), null);
      const inode = mode === 'create' ? this.image.create(path) : this.image.names.get(path);
      if (inode === undefined) return done(errorOf('not-found', 'open', path), null);
      done(null, this.#fileOver(path, inode));
    });
  }

  remove(path: string, done: Done): void {
    this.#submit('remove', path, this.manner.metadataErrorChance, (error) => {
      if (error !== null) return done(error);
      done(this.image.remove(path) ? null : errorOf('not-found', 'remove', path));
    });
  }

  rename(from: string, to: string, done: Done): void {
    this.#submit('rename', from, this.manner.metadataErrorChance, (error) => {
      if (error !== null) return done(error);
      done(this.image.rename(from, to) ? null : errorOf('not-found', 'rename', from));
    });
  }

  syncDirectory(directory: string, done: Done): void {
    this.#submit('syncdir', directory, this.manner.syncErrorChance, (error) => {
      if (error === null && !this.manner.liesAboutDirectories) {
        this.image.syncDirectory(directory);
        this.watcher?.onSynced();
      }
      done(error);
    });
  }

  #fileOver(path: string, inode: Inode): DiskFile {
    return {
      path,
      sizeBytes: inode.cachedLength,
      read: (position, target, start, end, done) =>
        this.#submit('read', path, this.manner.readErrorChance, (error) => {
          if (error !== null) return done(error, 0);
          const count = Math.max(0, Math.min(end - start, inode.cachedLength - position));
          target.set(inode.cached.subarray(position, position + count), start);
          done(null, count);
        }),
      write: (position, bytes, start, end, sync, done) =>
        this.#write(path, { inode, position, bytes, start, end }, sync, done),
      sync: (done) => this.#after(this.#opUs(), () => this.#sync(path, inode, done)),
      truncate: (sizeBytes, done) =>
        this.#submit('truncate', path, this.manner.metadataErrorChance, (error) => {
          if (error === null) inode.truncate(sizeBytes);
          done(error);
        }),
      close: (done) => this.#submit('close', path, 0, done),
    };
  }

  #write(path: string, write: PendingWrite, sync: boolean, done: Done): void {
    const { inode, position, bytes, start, end } = write;
    this.watcher?.onWrite(path, position, bytes, start, end);
    this.#pendingWrites.add(write);
    this.#after(this.#opUs(), () => {
      if (this.#isInterrupted('write', path)) return;
      this.#pendingWrites.delete(write);
      this.#trace.bytes(NOTE.disk, bytes, start, end);
      const error = this.#writeError(path);
      inode.write(position, bytes, start, error === null ? end : this.#cutAtPage(position, start, end));
      if (error !== null || !sync) done(error);
      else if (this.manner.acksBeforeSync) {
        this.#sync(path, inode, () => {});
        done(null);
      } else this.#sync(path, inode, done);
    });
  }

  #writeError(path: string): DiskError | null {
    const { isFull, writeErrorChance } = this.manner;
    if (this.#struck !== null) return this.#fault(this.#struck, 'write', path);
    if (isFull) return this.#fault('no-space', 'write', path);
    if (writeErrorChance <= 0 || !this.#prng.chance(writeErrorChance)) return null;
    const error = this.#fault('io', 'write', path);
    this.#trace.line(`disk: ${error.message}`);
    return error;
  }

  /** What was written before now is captured now; it is on the platter when the time is up. */
  #sync(path: string, inode: Inode, done: Done): void {
    const { syncMinUs, syncMaxUs, slowSyncChance, slowSyncMaxUs, syncErrorChance } = this.manner;
    let delayUs = this.#prng.between(syncMinUs, syncMaxUs);
    if (slowSyncChance > 0 && this.#prng.chance(slowSyncChance)) delayUs += this.#prng.below(slowSyncMaxUs);
    const fails = syncErrorChance > 0 && this.#prng.chance(syncErrorChance);
    const capture = inode.beginSync();
    this.#after(delayUs, () => this.#endSync(path, inode, capture, fails, done));
  }

  #endSync(path: string, inode: Inode, capture: SyncCapture, fails: boolean, done: Done): void {
    if (this.#isInterrupted('sync', path)) return;
    this.syncCount++;
    this.#trace.note(NOTE.disk, inode.number, capture.sectors.length);
    if (fails || this.#struck !== null) {
      inode.failSync(capture, this.#prng, this.manner.keepsFailedPages);
      const error = this.#fault(this.#struck ?? 'io', 'sync', path);
      this.#trace.line(`disk: ${error.message}`);
      done(error);
      return;
    }
    if (!this.manner.liesAboutSync) {
      inode.endSync(capture);
      this.watcher?.onSynced();
    }
    done(null);
  }
}

function errorOf(code: DiskErrorCode, operation: string, path: string): DiskError {
  return { code, path, message: `${operation} ${path}: ${code}` };
}
