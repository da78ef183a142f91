/**
 * A number that many processes add to.
 *
 *     const jobs = new Counter(zk, '/jobs/done');
 *     const { before, after } = await jobs.add(2);
 *     await jobs.get();
 *
 * Guaranteed: no increment is lost and none is counted twice among calls that resolved. When things fail: as for
 * {@link AtomicValue}, which it is made of; an increment with an unknown outcome rejects and is counted or not.
 *
 * Layout, by `layout`:
 * - `text` (default): the number in decimal, as kazoo's Counter; no data is the initial value. Integers and fractions.
 * - `int32`: 4 bytes, big-endian, as Curator's SharedCount and kazoo's Counter with `support_curator`. Integers only.
 *
 * For a 64-bit integer see `atomic-long.ts`.
 */
import type { CallOptions, Codec, Namespace } from '@zoots/client';
import { type AtomicChange, AtomicValue, type AtomicValueOptions } from './atomic-value.js';

export interface CounterOptions extends AtomicValueOptions {
  /** The value before the first change. Default 0. */
  readonly initial?: number | undefined;
  readonly layout?: 'text' | 'int32' | undefined;
}

export interface CounterChange {
  readonly before: number;
  readonly after: number;
}

export class Counter {
  readonly path: string;
  readonly #value: AtomicValue<number>;

  constructor(zk: Namespace, path: string, options: CounterOptions = {}) {
    this.path = path;
    const initial = options.initial ?? 0;
    const codec = options.layout === 'int32' ? int32(path, initial) : decimal(path, initial);
    this.#value = new AtomicValue(zk, path, codec, initial, options);
  }

  get(options?: CallOptions): Promise<number> {
    return this.#value.get(options);
  }

  async add(delta: number, options?: CallOptions): Promise<CounterChange> {
    return fromAtomic(await this.#value.update((value) => value + delta, options));
  }

  increment(options?: CallOptions): Promise<CounterChange> {
    return this.add(1, options);
  }

  decrement(options?: CallOptions): Promise<CounterChange> {
    return this.add(-1, options);
  }

  /** Sets it, whatever it is. */
  async set(value: number, options?: CallOptions): Promise<CounterChange> {
    return fromAtomic(await this.#value.set(value, options));
  }
}

function fromAtomic({ before, after }: AtomicChange<number>): CounterChange {
  return { before: before.value, after: after.value };
}

function decimal(path: string, initial: number): Codec<number> {
  return {
    encode(value) {
      if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
        throw new RangeError(`counter ${path}: ${value} cannot be counted exactly; use AtomicLong`);
      }
      return Buffer.from(String(value));
    },
    decode(data) {
      if (data === null || data.length === 0) return initial;
      const text = data.toString('latin1');
      const value = Number(text);
      if (text.trim() !== '' && Number.isFinite(value)) return value;
      throw new Error(`counter ${path}: the znode does not hold a decimal number; is its layout 'int32'?`);
    },
  };
}

function int32(path: string, initial: number): Codec<number> {
  return {
    encode(value) {
      if ((value | 0) !== value) throw new RangeError(`counter ${path}: ${value} is no 32-bit integer; use AtomicLong`);
      const bytes = Buffer.alloc(4);
      bytes.writeInt32BE(value);
      return bytes;
    },
    decode(data) {
      if (data === null || data.length === 0) return initial;
      if (data.length === 4) return data.readInt32BE();
      throw new Error(`counter ${path}: the znode holds ${data.length} bytes, not 4; is its layout 'text'?`);
    },
  };
}
