/**
 * Znodes as integer ids into rows off the V8 heap. The only file that knows how a row is laid out.
 *
 * A path is *interned*: looked up by a hash of its bytes (no string is made), it has one id as long as anything needs it.
 * An id is in use while one of its pins is set: the znode is present in the tree, a change to it is outstanding, a watch
 * waits for it, a quota hangs on it. So "a path that may not exist yet" and "a znode" are the same small integer everywhere.
 *
 * A row is 29 int32 (116 bytes) in pages of 8,192 rows; the hash index grows by linear hashing, one bucket per insertion.
 * Neither ever copies everything at once, so there is no long stall at any size, and nothing for the garbage collector to mark.
 *
 * Path and data bytes live in slabs. Longs are kept as int32 pairs, high first, in the order of Stat on the wire.
 */
import { assert, equalRanges } from '@zoots/base';
import { lastSlash } from '@zoots/protocol';
import { NO_BYTES, Slab } from './slab.js';

/** Offsets of a row's fields. */
export const F = {
  hash: 0,
  nextInBucket: 1,
  pathHandle: 2,
  pathLength: 3,
  dataHandle: 4,
  /** -1: null data. */
  dataLength: 5,
  parent: 6,
  firstChild: 7,
  nextSibling: 8,
  previousSibling: 9,
  childCount: 10,
  /** Pins and marks (low 8 bits), number of the snapshot that has the row already (high 24 bits). */
  flags: 11,
  acl: 12,
  /** From here on in the order of Stat on the wire. */
  czxid: 13,
  mzxid: 15,
  ctime: 17,
  mtime: 19,
  version: 21,
  cversion: 22,
  aversion: 23,
  owner: 24,
  pzxid: 26,
  /** CRC-32 over path and data, for the digest; kept so that a change of the stat alone need not read the data. */
  contentCrc: 28,
} as const;

const ROW_INTS = 29;
const PAGE_ROWS_BITS = 13;
const PAGE_ROWS = 1 << PAGE_ROWS_BITS;
const PAGE_ROW_MASK = PAGE_ROWS - 1;
const BUCKET_PAGE_BITS = 14;
const BUCKET_PAGE_MASK = (1 << BUCKET_PAGE_BITS) - 1;

/** Reasons to keep an id. */
export const PIN = { present: 1, pending: 2, dataWatch: 4, childWatch: 8, quota: 16 } as const;
const PINS = 0x1f;
/** Below `/zookeeper/`: not part of the digest. */
const UNDER_SYSTEM = 0x20;
/** Somebody keeps a list of the children: {@link ChildObserver}. */
const LISTED = 0x40;
const MARK_SHIFT = 8;
const MARK_MASK = 0xffffff;

export const NONE = -1;
export const ROOT = 0;

const SLASH = 0x2f;
const SYSTEM_PREFIX = new Uint8Array([0x2f, 0x7a, 0x6f, 0x6f, 0x6b, 0x65, 0x65, 0x70, 0x65, 0x72, 0x2f]);

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
  readonly #hashSeed: number;
  /** One more than the highest id ever used. */
  idEnd = 0;
  #freeHead = NONE;
  #internedCount = 0;
  /** Znodes present in the tree. */
  presentCount = 0;
  /** Bytes of data of all present znodes. */
  dataBytes = 0;
  /** Bytes of the paths of all present znodes. */
  pathBytes = 0;
  childObserver: ChildObserver | null = null;

  // Linear hashing: buckets 0 .. (2^level + split - 1) are in use.
  #buckets: Int32Array[] = [];
  #levelMask = BUCKET_PAGE_MASK;
  #split = 0;

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
    this.#buckets = [newBucketPage()];
    this.#levelMask = BUCKET_PAGE_MASK;
    this.#split = 0;
    this.idEnd = 0;
    this.#freeHead = NONE;
    this.#internedCount = 0;
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
    if (end === start) return ROOT;
    return this.#findHashed(bytes, start, end, this.#hash(bytes, start, end));
  }

  #hash(bytes: Uint8Array, start: number, end: number): number {
    let hash = this.#hashSeed;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
    // FNV's low bits are weak for the last byte alone; fold the high ones in.
    return hash ^ (hash >>> 15);
  }

  #findHashed(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const length = end - start;
    for (let id = this.#bucketHead(hash); id !== NONE; ) {
      const page = this.page(id);
      const at = this.rowAt(id);
      if (page[at + F.hash] === hash && page[at + F.pathLength] === length) {
        const handle = page[at + F.pathHandle] as number;
        const chunk = this.#paths.chunkOf(handle);
        if (equalRanges(chunk, this.#paths.offsetOf(handle), bytes, start, length)) return id;
      }
      id = page[at + F.nextInBucket] as number;
    }
    return NONE;
  }

  /** The id of the path, made if there is none. The caller must {@link pin} it, or {@link releaseUnpinned} it again. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    if (end === start) return ROOT;
    const hash = this.#hash(bytes, start, end);
    const known = this.#findHashed(bytes, start, end, hash);
    if (known !== NONE) return known;
    const id = this.#allocateRow();
    const page = this.page(id);
    const at = this.rowAt(id);
    page.fill(0, at, at + ROW_INTS);
    page[at + F.hash] = hash;
    page[at + F.pathHandle] = this.#paths.store(bytes, start, end);
    page[at + F.pathLength] = end - start;
    page[at + F.dataHandle] = NO_BYTES;
    page[at + F.dataLength] = -1;
    page[at + F.parent] = NONE;
    page[at + F.firstChild] = NONE;
    page[at + F.nextSibling] = NONE;
    page[at + F.previousSibling] = NONE;
    if (isUnderSystem(bytes, start, end)) page[at + F.flags] = UNDER_SYSTEM;
    this.#link(id, hash);
    return id;
  }

  #allocateRow(): number {
    this.#internedCount++;
    if (this.#freeHead !== NONE) {
      const id = this.#freeHead;
      this.#freeHead = this.get(id, F.nextInBucket);
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
    this.#unlink(id, page[at + F.hash] as number);
    this.#paths.release(page[at + F.pathHandle] as number, page[at + F.pathLength] as number);
    this.#internedCount--;
    page[at + F.pathHandle] = NO_BYTES;
    page[at + F.nextInBucket] = this.#freeHead;
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

  setMark(id: number, mark: number): void {
    const page = this.page(id);
    const at = this.rowAt(id) + F.flags;
    page[at] = ((page[at] as number) & 0xff) | ((mark & MARK_MASK) << MARK_SHIFT);
  }

  // ---- hash index ----

  #bucketOf(hash: number): number {
    const bucket = hash & this.#levelMask;
    return bucket < this.#split ? hash & (this.#levelMask * 2 + 1) : bucket;
  }

  #bucketHead(hash: number): number {
    const bucket = this.#bucketOf(hash);
    return (this.#buckets[bucket >>> BUCKET_PAGE_BITS] as Int32Array)[bucket & BUCKET_PAGE_MASK] as number;
  }

  #link(id: number, hash: number): void {
    if (this.#internedCount > this.#levelMask + 1 + this.#split) this.#splitBucket();
    const bucket = this.#bucketOf(hash);
    const page = this.#buckets[bucket >>> BUCKET_PAGE_BITS] as Int32Array;
    this.set(id, F.nextInBucket, page[bucket & BUCKET_PAGE_MASK] as number);
    page[bucket & BUCKET_PAGE_MASK] = id;
  }

  #unlink(id: number, hash: number): void {
    const bucket = this.#bucketOf(hash);
    const page = this.#buckets[bucket >>> BUCKET_PAGE_BITS] as Int32Array;
    let at = page[bucket & BUCKET_PAGE_MASK] as number;
    if (at === id) {
      page[bucket & BUCKET_PAGE_MASK] = this.get(id, F.nextInBucket);
      return;
    }
    for (;;) {
      const next = this.get(at, F.nextInBucket);
      if (next === id) break;
      at = next;
    }
    this.set(at, F.nextInBucket, this.get(id, F.nextInBucket));
  }

  /** One step of linear hashing: the bucket at `split` is dealt over itself and its new twin. */
  #splitBucket(): void {
    const source = this.#split;
    const twin = source + this.#levelMask + 1;
    if (twin >>> BUCKET_PAGE_BITS === this.#buckets.length) this.#buckets.push(newBucketPage());
    const sourcePage = this.#buckets[source >>> BUCKET_PAGE_BITS] as Int32Array;
    const twinPage = this.#buckets[twin >>> BUCKET_PAGE_BITS] as Int32Array;
    let id = sourcePage[source & BUCKET_PAGE_MASK] as number;
    let stay = NONE;
    let move = NONE;
    while (id !== NONE) {
      const next = this.get(id, F.nextInBucket);
      if ((this.get(id, F.hash) & (this.#levelMask * 2 + 1)) === twin) {
        this.set(id, F.nextInBucket, move);
        move = id;
      } else {
        this.set(id, F.nextInBucket, stay);
        stay = id;
      }
      id = next;
    }
    sourcePage[source & BUCKET_PAGE_MASK] = stay;
    twinPage[twin & BUCKET_PAGE_MASK] = move;
    this.#split++;
    if (this.#split > this.#levelMask) {
      this.#levelMask = this.#levelMask * 2 + 1;
      this.#split = 0;
    }
  }
}

function newBucketPage(): Int32Array {
  return new Int32Array(1 << BUCKET_PAGE_BITS).fill(NONE);
}

function isUnderSystem(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start > SYSTEM_PREFIX.length && equalRanges(bytes, start, SYSTEM_PREFIX, 0, SYSTEM_PREFIX.length);
}
