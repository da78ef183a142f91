/** A local copy of the instances of one service that follows the server: see {@link ServiceDiscovery.cache}. */
import type { CallOptions, Codec, Namespace } from '@zoots/client';
import { ChildrenCache } from '../children-cache.js';
import type { CachedNode } from '../mirror.js';
import type { ServiceInstance } from './service-instance.js';

export class ServiceCache<P = unknown> implements AsyncDisposable {
  readonly path: string;
  /** Resolves when the instances are loaded. */
  readonly ready: Promise<void>;
  readonly #cache: ChildrenCache;
  readonly #codec: Codec<ServiceInstance<P>>;
  /** Decoded once for each version of a znode. */
  readonly #decoded = new WeakMap<CachedNode, ServiceInstance<P> | null>();
  #instances: readonly ServiceInstance<P>[] | null = null;

  constructor(zk: Namespace, path: string, codec: Codec<ServiceInstance<P>>) {
    this.path = path;
    this.#codec = codec;
    this.#cache = new ChildrenCache(zk, path);
    this.#cache.on(() => {
      this.#instances = null;
    });
    this.ready = this.#cache.ready;
  }

  /** All instances, sorted by id, also those that are not enabled. Znodes that hold something else are left out. */
  get instances(): readonly ServiceInstance<P>[] {
    this.#instances ??= this.#cache
      .entries()
      .map((node) => this.#decode(node))
      .filter((instance) => instance !== null);
    return this.#instances;
  }

  get isCurrent(): boolean {
    return this.#cache.isCurrent;
  }

  /** Calls the listener after every change; returns what takes it away. */
  on(listener: (instances: readonly ServiceInstance<P>[]) => void): () => void {
    return this.#cache.on(() => listener(this.instances));
  }

  /** Resolves when the cache has everything that was committed before the call. */
  sync(options?: CallOptions): Promise<void> {
    return this.#cache.sync(options);
  }

  close(): Promise<void> {
    return this.#cache.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #decode(node: CachedNode): ServiceInstance<P> | null {
    let instance = this.#decoded.get(node);
    if (instance === undefined) {
      try {
        instance = this.#codec.decode(node.data);
      } catch {
        // Somebody else's znode: nothing that could be called.
        instance = null;
      }
      this.#decoded.set(node, instance);
    }
    return instance;
  }
}
