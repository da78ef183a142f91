/**
 * A local copy of one znode that follows the server.
 *
 *     await using flag = new NodeCache(zk, '/flags/beta');
 *     await flag.ready;
 *     flag.current?.data?.toString();       // null while the znode does not exist
 *     for await (const node of flag.values()) console.log(node?.data?.toString() ?? 'gone');
 *
 * Guarantees, failures and cost are those of {@link TreeCache}: it is one of depth 0, on a persistent watch that is not
 * recursive. Apache's servers from 3.6 to 3.8 keep one mode for each path and session: there, do not have a node cache and a tree or
 * children cache of one client on the very same path, as the later one would silence the earlier one.
 */
import type { CallOptions, Namespace } from '@zoots/client';
import { Deadline } from './deadline.js';
import type { IterateOptions } from './event-fan.js';
import { type CachedNode, type CacheOptions, Mirror } from './mirror.js';

export class NodeCache implements AsyncDisposable {
  readonly path: string;
  /** Resolves when the znode was read for the first time, or found missing. */
  readonly ready: Promise<void>;
  readonly #mirror: Mirror;

  constructor(zk: Namespace, path: string, options: CacheOptions = {}) {
    this.path = path;
    this.#mirror = new Mirror(zk, path, 0, options);
    this.ready = this.#mirror.ready;
  }

  /** Null while the znode does not exist. */
  get current(): CachedNode | null {
    return this.#mirror.nodes.get(this.path) ?? null;
  }

  /** As for {@link TreeCache}. */
  get isCurrent(): boolean {
    return this.#mirror.isCurrent;
  }

  /** Calls the listener for every change from now on, with null when the znode is gone; returns what takes it away. */
  on(listener: (node: CachedNode | null) => void): () => void {
    return this.#mirror.events.on((event) => listener(event.node));
  }

  /** What it is once it is loaded, then each change, until the cache is closed. A slow reader gets the latest one. */
  async *values(options: IterateOptions = {}): AsyncGenerator<CachedNode | null, void, undefined> {
    const events = this.#mirror.events.iterate({ bufferMax: 1, ...options });
    try {
      await this.ready;
      let told = this.current;
      yield told;
      for await (const _ of events) {
        const now = this.current;
        if (now !== told) yield now;
        told = now;
      }
    } finally {
      await events.return();
    }
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
