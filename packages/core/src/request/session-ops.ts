/**
 * Requests that concern the session or connection and touch no znode: ping, sync, the watch requests, whoAmI. They keep the
 * session's order as reads do. Same shape as read.ts: an error code, the body in the reply.
 */
import type { ByteReader, ByteWriter } from '@zoots/base';
import { pairToNumber } from '@zoots/base';
import { ERROR, EVENT, OP } from '@zoots/protocol';
import type { Connection } from '../session/connection.js';
import { S } from '../tree/stat-rows.js';
import { NONE } from '../tree/znode-store.js';
import { MODE, WATCHER_TYPE } from '../watch/watch-table.js';
import type { ReadContext } from './read.js';
import { writeEchoedText, writeNotificationFor } from './reply.js';

type SessionOp = (context: ReadContext, connection: Connection, reader: ByteReader, out: ByteWriter) => number;

export interface SessionOpRow {
  /** False: the reply is a bare header, written after the op ran (setWatches' events precede it). */
  readonly hasBody: boolean;
  readonly run: SessionOp;
}

/** Events that setWatches fires itself carry no zxid. */
const NO_ZXID = -1;

const ping: SessionOp = () => ERROR.ok;

/** A stand-alone server has nothing to wait for but the session's own order. */
const sync: SessionOp = (_context, _connection, reader, out) => {
  reader.range();
  if (reader.failed) return ERROR.marshallingError;
  writeEchoedText(out, reader.bytes, reader.rangeStart, reader.rangeEnd);
  return ERROR.ok;
};

/** Modes: 0 persistent (both tables), 1 persistent recursive (data table). Path and permission are not asked about. */
const addWatch: SessionOp = (context, connection, reader, out) => {
  reader.range();
  const { bytes, rangeStart, rangeEnd } = reader;
  const mode = reader.int32();
  if (reader.failed || rangeStart < 0 || mode < 0 || mode > 1) return ERROR.marshallingError;
  const path = context.tree.store.intern(bytes, rangeStart, rangeEnd);
  if (mode === 1) context.watches.add('data', path, connection, MODE.recursive);
  else {
    context.watches.add('data', path, connection, MODE.persistent);
    context.watches.add('child', path, connection, MODE.persistent);
  }
  out.int32(ERROR.ok);
  return ERROR.ok;
};

function watcherRequest(remove: boolean): SessionOp {
  return (context, connection, reader) => {
    reader.range();
    const { bytes, rangeStart, rangeEnd } = reader;
    const type = reader.int32();
    if (reader.failed || type < WATCHER_TYPE.children || type > WATCHER_TYPE.persistentRecursive) {
      return ERROR.marshallingError;
    }
    const path = rangeStart < 0 ? NONE : context.tree.store.find(bytes, rangeStart, rangeEnd);
    if (path === NONE) return ERROR.noWatcher;
    const found = remove ? context.watches.remove(path, connection, type) : context.watches.has(path, connection, type);
    return found ? ERROR.ok : ERROR.noWatcher;
  };
}

/** One list of setWatches: what to do with a path whose znode is missing (`id` NONE) or present. */
type Rearm = (id: number, start: number, end: number) => void;

function setWatches(withPersistent: boolean): SessionOp {
  return (context, connection, reader, out) => {
    const zxidHigh = reader.int32();
    const relativeZxid = pairToNumber(zxidHigh, reader.int32());
    const listsStart = reader.offset;
    const listCount = withPersistent ? 5 : 3;
    for (let i = 0; i < listCount; i++) skipPaths(reader);
    if (reader.failed) return ERROR.marshallingError;
    const end = reader.end;
    const bytes = reader.bytes;
    reader.reset(bytes, listsStart, end);
    const events = new RearmedEvents(context, connection, bytes, relativeZxid, out);
    const lists = [events.data, events.exists, events.children];
    if (withPersistent) lists.push(events.persistent, events.recursive);
    // A null list is an exception of Java's when its turn comes: what the lists before it did stays done.
    for (const rearm of lists) if (!forEachPath(context, reader, rearm)) return ERROR.marshallingError;
    return ERROR.ok;
  };
}

class RearmedEvents {
  readonly #context: ReadContext;
  readonly #connection: Connection;
  readonly #bytes: Uint8Array;
  readonly #relativeZxid: number;
  readonly #out: ByteWriter;

  constructor(context: ReadContext, connection: Connection, bytes: Uint8Array, relativeZxid: number, out: ByteWriter) {
    this.#context = context;
    this.#connection = connection;
    this.#bytes = bytes;
    this.#relativeZxid = relativeZxid;
    this.#out = out;
  }

  readonly data: Rearm = (id, start, end) => {
    if (id === NONE) this.#fire(EVENT.nodeDeleted, start, end);
    else if (this.#isNewer(id, S.mzxid)) this.#fire(EVENT.nodeDataChanged, start, end);
    else this.#context.watches.add('data', id, this.#connection, MODE.standard);
  };

  readonly exists: Rearm = (id, start, end) => {
    if (id !== NONE) this.#fire(EVENT.nodeCreated, start, end);
    else this.#context.watches.add('data', this.#intern(start, end), this.#connection, MODE.standard);
  };

  readonly children: Rearm = (id, start, end) => {
    if (id === NONE) this.#fire(EVENT.nodeDeleted, start, end);
    else if (this.#isNewer(id, S.pzxid)) this.#fire(EVENT.nodeChildrenChanged, start, end);
    else this.#context.watches.add('child', id, this.#connection, MODE.standard);
  };

  readonly persistent: Rearm = (_id, start, end) => {
    const path = this.#intern(start, end);
    this.#context.watches.add('data', path, this.#connection, MODE.persistent);
    this.#context.watches.add('child', path, this.#connection, MODE.persistent);
  };

  readonly recursive: Rearm = (_id, start, end) => {
    this.#context.watches.add('data', this.#intern(start, end), this.#connection, MODE.recursive);
  };

  #intern(start: number, end: number): number {
    return this.#context.tree.store.intern(this.#bytes, start, end);
  }

  #isNewer(id: number, field: number): boolean {
    const store = this.#context.tree.store;
    return pairToNumber(store.stat(id, field), store.stat(id, field + 1)) > this.#relativeZxid;
  }

  #fire(eventType: number, start: number, end: number): void {
    writeNotificationFor(this.#out, NO_ZXID, eventType, this.#bytes, start, end);
    this.#connection.packetsSent++;
  }
}

/** Skips vector<ustring>; a null element fails. */
function skipPaths(reader: ByteReader): void {
  const count = reader.count(4);
  for (let i = 0; i < count && !reader.failed; i++) if (!reader.range()) reader.failed = true;
}

/** False for a null list. */
function forEachPath(context: ReadContext, reader: ByteReader, rearm: Rearm): boolean {
  const isNull = reader.view.getInt32(reader.offset) === -1;
  const count = reader.count(4);
  for (let i = 0; i < count; i++) {
    reader.range();
    const { rangeStart, rangeEnd } = reader;
    rearm(context.tree.find(reader.bytes, rangeStart, rangeEnd), rangeStart, rangeEnd);
  }
  return !isNull;
}

/** Identities of the connection; a scheme without a provider (super) has no user name. */
const whoAmI: SessionOp = (context, connection, _reader, out) => {
  out.int32(connection.identities.length);
  for (const identity of connection.identities) {
    out.string(identity.scheme);
    out.string(context.aclChecker.scheme(identity.scheme)?.userName(identity.id) ?? '');
  }
  return ERROR.ok;
};

function bare(run: SessionOp): SessionOpRow {
  return { hasBody: false, run };
}

function withBody(run: SessionOp): SessionOpRow {
  return { hasBody: true, run };
}

export const SESSION_OPS: ReadonlyMap<number, SessionOpRow> = new Map<number, SessionOpRow>([
  [OP.ping, bare(ping)],
  [OP.sync, withBody(sync)],
  [OP.addWatch, withBody(addWatch)],
  [OP.checkWatches, bare(watcherRequest(false))],
  [OP.removeWatches, bare(watcherRequest(true))],
  [OP.setWatches, bare(setWatches(false))],
  [OP.setWatches2, bare(setWatches(true))],
  [OP.whoAmI, withBody(whoAmI)],
]);
