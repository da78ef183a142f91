/**
 * Reads: one small function per op, from the tree straight into the reply. Each returns an error code; on failure the caller
 * drops the body. Source of the checks: ZooKeeper's FinalRequestProcessor.
 */
import { type ByteReader, type ByteWriter, decodeUtf8 } from '@zoots/base';
import { type Acl, ERROR, OP, PERM } from '@zoots/protocol';
import type { Connection } from '../session/connection.js';
import type { Tree } from '../tree/tree.js';
import { F, NONE, ROOT } from '../tree/znode-store.js';
import { MODE, type WatchTable } from '../watch/watch-table.js';
import type { AclChecker } from './acl-check.js';
import { scanMulti } from './prepare-multi.js';
import { writeData, writePath, writeStat } from './reply.js';

export interface ReadContext {
  readonly tree: Tree;
  readonly watches: WatchTable;
  readonly aclChecker: AclChecker;
}

type ReadOp = (context: ReadContext, connection: Connection, reader: ByteReader, out: ByteWriter) => number;

const NUL = 0;

/** The znode at the path just read, if it exists and the connection has one of `perms`; else an error code (negative). */
function findReadable(context: ReadContext, connection: Connection, reader: ByteReader, perms: number): number {
  if (reader.rangeStart < 0) return ERROR.marshallingError;
  const id = context.tree.find(reader.bytes, reader.rangeStart, reader.rangeEnd);
  if (id === NONE) return ERROR.noNode;
  return permits(context, connection, id, perms) ? id : ERROR.noAuth;
}

function permits(context: ReadContext, connection: Connection, id: number, perms: number): boolean {
  const acls = context.tree.acls.listOf(context.tree.store.get(id, F.acl));
  return acls === null || context.aclChecker.permits(acls, perms, connection.identities);
}

const readExists: ReadOp = (context, connection, reader, out) => {
  reader.range();
  const { bytes, rangeStart, rangeEnd } = reader;
  const watch = reader.bool();
  if (reader.failed || rangeStart < 0) return ERROR.marshallingError;
  for (let i = rangeStart; i < rangeEnd; i++) if (bytes[i] === NUL) return ERROR.badArguments;
  const { tree, watches } = context;
  const id = tree.find(bytes, rangeStart, rangeEnd);
  if (id !== NONE && !permits(context, connection, id, PERM.read)) return ERROR.noAuth;
  if (watch) {
    const path = id !== NONE ? id : tree.store.intern(bytes, rangeStart, rangeEnd);
    watches.add('data', path, connection, MODE.standard);
  }
  if (id === NONE) return ERROR.noNode;
  writeStat(out, tree, id);
  return ERROR.ok;
};

const readGetData: ReadOp = (context, connection, reader, out) => {
  reader.range();
  const { rangeStart, rangeEnd } = reader;
  const watch = reader.bool();
  if (reader.failed) return ERROR.marshallingError;
  reader.rangeStart = rangeStart;
  reader.rangeEnd = rangeEnd;
  const id = findReadable(context, connection, reader, PERM.read);
  if (id < 0) return id;
  writeData(out, context.tree.store, id);
  writeStat(out, context.tree, id);
  if (watch) context.watches.add('data', id, connection, MODE.standard);
  return ERROR.ok;
};

function readChildren(withStat: boolean): ReadOp {
  return (context, connection, reader, out) => {
    reader.range();
    const watch = reader.bool();
    if (reader.failed) return ERROR.marshallingError;
    const id = findReadable(context, connection, reader, PERM.read);
    if (id < 0) return id;
    context.tree.childLists.writeOrLend(out, connection, id);
    if (withStat) writeStat(out, context.tree, id);
    if (watch) context.watches.add('child', id, connection, MODE.standard);
    return ERROR.ok;
  };
}

/** Who may not ADMIN sees `user:x` instead of digests. */
const readGetAcl: ReadOp = (context, connection, reader, out) => {
  reader.range();
  if (reader.failed) return ERROR.marshallingError;
  const id = findReadable(context, connection, reader, PERM.read | PERM.admin);
  if (id < 0) return id;
  const { tree } = context;
  const mask = !permits(context, connection, id, PERM.admin);
  const acls = tree.acls.listOf(tree.store.get(id, F.acl)) ?? OPEN;
  out.int32(acls.length);
  for (const acl of acls) {
    out.int32(acl.perms);
    out.string(acl.scheme);
    out.string(mask && acl.scheme === 'digest' ? maskedDigest(acl.id) : acl.id);
  }
  writeStat(out, tree, id);
  return ERROR.ok;
};

const OPEN: readonly Acl[] = [{ perms: PERM.all, scheme: 'world', id: 'anyone' }];

function maskedDigest(id: string): string {
  const colon = id.indexOf(':');
  return colon < 0 ? id : `${id.slice(0, colon)}:x`;
}

const readGetAllChildrenNumber: ReadOp = (context, connection, reader, out) => {
  reader.range();
  if (reader.failed) return ERROR.marshallingError;
  const isEmptyPath = reader.rangeStart === reader.rangeEnd;
  const id = findReadable(context, connection, reader, PERM.read);
  if (id < 0) return id;
  const store = context.tree.store;
  if (id === ROOT) {
    // Apache counts map keys: "/" is a key of its own, and a descendant of "".
    out.int32(isEmptyPath ? store.presentCount : store.presentCount - 1);
    return ERROR.ok;
  }
  let count = -1;
  for (let at = id; ; ) {
    count++;
    let next = store.get(at, F.firstChild);
    while (next === NONE && at !== id) {
      next = store.get(at, F.nextSibling);
      if (next === NONE) at = store.get(at, F.parent);
    }
    if (next === NONE) break;
    at = next;
  }
  out.int32(count);
  return ERROR.ok;
};

/** Empty or the root, after what Java's trim takes away: everything up to the space. */
const MEANS_ALL = /^[\0- ]*\/?[\0- ]*$/;

/** The session's own ephemerals; the prefix is plain text, without regard to `/`. */
const readGetEphemerals: ReadOp = (context, connection, reader, out) => {
  const prefix = reader.string();
  if (reader.failed) return ERROR.marshallingError;
  const session = connection.session;
  if (session === null) return ERROR.marshallingError;
  const store = context.tree.store;
  const all = prefix === null || MEANS_ALL.test(prefix);
  const countAt = out.length;
  let count = 0;
  out.int32(0);
  for (const id of context.tree.ephemerals.of(session.high, session.low)) {
    const start = store.pathStart(id);
    const path = all ? '' : decodeUtf8(store.pathChunk(id), start, start + store.pathLength(id));
    if (!all && !path.startsWith(prefix)) continue;
    writePath(out, store, id);
    count++;
  }
  out.setInt32At(countAt, count);
  return ERROR.ok;
};

/** Each part has its own result or code; parts other than getData and getChildren fail the whole request. */
const readMulti: ReadOp = (context, connection, reader, out) => {
  const start = reader.offset;
  const count = countReadParts(reader);
  const end = reader.end;
  reader.reset(reader.bytes, start, end);
  // The reply header ends where the body starts.
  const errorAt = out.length - 4;
  if (count < 0) {
    // A list of writes does decode; the error is then followed by an empty list of results.
    if (scanMulti(reader) < 0) return ERROR.marshallingError;
    out.setInt32At(errorAt, ERROR.marshallingError);
    writeMultiEnd(out);
    return ERROR.ok;
  }
  for (let i = 0; i < count; i++) {
    const type = reader.int32();
    reader.int8();
    reader.int32();
    reader.range();
    reader.bool();
    // A null path is an exception of Java's: the reply has the error, and behind it the results so far.
    if (reader.rangeStart < 0) {
      out.setInt32At(errorAt, ERROR.marshallingError);
      break;
    }
    writePart(context, connection, reader, out, type);
  }
  writeMultiEnd(out);
  return ERROR.ok;
};

function countReadParts(reader: ByteReader): number {
  for (let count = 0; ; count++) {
    const type = reader.int32();
    const done = reader.bool();
    reader.int32();
    if (reader.failed) return -1;
    if (done) return count;
    if (type !== OP.getData && type !== OP.getChildren) return -1;
    reader.range();
    reader.bool();
    if (reader.failed) return -1;
  }
}

function writePart(
  context: ReadContext,
  connection: Connection,
  reader: ByteReader,
  out: ByteWriter,
  type: number,
): void {
  const id = findReadable(context, connection, reader, PERM.read);
  if (id < 0) {
    writeMultiError(out, id);
    return;
  }
  writeMultiHeader(out, type, 0);
  if (type === OP.getChildren) context.tree.childLists.write(out, id);
  else {
    writeData(out, context.tree.store, id);
    writeStat(out, context.tree, id);
  }
}

export function writeMultiHeader(out: ByteWriter, type: number, error: number): void {
  out.int32(type);
  out.bool(false);
  out.int32(error);
}

export function writeMultiError(out: ByteWriter, code: number): void {
  writeMultiHeader(out, -1, code);
  out.int32(code);
}

export function writeMultiEnd(out: ByteWriter): void {
  out.int32(-1);
  out.bool(true);
  out.int32(-1);
}

export const READ: ReadonlyMap<number, ReadOp> = new Map<number, ReadOp>([
  [OP.exists, readExists],
  [OP.getData, readGetData],
  [OP.getChildren, readChildren(false)],
  [OP.getChildren2, readChildren(true)],
  [OP.getACL, readGetAcl],
  [OP.getAllChildrenNumber, readGetAllChildrenNumber],
  [OP.getEphemerals, readGetEphemerals],
  [OP.multiRead, readMulti],
]);
