/**
 * Watches: which connection waits for which path, in two tables. The data table has what exists, getData and both kinds of
 * addWatch set; the child table what getChildren and the persistent kind set.
 *
 * Per (table, path, connection) the modes are bits, and they coexist (since 3.9): a one-shot watch fires away without taking
 * a persistent one with it. Identity is the connection: setting a watch twice is one watch, and all go with the connection.
 *
 * Which event goes where, in order: see {@link WatchTable.onCreated} and its sisters. Source: `semantics.md` section 7.
 */
import { EVENT } from '@zoots/protocol';
import type { Connection } from '../session/connection.js';
import { F, NONE, PIN, type ZnodeStore } from '../tree/znode-store.js';

export const MODE = { standard: 1, persistent: 2, recursive: 4 } as const;

/** WatcherType of removeWatches and checkWatches. */
export const WATCHER_TYPE = { children: 1, data: 2, any: 3, persistent: 4, persistentRecursive: 5 } as const;

export type WatchTableName = 'data' | 'child';

/** Gets each event; `aclId` is the list a receiver must be able to read under. */
export type EventSink = (
  connection: Connection,
  eventType: number,
  pathId: number,
  aclId: number,
  zxid: number,
) => void;

type Watchers = Map<Connection, number>;

export class WatchTable {
  readonly #store: ZnodeStore;
  readonly #sink: EventSink;
  readonly #data = new Map<number, Watchers>();
  readonly #child = new Map<number, Watchers>();
  /** Recursive watches in the data table; while 0 no event looks at ancestors. */
  #recursiveCount = 0;
  /** (path, connection) pairs per table. */
  dataCount = 0;
  childCount = 0;
  /** Receivers of the event being fired, kept to send each connection one. */
  readonly #fired = new Set<Connection>();

  constructor(store: ZnodeStore, sink: EventSink) {
    this.#store = store;
    this.#sink = sink;
  }

  // ---- registration ----

  /** `path` is interned by the caller if need be; the table pins it. */
  add(table: WatchTableName, path: number, connection: Connection, mode: number): void {
    const paths = table === 'data' ? this.#data : this.#child;
    let watchers = paths.get(path);
    if (watchers === undefined) {
      watchers = new Map();
      paths.set(path, watchers);
      this.#store.pin(path, table === 'data' ? PIN.dataWatch : PIN.childWatch);
    }
    const before = watchers.get(connection) ?? 0;
    const after = before | mode;
    if (before === after) return;
    watchers.set(connection, after);
    this.#ownWatches(table, connection).set(path, after);
    if (before === 0) this.#count(table, 1);
    if ((after & ~before & MODE.recursive) !== 0) this.#recursiveCount++;
  }

  #ownWatches(table: WatchTableName, connection: Connection): Map<number, number> {
    if (table === 'data') {
      connection.dataWatches ??= new Map();
      return connection.dataWatches;
    }
    connection.childWatches ??= new Map();
    return connection.childWatches;
  }

  #count(table: WatchTableName, delta: number): void {
    if (table === 'data') this.dataCount += delta;
    else this.childCount += delta;
  }

  #modesOf(table: WatchTableName, path: number, connection: Connection): number {
    const own = table === 'data' ? connection.dataWatches : connection.childWatches;
    return own?.get(path) ?? 0;
  }

  /** Takes mode bits away; the watch goes when none is left. */
  #clear(table: WatchTableName, path: number, connection: Connection, bits: number): void {
    const before = this.#modesOf(table, path, connection);
    const after = before & ~bits;
    if (before === after) return;
    if ((before & bits & MODE.recursive) !== 0) this.#recursiveCount--;
    const own = this.#ownWatches(table, connection);
    const paths = table === 'data' ? this.#data : this.#child;
    const watchers = paths.get(path) as Watchers;
    if (after !== 0) {
      own.set(path, after);
      watchers.set(connection, after);
      return;
    }
    own.delete(path);
    watchers.delete(connection);
    this.#count(table, -1);
    if (watchers.size > 0) return;
    paths.delete(path);
    this.#store.unpin(path, table === 'data' ? PIN.dataWatch : PIN.childWatch);
  }

  /** The connection is gone, and its watches with it. */
  removeConnection(connection: Connection): void {
    for (const path of [...(connection.dataWatches?.keys() ?? [])]) this.#clear('data', path, connection, ~0);
    for (const path of [...(connection.childWatches?.keys() ?? [])]) this.#clear('child', path, connection, ~0);
    connection.dataWatches = null;
    connection.childWatches = null;
  }

  /** Does the connection have a watch of this type at exactly this path? */
  has(path: number, connection: Connection, type: number): boolean {
    const data = this.#modesOf('data', path, connection);
    const child = this.#modesOf('child', path, connection);
    switch (type) {
      case WATCHER_TYPE.children:
        return (child & MODE.standard) !== 0;
      case WATCHER_TYPE.data:
        return (data & MODE.standard) !== 0;
      case WATCHER_TYPE.persistent:
        return ((data | child) & MODE.persistent) !== 0;
      case WATCHER_TYPE.persistentRecursive:
        return (data & MODE.recursive) !== 0;
      default:
        return (data | child) !== 0;
    }
  }

  /** Removes what {@link has} finds; false if there is nothing. */
  remove(path: number, connection: Connection, type: number): boolean {
    if (!this.has(path, connection, type)) return false;
    if (type === WATCHER_TYPE.children) this.#clear('child', path, connection, MODE.standard);
    else if (type === WATCHER_TYPE.data) this.#clear('data', path, connection, MODE.standard);
    else if (type === WATCHER_TYPE.persistent) {
      this.#clear('data', path, connection, MODE.persistent);
      this.#clear('child', path, connection, MODE.persistent);
    } else if (type === WATCHER_TYPE.persistentRecursive) this.#clear('data', path, connection, MODE.recursive);
    else {
      this.#clear('data', path, connection, ~0);
      this.#clear('child', path, connection, ~0);
    }
    return true;
  }

  // ---- events ----

  /** NodeCreated on the path, then NodeChildrenChanged on its parent. */
  onCreated(id: number, parent: number, zxid: number): void {
    if (this.dataCount > 0) this.#fireData(id, EVENT.nodeCreated, this.#store.get(id, F.acl), zxid, parent);
    if (this.childCount > 0) this.#fireChildren(parent, zxid);
  }

  onDataChanged(id: number, zxid: number): void {
    if (this.dataCount > 0) {
      this.#fireData(id, EVENT.nodeDataChanged, this.#store.get(id, F.acl), zxid, this.#store.get(id, F.parent));
    }
  }

  /**
   * NodeDeleted on the path (data table, then child table but once per connection), then NodeChildrenChanged on the parent.
   * Called before the znode goes, while its ACL and its ancestors are still known.
   */
  onDeleting(id: number, parent: number, zxid: number): void {
    const acl = this.#store.get(id, F.acl);
    if (this.dataCount > 0) this.#fireData(id, EVENT.nodeDeleted, acl, zxid, parent);
    else this.#fired.clear();
    if (this.childCount > 0) {
      this.#fireDeletedChildWatch(id, acl, zxid);
      this.#fireChildren(parent, zxid);
    }
  }

  #fireData(path: number, eventType: number, acl: number, zxid: number, parent: number): void {
    this.#fired.clear();
    const watchers = this.#data.get(path);
    if (watchers !== undefined) this.#fireAt('data', path, watchers, ~0, eventType, path, acl, zxid);
    if (this.#recursiveCount === 0) return;
    for (let at = parent; at !== NONE; at = this.#store.get(at, F.parent)) {
      const above = this.#data.get(at);
      if (above !== undefined) this.#fireAt('data', at, above, MODE.recursive, eventType, path, acl, zxid);
    }
  }

  /** Sends to those of `watchers` with one of `modes` that have not had this event, and drops one-shot watches that fired. */
  #fireAt(
    table: WatchTableName,
    path: number,
    watchers: Watchers,
    modes: number,
    eventType: number,
    eventPath: number,
    acl: number,
    zxid: number,
  ): void {
    let spent: Connection[] | null = null;
    for (const [connection, bits] of watchers) {
      if ((bits & modes) === 0) continue;
      if ((bits & modes & MODE.standard) !== 0) {
        spent ??= [];
        spent.push(connection);
      }
      if (this.#fired.has(connection)) continue;
      this.#fired.add(connection);
      this.#sink(connection, eventType, eventPath, acl, zxid);
    }
    if (spent !== null) for (const connection of spent) this.#clear(table, path, connection, MODE.standard);
  }

  #fireDeletedChildWatch(id: number, acl: number, zxid: number): void {
    // `#fired` still holds who got NodeDeleted from the data table: they get it once.
    const watchers = this.#child.get(id);
    if (watchers !== undefined) this.#fireAt('child', id, watchers, ~0, EVENT.nodeDeleted, id, acl, zxid);
  }

  #fireChildren(parent: number, zxid: number): void {
    const watchers = this.#child.get(parent);
    if (watchers === undefined) return;
    this.#fired.clear();
    this.#fireAt(
      'child',
      parent,
      watchers,
      ~0,
      EVENT.nodeChildrenChanged,
      parent,
      this.#store.get(parent, F.acl),
      zxid,
    );
  }

  // ---- for four letter words ----

  /** Paths of the data table with the connections that watch each. */
  *dataWatchers(): Generator<readonly [number, Iterable<Connection>]> {
    for (const [path, watchers] of this.#data) yield [path, watchers.keys()];
  }

  get dataPathCount(): number {
    return this.#data.size;
  }

  clear(): void {
    for (const path of this.#data.keys()) this.#store.unpin(path, PIN.dataWatch);
    for (const path of this.#child.keys()) this.#store.unpin(path, PIN.childWatch);
    this.#data.clear();
    this.#child.clear();
    this.dataCount = 0;
    this.childCount = 0;
    this.#recursiveCount = 0;
  }
}
