/**
 * The last committed transactions, as bytes: what a learner that was away for a short time is brought up to date with.
 *
 * A ring of slots whose memory is used again, so that a commit allocates nothing once the ring is full. Entries are as in the
 * log (header, body, digest), which is what a proposal carries. Size: Apache's commitLogCount, 500.
 */
import { assert } from '@zoots/base';

export const COMMITTED_LOG_COUNT = 500;
/** A slot that held a large entry gives the memory back when it is used for a small one. */
const SLOT_BYTES_KEPT_MAX = 64 * 1024;

export class CommittedEntry {
  zxid = 0;
  bytes = new Uint8Array(0);
  length = 0;

  fill(zxid: number, source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > this.bytes.length || (this.bytes.length > SLOT_BYTES_KEPT_MAX && length <= SLOT_BYTES_KEPT_MAX)) {
      this.bytes = new Uint8Array(length);
    }
    this.bytes.set(source.subarray(start, end));
    this.zxid = zxid;
    this.length = length;
  }
}

export class CommittedLog {
  readonly #slots: CommittedEntry[] = [];
  readonly #countMax: number;
  /** Place of the oldest entry, once the ring is full. */
  #oldest = 0;

  constructor(countMax = COMMITTED_LOG_COUNT) {
    assert(countMax > 0, 'a committed log holds something');
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#slots.length;
  }

  /** Null while it is empty. */
  get minZxid(): number | null {
    return this.#slots[this.#oldest]?.zxid ?? null;
  }

  get maxZxid(): number | null {
    return this.count === 0 ? null : this.at(this.count - 1).zxid;
  }

  /** By age, the oldest first. Valid until the next {@link add}. */
  at(index: number): CommittedEntry {
    assert(index >= 0 && index < this.count, 'an entry of the committed log');
    return this.#slots[(this.#oldest + index) % this.count] as CommittedEntry;
  }

  /** Entries come in zxid order. */
  add(zxid: number, bytes: Uint8Array, start: number, end: number): void {
    assert(zxid > (this.maxZxid ?? Number.NEGATIVE_INFINITY), 'committed in zxid order');
    if (this.count < this.#countMax) {
      const entry = new CommittedEntry();
      entry.fill(zxid, bytes, start, end);
      this.#slots.push(entry);
      return;
    }
    (this.#slots[this.#oldest] as CommittedEntry).fill(zxid, bytes, start, end);
    this.#oldest = (this.#oldest + 1) % this.#countMax;
  }

  /** What it holds is not this server's history any more (after a SNAP or TRUNC). */
  clear(): void {
    this.#slots.length = 0;
    this.#oldest = 0;
  }
}
