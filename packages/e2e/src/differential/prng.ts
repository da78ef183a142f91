/** A small seeded generator (xorshift128, seeded by splitmix32): a seed and a build name a run exactly. */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    let state = seed | 0;
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let mixed = state ^ (state >>> 16);
      mixed = Math.imul(mixed, 0x21f0aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a2d97);
      return (mixed ^ (mixed >>> 15)) | 0;
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    // All four words zero would stay zero for ever.
    this.#d = next() | 1;
  }

  #next(): number {
    let t = this.#a ^ (this.#a << 11);
    t ^= t >>> 8;
    this.#a = this.#b;
    this.#b = this.#c;
    this.#c = this.#d;
    this.#d = this.#d ^ (this.#d >>> 19) ^ t;
    return this.#d >>> 0;
  }

  /** An integer in [0, end). */
  below(end: number): number {
    return this.#next() % end;
  }

  chance(probability: number): boolean {
    return this.#next() < probability * 0x1_0000_0000;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** The name of a row, drawn in proportion to its weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const rows = Object.entries(weights) as [K, number][];
    let at = this.below(rows.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [name, weight] of rows) {
      if (at < weight) return name;
      at -= weight;
    }
    throw new Error('weights must not be empty');
  }
}
