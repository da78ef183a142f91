/**
 * A local copy of a subtree that follows the server.
 *
 *     await using cache = new TreeCache(zk, '/config');
 *     await cache.ready;
 *     cache.get('/config/db/host')?.data?.toString();
 *     cache.on((event) => console.log(event.type, event.path));
 *     for await (const event of cache.events({ initial: true })) …
 *
 * Guaranteed: a znode's data and stat were read together. Between two `await`s of yours the copy does not change. Changes of one
 * znode come in their order; several quick changes may come as one; changes of different znodes are in the server's order
 * as a rule, but not by promise. Once everything is read (`isCurrent`, `sync()`) the copy is the subtree. `sync()` waits
 * until the copy has everything that was committed before the call.
 *
 * When things fail: without a connection the copy stays as it was, and `isCurrent` is false. After a reconnect or in a new session
 * it is compared with the server, after a random delay of up to `refreshJitterMs`: one small read for each znode, and
 * further ones only for what moved; the differences come as events. Znodes that may not be read are left out
 * and told to `onError`. When the client is closed, iterations throw ClientClosedError.
 *
 * Cost: the memory of the subtree, one watch on the server, at most `parallelReadsMax` reads at a time. Needs ZooKeeper 3.6 or
 * later (persistent recursive watches): with an older server `ready` rejects.
 */
import type { CallOptions, Namespace } from '@zoots/client';
import { Deadline } from './deadline.js';
import type { IterateOptions } from './event-fan.js';
import { type CachedNode, type CacheEvent, type CacheOptions, Mirror } from './mirror.js';

export type { CachedNode, CacheEvent, CacheOptions } from './mirror.js';

export interface TreeCacheOptions extends CacheOptions {
  /** Levels below `path` that are copied. Default: all. */
  readonly depthMax?: number | undefined;
}

export interface CacheEventsOptions extends IterateOptions {
  /** Begin with an `added` event for each znode that is in the cache already. Default false. */
  readonly initial?: boolean | undefined;
}

export class TreeCache implements AsyncIterable<CacheEvent>, AsyncDisposable {
  readonly path: string;
  /** Resolves when the subtree is loaded for the first time; it may be empty. */
  readonly ready: Promise<void>;
  readonly #mirror: Mirror;

  constructor(zk: Namespace, path: string, options: TreeCacheOptions = {}) {
    this.path = path;
    this.#mirror = new Mirror(zk, path, options.depthMax ?? Number.POSITIVE_INFINITY, options);
    this.ready = this.#mirror.ready;
  }

  /** Znodes in the cache. */
  get size(): number {
    return this.#mirror.nodes.size;
  }

  /** Whether the copy is the subtree as far as the server's events have arrived. */
  get isCurrent(): boolean {
    return this.#mirror.isCurrent;
  }

  /** Null if it does not exist. */
  get(path: string): CachedNode | null {
    return this.#mirror.nodes.get(path) ?? null;
  }

  /** Names, sorted. */
  children(path: string): string[] {
    return this.#mirror.children(path);
  }

  /** All znodes, sorted by path: a copy that does not change. */
  entries(): CachedNode[] {
    return [...this.#mirror.nodes.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Calls the listener for every change from now on; returns what takes it away. */
  on(listener: (event: CacheEvent) => void): () => void {
    return this.#mirror.events.on(listener);
  }

  /** Changes from now on, until the cache is closed. */
  events(options: CacheEventsOptions = {}): AsyncGenerator<CacheEvent, void, undefined> {
    return this.#mirror.events.iterate(options, options.initial === true ? this.entries().map(asAdded) : []);
  }

  [Symbol.asyncIterator](): AsyncGenerator<CacheEvent, void, undefined> {
    return this.events();
  }

  /** Resolves when the cache has everything that was committed before the call. */
  sync(options?: CallOptions): Promise<void> {
    return this.#mirror.sync(new Deadline(options, 'cache.sync', this.path));
  }

  close(): Promise<void> {
    return this.#mirror.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export function asAdded(node: CachedNode): CacheEvent {
  return { type: 'added', path: node.path, node, previous: null };
}
