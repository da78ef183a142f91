/**
 * A map from 64-bit keys, given as int32 pairs, to objects. Open addressing with linear probing; no BigInt, no allocation
 * per lookup. Iterates in no useful order: sort before anything that must be reproducible.
 */

const LOAD_FACTOR_MAX = 0.6;

export class Int64Map<Value> {
  #highs: Int32Array;
  #lows: Int32Array;
  #values: (Value | undefined)[];
  #mask: number;
  size = 0;

  constructor(capacity = 16) {
    let slots = 16;
    while (slots * LOAD_FACTOR_MAX < capacity) slots *= 2;
    this.#highs = new Int32Array(slots);
    this.#lows = new Int32Array(slots);
    this.#values = new Array<Value | undefined>(slots).fill(undefined);
    this.#mask = slots - 1;
  }

  #slotOf(high: number, low: number): number {
    let slot = hashPair(high, low) & this.#mask;
    while (this.#values[slot] !== undefined && (this.#lows[slot] !== low || this.#highs[slot] !== high)) {
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }

  get(high: number, low: number): Value | undefined {
    return this.#values[this.#slotOf(high | 0, low | 0)];
  }

  set(high: number, low: number, value: Value): void {
    const slot = this.#slotOf(high | 0, low | 0);
    if (this.#values[slot] === undefined) {
      if (this.size + 1 > this.#values.length * LOAD_FACTOR_MAX) {
        this.#grow();
        this.set(high, low, value);
        return;
      }
      this.size++;
      this.#highs[slot] = high;
      this.#lows[slot] = low;
    }
    this.#values[slot] = value;
  }

  delete(high: number, low: number): boolean {
    let hole = this.#slotOf(high | 0, low | 0);
    if (this.#values[hole] === undefined) return false;
    this.size--;
    // Backward-shift deletion: no tombstones, so lookups stay short whatever the history.
    let next = (hole + 1) & this.#mask;
    while (this.#values[next] !== undefined) {
      const home = hashPair(this.#highs[next] as number, this.#lows[next] as number) & this.#mask;
      if (((next - home) & this.#mask) >= ((next - hole) & this.#mask)) {
        this.#highs[hole] = this.#highs[next] as number;
        this.#lows[hole] = this.#lows[next] as number;
        this.#values[hole] = this.#values[next];
        hole = next;
      }
      next = (next + 1) & this.#mask;
    }
    this.#values[hole] = undefined;
    return true;
  }

  #grow(): void {
    const highs = this.#highs;
    const lows = this.#lows;
    const values = this.#values;
    const slots = values.length * 2;
    this.#highs = new Int32Array(slots);
    this.#lows = new Int32Array(slots);
    this.#values = new Array<Value | undefined>(slots).fill(undefined);
    this.#mask = slots - 1;
    this.size = 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (value !== undefined) this.set(highs[i] as number, lows[i] as number, value);
    }
  }

  clear(): void {
    this.#values.fill(undefined);
    this.size = 0;
  }

  *values(): Generator<Value> {
    for (const value of this.#values) if (value !== undefined) yield value;
  }
}

function hashPair(high: number, low: number): number {
  let hash = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 13)) >>> 0;
}
