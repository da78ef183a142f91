/**
 * Stats as int32, in the order of Stat on the wire, off the V8 heap; longs are pairs, high first.
 *
 * Most znodes of a large tree are never changed after their create, and have neither children nor an owner: four int32 of their
 * own row say all of their stat (`ZnodeStore.statOf`). The others have a row here: 40 bytes less for each of the first kind,
 * 38 of the 340 MB of a server with a million.
 */
import { assert } from '@zoots/base';

/** Where a field begins. */
export const S = {
  czxid: 0,
  mzxid: 2,
  ctime: 4,
  mtime: 6,
  version: 8,
  cversion: 9,
  aversion: 10,
  owner: 11,
  pzxid: 13,
} as const;

export const STAT_INTS = 15;

const PAGE_ROWS_BITS = 13;
const PAGE_ROWS = 1 << PAGE_ROWS_BITS;
const PAGE_ROW_MASK = PAGE_ROWS - 1;
/** Says that there is no row; rows count from 1. */
export const NO_STAT_ROW = 0;

/** Rows in pages of 8,192; nothing is ever moved. */
export class StatRows {
  readonly #pages: Int32Array[] = [];
  #end = 1;
  /** The first row that is free; it names the next. */
  #freeHead = NO_STAT_ROW;

  /** A row with anything in it. */
  allocate(): number {
    const row = this.#freeHead;
    if (row !== NO_STAT_ROW) {
      this.#freeHead = this.page(row)[this.start(row)] as number;
      return row;
    }
    if (this.#end >>> PAGE_ROWS_BITS === this.#pages.length) this.#pages.push(new Int32Array(PAGE_ROWS * STAT_INTS));
    return this.#end++;
  }

  release(row: number): void {
    assert(row !== NO_STAT_ROW, 'a stat that is released has a row');
    this.page(row)[this.start(row)] = this.#freeHead;
    this.#freeHead = row;
  }

  /** The page that holds the row, from {@link start} on. */
  page(row: number): Int32Array {
    return this.#pages[row >>> PAGE_ROWS_BITS] as Int32Array;
  }

  start(row: number): number {
    return (row & PAGE_ROW_MASK) * STAT_INTS;
  }
}

/** The stat of a znode as it was created, without an owner. */
export function fillFreshStat(
  stat: Int32Array,
  zxidHigh: number,
  zxidLow: number,
  timeHigh: number,
  timeLow: number,
): void {
  stat[S.czxid] = zxidHigh;
  stat[S.czxid + 1] = zxidLow;
  stat[S.mzxid] = zxidHigh;
  stat[S.mzxid + 1] = zxidLow;
  stat[S.ctime] = timeHigh;
  stat[S.ctime + 1] = timeLow;
  stat[S.mtime] = timeHigh;
  stat[S.mtime + 1] = timeLow;
  stat[S.version] = 0;
  stat[S.cversion] = 0;
  stat[S.aversion] = 0;
  stat[S.owner] = 0;
  stat[S.owner + 1] = 0;
  stat[S.pzxid] = zxidHigh;
  stat[S.pzxid + 1] = zxidLow;
}

/** Is the stat what {@link fillFreshStat} makes of its own czxid and ctime? */
export function isFreshStat(stat: Int32Array): boolean {
  for (let i = S.version; i < S.pzxid; i++) if (stat[i] !== 0) return false;
  return (
    areEqualLongs(stat, S.czxid, S.mzxid) &&
    areEqualLongs(stat, S.czxid, S.pzxid) &&
    areEqualLongs(stat, S.ctime, S.mtime)
  );
}

function areEqualLongs(stat: Int32Array, one: number, other: number): boolean {
  return stat[one] === stat[other] && stat[one + 1] === stat[other + 1];
}
