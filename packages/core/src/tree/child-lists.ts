/**
 * The child lists of parents that are asked for theirs, encoded as getChildren answers them, and kept up to date.
 *
 * A parent's children are linked through rows all over the memory: a walk costs 45 ns per child where they were made one after
 * the other and 300 ns where they were not (4.5 and 30 ms of processor for 100,000). A list that is kept is lent to the reply as
 * it lies there: getChildren of 100,000 takes 0.25 ms, nearly all of it the kernel's.
 * It does not go with the first change, or a queue and a service registry would gain nothing: a new name is appended, and names
 * that are gone are taken out by the next read, all in one pass. With a change before each read, one of 100,000 takes 1.7 ms.
 *
 * A list is made by the first read. It goes when it is small again, when more has changed than half of it since it was read
 * (a walk costs no more then), or, the one read longest ago first, when all together take more than `CHILD_LISTS_BYTES_MAX`.
 */
import { assert, ByteWriter } from '@zoots/base';
import { CHILD_LIST_COUNT_MIN, CHILD_LIST_LOAN_BYTES_MIN, CHILD_LISTS_BYTES_MAX } from '../limits.js';
import { type ChildObserver, F, NONE, ROOT, type ZnodeStore } from './znode-store.js';

/** A name's length field. */
const LENGTH_BYTES = 4;
/** What a list takes beside its bytes and ids: some objects and two array buffers. */
const LIST_OVERHEAD_BYTES = 1024;

/** Takes bytes that stay as they are, without a copy. */
export interface Borrower {
  borrow(bytes: Uint8Array, length: number): void;
}

/** A parent's names, each an int32 length and its bytes, in the order in which they came to the list. */
class ChildList {
  names: ByteWriter;
  /** The array of `names` that was lent last: behind its end it may be written, within it no more. */
  #lent: Uint8Array | null = null;
  /** Of the names, in their order. */
  ids: Int32Array;
  count = 0;
  /** Children that went: the names of `id` before the given index are gone. It may have come back behind that. */
  readonly #gone = new Map<number, number>();
  /** Low bits of the ids in `gone`: a pass asks the map only about ids that may be in it. */
  readonly #mayBeGone = new Uint8Array(256);
  changesSinceRead = 0;

  constructor(count: number, nameBytes: number) {
    this.names = new ByteWriter(count * (LENGTH_BYTES + nameBytes));
    this.ids = new Int32Array(count);
  }

  get heldBytes(): number {
    return LIST_OVERHEAD_BYTES + this.names.bytes.length + this.ids.byteLength;
  }

  append(id: number, chunk: Uint8Array, nameStart: number, nameEnd: number): void {
    if (this.count === this.ids.length) {
      const grown = new Int32Array(this.ids.length + (this.ids.length >> 1) + 16);
      grown.set(this.ids);
      this.ids = grown;
    }
    this.ids[this.count++] = id;
    this.names.bufferRange(chunk, nameStart, nameEnd);
  }

  remove(id: number): void {
    this.#gone.set(id, this.count);
    this.#mayBeGone[id & 0xff] = 1;
  }

  lend(borrower: Borrower): void {
    this.#lent = this.names.bytes;
    borrower.borrow(this.names.bytes, this.names.length);
  }

  /** Takes out the names of those that went: runs of names that stay move to the front. False if there was nothing to do. */
  sweep(): boolean {
    if (this.#gone.size === 0) return false;
    const { ids } = this;
    const { bytes, view } = this.names;
    const swept = this.#lent === bytes ? new ByteWriter(bytes.length) : this.names;
    let kept = 0;
    let keptBytes = 0;
    let runStart = 0;
    let at = 0;
    for (let i = 0; i < this.count; i++) {
      const id = ids[i] as number;
      const end = at + LENGTH_BYTES + view.getInt32(at);
      if (this.#mayBeGone[id & 0xff] === 1 && i < (this.#gone.get(id) ?? 0)) {
        if (at > runStart) swept.bytes.set(bytes.subarray(runStart, at), keptBytes);
        keptBytes += at - runStart;
        runStart = end;
      } else ids[kept++] = id;
      at = end;
    }
    if (at > runStart) swept.bytes.set(bytes.subarray(runStart, at), keptBytes);
    swept.length = keptBytes + at - runStart;
    this.names = swept;
    this.count = kept;
    this.#gone.clear();
    this.#mayBeGone.fill(0);
    return true;
  }
}

export class ChildLists implements ChildObserver {
  readonly #store: ZnodeStore;
  /** By parent, the one read longest ago first. */
  readonly #lists = new Map<number, ChildList>();
  readonly #bytesMax: number;
  #heldBytes = 0;

  constructor(store: ZnodeStore, bytesMax = CHILD_LISTS_BYTES_MAX) {
    this.#store = store;
    this.#bytesMax = bytesMax;
    store.childObserver = this;
  }

  get count(): number {
    return this.#lists.size;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  clear(): void {
    this.#lists.clear();
    this.#heldBytes = 0;
  }

  /** Writes vector<ustring> of the children's names, in no particular order. */
  write(out: ByteWriter, parent: number): void {
    this.writeOrLend(out, null, parent);
  }

  /**
   * The same; the names of a large list are lent, if they have not changed: it goes to any number of clients without a copy.
   * (1,000 clients that ask for 100,000 names at once would otherwise make 2 GB of replies.) A list that was just swept is
   * copied: it may well be swept again, and that needs a new array once the old one is lent.
   */
  writeOrLend(out: ByteWriter, borrower: Borrower | null, parent: number): void {
    const count = this.#store.get(parent, F.childCount);
    if (count < CHILD_LIST_COUNT_MIN) {
      this.#writeWalking(out, parent, count);
      return;
    }
    const known = this.#lists.get(parent);
    const isSwept = known?.sweep() ?? false;
    if (known !== undefined) this.#noteRead(parent, known);
    const list = known ?? this.#make(parent, count);
    if (list === null) {
      this.#writeWalking(out, parent, count);
      return;
    }
    assert(list.count === count, 'a child list has the names of all children');
    out.int32(count);
    if (borrower !== null && !isSwept && list.names.length >= CHILD_LIST_LOAN_BYTES_MIN) list.lend(borrower);
    else out.raw(list.names.bytes, 0, list.names.length);
  }

  #noteRead(parent: number, list: ChildList): void {
    list.changesSinceRead = 0;
    // The last one in the map is the one read last.
    this.#lists.delete(parent);
    this.#lists.set(parent, list);
  }

  #writeWalking(out: ByteWriter, parent: number, count: number): void {
    const store = this.#store;
    const prefix = nameOffsetBelow(store, parent);
    out.int32(count);
    for (let child = store.get(parent, F.firstChild); child !== NONE; child = store.get(child, F.nextSibling)) {
      const start = store.pathStart(child);
      out.bufferRange(store.pathChunk(child), start + prefix, start + store.pathLength(child));
    }
  }

  /** Null if the list would be too large to keep. */
  #make(parent: number, count: number): ChildList | null {
    const store = this.#store;
    const prefix = nameOffsetBelow(store, parent);
    const first = store.get(parent, F.firstChild);
    const nameBytes = store.pathLength(first) - prefix;
    if (count * (2 * LENGTH_BYTES + nameBytes) > this.#bytesMax / 2) return null;
    const list = new ChildList(count, nameBytes);
    for (let child = first; child !== NONE; child = store.get(child, F.nextSibling)) {
      const start = store.pathStart(child);
      list.append(child, store.pathChunk(child), start + prefix, start + store.pathLength(child));
    }
    this.#lists.set(parent, list);
    this.#heldBytes += list.heldBytes;
    store.setListed(parent, true);
    this.#keepBound();
    return list;
  }

  #keepBound(): void {
    for (const parent of this.#lists.keys()) {
      if (this.#heldBytes <= this.#bytesMax) return;
      this.#drop(parent);
    }
  }

  #drop(parent: number): void {
    this.#heldBytes -= (this.#lists.get(parent) as ChildList).heldBytes;
    this.#lists.delete(parent);
    this.#store.setListed(parent, false);
  }

  // ---- changes, told by the store for parents that are listed ----

  onAttached(parent: number, child: number): void {
    const list = this.#changed(parent);
    if (list === null) return;
    const store = this.#store;
    const start = store.pathStart(child);
    const before = list.heldBytes;
    list.append(child, store.pathChunk(child), start + nameOffsetBelow(store, parent), start + store.pathLength(child));
    if (list.heldBytes === before) return;
    this.#heldBytes += list.heldBytes - before;
    this.#keepBound();
  }

  onDetached(parent: number, child: number): void {
    this.#changed(parent)?.remove(child);
  }

  /** Null: the list went, being small again or having changed so often since it was read. */
  #changed(parent: number): ChildList | null {
    const list = this.#lists.get(parent) as ChildList;
    const isLarge = this.#store.get(parent, F.childCount) >= CHILD_LIST_COUNT_MIN;
    if (++list.changesSinceRead <= list.count >> 1 && isLarge) return list;
    this.#drop(parent);
    return null;
  }
}

function nameOffsetBelow(store: ZnodeStore, parent: number): number {
  return parent === ROOT ? 1 : store.pathLength(parent) + 1;
}
