/**
 * The transactions between preparation and application, in zxid order, in the log batches that hold their bytes.
 *
 *   appended ──► in a batch that fills ──► in flight ──► durable
 *   committed: may be applied. Apart from durability: the role says when (being durable, a quorum, the leader's word).
 *
 * A batch is given back to the log when it is durable and all its entries are applied. A follower may be told to apply what its own disk does
 * not have yet, and a leader what the others have: then entries are applied out of a batch that is still in flight, or even filling.
 */
import { assert, pairToNumber } from '@zoots/base';
import type { LogBatch, TxnLog } from '@zoots/storage';

/** Applies one entry; false if it cannot be, and then nothing more is applied. */
export type ApplyEntry = (bytes: Uint8Array, start: number, end: number) => boolean;

/** Record head in a batch: long Adler-32, int length; one byte behind the entry. */
const RECORD_HEAD_BYTES = 12;
const LENGTH_AT = 8;
/** In the entry: long clientId, int cxid, then the zxid. */
const ZXID_AT = 12;

/** What the pipeline knows of a batch. */
interface Stretch {
  readonly batch: LogBatch;
  /** Bytes of the batch whose entries are applied. */
  appliedBytes: number;
  isDurable: boolean;
}

export class Pipeline {
  readonly #log: TxnLog;
  readonly #apply: ApplyEntry;
  readonly #onDone: (batch: LogBatch) => void;
  /** Batches that left for the disk and are not all applied or not durable, oldest first. */
  #left: Stretch[] = [];
  #filling: Stretch;
  /** Zxid of the last durable entry; 0 while there is none. */
  durableZxid = 0;

  /** `onDone`: the batch is durable and applied; its bytes are valid during the call. */
  constructor(log: TxnLog, apply: ApplyEntry, onDone: (batch: LogBatch) => void) {
    this.#log = log;
    this.#apply = apply;
    this.#onDone = onDone;
    this.#filling = stretchOf(log.batch);
  }

  /** Zxid of the entry appended last; 0 while there is none. */
  get appendedZxid(): number {
    const { batch } = this.#filling;
    return batch.recordCount > 0 ? batch.lastZxid : (this.#left.at(-1)?.batch.lastZxid ?? this.durableZxid);
  }

  /** Visits entries that are not applied, up to a zxid, oldest first. */
  forEachUnapplied(upTo: number, visit: (zxid: number, bytes: Uint8Array, start: number, end: number) => void): void {
    for (const { batch, appliedBytes } of [...this.#left, this.#filling]) {
      const { bytes, view, length } = batch.writer;
      for (let at = appliedBytes; at < length; ) {
        const start = at + RECORD_HEAD_BYTES;
        const end = start + view.getInt32(at + LENGTH_AT);
        const zxid = zxidAt(view, start + ZXID_AT);
        if (zxid > upTo) return;
        visit(zxid, bytes, start, end);
        at = end + 1;
      }
    }
  }

  /** Sends the filling batch to the disk if none is on its way; false if there was nothing to send. */
  flush(): boolean {
    if (!this.#log.flush()) return false;
    this.#left.push(this.#filling);
    this.#filling = stretchOf(this.#log.batch);
    return true;
  }

  /** A batch is on disk: one at a time is on its way, and they leave in order. */
  onDurable(batch: LogBatch): void {
    const stretch = this.#left.find(({ isDurable }) => !isDurable);
    assert(stretch?.batch === batch, 'a durable batch is the oldest that left');
    (stretch as Stretch).isDurable = true;
    this.durableZxid = batch.lastZxid;
    this.#release();
  }

  /** Applies every entry up to this zxid that was not applied yet. */
  commitUpTo(zxid: number): void {
    const isEnough = this.#left.some((stretch) => !this.#applyOf(stretch, zxid));
    this.#release();
    if (!isEnough) this.#applyOf(this.#filling, zxid);
  }

  /** True if all of it is applied. */
  #applyOf(stretch: Stretch, zxid: number): boolean {
    const { writer } = stretch.batch;
    while (stretch.appliedBytes < writer.length) {
      const { bytes, view } = writer;
      const start = stretch.appliedBytes + RECORD_HEAD_BYTES;
      const end = start + view.getInt32(stretch.appliedBytes + LENGTH_AT);
      if (zxidAt(view, start + ZXID_AT) > zxid) return false;
      stretch.appliedBytes = end + 1;
      if (!this.#apply(bytes, start, end)) return false;
    }
    return true;
  }

  #release(): void {
    for (let oldest = this.#left[0]; oldest !== undefined; oldest = this.#left[0]) {
      if (!oldest.isDurable || oldest.appliedBytes < oldest.batch.writer.length) return;
      this.#left.shift();
      this.#onDone(oldest.batch);
      this.#log.recycle(oldest.batch);
    }
  }
}

function stretchOf(batch: LogBatch): Stretch {
  return { batch, appliedBytes: 0, isDurable: false };
}

function zxidAt(view: DataView, at: number): number {
  return pairToNumber(view.getInt32(at), view.getInt32(at + 4));
}
