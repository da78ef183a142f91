/**
 * The checks of every write op, in the order in which ZooKeeper makes them: the first that fails decides the code.
 * Source: ZooKeeper's PrepRequestProcessor. Each function reads its request, checks, writes the txn body, and records what
 * will change in the overlay. They return an error code; on failure the caller drops what was written.
 */
import { type ByteReader, type ByteWriter, highOf, isSafePair, lowOf, pairToNumber } from '@zoots/base';
import {
  type Acl,
  ERROR,
  formatSequence,
  hasSlashAndNoNul,
  isEphemeralMode,
  isSequentialMode,
  isTtlMode,
  isValidPath,
  lastSlash,
  OP,
  PERM,
  readAcls,
  writeAcls,
} from '@zoots/protocol';
import { isOpenAcl } from '../tree/acl-table.js';
import { CONTAINER_OWNER_HIGH, ownerKind, TTL_MS_MAX, ttlOf, ttlOwnerHigh } from '../tree/ephemerals.js';
import { F, NONE, ROOT } from '../tree/znode-store.js';
import type { ChangeRecord } from './outstanding.js';
import type { Preparer } from './prepare.js';

type PrepareOp = (p: Preparer) => number;

/** More than a header, a digest, a sequence number and the fixed fields of any single op take. */
const ENTRY_OVERHEAD_BYTES = 128;

/** Highest create flag. */
const FLAGS_MAX = 6;
const SPECIAL_PATHS = ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'];

// ---- create ----

interface CreateRequest {
  pathStart: number;
  pathEnd: number;
  dataStart: number;
  dataEnd: number;
  aclStart: number;
  aclEnd: number;
  flags: number;
  ttlHigh: number;
  ttlLow: number;
  hasTtl: boolean;
}

/** Reads path, data, ACL, flags and (createTTL) ttl; null if the body is malformed. */
function readCreateRequest(reader: ByteReader, op: number): CreateRequest | null {
  reader.range();
  const pathStart = reader.rangeStart;
  const pathEnd = reader.rangeEnd;
  reader.range();
  const dataStart = reader.rangeStart;
  const dataEnd = reader.rangeEnd;
  const aclStart = reader.offset;
  skipAcls(reader);
  const aclEnd = reader.offset;
  const flags = reader.int32();
  const hasTtl = op === OP.createTTL;
  const ttlHigh = hasTtl ? reader.int32() : -1;
  const ttlLow = hasTtl ? reader.int32() : -1;
  if (reader.failed) return null;
  return { pathStart, pathEnd, dataStart, dataEnd, aclStart, aclEnd, flags, ttlHigh, ttlLow, hasTtl };
}

function skipAcls(reader: ByteReader): void {
  const count = reader.count(12);
  for (let i = 0; i < count && !reader.failed; i++) {
    reader.int32();
    reader.range();
    reader.range();
  }
}

function checkModeAndTtl(p: Preparer, op: number, request: CreateRequest): number {
  const { flags, ttlHigh, ttlLow } = request;
  if (flags < 0 || flags > FLAGS_MAX) return ERROR.badArguments;
  if (isTtlMode(flags)) {
    if (!p.rules.extendedTypesEnabled) return ERROR.unimplemented;
    const ttl = isSafePair(ttlHigh, ttlLow) ? pairToNumber(ttlHigh, ttlLow) : -1;
    return ttl <= 0 || ttl > TTL_MS_MAX ? ERROR.badArguments : ERROR.ok;
  }
  // Apache lets a createTTL with plain flags and a negative ttl pass, logs it, and dies when it applies it.
  return op === OP.createTTL ? ERROR.badArguments : ERROR.ok;
}

function prepareCreate(p: Preparer, op: number): number {
  const request = readCreateRequest(p.reader, op);
  if (request === null) return ERROR.marshallingError;
  const modeError = checkModeAndTtl(p, op, request);
  if (modeError !== ERROR.ok) return modeError;
  return createChecked(p, op, request);
}

function createChecked(p: Preparer, op: number, request: CreateRequest): number {
  const bytes = p.reader.bytes;
  const { pathStart, pathEnd } = request;
  // A null path is an exception of Java's here, and a bad argument in setData, setACL and check.
  if (pathStart < 0) return ERROR.marshallingError;
  if (!hasSlashAndNoNul(bytes, pathStart, pathEnd)) return ERROR.badArguments;
  const aclError = fixUpAcl(p, request.aclStart, request.aclEnd);
  if (aclError !== ERROR.ok) return aclError;

  const overlay = p.overlay;
  const store = p.tree.store;
  const parent = findParent(p, bytes, pathStart, pathEnd);
  if (parent === NONE) return ERROR.noNode;
  if (!permits(p, overlay.acls(parent), PERM.create)) return ERROR.noAuth;
  const parentCversion = overlay.stat(parent, F.cversion);
  const path = sequencedPath(p, bytes, pathStart, pathEnd, isSequentialMode(request.flags) ? parentCversion : null);
  if (!isValidPath(path.bytes, 0, path.length)) return ERROR.badArguments;
  const known = store.find(path.bytes, 0, path.length);
  if (known !== NONE && overlay.exists(known)) return ERROR.nodeExists;
  if (ownerKindOf(p, parent) === 'session') return ERROR.noChildrenForEphemerals;
  if (p.rules.enforceQuota) {
    const code = p.tree.quotas.check(known, parent, Math.max(request.dataEnd - request.dataStart, 0), 1);
    if (code !== ERROR.ok) return code;
  }
  const id = store.intern(path.bytes, 0, path.length);
  writeCreateBody(p, op, request, path, (parentCversion + 1) | 0);
  recordCreate(p, op, request, id, parent, (parentCversion + 1) | 0);
  return ERROR.ok;
}

/** The path in scratch space, with the parent's counter behind it if the mode is sequential. */
function sequencedPath(p: Preparer, bytes: Uint8Array, start: number, end: number, counter: number | null): ByteWriter {
  const path = p.pathScratch;
  path.clear();
  path.raw(bytes, start, end);
  if (counter !== null) {
    const digits = formatSequence(counter);
    for (let i = 0; i < digits.length; i++) path.int8(digits.charCodeAt(i));
  }
  return path;
}

function writeCreateBody(p: Preparer, op: number, request: CreateRequest, path: ByteWriter, cversion: number): void {
  const entry = p.entry;
  const bytes = p.reader.bytes;
  entry.bufferRange(path.bytes, 0, path.length);
  if (request.dataStart < 0) entry.int32(-1);
  else entry.bufferRange(bytes, request.dataStart, request.dataEnd);
  entry.raw(p.aclScratch.bytes, 0, p.aclScratch.length);
  if (op === OP.create || op === OP.create2) entry.bool(isEphemeralMode(request.flags));
  entry.int32(cversion);
  if (op === OP.createTTL) entry.longPair(request.ttlHigh, request.ttlLow);
}

function recordCreate(
  p: Preparer,
  op: number,
  request: CreateRequest,
  id: number,
  parent: number,
  parentCversion: number,
): void {
  const overlay = p.overlay;
  const record = overlay.open(id, p.zxid);
  record.exists = true;
  record.childCount = 0;
  record.acls = isOpenAcl(p.aclScratch.bytes, 0, p.aclScratch.length) ? null : lastFixedAcls(p);
  setOwner(p, op, request, record, id);
  setZxid(record, F.czxid, p.zxid);
  setZxid(record, F.mzxid, p.zxid);
  setZxid(record, F.pzxid, p.zxid);
  setZxid(record, F.ctime, p.timeMs);
  setZxid(record, F.mtime, p.timeMs);
  record.stat[F.version - F.czxid] = 0;
  record.stat[F.cversion - F.czxid] = 0;
  record.stat[F.aversion - F.czxid] = 0;
  overlay.setData(id, record, p.reader.bytes, request.dataStart, request.dataEnd);
  overlay.close(id, record);

  const parentRecord = overlay.open(parent, p.zxid);
  parentRecord.childCount++;
  if (parentCversion > (parentRecord.stat[F.cversion - F.czxid] as number)) {
    parentRecord.stat[F.cversion - F.czxid] = parentCversion;
    setZxid(parentRecord, F.pzxid, p.zxid);
  }
  overlay.close(parent, parentRecord);
}

function setOwner(p: Preparer, op: number, request: CreateRequest, record: ChangeRecord, id: number): void {
  let high = 0;
  let low = 0;
  if (op === OP.createContainer) high = CONTAINER_OWNER_HIGH;
  else if (op === OP.createTTL) {
    high = ttlOwnerHigh(request.ttlHigh);
    low = request.ttlLow;
  } else if (isEphemeralMode(request.flags)) {
    high = p.requester.sessionHigh;
    low = p.requester.sessionLow;
    p.createdEphemerals.push(id);
  }
  record.stat[F.owner - F.czxid] = high;
  record.stat[F.owner - F.czxid + 1] = low;
}

/** A zxid or a time into a record's stat. */
function setZxid(record: ChangeRecord, field: number, value: number): void {
  record.stat[field - F.czxid] = highOf(value);
  record.stat[field - F.czxid + 1] = lowOf(value);
}

// ---- delete ----

function prepareDelete(p: Preparer): number {
  const reader = p.reader;
  reader.range();
  const start = reader.rangeStart;
  const end = reader.rangeEnd;
  const version = reader.int32();
  if (reader.failed || start < 0) return ERROR.marshallingError;
  if (!isDeletablePath(reader.bytes, start, end)) return ERROR.badArguments;
  const parent = findParent(p, reader.bytes, start, end);
  if (parent === NONE) return ERROR.noNode;
  if (!permits(p, p.overlay.acls(parent), PERM.delete)) return ERROR.noAuth;
  const id = findExisting(p, reader.bytes, start, end);
  if (id === NONE) return ERROR.noNode;
  if (!versionMatches(version, p.overlay.stat(id, F.version))) return ERROR.badVersion;
  if (p.overlay.childCount(id) > 0) return ERROR.notEmpty;
  p.entry.bufferRange(reader.bytes, start, end);
  recordDelete(p, id, parent);
  return ERROR.ok;
}

function isDeletablePath(bytes: Uint8Array, start: number, end: number): boolean {
  return hasSlashAndNoNul(bytes, start, end) && !isSpecialPath(bytes, start, end);
}

function isSpecialPath(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > 17) return false;
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number);
  return SPECIAL_PATHS.includes(text);
}

function recordDelete(p: Preparer, id: number, parent: number): void {
  const record = p.overlay.open(id, p.zxid);
  record.exists = false;
  p.overlay.close(id, record);
  const parentRecord = p.overlay.open(parent, p.zxid);
  parentRecord.childCount--;
  setZxid(parentRecord, F.pzxid, p.zxid);
  p.overlay.close(parent, parentRecord);
}

/**
 * deleteContainer: the server's own, for containers and TTL znodes. Apache takes it from clients too, without asking for
 * any permission; here a client needs what delete needs.
 */
function prepareDeleteContainer(p: Preparer): number {
  const reader = p.reader;
  reader.range();
  const start = reader.rangeStart;
  const end = reader.rangeEnd;
  if (reader.failed || start < 0) return ERROR.marshallingError;
  if (!isDeletablePath(reader.bytes, start, end)) return ERROR.badArguments;
  const id = findExisting(p, reader.bytes, start, end);
  if (id === NONE) return ERROR.noNode;
  if (p.overlay.childCount(id) > 0) return ERROR.notEmpty;
  const kind = ownerKindOf(p, id);
  if (kind === 'session') return ERROR.badVersion;
  // Since the server found it, the znode may have been made anew, or its time renewed.
  if (p.requester.isInternal && !(kind === 'container' || (kind === 'ttl' && isOutlived(p, id))))
    return ERROR.badVersion;
  const parent = findParent(p, reader.bytes, start, end);
  if (parent === NONE) return ERROR.noNode;
  if (!p.requester.isInternal && !permits(p, p.overlay.acls(parent), PERM.delete)) return ERROR.noAuth;
  p.entry.bufferRange(reader.bytes, start, end);
  recordDelete(p, id, parent);
  return ERROR.ok;
}

function isOutlived(p: Preparer, id: number): boolean {
  const { overlay } = p;
  const mtimeMs = pairToNumber(overlay.stat(id, F.mtime), overlay.stat(id, F.mtime + 1));
  return p.timeMs - mtimeMs > ttlOf(overlay.stat(id, F.owner), overlay.stat(id, F.owner + 1));
}

// ---- setData, setACL, check ----

function prepareSetData(p: Preparer): number {
  const reader = p.reader;
  reader.range();
  const start = reader.rangeStart;
  const end = reader.rangeEnd;
  reader.range();
  const dataStart = reader.rangeStart;
  const dataEnd = reader.rangeEnd;
  const version = reader.int32();
  if (reader.failed) return ERROR.marshallingError;
  const id = findValid(p, start, end);
  if (id < 0) return id === NONE ? ERROR.noNode : ERROR.badArguments;
  if (!permits(p, p.overlay.acls(id), PERM.write)) return ERROR.noAuth;
  if (p.rules.enforceQuota) {
    const delta = Math.max(dataEnd - dataStart, 0) - Math.max(p.overlay.dataLength(id), 0);
    const code = p.tree.quotas.check(id, p.tree.store.get(id, F.parent), delta, 0);
    if (code !== ERROR.ok) return code;
  }
  const current = p.overlay.stat(id, F.version);
  if (!versionMatches(version, current)) return ERROR.badVersion;
  const next = (current + 1) | 0;
  const entry = p.entry;
  entry.bufferRange(reader.bytes, start, end);
  if (dataStart < 0) entry.int32(-1);
  else entry.bufferRange(reader.bytes, dataStart, dataEnd);
  entry.int32(next);

  const record = p.overlay.open(id, p.zxid);
  record.stat[F.version - F.czxid] = next;
  setZxid(record, F.mzxid, p.zxid);
  setZxid(record, F.mtime, p.timeMs);
  p.overlay.setData(id, record, reader.bytes, dataStart, dataEnd);
  p.overlay.close(id, record);
  return ERROR.ok;
}

function prepareSetAcl(p: Preparer): number {
  const reader = p.reader;
  reader.range();
  const start = reader.rangeStart;
  const end = reader.rangeEnd;
  const aclStart = reader.offset;
  skipAcls(reader);
  const aclEnd = reader.offset;
  const version = reader.int32();
  if (reader.failed) return ERROR.marshallingError;
  if (!isWritePath(reader.bytes, start, end)) return ERROR.badArguments;
  const aclError = fixUpAcl(p, aclStart, aclEnd);
  if (aclError !== ERROR.ok) return aclError;
  const id = findExisting(p, reader.bytes, start, end);
  if (id === NONE) return ERROR.noNode;
  if (!permits(p, p.overlay.acls(id), PERM.admin)) return ERROR.noAuth;
  const current = p.overlay.stat(id, F.aversion);
  if (!versionMatches(version, current)) return ERROR.badVersion;
  p.entry.bufferRange(reader.bytes, start, end);
  p.entry.raw(p.aclScratch.bytes, 0, p.aclScratch.length);
  p.entry.int32((current + 1) | 0);

  const record = p.overlay.open(id, p.zxid);
  record.acls = isOpenAcl(p.aclScratch.bytes, 0, p.aclScratch.length) ? null : lastFixedAcls(p);
  record.stat[F.aversion - F.czxid] = (current + 1) | 0;
  p.overlay.close(id, record);
  return ERROR.ok;
}

/** Only inside a multi. The txn holds the checked version plus one, as Apache's does. */
function prepareCheck(p: Preparer): number {
  const reader = p.reader;
  reader.range();
  const start = reader.rangeStart;
  const end = reader.rangeEnd;
  const version = reader.int32();
  if (reader.failed) return ERROR.marshallingError;
  const id = findValid(p, start, end);
  if (id < 0) return id === NONE ? ERROR.noNode : ERROR.badArguments;
  if (!permits(p, p.overlay.acls(id), PERM.read)) return ERROR.noAuth;
  const current = p.overlay.stat(id, F.version);
  if (!versionMatches(version, current)) return ERROR.badVersion;
  p.entry.bufferRange(reader.bytes, start, end);
  p.entry.int32((current + 1) | 0);
  return ERROR.ok;
}

/** A stand-alone server does not reconfigure. */
function prepareReconfig(p: Preparer): number {
  const reader = p.reader;
  reader.range();
  reader.range();
  reader.range();
  reader.int32();
  reader.int32();
  if (reader.failed) return ERROR.marshallingError;
  return p.rules.reconfigEnabled ? ERROR.unimplemented : ERROR.reconfigDisabled;
}

// ---- sessions ----

function prepareCreateSession(p: Preparer): number {
  p.entry.int32(p.reader.int32());
  return ERROR.ok;
}

/**
 * The txn lists the ephemerals to delete, those still outstanding included. The list stops where the entry would become
 * too long for some reader: whoever applies the txn deletes what the session still owns anyway.
 */
function prepareCloseSession(p: Preparer): number {
  const { sessionHigh, sessionLow, session } = p.requester;
  const entry = p.entry;
  const countAt = entry.length;
  entry.int32(0);
  let count = 0;
  const limit = countAt + p.rules.entryBytesMax - ENTRY_OVERHEAD_BYTES;
  for (const id of ownedIds(p, sessionHigh, sessionLow, session?.pendingCreates ?? null)) {
    const length = p.tree.store.pathLength(id);
    if (entry.length + length + 4 <= limit) {
      const start = p.tree.store.pathStart(id);
      entry.bufferRange(p.tree.store.pathChunk(id), start, start + length);
      count++;
    }
    const parent = parentOfOwned(p, id);
    recordDelete(p, id, parent);
  }
  entry.setInt32At(countAt, count);
  return ERROR.ok;
}

function ownedIds(p: Preparer, high: number, low: number, pending: Set<number> | null): number[] {
  const overlay = p.overlay;
  const ids: number[] = [];
  for (const id of p.tree.ephemerals.of(high, low)) if (isOwnedBy(p, id, high, low)) ids.push(id);
  if (pending !== null) {
    for (const id of pending) {
      // Its path may hold another session's ephemeral, whose deletion is outstanding; one of its own is in the list already.
      if (overlay.record(id) === undefined || isOwnedInTree(p, id, high, low)) continue;
      if (isOwnedBy(p, id, high, low)) ids.push(id);
    }
  }
  return ids;
}

function isOwnedInTree(p: Preparer, id: number, high: number, low: number): boolean {
  const { store } = p.tree;
  return store.isPresent(id) && store.get(id, F.owner) === high && store.get(id, F.owner + 1) === low;
}

function isOwnedBy(p: Preparer, id: number, high: number, low: number): boolean {
  const overlay = p.overlay;
  return overlay.exists(id) && overlay.stat(id, F.owner) === high && overlay.stat(id, F.owner + 1) === low;
}

function parentOfOwned(p: Preparer, id: number): number {
  const store = p.tree.store;
  const start = store.pathStart(id);
  const parent = findParent(p, store.pathChunk(id), start, start + store.pathLength(id));
  return parent === NONE ? ROOT : parent;
}

// ---- multi ----

/** Header of each part of a multi: int type, boolean done, int err. */
const MULTI_PART_TYPES: ReadonlySet<number> = new Set([
  OP.create,
  OP.create2,
  OP.createContainer,
  OP.createTTL,
  OP.delete,
  OP.setData,
  OP.check,
]);

/**
 * All or nothing. The parts are decoded first (one that cannot be fails the whole request with -5), then prepared in order,
 * each seeing what the earlier ones did. After a failure the parts before keep their txns (results 0), the failing one
 * becomes an error txn with its code, those behind it -2; nothing is applied. Returns an error only for the request as a whole.
 */
export function prepareMulti(p: Preparer): number {
  const reader = p.reader;
  const requestStart = reader.offset;
  const partCount = scanMulti(reader);
  if (partCount < 0) return ERROR.marshallingError;
  const entry = p.entry;
  const bodyStart = entry.length;
  const requestEnd = reader.end;
  p.overlay.beginMulti();
  entry.int32(partCount);
  reader.reset(reader.bytes, requestStart, requestEnd);
  const outcome = prepareParts(p, partCount);
  const fits = entry.length - bodyStart + ENTRY_OVERHEAD_BYTES <= p.rules.entryBytesMax;
  const done = outcome === 'done' && fits;
  p.overlay.endMulti(done);
  if (done) p.noteCreated();
  return fits && outcome !== 'malformed' ? ERROR.ok : ERROR.marshallingError;
}

/** 'malformed': a part turned out not to make sense while it was prepared, which fails the request as a whole. */
function prepareParts(p: Preparer, partCount: number): 'done' | 'failed' | 'malformed' {
  const { reader, entry } = p;
  let failed = false;
  for (let i = 0; i < partCount; i++) {
    const headerType = reader.int32();
    reader.int8();
    reader.int32();
    const partStart = reader.offset;
    skipPart(reader, headerType);
    const partEnd = reader.offset;
    const requestEnd = reader.end;
    const type = partType(reader, headerType, partStart, partEnd);
    const typeAt = entry.length;
    entry.int32(type);
    entry.int32(0);
    let code: number = ERROR.runtimeInconsistency;
    if (!failed) {
      reader.reset(reader.bytes, partStart, partEnd);
      code = (PREPARE_PART.get(type) as (p: Preparer, headerType: number) => number)(p, headerType);
      if (code === ERROR.marshallingError) return 'malformed';
      failed = code !== ERROR.ok;
    }
    if (code !== ERROR.ok) {
      entry.length = typeAt + 8;
      entry.setInt32At(typeAt, OP.error);
      entry.int32(code);
    }
    entry.setInt32At(typeAt + 4, entry.length - typeAt - 8);
    reader.reset(reader.bytes, partEnd, requestEnd);
  }
  return failed ? 'failed' : 'done';
}

/** Number of parts, or -1 if some part cannot be decoded. Leaves the reader anywhere. */
export function scanMulti(reader: ByteReader): number {
  let count = 0;
  for (;;) {
    const type = reader.int32();
    const done = reader.bool();
    reader.int32();
    if (reader.failed) return -1;
    if (done) return count;
    if (!MULTI_PART_TYPES.has(type)) return -1;
    skipPart(reader, type);
    if (reader.failed) return -1;
    count++;
  }
}

/** Moves behind a part; fails for create flags, null paths and null ACL lists, which cannot stand in a multi. */
function skipPart(reader: ByteReader, type: number): void {
  reader.range();
  if (reader.rangeStart < 0) reader.failed = true;
  if (type === OP.delete || type === OP.check) {
    reader.int32();
    return;
  }
  reader.range();
  if (type === OP.setData) {
    reader.int32();
    return;
  }
  const aclStart = reader.offset;
  skipAcls(reader);
  const hasAcl = reader.failed || reader.view.getInt32(aclStart) !== -1;
  const flags = reader.int32();
  // In a createTTL both are found out only when the part is prepared.
  if (type === OP.createTTL) {
    reader.int32();
    reader.int32();
    return;
  }
  if (!hasAcl || flags < 0 || flags > FLAGS_MAX || isTtlMode(flags)) reader.failed = true;
}

/** The txn type of a part: container flags make a container whatever the header says, and a createTTL without TTL flags is a plain create. */
function partType(reader: ByteReader, headerType: number, start: number, end: number): number {
  if (
    headerType !== OP.create &&
    headerType !== OP.create2 &&
    headerType !== OP.createContainer &&
    headerType !== OP.createTTL
  ) {
    return headerType;
  }
  const flags = reader.view.getInt32(headerType === OP.createTTL ? end - 12 : end - 4);
  if (start < end && flags === 4) return OP.createContainer;
  if (headerType === OP.createTTL) return isTtlMode(flags) ? OP.createTTL : OP.create;
  return headerType;
}

/** A part as `type` whose request was encoded as `headerType`. */
function prepareCreatePart(p: Preparer, type: number, headerType: number): number {
  const request = readCreateRequest(p.reader, headerType);
  if (request === null) return ERROR.marshallingError;
  if (request.flags < 0 || request.flags > FLAGS_MAX) return ERROR.badArguments;
  if (isTtlMode(request.flags)) {
    const code = checkModeAndTtl(p, OP.createTTL, request);
    if (code !== ERROR.ok) return code;
  }
  return createChecked(p, type, request);
}

const PREPARE_PART: ReadonlyMap<number, (p: Preparer, headerType: number) => number> = new Map([
  [OP.create as number, (p: Preparer, headerType: number) => prepareCreatePart(p, OP.create, headerType)],
  [OP.create2, (p, headerType) => prepareCreatePart(p, OP.create2, headerType)],
  [OP.createContainer, (p, headerType) => prepareCreatePart(p, OP.createContainer, headerType)],
  [OP.createTTL, (p, headerType) => prepareCreatePart(p, OP.createTTL, headerType)],
  [OP.delete, prepareDelete],
  [OP.setData, prepareSetData],
  [OP.check, prepareCheck],
]);

// ---- shared checks ----

/** The parent's id if it exists in the overlay's view, or NONE. */
function findParent(p: Preparer, bytes: Uint8Array, start: number, end: number): number {
  const slash = lastSlash(bytes, start, end);
  const id = p.tree.store.find(bytes, start, slash);
  return id !== NONE && p.overlay.exists(id) ? id : NONE;
}

function findExisting(p: Preparer, bytes: Uint8Array, start: number, end: number): number {
  const id = p.tree.store.find(bytes, start, end);
  return id !== NONE && p.overlay.exists(id) ? id : NONE;
}

function isWritePath(bytes: Uint8Array, start: number, end: number): boolean {
  return start >= 0 && isValidPath(bytes, start, end);
}

/** The znode's id; NONE if it does not exist; NONE - 1 if the path is invalid (which is found out only when it matters). */
function findValid(p: Preparer, start: number, end: number): number {
  const bytes = p.reader.bytes;
  if (start < 0 || start === end) return NONE - 1;
  const id = findExisting(p, bytes, start, end);
  if (id !== NONE) return id;
  return isValidPath(bytes, start, end) ? NONE : NONE - 1;
}

function permits(p: Preparer, acls: readonly Acl[] | null, perms: number): boolean {
  return acls === null || p.requester.isInternal || p.aclChecker.permits(acls, perms, p.requester.identities);
}

function versionMatches(wanted: number, current: number): boolean {
  return wanted === -1 || wanted === current;
}

function ownerKindOf(p: Preparer, id: number): ReturnType<typeof ownerKind> {
  return ownerKind(p.overlay.stat(id, F.owner), p.overlay.stat(id, F.owner + 1), p.tree.options);
}

/** Leaves the list as it goes into the txn in `aclScratch`. The open list, by far the most common, is copied as it is. */
function fixUpAcl(p: Preparer, start: number, end: number): number {
  const scratch = p.aclScratch;
  scratch.clear();
  if (isOpenAcl(p.reader.bytes, start, end)) {
    scratch.raw(p.reader.bytes, start, end);
    return ERROR.ok;
  }
  const reader = p.reader;
  const { offset, end: readerEnd } = reader;
  const raw = readAcls(reader.reset(reader.bytes, start, end));
  reader.reset(reader.bytes, offset, readerEnd);
  const fixed = p.aclChecker.fixUp(raw, p.requester.identities);
  if (typeof fixed === 'number') return fixed;
  writeAcls(scratch, fixed);
  // `auth` may stand for many identities. An entry that some reader of the log would refuse must not come to be.
  return readerEnd - start + scratch.length + ENTRY_OVERHEAD_BYTES > p.rules.entryBytesMax
    ? ERROR.invalidAcl
    : ERROR.ok;
}

/** The list in `aclScratch`, decoded. */
function lastFixedAcls(p: Preparer): readonly Acl[] {
  const reader = p.reader;
  const { bytes, offset, end } = reader;
  const acls = readAcls(reader.reset(p.aclScratch.bytes, 0, p.aclScratch.length)) as readonly Acl[];
  reader.reset(bytes, offset, end);
  return acls;
}

export const PREPARE: ReadonlyMap<number, PrepareOp> = new Map<number, PrepareOp>([
  [OP.create, (p) => prepareCreate(p, OP.create)],
  [OP.create2, (p) => prepareCreate(p, OP.create2)],
  [OP.createContainer, (p) => prepareCreate(p, OP.createContainer)],
  [OP.createTTL, (p) => prepareCreate(p, OP.createTTL)],
  [OP.delete, prepareDelete],
  [OP.deleteContainer, prepareDeleteContainer],
  [OP.setData, prepareSetData],
  [OP.setACL, prepareSetAcl],
  [OP.reconfig, prepareReconfig],
  [OP.createSession, prepareCreateSession],
  [OP.closeSession, prepareCloseSession],
]);
