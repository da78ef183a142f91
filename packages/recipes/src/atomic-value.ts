/**
 * A value in a znode that is changed by compare-and-set: read, compute, write if nobody was faster, else again after a pause.
 *
 *     const votes = new AtomicValue(zk, '/votes', json<Record<string, number>>(), {});
 *     const { before, after } = await votes.update((now) => ({ ...now, blue: (now.blue ?? 0) + 1 }));
 *     await votes.compareAndSet(after.stat.version, { ...after.value, red: 0 });
 *
 * Guaranteed: every successful change replaces exactly the value it was computed from (the write carries its version). Somebody
 * always succeeds, so a group of writers makes progress; pauses with jitter keep many writers from getting into each
 * other's way. For more than some hundred changes a second to one value take another design: each try is a write.
 *
 * When things fail: a change whose answer was lost with the connection is not repeated, as it may have been done: the call
 * rejects with ConnectionLossError and `outcome: 'unknown'`. Changes that were not sent wait for the connection.
 *
 * Layout: the value at `path`, encoded by the codec. See `atomic-long.ts` and `counter.ts` for those of Curator and kazoo.
 */
import {
  BadVersionError,
  type CallOptions,
  type Codec,
  type Namespace,
  NodeExistsError,
  NoNodeError,
  type Stat,
} from '@zoots/client';
import { Deadline } from './deadline.js';

export interface Versioned<T> {
  readonly value: T;
  readonly stat: Stat;
}

export interface AtomicChange<T> {
  /** The value that was replaced; the initial one, with null for its stat, if the znode was not there. */
  readonly before: { readonly value: T; readonly stat: Stat | null };
  readonly after: Versioned<T>;
  /** 1 if nobody was in the way. */
  readonly tries: number;
}

export interface AtomicValueOptions {
  /** Longest pause after the first conflict; doubled with each further one. Default 2. */
  readonly backoffMinMs?: number | undefined;
  /** Longest pause. Default 200. */
  readonly backoffMaxMs?: number | undefined;
  /** Source of jitter, [0, 1). Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

export class AtomicValue<T> {
  readonly path: string;
  readonly #zk: Namespace;
  readonly #codec: Codec<T>;
  readonly #initial: T;
  readonly #backoffMinMs: number;
  readonly #backoffMaxMs: number;
  readonly #random: () => number;

  /** `initial` is the value while the znode does not exist; the first change creates it. */
  constructor(zk: Namespace, path: string, codec: Codec<T>, initial: T, options: AtomicValueOptions = {}) {
    this.#zk = zk;
    this.path = path;
    this.#codec = codec;
    this.#initial = initial;
    this.#backoffMinMs = options.backoffMinMs ?? 2;
    this.#backoffMaxMs = options.backoffMaxMs ?? 200;
    this.#random = options.random ?? Math.random;
  }

  /** The value; the initial one if the znode does not exist. */
  async get(options?: CallOptions): Promise<T> {
    return (await this.#read(options ?? {})).value;
  }

  /** The value with its stat; the stat is null if the znode does not exist. */
  getWithStat(options?: CallOptions): Promise<{ value: T; stat: Stat | null }> {
    return this.#read(options ?? {});
  }

  /** Creates the znode with `value`. False if it exists. */
  async initialize(value: T, options?: CallOptions): Promise<boolean> {
    return (await this.#create(value, options ?? {})) !== null;
  }

  /**
   * Sets the value if its znode has this version (`stat.version` of an earlier answer; null: if it does not exist). Null, and
   * nothing is changed, if not.
   */
  compareAndSet(version: number | null, value: T, options?: CallOptions): Promise<Versioned<T> | null> {
    return version === null ? this.#create(value, options ?? {}) : this.#replace(value, version, options ?? {});
  }

  /** Sets the value, whatever it is. */
  set(value: T, options?: CallOptions): Promise<AtomicChange<T>> {
    return this.update(() => value, options);
  }

  /** Changes the value to what `change` makes of it; called again with the newer value whenever somebody was faster. */
  async update(change: (value: T) => T | Promise<T>, options?: CallOptions): Promise<AtomicChange<T>> {
    const deadline = new Deadline(options, 'atomic.update', this.path);
    for (let tries = 1; ; tries++) {
      const before = await this.#read(deadline.request());
      const value = await change(before.value);
      const after = await this.compareAndSet(before.stat?.version ?? null, value, deadline.request());
      if (after !== null) return { before, after, tries };
      const pauseMsMax = Math.min(this.#backoffMaxMs, this.#backoffMinMs * 2 ** Math.min(tries - 1, 20));
      await deadline.pause(this.#random() * pauseMsMax);
    }
  }

  async #read(request: CallOptions): Promise<{ value: T; stat: Stat | null }> {
    try {
      const { data, stat } = await this.#zk.get(this.path, request);
      return { value: this.#codec.decode(data), stat };
    } catch (error) {
      if (error instanceof NoNodeError) return { value: this.#initial, stat: null };
      throw error;
    }
  }

  async #create(value: T, request: CallOptions): Promise<Versioned<T> | null> {
    try {
      const options = { parents: true, ...request };
      const { stat } = await this.#zk.createWithStat(this.path, this.#codec.encode(value), options);
      return { value, stat };
    } catch (error) {
      if (error instanceof NodeExistsError) return null;
      throw error;
    }
  }

  async #replace(value: T, version: number, request: CallOptions): Promise<Versioned<T> | null> {
    try {
      const stat = await this.#zk.set(this.path, this.#codec.encode(value), { version, ...request });
      return { value, stat };
    } catch (error) {
      if (error instanceof BadVersionError || error instanceof NoNodeError) return null;
      throw error;
    }
  }
}
