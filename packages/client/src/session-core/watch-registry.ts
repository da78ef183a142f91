/**
 * Who wants to hear of which path. It belongs to the session, not to a connection: what is registered here is told to every new
 * server (setWatches), so a watch is never lost by a reconnect.
 *
 * One-shot watches go when they fire; the server keeps only that a connection has a watch on a path, so several watchers of
 * one path are one watch to it, and an event is for all of them.
 */
import { ERROR, EVENT } from '@zoots/protocol';

/** The five lists of a setWatches2 request, in its order. */
export const WATCH_LISTS = ['data', 'exist', 'child', 'persistent', 'recursive'] as const;
export type WatchList = (typeof WATCH_LISTS)[number];

/** Told by reference: the same object is called once for an event, however many lists it is in. */
export interface Watcher {
  /** `type` is of the EVENT table; `zxid` is -1 where the server does not say it. */
  onEvent(type: number, path: string, zxid: number): void;
  /** Persistent watches: set anew with another server, and what happened in between may not be told. */
  onGap(path: string): void;
  /** Taken away on somebody's request. */
  onRemoved(path: string): void;
}

/** What a request registers when the server consents to it. */
export interface WatchAsk {
  readonly path: string;
  readonly watcher: Watcher;
  readonly list: WatchList;
  /** Where it goes if the znode does not exist (`exists` only). */
  readonly listIfMissing: WatchList | null;
}

/** Which lists an event empties for its path. Source: the event table of the client protocol, section 8. */
const ONE_SHOT: Readonly<Record<number, readonly WatchList[]>> = {
  [EVENT.nodeCreated]: ['data', 'exist'],
  [EVENT.nodeDeleted]: ['data', 'exist', 'child'],
  [EVENT.nodeDataChanged]: ['data', 'exist'],
  [EVENT.nodeChildrenChanged]: ['child'],
};

export class WatchRegistry {
  readonly #lists: Readonly<Record<WatchList, Map<string, Set<Watcher>>>> = {
    data: new Map(),
    exist: new Map(),
    child: new Map(),
    persistent: new Map(),
    recursive: new Map(),
  };

  /** How many requests that ask for a watch of the list and path were made and have not ended. */
  readonly #asked: Readonly<Record<WatchList, Map<string, number>>> = {
    data: new Map(),
    exist: new Map(),
    child: new Map(),
    persistent: new Map(),
    recursive: new Map(),
  };

  /** A request is made that asks for this; {@link settle} when it has ended. */
  expect({ path, list, listIfMissing }: WatchAsk): void {
    this.#count(list, path, 1);
    if (listIfMissing !== null) this.#count(listIfMissing, path, 1);
  }

  settle({ path, list, listIfMissing }: WatchAsk): void {
    this.#count(list, path, -1);
    if (listIfMissing !== null) this.#count(listIfMissing, path, -1);
  }

  #count(list: WatchList, path: string, change: number): void {
    const count = (this.#asked[list].get(path) ?? 0) + change;
    if (count > 0) this.#asked[list].set(path, count);
    else this.#asked[list].delete(path);
  }

  add(list: WatchList, path: string, watcher: Watcher): void {
    const watchers = this.#lists[list].get(path);
    if (watchers === undefined) this.#lists[list].set(path, new Set([watcher]));
    else watchers.add(watcher);
  }

  /** What an answered request registers, if anything. */
  onReply(ask: WatchAsk, errorCode: number): void {
    if (errorCode === ERROR.ok) this.add(ask.list, ask.path, ask.watcher);
    else if (errorCode === ERROR.noNode && ask.listIfMissing !== null) {
      this.add(ask.listIfMissing, ask.path, ask.watcher);
    }
  }

  /** Somebody watches the path in this list, or has asked for it. */
  has(list: WatchList, path: string): boolean {
    return this.#lists[list].has(path) || this.#asked[list].has(path);
  }

  /** Takes one watcher out, without a word to it; true if nobody is left in this list for the path, nor has asked for it. */
  forget(list: WatchList, path: string, watcher: Watcher): boolean {
    const watchers = this.#lists[list].get(path);
    if (watchers === undefined) return false;
    if (!watchers.delete(watcher) || watchers.size > 0) return false;
    this.#lists[list].delete(path);
    return !this.#asked[list].has(path);
  }

  /** Takes all watchers of a path out of these lists and tells them. */
  remove(lists: readonly WatchList[], path: string): void {
    const told = new Set<Watcher>();
    for (const list of lists) {
      for (const watcher of this.#lists[list].get(path) ?? []) told.add(watcher);
      this.#lists[list].delete(path);
    }
    for (const watcher of told) watcher.onRemoved(path);
  }

  /** Tells everybody whom it concerns, and takes one-shot watches out. */
  dispatch(type: number, path: string, zxid: number): void {
    const told = new Set<Watcher>();
    for (const list of ONE_SHOT[type] ?? []) {
      const watchers = this.#lists[list].get(path);
      if (watchers === undefined) continue;
      this.#lists[list].delete(path);
      for (const watcher of watchers) told.add(watcher);
    }
    for (const watcher of this.#lists.persistent.get(path) ?? []) told.add(watcher);
    if (type !== EVENT.nodeChildrenChanged && this.#lists.recursive.size > 0) this.#collectRecursive(path, told);
    for (const watcher of told) watcher.onEvent(type, path, zxid);
  }

  #collectRecursive(path: string, told: Set<Watcher>): void {
    for (let at = path; ; ) {
      for (const watcher of this.#lists.recursive.get(at) ?? []) told.add(watcher);
      if (at === '/') return;
      const slash = at.lastIndexOf('/');
      at = slash <= 0 ? '/' : at.slice(0, slash);
    }
  }

  /** Tells the persistent ones that a server was changed. */
  announceGap(): void {
    for (const list of ['persistent', 'recursive'] as const) {
      for (const [path, watchers] of [...this.#lists[list]]) for (const watcher of [...watchers]) watcher.onGap(path);
    }
  }

  /** The paths of all lists, in the order of {@link WATCH_LISTS}; empty if there is no watch at all. */
  paths(): readonly (readonly string[])[] {
    const lists = WATCH_LISTS.map((list) => [...this.#lists[list].keys()]);
    return lists.some((list) => list.length > 0) ? lists : [];
  }

  /** The number of paths in all lists. */
  get size(): number {
    return WATCH_LISTS.reduce((sum, list) => sum + this.#lists[list].size, 0);
  }
}
