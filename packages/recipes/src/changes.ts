/**
 * "Has something happened here since I last looked?": a persistent watch that is waited on, for recipes of the shape
 *
 *     await using changes = await Changes.of(zk, path, deadline, 'deleted');
 *     for (;;) {
 *       changes.clear();
 *       if (await isDone()) return;
 *       await changes.next(deadline);
 *     }
 *
 * No event can be missed: the watch is there before the first look, and what happens between a look and the wait ends the
 * wait at once. A persistent watch is taken instead of a one-shot one because it can be taken away again: a wait that
 * is given up leaves nothing behind on the server. Needs ZooKeeper 3.6 or later.
 *
 * The watch is recursive although only the znode and its children matter: Apache's servers before 3.9 keep one mode for each path
 * and session, so a watch that is not recursive would silence a cache of the same client on the same path.
 */
import {
  AuthenticationError,
  ClientClosedError,
  type Namespace,
  parentOf,
  type Watch,
  type WatchEvent,
  type ZooKeeper,
} from '@zoots/client';
import { type Deadline, repeat } from './deadline.js';

/** `deleted`: the znode is gone. `children`: a child came or went. */
export type ChangeKind = 'deleted' | 'children';

const KINDS: Readonly<Record<ChangeKind, (event: WatchEvent, path: string) => boolean>> = {
  deleted: (event, path) => event.type === 'deleted' && event.path === path,
  children: (event, path) => event.type !== 'changed' && event.path !== path && parentOf(event.path) === path,
};

interface Waiter {
  readonly wake: () => void;
  readonly fail: (error: Error) => void;
}

export class Changes implements AsyncDisposable {
  readonly path: string;
  readonly #client: ZooKeeper;
  readonly #watch: Watch;
  #happened = false;
  readonly #waiters = new Set<Waiter>();
  #closed = false;

  /** Resolves when the server has the watch. */
  static of(zk: Namespace, path: string, deadline: Deadline, what: ChangeKind): Promise<Changes> {
    // A new watch for each try: one whose registration failed stays as it is.
    return repeat(zk, deadline, () => Changes.#open(new Changes(zk, path, what), deadline));
  }

  static async #open(changes: Changes, deadline: Deadline): Promise<Changes> {
    try {
      await deadline.wait<void>((resolve, reject) => {
        changes.#watch.ready.then(resolve, reject);
        return () => {};
      });
      return changes;
    } catch (error) {
      await changes.close();
      throw error;
    }
  }

  private constructor(zk: Namespace, path: string, what: ChangeKind) {
    this.path = path;
    this.#client = zk.client;
    const isOfInterest = KINDS[what];
    this.#watch = zk.watch(path, { recursive: true }, (event) => {
      if (event.type === 'gap' || isOfInterest(event, path)) this.#happen();
    });
    // Whoever waits for it is told through next(); nobody may be waiting yet.
    this.#watch.ready.catch(() => {});
    this.#client.on('state', this.#onState);
  }

  /** Forgets what has happened so far. */
  clear(): void {
    this.#happened = false;
  }

  /** Resolves when something happened since {@link clear}. Rejects with the deadline, or when the client is closed. */
  next(deadline: Deadline): Promise<void> {
    return deadline.wait<void>((resolve, reject) => this.#wait({ wake: resolve, fail: reject }));
  }

  /** The same for a limited time: whether something happened. */
  within(durationMs: number, deadline: Deadline): Promise<boolean> {
    return deadline.wait<boolean>((resolve, reject) => {
      const end = this.#wait({ wake: () => resolve(true), fail: reject });
      const timer = setTimeout(() => resolve(false), durationMs);
      return () => {
        clearTimeout(timer);
        end();
      };
    });
  }

  /** Waits for either; true if it is this one where something happened. */
  orOther(other: Changes, deadline: Deadline): Promise<boolean> {
    return deadline.wait<boolean>((resolve, reject) => {
      const endOther = other.#wait({ wake: () => resolve(false), fail: reject });
      const end = this.#wait({ wake: () => resolve(true), fail: reject });
      return () => {
        endOther();
        end();
      };
    });
  }

  /** Ends a wait as if something had happened. */
  wake(): void {
    this.#happen();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.off('state', this.#onState);
    await closeWatch(this.#client, this.#watch);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Tells the waiter at once if there is something to tell; returns what takes it away. */
  #wait(waiter: Waiter): () => void {
    const ended = this.#ended();
    if (ended !== null) waiter.fail(ended);
    else if (this.#happened) waiter.wake();
    this.#waiters.add(waiter);
    return () => this.#waiters.delete(waiter);
  }

  #happen(): void {
    this.#happened = true;
    for (const { wake } of [...this.#waiters]) wake();
  }

  readonly #onState = (): void => {
    const ended = this.#ended();
    if (ended !== null) for (const { fail } of [...this.#waiters]) fail(ended);
  };

  #ended(): Error | null {
    return endOf(this.#client, this.path);
  }
}

/** Why a client answers no more, or null while it may. */
export function endOf(client: ZooKeeper, path?: string): Error | null {
  if (client.state === 'closed') return new ClientClosedError('unknown', { path });
  if (client.state === 'auth-failed') {
    return new AuthenticationError('a server refused the identity', 'unknown', { path });
  }
  return null;
}

/** Closes a watch. Without a connection nobody is kept waiting until a server was told: what it sends is heard by nobody. */
export async function closeWatch(client: ZooKeeper, watch: Watch): Promise<void> {
  const closed = watch.close().catch(() => {});
  if (client.state === 'connected') await closed;
}
