/**
 * Watches: which connection waits for which path, in two tables. The data table has what exists, getData and both kinds of
 * addWatch set; the child table what getChildren and the persistent kind set.
 *
 * Per (table, path, connection) the modes are bits, and they coexist (since 3.9): a one-shot watch fires away without taking
 * a persistent one with it. Identity is the connection: setting a watch twice is one watch, and all go with the connection.
 *
 * The bits are with the connection, by path. By path there are only the names of who has any: a connection alone, as most
 * paths have, or a set (a map with bits for each path took 240 bytes per watch instead of 60).
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

/** Gets each event; `aclId` is the list a receiver must be able to read under. `isFirst`: others may get the same after this one. */
export type EventSink = (
  connection: Connection,
  eventType: number,
  pathId: number,
  aclId: number,
  zxid: number,
  isFirst: boolean,
) => void;

/** Never an empty set. */
type Watchers = Connection | Set<Connection>;

export class WatchTable {
  readonly #store: ZnodeStore;
  readonly #sink: EventSink;
  readonly #data = new Map<number, Watchers>();
  readonly #child = new Map<number, Watchers>();
  /** Recursive watches in the data table; while 0 no event looks at ancestors. */
  #recursiveCount = 0;
  /** (table, path, connection) with a mode that outlasts an event. While 0 all who watch a path go when it fires. */
  #lastingCount = 0;
  /** (path, connection) pairs per table. */
  dataCount = 0;
  childCount = 0;
  /** More than one set of watchers may get the event being fired; then who had it is kept, to send each connection one. */
  #mayMeetTwice = false;
  readonly #met = new Set<Connection>();

  constructor(store: ZnodeStore, sink: EventSink) {
    this.#store = store;
    this.#sink = sink;
  }

  // ---- registration ----

  /** `path` is interned by the caller if need be; the table pins it. */
  add(table: WatchTableName, path: number, connection: Connection, mode: number): void {
    const own = this.#ownWatches(table, connection);
    const before = own.get(path) ?? 0;
    const after = before | mode;
    if (before === after) return;
    own.set(path, after);
    this.#noteModes(before, after);
    if (before !== 0) return;
    this.#count(table, 1);
    const paths = this.#pathsOf(table);
    const there = paths.get(path);
    if (there === undefined) {
      paths.set(path, connection);
      this.#store.pin(path, pinOf(table));
    } else if (there instanceof Set) there.add(connection);
    else paths.set(path, new Set([there, connection]));
  }

  #pathsOf(table: WatchTableName): Map<number, Watchers> {
    return table === 'data' ? this.#data : this.#child;
  }

  /** Keeps the counts of modes when the bits of one watch change. */
  #noteModes(before: number, after: number): void {
    this.#recursiveCount += flag(after, MODE.recursive) - flag(before, MODE.recursive);
    this.#lastingCount += flag(after, LASTING) - flag(before, LASTING);
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
    this.#noteModes(before, after);
    const own = this.#ownWatches(table, connection);
    if (after !== 0) {
      own.set(path, after);
      return;
    }
    own.delete(path);
    this.#strike(table, path, connection);
  }

  /** The connection watches the path no more. */
  #strike(table: WatchTableName, path: number, connection: Connection): void {
    const there = this.#pathsOf(table).get(path);
    if (there instanceof Set && there.size > 1) {
      there.delete(connection);
      this.#count(table, -1);
    } else this.#forgetPath(table, path, 1);
  }

  /** Nobody watches the path any more; `watcherCount` did. */
  #forgetPath(table: WatchTableName, path: number, watcherCount: number): void {
    this.#pathsOf(table).delete(path);
    this.#count(table, -watcherCount);
    this.#store.unpin(path, pinOf(table));
  }

  /** The connection is gone, and its watches with it. */
  removeConnection(connection: Connection): void {
    this.#strikeAll('data', connection, connection.dataWatches);
    this.#strikeAll('child', connection, connection.childWatches);
    connection.dataWatches = null;
    connection.childWatches = null;
  }

  #strikeAll(table: WatchTableName, connection: Connection, own: Map<number, number> | null): void {
    if (own === null) return;
    for (const [path, bits] of own) {
      this.#noteModes(bits, 0);
      this.#strike(table, path, connection);
    }
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
    this.#beginEvent(this.#recursiveCount > 0);
    if (this.dataCount > 0) this.#fireData(id, EVENT.nodeCreated, zxid, parent);
    if (this.childCount > 0) this.#fireChildren(parent, zxid);
  }

  onDataChanged(id: number, zxid: number): void {
    this.#beginEvent(this.#recursiveCount > 0);
    if (this.dataCount > 0) this.#fireData(id, EVENT.nodeDataChanged, zxid, this.#store.get(id, F.parent));
  }

  /**
   * NodeDeleted on the path (data table, then child table but once per connection), then NodeChildrenChanged on the parent.
   * Called before the znode goes, while its ACL and its ancestors are still known.
   */
  onDeleting(id: number, parent: number, zxid: number): void {
    this.#beginEvent(this.#recursiveCount > 0 || this.#child.has(id));
    if (this.dataCount > 0) this.#fireData(id, EVENT.nodeDeleted, zxid, parent);
    if (this.childCount === 0) return;
    this.#fireAt('child', id, ~0, EVENT.nodeDeleted, id, zxid);
    this.#fireChildren(parent, zxid);
  }

  #beginEvent(mayMeetTwice: boolean): void {
    if (this.#mayMeetTwice) this.#met.clear();
    this.#mayMeetTwice = mayMeetTwice;
  }

  #fireData(path: number, eventType: number, zxid: number, parent: number): void {
    this.#fireAt('data', path, ~0, eventType, path, zxid);
    if (this.#recursiveCount === 0) return;
    for (let at = parent; at !== NONE; at = this.#store.get(at, F.parent)) {
      this.#fireAt('data', at, MODE.recursive, eventType, path, zxid);
    }
  }

  #fireChildren(parent: number, zxid: number): void {
    this.#beginEvent(false);
    this.#fireAt('child', parent, ~0, EVENT.nodeChildrenChanged, parent, zxid);
  }

  /**
   * Sends to those who watch `path` with one of `modes` and have not had this event; one-shot watches that fire go. The event's
   * path is a znode that is present, so its row stays when the watches on it go.
   */
  #fireAt(
    table: WatchTableName,
    path: number,
    modes: number,
    eventType: number,
    eventPath: number,
    zxid: number,
  ): void {
    const watchers = this.#pathsOf(table).get(path);
    if (watchers === undefined) return;
    const acl = this.#store.get(eventPath, F.acl);
    const isAllSpent = this.#lastingCount === 0;
    if (isAllSpent) this.#forgetPath(table, path, watchers instanceof Set ? watchers.size : 1);
    let isFirst = true;
    for (const connection of watchers instanceof Set ? watchers : [watchers]) {
      if (isAllSpent) this.#ownWatches(table, connection).delete(path);
      else if (!this.#spend(table, path, connection, modes)) continue;
      if (this.#mayMeetTwice) {
        if (this.#met.has(connection)) continue;
        this.#met.add(connection);
      }
      this.#sink(connection, eventType, eventPath, acl, zxid, isFirst);
      isFirst = false;
    }
  }

  /** False if the watch has none of the modes; a one-shot one goes. */
  #spend(table: WatchTableName, path: number, connection: Connection, modes: number): boolean {
    const bits = this.#modesOf(table, path, connection) & modes;
    if (flag(bits, MODE.standard) === 1) this.#clear(table, path, connection, MODE.standard);
    return bits !== 0;
  }

  // ---- for four letter words ----

  /** Paths of the data table with the connections that watch each. */
  *dataWatchers(): Generator<readonly [number, Iterable<Connection>]> {
    for (const [path, watchers] of this.#data) yield [path, watchers instanceof Set ? watchers : [watchers]];
  }

  get dataPathCount(): number {
    return this.#data.size;
  }
}

/** Modes that an event does not use up. */
const LASTING = MODE.persistent | MODE.recursive;

/** 1 if one of the mode's bits is set, else 0. */
function flag(bits: number, mode: number): number {
  return (bits & mode) === 0 ? 0 : 1;
}

function pinOf(table: WatchTableName): number {
  return table === 'data' ? PIN.dataWatch : PIN.childWatch;
}
