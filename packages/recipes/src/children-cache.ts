/**
 * A local copy of a znode's children with their data, which follows the server.
 *
 *     await using workers = new ChildrenCache(zk, '/workers');
 *     await workers.ready;
 *     workers.get('w1')?.data;
 *     for await (const event of workers) console.log(event.type, event.path);
 *
 * Guarantees, failures and cost are those of {@link TreeCache}: it is one of depth 1 that leaves the parent out. The parent
 * need not exist. Its watch is recursive, so changes deeper below cost traffic: for the children of large, busy subtrees
 * use one-shot watches instead.
 */
import { type CallOptions, childOf, type Namespace } from '@zoots/client';
import { Deadline } from './deadline.js';
import { type CachedNode, type CacheEvent, type CacheOptions, Mirror } from './mirror.js';
import { asAdded, type CacheEventsOptions } from './tree-cache.js';

export class ChildrenCache implements AsyncIterable<CacheEvent>, AsyncDisposable {
  readonly path: string;
  /** Resolves when the children are loaded for the first time. */
  readonly ready: Promise<void>;
  readonly #mirror: Mirror;

  constructor(zk: Namespace, path: string, options: CacheOptions = {}) {
    this.path = path;
    this.#mirror = new Mirror(zk, path, 1, options);
    this.ready = this.#mirror.ready;
  }

  get size(): number {
    return this.#mirror.children(this.path).length;
  }

  /** As for {@link TreeCache}. */
  get isCurrent(): boolean {
    return this.#mirror.isCurrent;
  }

  /** A child by its name; null if there is none. */
  get(name: string): CachedNode | null {
    return this.#mirror.nodes.get(childOf(this.path, name)) ?? null;
  }

  /** Sorted. */
  names(): string[] {
    return this.#mirror.children(this.path);
  }

  /** Sorted by name: a copy that does not change. */
  entries(): CachedNode[] {
    return this.names().map((name) => this.get(name) as CachedNode);
  }

  /** Calls the listener for every change of a child from now on; returns what takes it away. */
  on(listener: (event: CacheEvent) => void): () => void {
    return this.#mirror.events.on((event) => {
      if (this.#isOfChild(event)) listener(event);
    });
  }

  /** Changes of children from now on, until the cache is closed. */
  async *events(options: CacheEventsOptions = {}): AsyncGenerator<CacheEvent, void, undefined> {
    const first = options.initial === true ? this.entries().map(asAdded) : [];
    for await (const event of this.#mirror.events.iterate(options, first)) if (this.#isOfChild(event)) yield event;
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

  #isOfChild(event: CacheEvent): boolean {
    return event.type === 'overflow' || event.path !== this.path;
  }
}
