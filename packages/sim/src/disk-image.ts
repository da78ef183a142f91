/**
 * What lies on a simulated disk: files with two contents each, the one in the page cache and the one on the platter, and
 * names, likewise twice. Knows nothing of time; sim-disk.ts does.
 *
 * What a power cut leaves (see fault-budget.ts for what the server must survive):
 * - of the sectors (512 bytes) written since the last completed sync, any subset, or everything up to some byte of the last
 *   write and nothing behind it;
 * - of a length changed since then, the old or the new one;
 * - of names made, renamed or removed since the last directory sync, a prefix of the changes or any subset of them.
 */
import type { Prng } from '@zoots/base';

export const SECTOR_BYTES = 512;
const ROOM_BYTES_MIN = 1024;

/** Sectors as they were when a sync began. */
export interface SyncCapture {
  readonly lengthBytes: number;
  readonly sectors: readonly { readonly index: number; readonly version: number; readonly bytes: Uint8Array }[];
}

export class Inode {
  readonly number: number;
  cached = new Uint8Array(0);
  cachedLength = 0;
  durable = new Uint8Array(0);
  durableLength = 0;
  /** Nothing was ever persisted from here on. */
  #persistedEnd = 0;
  /** Sectors that the platter may not have, with the number of the write that touched them last. */
  readonly #dirty = new Map<number, number>();
  #version = 0;
  /** The cache shows something that the platter lost. */
  #isDeceived = false;
  #lastWriteStart = 0;
  #lastWriteEnd = 0;

  constructor(number: number) {
    this.number = number;
  }

  write(position: number, source: Uint8Array, start: number, end: number): void {
    const writeEnd = position + end - start;
    this.cached = withRoom(this.cached, this.cachedLength, writeEnd);
    this.cached.set(source.subarray(start, end), position);
    if (writeEnd > this.cachedLength) this.cachedLength = writeEnd;
    this.#markDirty(position, writeEnd);
    this.#lastWriteStart = position;
    this.#lastWriteEnd = writeEnd;
  }

  #markDirty(start: number, end: number): void {
    this.#version++;
    for (let sector = Math.floor(start / SECTOR_BYTES); sector * SECTOR_BYTES < end; sector++) {
      this.#dirty.set(sector, this.#version);
    }
  }

  truncate(lengthBytes: number): void {
    this.cached = withRoom(this.cached, this.cachedLength, lengthBytes);
    if (lengthBytes < this.cachedLength) {
      this.cached.fill(0, lengthBytes, this.cachedLength);
      this.#markDirty(lengthBytes, this.cachedLength);
      // What was cut off cannot arrive in part any more; the zeros of its last sector come as a whole.
      this.#lastWriteStart = Math.min(this.#lastWriteStart, lengthBytes);
      this.#lastWriteEnd = Math.min(this.#lastWriteEnd, lengthBytes);
    }
    this.cachedLength = lengthBytes;
  }

  get isClean(): boolean {
    return this.#dirty.size === 0 && this.cachedLength === this.durableLength;
  }

  beginSync(): SyncCapture {
    const sectors = [];
    for (const [index, version] of this.#dirty) {
      const start = index * SECTOR_BYTES;
      sectors.push({ index, version, bytes: this.cached.slice(start, start + SECTOR_BYTES) });
    }
    return { lengthBytes: this.cachedLength, sectors };
  }

  endSync(capture: SyncCapture): void {
    for (const { index, version, bytes } of capture.sectors) {
      this.#persist(index, bytes);
      if (this.#dirty.get(index) === version) this.#dirty.delete(index);
    }
    this.#setDurableLength(capture.lengthBytes);
  }

  #persist(sector: number, bytes: Uint8Array): void {
    const start = sector * SECTOR_BYTES;
    this.durable = withRoom(this.durable, this.durable.length, start + bytes.length);
    this.durable.set(bytes, start);
    this.#persistedEnd = Math.max(this.#persistedEnd, start + bytes.length);
  }

  #setDurableLength(lengthBytes: number): void {
    this.durable = withRoom(this.durable, this.durable.length, lengthBytes);
    if (lengthBytes < this.#persistedEnd) this.durable.fill(0, lengthBytes, this.#persistedEnd);
    this.#persistedEnd = Math.min(this.#persistedEnd, lengthBytes);
    this.durableLength = lengthBytes;
  }

  /**
   * A sync failed: some sectors arrived, the others are gone. `keepsPages`: the cache goes on showing what was lost, and
   * takes it for clean (as Linux does); otherwise the cache shows the platter.
   */
  failSync(capture: SyncCapture, prng: Prng, keepsPages: boolean): void {
    for (const { index, version, bytes } of capture.sectors) {
      if (prng.chance(0.5)) this.#persist(index, bytes);
      if (this.#dirty.get(index) === version) this.#dirty.delete(index);
    }
    if (prng.chance(0.5)) this.#setDurableLength(capture.lengthBytes);
    if (keepsPages) this.#isDeceived = true;
    else this.#readBack();
  }

  #readBack(): void {
    this.cached = this.durable.slice();
    this.cachedLength = this.durableLength;
    this.#dirty.clear();
    this.#isDeceived = false;
  }

  powerCut(prng: Prng, keepChance: number, isTorn: boolean): void {
    if (this.isClean && !this.#isDeceived) return;
    const capture = this.beginSync();
    const cut = isTorn ? prng.between(this.#lastWriteStart, this.#lastWriteEnd) : -1;
    for (const { index, bytes } of capture.sectors) {
      if (cut >= 0) this.#persistUpTo(index, bytes, cut);
      else if (prng.chance(keepChance)) this.#persist(index, bytes);
    }
    this.#setDurableLength(prng.chance(0.5) ? this.durableLength : capture.lengthBytes);
    this.#readBack();
  }

  /** What the last write put behind `cut` did not arrive; all else did. */
  #persistUpTo(sector: number, bytes: Uint8Array, cut: number): void {
    const start = sector * SECTOR_BYTES;
    const from = Math.max(start, cut);
    const to = Math.min(start + bytes.length, this.#lastWriteEnd);
    if (from < to) {
      this.durable = withRoom(this.durable, this.durable.length, start + bytes.length);
      bytes.set(this.durable.subarray(from, to), from - start);
    }
    this.#persist(sector, bytes);
  }

  /** Does the platter have these bytes as the cache has them? */
  isDurable(start: number, end: number): boolean {
    if (end > this.durableLength || end > this.cachedLength) return false;
    for (let i = start; i < end; i++) if (this.cached[i] !== this.durable[i]) return false;
    return true;
  }

  flipBit(offset: number, bit: number): void {
    this.cached[offset] = (this.cached[offset] as number) ^ (1 << bit);
    this.durable[offset] = (this.durable[offset] as number) ^ (1 << bit);
  }
}

/** At least `length` bytes of room, the first `used` kept, the rest zero. */
function withRoom(bytes: Uint8Array<ArrayBuffer>, used: number, length: number): Uint8Array<ArrayBuffer> {
  if (length <= bytes.length) return bytes;
  const grown = new Uint8Array(Math.max(length, bytes.length * 2, ROOM_BYTES_MIN));
  grown.set(bytes.subarray(0, used));
  return grown;
}

type NameChange =
  | { readonly kind: 'link'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string; readonly inode: Inode };

export class DiskImage {
  names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  /** Changes of names that the platter may not have, oldest first. */
  #changes: NameChange[] = [];
  #inodeCount = 0;

  create(path: string): Inode {
    const known = this.names.get(path);
    if (known !== undefined) {
      known.truncate(0);
      return known;
    }
    const inode = new Inode(++this.#inodeCount);
    this.#change({ kind: 'link', path, inode });
    return inode;
  }

  remove(path: string): boolean {
    if (!this.names.has(path)) return false;
    this.#change({ kind: 'unlink', path });
    return true;
  }

  rename(path: string, to: string): boolean {
    const inode = this.names.get(path);
    if (inode === undefined) return false;
    this.#change({ kind: 'rename', path, to, inode });
    return true;
  }

  #change(change: NameChange): void {
    applyChange(this.names, change);
    this.#changes.push(change);
  }

  syncDirectory(directory: string): void {
    const rest: NameChange[] = [];
    for (const change of this.#changes) {
      if (change.path.startsWith(`${directory}/`)) applyChange(this.#durableNames, change);
      else rest.push(change);
    }
    this.#changes = rest;
  }

  isNameDurable(path: string): boolean {
    const inode = this.names.get(path);
    return inode !== undefined && this.#durableNames.get(path) === inode;
  }

  powerCut(prng: Prng, isTorn: boolean): void {
    const keepChance = prng.pick([0, 0.3, 0.7, 1]);
    const inOrder = prng.chance(0.5);
    const prefix = prng.below(this.#changes.length + 1);
    this.#changes.forEach((change, index) => {
      if (inOrder ? index < prefix : prng.chance(0.5)) applyChange(this.#durableNames, change);
    });
    this.#changes = [];
    this.names = new Map(this.#durableNames);
    for (const path of [...this.names.keys()].sort()) {
      this.names.get(path)?.powerCut(prng, keepChance, isTorn && prng.chance(0.5));
    }
  }

  /** Of all files, as the cache has them. */
  get totalBytes(): number {
    let sum = 0;
    for (const inode of this.names.values()) sum += inode.cachedLength;
    return sum;
  }
}

function applyChange(names: Map<string, Inode>, change: NameChange): void {
  if (change.kind === 'link') names.set(change.path, change.inode);
  else if (change.kind === 'unlink') names.delete(change.path);
  else {
    if (names.get(change.path) === change.inode) names.delete(change.path);
    names.set(change.to, change.inode);
  }
}
