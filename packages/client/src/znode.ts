/**
 * One znode as a typed value.
 *
 *     const config = zk.node('/config', json<Config>());
 *     await config.update((value) => ({ ...value, level: value.level + 1 }));
 *     for await (const current of config.values()) console.log(current?.value);
 */
import type { Codec } from './codec.js';
import { NoNodeError } from './errors.js';
import { follow } from './follow.js';
import type { Namespace } from './namespace.js';
import type { CallOptions, CreateOptions, NodeData, Stat, VersionOptions, WatchListener } from './types.js';

export interface NodeValue<T> {
  readonly value: T;
  readonly stat: Stat;
}

export class ZNode<T> {
  readonly path: string;
  readonly #namespace: Namespace;
  readonly #codec: Codec<T>;

  /** Made by {@link Namespace.node}. */
  constructor(namespace: Namespace, path: string, codec: Codec<T>) {
    this.#namespace = namespace;
    this.path = path;
    this.#codec = codec;
  }

  async get(options?: CallOptions & { readonly watch?: WatchListener }): Promise<NodeValue<T>> {
    return this.#decode(await this.#namespace.get(this.path, options));
  }

  #decode({ data, stat }: NodeData): NodeValue<T> {
    return { value: this.#codec.decode(data), stat };
  }

  create(value: T, options?: CreateOptions): Promise<string> {
    return this.#namespace.create(this.path, this.#codec.encode(value), options);
  }

  set(value: T, options?: VersionOptions): Promise<Stat> {
    return this.#namespace.set(this.path, this.#codec.encode(value), options);
  }

  delete(options?: VersionOptions): Promise<void> {
    return this.#namespace.delete(this.path, options);
  }

  exists(options?: CallOptions): Promise<Stat | null> {
    return this.#namespace.exists(this.path, options);
  }

  /** Reads, changes, writes if nobody wrote meanwhile, and otherwise begins again. */
  async update(change: (value: T, stat: Stat) => T | Promise<T>, options?: CallOptions): Promise<NodeValue<T>> {
    const changed = await this.#namespace.update(
      this.path,
      async (data, stat) => this.#codec.encode(await change(this.#codec.decode(data), stat)),
      options,
    );
    return this.#decode(changed);
  }

  /**
   * The value now and whenever it changes; null while the znode does not exist. Several changes in a row may show as the last one
   * only. Goes on through reconnects and new sessions; ends when the client is closed, the signal aborts, or you leave the loop.
   */
  values(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<NodeValue<T> | null, void> {
    const { signal } = options;
    return follow(this.#namespace.client, (watch) => this.#read(watch, signal), signal);
  }

  async #read(watch: WatchListener, signal: AbortSignal | undefined): Promise<NodeValue<T> | null> {
    for (;;) {
      try {
        return this.#decode(await this.#namespace.get(this.path, { watch, signal }));
      } catch (error) {
        if (!(error instanceof NoNodeError)) throw error;
      }
      if ((await this.#namespace.exists(this.path, { watch, signal })) === null) return null;
      // It came to be between the two reads: read it.
    }
  }
}
