/**
 * From the hash of a path to the ids of znodes that have it: 1,024 open-addressing tables, by the hash's upper ten bits.
 *
 * A slot is two int32, hash and id + 1, so that probing and growing read nothing but the table itself: a look-up that finds
 * nothing, which every create begins with, costs one cache miss, and growing none per znode. (A chain through the rows, split
 * one bucket at a time, cost 0.9 µs more per create in a tree of a million.)
 *
 * A table that is full grows by half, alone: ten thousand entries in a tree of ten million, copied in about 0.1 ms.
 * Never everything at once, so there is no long stall at any size.
 *
 * What a load puts in is held back and comes into a table a few hundred at a time ({@link PathIndex.append}): one cache miss after
 * another was a third of the time that a snapshot took to load.
 */
import { assert } from '@zoots/base';

/** Who can say whether a path is that of an id. */
export interface PathRows {
  hasPath(id: number, bytes: Uint8Array, start: number, length: number): boolean;
  haveSamePath(one: number, other: number): boolean;
}

const TABLE_BITS = 10;
const TABLE_SHIFT = 32 - TABLE_BITS;
const POSITION_MASK = (1 << TABLE_SHIFT) - 1;
const POSITION_SCALE = 1 / (1 << TABLE_SHIFT);
const FIRST_SLOTS = 8;
/** One slot that is free: a look-up ends there. Never written to. */
const NO_TABLE = new Int32Array(2);

/** So many are held back for one table, 2 MiB for all; but none for tables that fit into a cache together. */
const HELD_MAX = 256;
const HELD_FROM = 64;

export const NOT_FOUND = -1;

export class PathIndex {
  readonly #rows: PathRows;
  readonly #tables: Int32Array[] = [];
  readonly #counts = new Int32Array(1 << TABLE_BITS);
  /** While a load goes on: hash and id of what is held back for each table. */
  #held: (Int32Array | undefined)[] | null = null;
  readonly #heldCounts = new Int32Array(1 << TABLE_BITS);
  #idPutInTwice = NOT_FOUND;

  constructor(rows: PathRows) {
    this.#rows = rows;
    this.clear();
  }

  clear(): void {
    this.#counts.fill(0);
    this.#held = null;
    this.#heldCounts.fill(0);
    this.#idPutInTwice = NOT_FOUND;
    this.#tables.length = 0;
    for (let i = 0; i < 1 << TABLE_BITS; i++) this.#tables.push(NO_TABLE);
  }

  /** `hash` must be mixed well in all its bits. */
  find(hash: number, bytes: Uint8Array, start: number, length: number): number {
    if (this.#held !== null) this.#release(hash >>> TABLE_SHIFT);
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
    place(this.#tableFor(hash >>> TABLE_SHIFT, 1), hash, id + 1);
  }

  /** The table, with room for so many more. */
  #tableFor(which: number, more: number): Int32Array {
    const count = (this.#counts[which] as number) + more;
    this.#counts[which] = count;
    let table = this.#tables[which] as Int32Array;
    // An eighth stays free: probing must end, and soon.
    if (count * 16 > table.length * 7) {
      table = grown(table, count);
      this.#tables[which] = table;
    }
    return table;
  }

  /** As {@link add}, for a load, which need not know that the path is not in: {@link finishLoad} tells. */
  append(hash: number, id: number): void {
    const which = hash >>> TABLE_SHIFT;
    if ((this.#counts[which] as number) < HELD_FROM) {
      this.#put(this.#tableFor(which, 1), hash, id);
      return;
    }
    this.#held ??= [];
    this.#held[which] ??= new Int32Array(2 * HELD_MAX);
    const held = this.#held[which];
    if (this.#heldCounts[which] === HELD_MAX) this.#release(which);
    const count = this.#heldCounts[which] as number;
    held[2 * count] = hash;
    held[2 * count + 1] = id;
    this.#heldCounts[which] = count + 1;
  }

  /** What is held back for the table goes into it. */
  #release(which: number): void {
    const count = this.#heldCounts[which] as number;
    const held = this.#held?.[which];
    if (held === undefined || count === 0) return;
    this.#heldCounts[which] = 0;
    const table = this.#tableFor(which, count);
    for (let i = 0; i < 2 * count; i += 2) this.#put(table, held[i] as number, held[i + 1] as number);
  }

  #put(table: Int32Array, hash: number, id: number): void {
    let at = positionOf(hash, table);
    for (; table[at + 1] !== 0; at = after(at, table)) {
      if (table[at] === hash && this.#rows.haveSamePath((table[at + 1] as number) - 1, id)) this.#idPutInTwice = id;
    }
    table[at] = hash;
    table[at + 1] = id + 1;
  }

  /** Nothing is held back any more. Returns an id whose path was in already, or {@link NOT_FOUND}. */
  finishLoad(): number {
    for (let which = 0; which < 1 << TABLE_BITS; which++) this.#release(which);
    this.#held = null;
    return this.#idPutInTwice;
  }

  remove(hash: number, id: number): void {
    const which = hash >>> TABLE_SHIFT;
    if (this.#held !== null) this.#release(which);
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

/** Larger by half as often as it takes. */
function grown(table: Int32Array, count: number): Int32Array {
  let slots = Math.max(table.length >>> 1, FIRST_SLOTS);
  while (count * 8 > slots * 7) slots += slots >>> 1;
  const larger = new Int32Array(2 * slots);
  for (let at = 0; at < table.length; at += 2) {
    if (table[at + 1] !== 0) place(larger, table[at] as number, table[at + 1] as number);
  }
  return larger;
}
