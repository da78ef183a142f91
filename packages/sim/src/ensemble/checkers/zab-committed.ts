/**
 * The one order of committed transactions, as it grows while servers deliver: what any server has delivered belongs to it, and all
 * the others must deliver the same in the same places.
 *
 * A transaction that was logged, lost from everybody's memory in crashes and then committed by a new leader cannot be told one by one: the
 * leader only says how far its log reached. Such a stretch is `unknown`, and filled in by whoever delivers it.
 */

/** The entry's bytes were not at hand. */
export const NO_HASH = -1;

interface Stretch {
  readonly after: number;
  readonly upTo: number;
}

export class CommittedOrder {
  /** Ascending. */
  readonly #zxids: number[] = [];
  readonly #hashes = new Map<number, number>();
  readonly #unknown: Stretch[] = [];
  /** The newest committed zxid, or 0. */
  tip = 0;

  hashOf(zxid: number): number | undefined {
    return this.#hashes.get(zxid);
  }

  /** The next one that is known, or undefined. */
  after(zxid: number): number | undefined {
    return this.#zxids[this.#indexAfter(zxid)];
  }

  /** The newest one up to this zxid that is known, or undefined. */
  upTo(zxid: number): number | undefined {
    return this.#zxids[this.#indexAfter(zxid) - 1];
  }

  #indexAfter(zxid: number): number {
    let low = 0;
    let high = this.#zxids.length;
    // Nearly always everything is before it.
    if (high > 0 && (this.#zxids[high - 1] as number) <= zxid) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#zxids[middle] as number) <= zxid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  isUnknown(zxid: number): boolean {
    return this.#unknown.some(({ after, upTo }) => zxid > after && zxid <= upTo);
  }

  add(zxid: number, hash: number): void {
    if (zxid > this.tip) this.#zxids.push(zxid);
    else this.#zxids.splice(this.#indexAfter(zxid), 0, zxid);
    this.#hashes.set(zxid, hash);
    this.tip = Math.max(this.tip, zxid);
  }

  /** The bytes of one that was known by its zxid alone. */
  learn(zxid: number, hash: number): void {
    if (hash !== NO_HASH && this.#hashes.get(zxid) === NO_HASH) this.#hashes.set(zxid, hash);
  }

  /** Everything up to this zxid is committed, whatever it is. */
  addUnknown(upTo: number): void {
    if (upTo <= this.tip) return;
    this.#unknown.push({ after: this.tip, upTo });
    this.tip = upTo;
  }
}
