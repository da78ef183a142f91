/**
 * Znodes as integer ids into rows off the V8 heap (znode-row.ts says how a row is laid out).
 *
 * A path is *interned*: looked up by a hash of its bytes (no string is made), it has one id as long as anything needs it.
 * An id is in use while one of its pins is set: the znode is present in the tree, a change to it is outstanding, a watch
 * waits for it, a quota hangs on it. So "a path that may not exist yet" and "a znode" are the same small integer everywhere.
 *
 * A row is 18 int32 (72 bytes) in pages of 8,192 rows; see stat-rows.ts for the stats of znodes that were changed, and
 * path-index.ts for how paths are found. None of them ever copies everything at once, so there is no long stall at any size, and
 * hardly anything for the garbage collector to mark.
 *
 * Path and data bytes live in slabs.
 */
import { assert, type ByteWriter, equalRanges } from '@zoots/base';
import { lastSlash } from '@zoots/protocol';
import { PathIndex } from './path-index.js';
import { NO_BYTES, Slab } from './slab.js';
import { fillFreshStat, isFreshStat, NO_STAT_ROW, S, STAT_INTS, StatRows } from './stat-rows.js';
import {
  F,
  FRESH,
  isUnderSystem,
  LISTED,
  MARK_MASK,
  MARK_SHIFT,
  NONE,
  PIN,
  PINS,
  ROOT,
  ROW_INTS,
  STAT_ROW,
  UNDER_SYSTEM,
} from './znode-row.js';

export { F, NONE, PIN, ROOT };

const PAGE_ROWS_BITS = 13;
const PAGE_ROWS = 1 << PAGE_ROWS_BITS;
const PAGE_ROW_MASK = PAGE_ROWS - 1;

const SLASH = 0x2f;

/** Told of children of those parents that are {@link ZnodeStore.setListed}. */
export interface ChildObserver {
  /** The child is there, with its path. */
  onAttached(parent: number, child: number): void;
  onDetached(parent: number, child: number): void;
}

export class ZnodeStore {
  #pages: Int32Array[] = [];
  #paths = new Slab();
  #data = new Slab();
  #stats = new StatRows();
  readonly #hashSeed: number;
  /** One more than the highest id ever used. */
  idEnd = 0;
  #freeHead = NONE;
  /** Znodes present in the tree. */
  presentCount = 0;
  /** Bytes of data of all present znodes. */
  dataBytes = 0;
  /** Bytes of the paths of all present znodes. */
  pathBytes = 0;
  childObserver: ChildObserver | null = null;
  /** The znode above the path that {@link internChild} was asked for last; NONE if there is none. */
  lastParent = NONE;
  readonly #index = new PathIndex(this);

  /** `hashSeed` keeps a hostile client from knowing which paths collide. */
  constructor(hashSeed: number) {
    this.#hashSeed = (0x811c9dc5 ^ hashSeed) | 0;
    this.clear();
  }

  /** Forgets everything but the root's row. */
  clear(): void {
    this.#pages = [];
    this.#paths = new Slab();
    this.#data = new Slab();
    this.#stats = new StatRows();
    this.#index.clear();
    this.lastParent = NONE;
    this.idEnd = 0;
    this.#freeHead = NONE;
    this.presentCount = 0;
    this.dataBytes = 0;
    this.pathBytes = 0;
    const root = this.intern(new Uint8Array([SLASH]), 0, 1);
    assert(root === ROOT, 'the root is row 0');
  }

  // ---- rows ----

  /** The page that holds the row; index it from {@link rowAt}. */
  page(id: number): Int32Array {
    return this.#pages[id >>> PAGE_ROWS_BITS] as Int32Array;
  }

  rowAt(id: number): number {
    return (id & PAGE_ROW_MASK) * ROW_INTS;
  }

  get(id: number, field: number): number {
    return (this.#pages[id >>> PAGE_ROWS_BITS] as Int32Array)[(id & PAGE_ROW_MASK) * ROW_INTS + field] as number;
  }

  set(id: number, field: number, value: number): void {
    (this.#pages[id >>> PAGE_ROWS_BITS] as Int32Array)[(id & PAGE_ROW_MASK) * ROW_INTS + field] = value;
  }

  // ---- paths ----

  /** The id of the path, or NONE. `""` is the root, as in ZooKeeper. */
  find(bytes: Uint8Array, start: number, end: number): number {
    return this.findHashed(this.hashOf(bytes, start, end), bytes, start, end);
  }

  findHashed(hash: number, bytes: Uint8Array, start: number, end: number): number {
    return end === start ? ROOT : this.#index.find(mixed(hash), bytes, start, end - start);
  }

  /** A path's hash, for {@link findHashed} and {@link addHashed}. */
  hashOf(bytes: Uint8Array, start: number, end: number): number {
    return this.hashOn(this.#hashSeed, bytes, start, end);
  }

  /** The hash of a path of which `before` is that of its beginning. (FNV-1a.) */
  hashOn(before: number, bytes: Uint8Array, start: number, end: number): number {
    let hash = before;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
    return hash;
  }

  /** For the index: is this the path of the id? */
  hasPath(id: number, bytes: Uint8Array, start: number, length: number): boolean {
    const page = this.page(id);
    const at = this.rowAt(id);
    if (page[at + F.pathLength] !== length) return false;
    const handle = page[at + F.pathHandle] as number;
    return equalRanges(this.#paths.chunkOf(handle), this.#paths.offsetOf(handle), bytes, start, length);
  }

  haveSamePath(one: number, other: number): boolean {
    const start = this.pathStart(other);
    return this.hasPath(one, this.pathChunk(other), start, this.pathLength(other));
  }

  /** The id of the path, made if there is none. The caller must {@link pin} it, or {@link releaseUnpinned} it again. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    const hash = this.hashOf(bytes, start, end);
    const known = this.findHashed(hash, bytes, start, end);
    return known !== NONE ? known : this.addHashed(hash, bytes, start, end);
  }

  /**
   * The same for a path below a znode that is present, which is left in {@link lastParent}. NONE if there is none: then nothing
   * was made. The parent's bytes are hashed once for both paths.
   */
  internChild(bytes: Uint8Array, start: number, end: number): number {
    this.lastParent = NONE;
    const slash = lastSlash(bytes, start, end);
    if (slash < 0) return NONE;
    const parentHash = this.hashOf(bytes, start, slash);
    const parent = this.findHashed(parentHash, bytes, start, slash);
    if (parent === NONE || !this.isPresent(parent)) return NONE;
    this.lastParent = parent;
    const hash = this.hashOn(parentHash, bytes, slash, end);
    const known = this.findHashed(hash, bytes, start, end);
    return known !== NONE ? known : this.addHashed(hash, bytes, start, end);
  }

  /**
   * For loads: {@link internChild} of a path that has no id yet. One that has is noticed by {@link finishLoad} only. The next
   * znode often has the same parent.
   */
  appendChild(bytes: Uint8Array, start: number, end: number): number {
    const slash = lastSlash(bytes, start, end);
    if (slash < 0) return NONE;
    const parentHash = this.hashOf(bytes, start, slash);
    const isKnown = this.lastParent !== NONE && parentHash === this.#lastParentHash;
    if (!isKnown || !this.hasPath(this.lastParent, bytes, start, slash - start)) {
      this.lastParent = this.findHashed(parentHash, bytes, start, slash);
      this.#lastParentHash = parentHash;
    }
    const parent = this.lastParent;
    if (parent === NONE || !this.isPresent(parent)) return NONE;
    const id = this.#addRow(bytes, start, end);
    this.#index.append(mixed(this.hashOn(parentHash, bytes, slash, end)), id);
    return id;
  }

  #lastParentHash = 0;

  /** True if each path that was appended had no id before. */
  finishLoad(): boolean {
    return this.#index.finishLoad() === NONE;
  }

  /** An id for a path that has none. The caller must {@link pin} it, or {@link releaseUnpinned} it again. */
  addHashed(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const id = this.#addRow(bytes, start, end);
    this.#index.add(mixed(hash), id);
    return id;
  }

  #addRow(bytes: Uint8Array, start: number, end: number): number {
    const id = this.#allocateRow();
    const page = this.page(id);
    const at = this.rowAt(id);
    page[at + F.pathHandle] = this.#paths.store(bytes, start, end);
    page[at + F.pathLength] = end - start;
    page[at + F.dataHandle] = NO_BYTES;
    page[at + F.dataLength] = -1;
    page[at + F.parent] = NONE;
    page[at + F.firstChild] = NONE;
    page[at + F.nextSibling] = NONE;
    page[at + F.previousSibling] = NONE;
    if (isUnderSystem(bytes, start, end)) page[at + F.flags] = UNDER_SYSTEM;
    return id;
  }

  /** A row full of zeros. */
  #allocateRow(): number {
    if (this.#freeHead !== NONE) {
      const id = this.#freeHead;
      this.#freeHead = this.get(id, F.firstChild);
      const at = this.rowAt(id);
      this.page(id).fill(0, at, at + ROW_INTS);
      return id;
    }
    const id = this.idEnd++;
    if (id >>> PAGE_ROWS_BITS === this.#pages.length) this.#pages.push(new Int32Array(PAGE_ROWS * ROW_INTS));
    return id;
  }

  pin(id: number, pin: number): void {
    const page = this.page(id);
    const at = this.rowAt(id) + F.flags;
    page[at] = (page[at] as number) | pin;
  }

  /** Takes a pin away; the id is free for other paths once none is left. */
  unpin(id: number, pin: number): void {
    const page = this.page(id);
    const at = this.rowAt(id) + F.flags;
    page[at] = (page[at] as number) & ~pin;
    this.releaseUnpinned(id);
  }

  hasPin(id: number, pin: number): boolean {
    return (this.get(id, F.flags) & pin) !== 0;
  }

  /** Frees the id if nothing pins it. */
  releaseUnpinned(id: number): void {
    const page = this.page(id);
    const at = this.rowAt(id);
    if (((page[at + F.flags] as number) & PINS) !== 0 || id === ROOT) return;
    const handle = page[at + F.pathHandle] as number;
    const length = page[at + F.pathLength] as number;
    const start = this.#paths.offsetOf(handle);
    this.#index.remove(mixed(this.hashOf(this.#paths.chunkOf(handle), start, start + length)), id);
    this.#paths.release(handle, length);
    page[at + F.pathHandle] = NO_BYTES;
    page[at + F.firstChild] = this.#freeHead;
    this.#freeHead = id;
  }

  isPresent(id: number): boolean {
    return (this.get(id, F.flags) & PIN.present) !== 0;
  }

  isUnderSystem(id: number): boolean {
    return (this.get(id, F.flags) & UNDER_SYSTEM) !== 0;
  }

  pathChunk(id: number): Uint8Array {
    return this.#paths.chunkOf(this.get(id, F.pathHandle));
  }

  pathStart(id: number): number {
    return this.#paths.offsetOf(this.get(id, F.pathHandle));
  }

  pathLength(id: number): number {
    return this.get(id, F.pathLength);
  }

  /** Appends the path's bytes. */
  writePath(out: ByteWriter, id: number): void {
    this.#paths.writeTo(out, this.get(id, F.pathHandle), this.get(id, F.pathLength));
  }

  /** Offset within the path where its last component begins. */
  nameOffset(id: number): number {
    const start = this.pathStart(id);
    return lastSlash(this.pathChunk(id), start, start + this.pathLength(id)) - start + 1;
  }

  // ---- data ----

  dataChunk(id: number): Uint8Array {
    return this.#data.chunkOf(this.get(id, F.dataHandle));
  }

  dataStart(id: number): number {
    return this.#data.offsetOf(this.get(id, F.dataHandle));
  }

  /** -1 for null data. */
  dataLength(id: number): number {
    return this.get(id, F.dataLength);
  }

  /** Appends the bytes of the data. */
  writeData(out: ByteWriter, id: number): void {
    this.#data.writeTo(out, this.get(id, F.dataHandle), this.get(id, F.dataLength));
  }

  /** Replaces the data by the range; `start` -1 means null. */
  setData(id: number, bytes: Uint8Array, start: number, end: number): void {
    const page = this.page(id);
    const at = this.rowAt(id);
    const oldLength = page[at + F.dataLength] as number;
    this.#data.release(page[at + F.dataHandle] as number, oldLength);
    const length = start < 0 ? -1 : end - start;
    page[at + F.dataHandle] = start < 0 ? NO_BYTES : this.#data.store(bytes, start, end);
    page[at + F.dataLength] = length;
    this.dataBytes += Math.max(length, 0) - Math.max(oldLength, 0);
  }

  // ---- stat ----

  /** Where the stat begins in the array that {@link statOf} or {@link ownStatOf} has returned. */
  statStart = 0;
  readonly #statRead = new Int32Array(STAT_INTS);

  /** The 15 int32 of the stat (see {@link S}), from {@link statStart} on. To be read at once: the array may be used again. */
  statOf(id: number): Int32Array {
    const page = this.page(id);
    const at = this.rowAt(id);
    const row = page[at + STAT_ROW] as number;
    if (row !== NO_STAT_ROW) {
      this.statStart = this.#stats.start(row);
      return this.#stats.page(row);
    }
    this.statStart = 0;
    return this.#freshStat(page, at + FRESH);
  }

  #freshStat(page: Int32Array, at: number): Int32Array {
    const stat = this.#statRead;
    fillFreshStat(stat, page[at] as number, page[at + 1] as number, page[at + 2] as number, page[at + 3] as number);
    return stat;
  }

  /** One int32 of the stat: `field` of {@link S}, or behind it. */
  stat(id: number, field: number): number {
    const stat = this.statOf(id);
    return stat[this.statStart + field] as number;
  }

  /** The same as {@link statOf}, to be changed. */
  ownStatOf(id: number): Int32Array {
    const page = this.page(id);
    const at = this.rowAt(id);
    let row = page[at + STAT_ROW] as number;
    if (row === NO_STAT_ROW) {
      row = this.#stats.allocate();
      page[at + STAT_ROW] = row;
      this.#stats.page(row).set(this.#freshStat(page, at + FRESH), this.#stats.start(row));
    }
    this.statStart = this.#stats.start(row);
    return this.#stats.page(row);
  }

  setStat(id: number, field: number, value: number): void {
    const stat = this.ownStatOf(id);
    stat[this.statStart + field] = value;
  }

  /** The stat of a znode that was created just now, and has no owner. */
  setFreshStat(id: number, zxidHigh: number, zxidLow: number, timeHigh: number, timeLow: number): void {
    this.#dropStat(id);
    const page = this.page(id);
    const at = this.rowAt(id) + FRESH;
    page[at] = zxidHigh;
    page[at + 1] = zxidLow;
    page[at + 2] = timeHigh;
    page[at + 3] = timeLow;
  }

  /** The stat of a znode from elsewhere: 60 bytes from `start` on. */
  loadStat(id: number, view: DataView, start: number): void {
    const stat = this.#statLoaded;
    for (let i = 0; i < STAT_INTS; i++) stat[i] = view.getInt32(start + i * 4);
    const zxidHigh = stat[S.czxid] as number;
    const zxidLow = stat[S.czxid + 1] as number;
    this.setFreshStat(id, zxidHigh, zxidLow, stat[S.ctime] as number, stat[S.ctime + 1] as number);
    if (isFreshStat(stat)) return;
    const own = this.ownStatOf(id);
    own.set(stat, this.statStart);
  }

  readonly #statLoaded = new Int32Array(STAT_INTS);

  #dropStat(id: number): void {
    const page = this.page(id);
    const at = this.rowAt(id) + STAT_ROW;
    if (page[at] === NO_STAT_ROW) return;
    this.#stats.release(page[at] as number);
    page[at] = NO_STAT_ROW;
  }

  // ---- the tree's links ----

  /** Makes the id a znode below `parent` (NONE for the root). Stat fields are the caller's to set. */
  attach(id: number, parent: number): void {
    const page = this.page(id);
    const at = this.rowAt(id);
    page[at + F.flags] = (page[at + F.flags] as number) | PIN.present;
    page[at + F.parent] = parent;
    page[at + F.firstChild] = NONE;
    page[at + F.childCount] = 0;
    page[at + F.previousSibling] = NONE;
    this.presentCount++;
    this.pathBytes += page[at + F.pathLength] as number;
    if (parent === NONE) return;
    const parentPage = this.page(parent);
    const parentAt = this.rowAt(parent);
    const first = parentPage[parentAt + F.firstChild] as number;
    page[at + F.nextSibling] = first;
    if (first !== NONE) this.set(first, F.previousSibling, id);
    parentPage[parentAt + F.firstChild] = id;
    parentPage[parentAt + F.childCount] = (parentPage[parentAt + F.childCount] as number) + 1;
    if (((parentPage[parentAt + F.flags] as number) & LISTED) !== 0) this.childObserver?.onAttached(parent, id);
  }

  /** Takes a childless znode out of the tree and drops its data; the id lives on if something else pins it. */
  detach(id: number): void {
    const page = this.page(id);
    const at = this.rowAt(id);
    const parent = page[at + F.parent] as number;
    const next = page[at + F.nextSibling] as number;
    const previous = page[at + F.previousSibling] as number;
    if (next !== NONE) this.set(next, F.previousSibling, previous);
    if (previous !== NONE) this.set(previous, F.nextSibling, next);
    else this.set(parent, F.firstChild, next);
    this.set(parent, F.childCount, this.get(parent, F.childCount) - 1);
    if ((this.get(parent, F.flags) & LISTED) !== 0) this.childObserver?.onDetached(parent, id);
    this.setData(id, this.#noBytes, -1, -1);
    this.#dropStat(id);
    page[at + F.parent] = NONE;
    page[at + F.nextSibling] = NONE;
    page[at + F.previousSibling] = NONE;
    this.presentCount--;
    this.pathBytes -= page[at + F.pathLength] as number;
    this.unpin(id, PIN.present);
  }

  readonly #noBytes = new Uint8Array(0);

  setListed(parent: number, isListed: boolean): void {
    const flags = this.get(parent, F.flags);
    this.set(parent, F.flags, isListed ? flags | LISTED : flags & ~LISTED);
  }

  // ---- snapshot marks ----

  /** Number of the snapshot that has this row already (or must not have it). */
  markOf(id: number): number {
    return this.get(id, F.flags) >>> MARK_SHIFT;
  }

  /** Present, and not in the snapshot of that number. */
  isPresentWithout(id: number, mark: number): boolean {
    const flags = this.get(id, F.flags);
    return (flags & PIN.present) !== 0 && flags >>> MARK_SHIFT !== mark;
  }

  setMark(id: number, mark: number): void {
    const page = this.page(id);
    const at = this.rowAt(id) + F.flags;
    page[at] = ((page[at] as number) & 0xff) | ((mark & MARK_MASK) << MARK_SHIFT);
  }
}

/** Spreads a hash over all 32 bits: FNV's upper bits know little of the last bytes. (The finalizer of MurmurHash3.) */
function mixed(hash: number): number {
  let mix = hash ^ (hash >>> 16);
  mix = Math.imul(mix, 0x85ebca6b);
  mix ^= mix >>> 13;
  mix = Math.imul(mix, 0xc2b2ae35);
  return mix ^ (mix >>> 16);
}
