/**
 * Whether logged records follow one another without a gap.
 *
 * A zxid is an epoch (high 32 bits) and a counter. Every txn of an epoch is logged, so the next record has the next counter,
 * or counter 1 of a later epoch. A record that was logged before may come again (Apache's server writes it with a warning,
 * and files may overlap): it is skipped if it is the same one, and refused if it is another.
 */

const EPOCH_SIZE = 4294967296;
/** How many records are remembered to tell a repetition from a contradiction. */
const REMEMBERED = 8192;

export type ChainVerdict = 'next' | 'repeated' | 'gap' | 'conflict';

export class ZxidChain {
  /** The zxid of the newest record taken (or of the snapshot). */
  last: number;
  /** Records behind the base that came again. */
  repeatedCount = 0;
  gapCount = 0;
  readonly #base: number;
  readonly #allowsGaps: boolean;
  readonly #zxids = new Float64Array(REMEMBERED);
  readonly #checksums = new Uint32Array(REMEMBERED);

  /** `base`: the zxid that the state stands at. */
  constructor(base: number, allowsGaps: boolean) {
    this.last = base;
    this.#base = base;
    this.#allowsGaps = allowsGaps;
  }

  /** Judges the next record; `next` makes it the last. With gaps allowed, a gap is counted and passes as `next`. */
  take(zxid: number, checksum: number): ChainVerdict {
    const slot = zxid % REMEMBERED;
    if (zxid <= this.last) {
      if (this.#zxids[slot] === zxid && this.#checksums[slot] !== checksum) return 'conflict';
      if (zxid > this.#base) this.repeatedCount++;
      return 'repeated';
    }
    if (!follows(this.last, zxid)) {
      if (!this.#allowsGaps) return 'gap';
      this.gapCount++;
    }
    this.last = zxid;
    this.#zxids[slot] = zxid;
    this.#checksums[slot] = checksum;
    return 'next';
  }
}

/** Whether `zxid` can be the txn after `previous`: the next counter, or the first one of a later epoch. */
export function follows(previous: number, zxid: number): boolean {
  if (zxid === previous + 1) return true;
  return zxid % EPOCH_SIZE === 1 && Math.floor(zxid / EPOCH_SIZE) > Math.floor(previous / EPOCH_SIZE);
}
