/**
 * From the hash of a path to the ids of znodes that have it: 1,024 open-addressing tables, by the hash's upper ten bits.
 *
 * A slot is two int32, hash and id + 1, so that probing and growing read nothing but the table itself: a look-up that finds
 * nothing, which every create begins with, costs one cache miss, and growing none per znode. (A chain through the rows, split
 * one bucket at a time, cost 0.9 µs more per create in a tree of a million.)
 *
 * A table that is full grows by half, alone: ten thousand entries in a tree of ten million, copied in about 0.1 ms.
 * Never everything at once, so there is no long stall at any size.
 */
import { assert } from '@zoots/base';

/** Who can say whether a path is that of an id. */
export interface PathRows {
  hasPath(id: number, bytes: Uint8Array, start: number, length: number): boolean;
}

const TABLE_BITS = 10;
const TABLE_SHIFT = 32 - TABLE_BITS;
const POSITION_MASK = (1 << TABLE_SHIFT) - 1;
const POSITION_SCALE = 1 / (1 << TABLE_SHIFT);
const FIRST_SLOTS = 8;
/** One slot that is free: a look-up ends there. Never written to. */
const NO_TABLE = new Int32Array(2);

export const NOT_FOUND = -1;

export class PathIndex {
  readonly #rows: PathRows;
  readonly #tables: Int32Array[] = [];
  readonly #counts = new Int32Array(1 << TABLE_BITS);

  constructor(rows: PathRows) {
    this.#rows = rows;
    this.clear();
  }

  clear(): void {
    this.#counts.fill(0);
    this.#tables.length = 0;
    for (let i = 0; i < 1 << TABLE_BITS; i++) this.#tables.push(NO_TABLE);
  }

  /** `hash` must be mixed well in all its bits. */
  find(hash: number, bytes: Uint8Array, start: number, length: number): number {
    const table = this.#tables[hash >>> TABLE_SHIFT] as Int32Array;
    for (let at = positionOf(hash, table); ; ) {
      const entry = table[at + 1] as number;
      if (entry === 0) return NOT_FOUND;
      if (table[at] === hash && this.#rows.hasPath(entry - 1, bytes, start, length)) return entry - 1;
      at += 2;
      if (at === table.length) at = 0;
    }
  }

  /** The path must not be in. */
  add(hash: number, id: number): void {
    const which = hash >>> TABLE_SHIFT;
    const count = (this.#counts[which] as number) + 1;
    this.#counts[which] = count;
    let table = this.#tables[which] as Int32Array;
    // An eighth stays free: probing must end, and soon.
    if (count * 16 > table.length * 7) {
      table = grown(table);
      this.#tables[which] = table;
    }
    place(table, hash, id + 1);
  }

  remove(hash: number, id: number): void {
    const which = hash >>> TABLE_SHIFT;
    const table = this.#tables[which] as Int32Array;
    let hole = positionOf(hash, table);
    while (table[hole + 1] !== id + 1) {
      assert(table[hole + 1] !== 0, 'a path that is removed was in the index');
      hole = after(hole, table);
    }
    this.#counts[which] = (this.#counts[which] as number) - 1;
    // What was pushed behind the hole moves up, or probing for it would end there.
    for (let at = after(hole, table); table[at + 1] !== 0; at = after(at, table)) {
      const home = positionOf(table[at] as number, table);
      const isBetween = hole < at ? home > hole && home <= at : home > hole || home <= at;
      if (isBetween) continue;
      table[hole] = table[at] as number;
      table[hole + 1] = table[at + 1] as number;
      hole = at;
    }
    table[hole] = 0;
    table[hole + 1] = 0;
  }
}

/** Where probing for the hash begins: in the order of the hashes, so that a table may have any size. */
function positionOf(hash: number, table: Int32Array): number {
  return (((hash & POSITION_MASK) * (table.length >>> 1) * POSITION_SCALE) | 0) << 1;
}

function after(at: number, table: Int32Array): number {
  return at + 2 === table.length ? 0 : at + 2;
}

function place(table: Int32Array, hash: number, entry: number): void {
  let at = positionOf(hash, table);
  while (table[at + 1] !== 0) at = after(at, table);
  table[at] = hash;
  table[at + 1] = entry;
}

function grown(table: Int32Array): Int32Array {
  const slots = table.length >>> 1;
  const larger = new Int32Array(2 * (slots === 1 ? FIRST_SLOTS : slots + (slots >>> 1)));
  for (let at = 0; at < table.length; at += 2) {
    if (table[at + 1] !== 0) place(larger, table[at] as number, table[at + 1] as number);
  }
  return larger;
}
