/**
 * A persistent watch: an async iterable of events, and a callback for those who prefer one.
 *
 *     await using watch = zk.watch('/services', { recursive: true });
 *     for await (const event of watch) console.log(event.type, event.path);
 *
 * It lives until it is closed, through reconnects and new sessions. Servers do not replay what happened meanwhile to persistent watches;
 * an event of type `gap` then says: read again. Needs a server of 3.6 or later.
 */

import { SessionLostError, ZooKeeperError } from './errors.js';
import { ADD_WATCH, REMOVE_WATCHES } from './operations.js';
import { stripBase } from './paths.js';
import type { Watcher } from './session-core/index.js';
import type { SessionShell } from './session-shell.js';
import type { WatchEvent, WatchListener, WatchOptions } from './types.js';
import { tell, watchEvent } from './watch-events.js';

const BUFFER_MAX = 10_000;

/** WatcherType of a removeWatches request. */
export const WATCHER_TYPE = { children: 1, data: 2, any: 3, persistent: 4, recursive: 5 } as const;

type Waiter = {
  readonly resolve: (result: IteratorResult<WatchEvent, undefined>) => void;
  readonly reject: (error: unknown) => void;
};

export class Watch implements Watcher, AsyncIterable<WatchEvent, undefined>, AsyncDisposable {
  readonly path: string;
  readonly recursive: boolean;
  /** Resolves when a server has the watch; rejects if it was refused. */
  readonly ready: Promise<void>;
  readonly #shell: SessionShell;
  readonly #base: string;
  readonly #fullPath: string;
  readonly #listener: WatchListener | null;
  readonly #bufferMax: number;
  readonly #signal: AbortSignal | undefined;
  #events: WatchEvent[] = [];
  #waiters: Waiter[] = [];
  #isEnded = false;
  #error: unknown = null;

  /** Made by {@link Namespace.watch}. */
  constructor(
    shell: SessionShell,
    base: string,
    fullPath: string,
    options: WatchOptions,
    listener: WatchListener | null,
  ) {
    this.#shell = shell;
    this.#base = base;
    this.#fullPath = fullPath;
    this.path = stripBase(base, fullPath);
    this.recursive = options.recursive ?? false;
    this.#bufferMax = options.bufferMax ?? BUFFER_MAX;
    this.#listener = listener;
    shell.onEnd.add(this.#onClientClosed);
    this.#signal = options.signal;
    this.#signal?.addEventListener('abort', this.#onAbort);
    this.ready = this.#register();
    // Whoever does not ask for `ready` hears of the failure from the iteration.
    this.ready.catch((error: unknown) => this.#end(error));
    if (this.#signal?.aborted === true) void this.close();
  }

  get #list(): 'persistent' | 'recursive' {
    return this.recursive ? 'recursive' : 'persistent';
  }

  async #register(): Promise<void> {
    const args = { path: this.#fullPath, recursive: this.recursive };
    const ask = { path: this.#fullPath, watcher: this, list: this.#list, listIfMissing: null };
    while (!this.#isEnded) {
      try {
        await this.#shell.call(ADD_WATCH, args, this.#base, { timeoutMs: 0 }, ask);
        // Closed while it was being set: take it away again.
        if (this.#isEnded) await this.#unregister();
        return;
      } catch (error) {
        // The next session may have it.
        if (!(error instanceof SessionLostError)) throw error;
      }
    }
  }

  // ---- what happens ----

  onEvent(type: number, path: string, zxid: number): void {
    this.#deliver(watchEvent(type, stripBase(this.#base, path), zxid));
  }

  onGap(): void {
    this.#deliver({ type: 'gap', path: this.path, zxid: null });
  }

  onRemoved(): void {
    this.#end(null);
  }

  #deliver(event: WatchEvent): void {
    if (this.#isEnded) return;
    if (this.#listener !== null) {
      tell(this.#listener, event);
      return;
    }
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) waiter.resolve({ done: false, value: event });
    else if (this.#events.length < this.#bufferMax) this.#events.push(event);
    else this.#events = [{ type: 'gap', path: this.path, zxid: null }];
  }

  // ---- iteration ----

  /** Leaving the loop closes the watch. With a listener there is nothing to iterate over. */
  [Symbol.asyncIterator](): AsyncIterator<WatchEvent, undefined> {
    return {
      next: () => this.#next(),
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  #next(): Promise<IteratorResult<WatchEvent, undefined>> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#error !== null) return Promise.reject(this.#error);
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  // ---- ends ----

  readonly #onAbort = (): void => void this.close();

  /** Ends the iteration, and takes the watch from the server if nobody else needs it. Never rejects. */
  async close(): Promise<void> {
    if (this.#isEnded) return;
    this.#end(null);
    await this.#unregister();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Nothing will come any more. */
  readonly #onClientClosed = (): void => this.#end(null);

  #end(error: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#shell.onEnd.delete(this.#onClientClosed);
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve, reject } of waiters) {
      if (error === null) resolve({ done: true, value: undefined });
      else reject(error);
    }
  }

  async #unregister(): Promise<void> {
    const { watches } = this.#shell.core;
    const isLast = watches.forget(this.#list, this.#fullPath, this);
    if (!isLast || !this.#shell.core.isOpen) return;
    // Servers before 3.9 know no type for persistent watches alone; `any` would take one-shot watches of this path along.
    const isAlone = !WATCH_LISTS_OF_ALL.some((list) => watches.has(list, this.#fullPath));
    const type = isAlone ? WATCHER_TYPE.any : WATCHER_TYPE[this.#list];
    try {
      const args = { path: this.#fullPath, type, onRemoved: () => {} };
      await this.#shell.call(REMOVE_WATCHES, args, this.#base, { timeoutMs: 0 });
    } catch (error) {
      // A watch that stays at the server costs an event now and then, which nobody hears.
      if (!(error instanceof ZooKeeperError)) throw error;
    }
  }
}

const WATCH_LISTS_OF_ALL = ['data', 'exist', 'child', 'persistent', 'recursive'] as const;
