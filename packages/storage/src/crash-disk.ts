/**
 * A Disk in memory that remembers what is durable, for tests of what a crash leaves. Operations are carried out one by one,
 * as `MemoryDisk` does; at any point `image` makes a disk as a power cut could leave it.
 *
 * What may be lost or kept, each by a throw of the dice (the simulator's disk has the same rules):
 * - of the 512-byte sectors written or cleared since the file's last sync, any subset;
 * - of a length changed since then, the old or the new one;
 * - of names made, renamed or removed since their directory's last sync, any subset or any prefix.
 */
import type { Disk, DiskEntry, DiskError, DiskFile, Done, OpenMode } from './disk.js';
import { parentPath } from './file-names.js';
import { MemoryDisk } from './memory-disk.js';
import { SECTOR_BYTES } from './txn-log-format.js';

/** Answers with a number from 0 to `limit` - 1. */
export type Dice = (limit: number) => number;

interface Inode {
  bytes: Uint8Array;
  durable: Uint8Array;
  /** Sectors that differ, or may, from the durable ones. */
  readonly dirty: Set<number>;
}

interface NameChange {
  readonly directory: string;
  apply(names: Map<string, Inode>): void;
}

const notFound = (path: string): DiskError => ({ code: 'not-found', path, message: `${path} is not there` });

export class CrashDisk implements Disk {
  readonly #names = new Map<string, Inode>();
  readonly #durableNames = new Map<string, Inode>();
  #changes: NameChange[] = [];
  readonly #queue: (() => void)[] = [];
  /** Grows with every operation after which a crash may leave something else. */
  changeCount = 0;

  /** Everything that `disk` holds, durably. */
  constructor(disk: MemoryDisk) {
    for (const path of disk.paths()) {
      const bytes = disk.get(path) as Uint8Array;
      const inode: Inode = { bytes, durable: bytes.slice(), dirty: new Set() };
      this.#names.set(path, inode);
      this.#durableNames.set(path, inode);
    }
  }

  /** Carries out the next operation; false if there is none. */
  step(): boolean {
    const next = this.#queue.shift();
    next?.();
    return next !== undefined;
  }

  /** What a power cut leaves now; nothing here changes. */
  image(dice: Dice): MemoryDisk {
    const names = new Map(this.#durableNames);
    const isPrefix = dice(2) === 0;
    const kept = dice(this.#changes.length + 1);
    this.#changes.forEach((change, index) => {
      if (isPrefix ? index < kept : dice(2) === 0) change.apply(names);
    });
    const disk = new MemoryDisk();
    const share = dice(5);
    for (const [path, inode] of names) disk.put(path, contentAfterCrash(inode, share, dice));
    return disk;
  }

  #change(directory: string, apply: (names: Map<string, Inode>) => void): void {
    this.changeCount++;
    apply(this.#names);
    this.#changes.push({ directory, apply });
  }

  list(directory: string, done: (error: DiskError | null, entries: readonly DiskEntry[]) => void): void {
    this.#queue.push(() => {
      const entries: DiskEntry[] = [];
      for (const [path, { bytes }] of this.#names) {
        if (parentPath(path) !== directory) continue;
        entries.push({ name: path.slice(directory.length + 1), sizeBytes: bytes.length, isDirectory: false });
      }
      done(null, entries);
    });
  }

  makeDirectory(_directory: string, done: Done): void {
    this.#queue.push(() => done(null));
  }

  open(path: string, mode: OpenMode, done: (error: DiskError | null, file: DiskFile | null) => void): void {
    this.#queue.push(() => {
      let inode = this.#names.get(path);
      if (mode === 'create') {
        if (inode !== undefined) setLength(inode, 0);
        const made: Inode = inode ?? { bytes: new Uint8Array(0), durable: new Uint8Array(0), dirty: new Set() };
        if (inode === undefined) this.#change(parentPath(path), (names) => names.set(path, made));
        inode = made;
      }
      if (inode === undefined) done(notFound(path), null);
      else done(null, this.#fileOver(path, inode));
    });
  }

  remove(path: string, done: Done): void {
    this.#queue.push(() => {
      if (!this.#names.has(path)) return done(notFound(path));
      this.#change(parentPath(path), (names) => names.delete(path));
      done(null);
    });
  }

  rename(from: string, to: string, done: Done): void {
    this.#queue.push(() => {
      const inode = this.#names.get(from);
      if (inode === undefined) return done(notFound(from));
      this.#change(parentPath(from), (names) => {
        if (names.get(from) === inode) names.delete(from);
        names.set(to, inode);
      });
      done(null);
    });
  }

  syncDirectory(directory: string, done: Done): void {
    this.#queue.push(() => {
      this.changeCount++;
      for (const change of this.#changes) if (change.directory === directory) change.apply(this.#durableNames);
      this.#changes = this.#changes.filter((change) => change.directory !== directory);
      done(null);
    });
  }

  #fileOver(path: string, inode: Inode): DiskFile {
    const sync = (done: Done): void => {
      this.changeCount++;
      inode.durable = inode.bytes.slice();
      inode.dirty.clear();
      done(null);
    };
    return {
      path,
      sizeBytes: inode.bytes.length,
      read: (position, target, start, end, done) =>
        this.#queue.push(() => {
          const count = Math.max(0, Math.min(end - start, inode.bytes.length - position));
          target.set(inode.bytes.subarray(position, position + count), start);
          done(null, count);
        }),
      write: (position, bytes, start, end, isSynced, done) =>
        this.#queue.push(() => {
          this.changeCount++;
          const writeEnd = position + end - start;
          if (writeEnd > inode.bytes.length) setLength(inode, writeEnd);
          inode.bytes.set(bytes.subarray(start, end), position);
          markDirty(inode, position, writeEnd);
          // A crash may come between the two.
          if (isSynced) this.#queue.unshift(() => sync(done));
          else done(null);
        }),
      sync: (done) => this.#queue.push(() => sync(done)),
      truncate: (sizeBytes, done) =>
        this.#queue.push(() => {
          this.changeCount++;
          setLength(inode, sizeBytes);
          done(null);
        }),
      close: (done) => this.#queue.push(() => done(null)),
    };
  }
}

function markDirty(inode: Inode, start: number, end: number): void {
  for (let sector = Math.floor(start / SECTOR_BYTES); sector * SECTOR_BYTES < end; sector++) inode.dirty.add(sector);
}

/** What is cut off counts as cleared: it may turn up as zeros under the old length. */
function setLength(inode: Inode, length: number): void {
  markDirty(inode, Math.min(length, inode.bytes.length), Math.max(length, inode.bytes.length));
  const bytes = new Uint8Array(length);
  bytes.set(inode.bytes.subarray(0, length));
  inode.bytes = bytes;
}

/** Each dirty sector is kept with a chance of `share` in 4; 0 none, 4 all. */
function contentAfterCrash(inode: Inode, share: number, dice: Dice): Uint8Array {
  const { bytes, durable } = inode;
  const content = new Uint8Array(Math.max(bytes.length, durable.length));
  content.set(durable);
  for (const sector of inode.dirty) {
    if (dice(4) >= share) continue;
    const start = sector * SECTOR_BYTES;
    content.fill(0, start, start + SECTOR_BYTES);
    content.set(bytes.subarray(start, start + SECTOR_BYTES), start);
  }
  return content.slice(0, dice(2) === 0 ? bytes.length : durable.length);
}
