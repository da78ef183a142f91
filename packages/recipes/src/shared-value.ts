/**
 * A value that all processes see: a local copy that follows the znode, and writes that respect what others wrote.
 *
 *     await using limit = await SharedValue.open(zk, '/limits/rate', json<number>(), 100);
 *     limit.value;                                  // at once, from the copy
 *     limit.on((value) => throttle.set(value));
 *     await limit.trySet(limit.value * 2);          // false if somebody changed it since the copy was made
 *
 * Guaranteed: `trySet()` replaces exactly the value that `value` showed when it was called. A successful write is in the copy
 * when the promise resolves. The copy never goes back to an older value.
 *
 * When things fail: without a connection the copy stays and `isCurrent` is false; after a reconnect the copy follows within
 * `refreshJitterMs`. Writes without an answer reject with `outcome: 'unknown'`. If somebody deletes the znode, `value` is
 * the initial value again, and the next write creates it.
 *
 * Layout: the encoded value at `path`, created with the initial value by whoever comes first. Curator's SharedValue with
 * the codec `raw()`; its SharedCount is 4 bytes, big-endian.
 */
import type { CallOptions, Codec, Namespace } from '@zoots/client';
import { AtomicValue, type Versioned } from './atomic-value.js';
import { Deadline } from './deadline.js';
import type { CacheOptions } from './mirror.js';
import { NodeCache } from './node-cache.js';

export class SharedValue<T> implements AsyncDisposable {
  readonly path: string;
  readonly #initial: T;
  readonly #codec: Codec<T>;
  readonly #cache: NodeCache;
  readonly #atomic: AtomicValue<T>;
  readonly #listeners = new Set<(value: T) => void>();
  /** The newest value known: from the cache or from our own write. Null: the znode does not exist. */
  #seen: Versioned<T> | null = null;

  /** Creates the znode with `initial` if it is not there; resolves when the copy is loaded. */
  static async open<T>(
    zk: Namespace,
    path: string,
    codec: Codec<T>,
    initial: T,
    options: CacheOptions & CallOptions = {},
  ): Promise<SharedValue<T>> {
    const deadline = new Deadline(options, 'shared.open', path);
    const shared = new SharedValue(zk, path, codec, initial, options);
    try {
      await shared.#atomic.initialize(initial, deadline.request());
      await shared.#cache.sync(deadline.request());
      return shared;
    } catch (error) {
      await shared.close();
      throw error;
    }
  }

  private constructor(zk: Namespace, path: string, codec: Codec<T>, initial: T, options: CacheOptions) {
    this.path = path;
    this.#initial = initial;
    this.#codec = codec;
    this.#atomic = new AtomicValue(zk, path, codec, initial);
    this.#cache = new NodeCache(zk, path, options);
    this.#cache.on((node) => {
      this.#see(node === null ? null : { value: this.#codec.decode(node.data), stat: node.stat });
    });
  }

  get value(): T {
    return this.#seen === null ? this.#initial : this.#seen.value;
  }

  /** Version of the znode that `value` is from; null if it does not exist. */
  get version(): number | null {
    return this.#seen?.stat.version ?? null;
  }

  get isCurrent(): boolean {
    return this.#cache.isCurrent;
  }

  /** Calls the listener with each new value; returns what takes it away. */
  on(listener: (value: T) => void): () => void {
    const own = (value: T): void => listener(value);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Sets the value, whatever others wrote. */
  async set(value: T, options?: CallOptions): Promise<void> {
    this.#see((await this.#atomic.set(value, options)).after);
  }

  /** Sets the value if nobody changed it since the copy was made. False, and nothing is changed, if somebody did. */
  async trySet(value: T, options?: CallOptions): Promise<boolean> {
    const written = await this.#atomic.compareAndSet(this.version, value, options);
    if (written !== null) this.#see(written);
    return written !== null;
  }

  /** Resolves when the copy has everything that was committed before the call. */
  sync(options?: CallOptions): Promise<void> {
    return this.#cache.sync(options);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    await this.#cache.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The cache may be behind our own write: what is older than what we know is left out. */
  #see(now: Versioned<T> | null): void {
    const before = this.#seen;
    if (now !== null && before !== null && now.stat.mzxid <= before.stat.mzxid) return;
    this.#seen = now;
    for (const listener of this.#listeners) listener(this.value);
  }
}
