/**
 * Preparing create, create2, createContainer and createTTL: one function, since only the owner and the txn's body differ.
 */
import { type ByteReader, highOf, isSafePair, lowOf, pairToNumber } from '@zoots/base';
import {
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
} from '@zoots/protocol';
import { CONTAINER_OWNER_HIGH, TTL_MS_MAX, ttlOwnerHigh } from '../tree/ephemerals.js';
import { fillFreshStat, S } from '../tree/stat-rows.js';
import { NONE } from '../tree/znode-store.js';
import type { ChangeRecord } from './outstanding.js';
import type { Preparer } from './prepare.js';
import {
  FLAGS_MAX,
  fixedAcls,
  fixUpAcl,
  ownerKindOf,
  permits,
  setZxid,
  skipAcls,
  writeFixedAcl,
} from './prepare-checks.js';

interface CreateRequest {
  /** Where the path is: the request's bytes, or others once it has a sequence number. */
  path: Uint8Array;
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
export function readCreateRequest(reader: ByteReader, op: number): CreateRequest | null {
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
  return {
    path: reader.bytes,
    pathStart,
    pathEnd,
    dataStart,
    dataEnd,
    aclStart,
    aclEnd,
    flags,
    ttlHigh,
    ttlLow,
    hasTtl,
  };
}

export function checkModeAndTtl(p: Preparer, op: number, request: CreateRequest): number {
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

export function prepareCreate(p: Preparer, op: number): number {
  const request = readCreateRequest(p.reader, op);
  if (request === null) return ERROR.marshallingError;
  const modeError = checkModeAndTtl(p, op, request);
  if (modeError !== ERROR.ok) return modeError;
  return createChecked(p, op, request);
}

export function createChecked(p: Preparer, op: number, request: CreateRequest): number {
  const bytes = p.reader.bytes;
  const { pathStart, pathEnd } = request;
  // A null path is an exception of Java's here, and a bad argument in setData, setACL and check.
  if (pathStart < 0) return ERROR.marshallingError;
  if (!hasSlashAndNoNul(bytes, pathStart, pathEnd)) return ERROR.badArguments;
  const aclError = fixUpAcl(p, request.aclStart, request.aclEnd);
  if (aclError !== ERROR.ok) return aclError;

  const overlay = p.overlay;
  const store = p.tree.store;
  const slash = lastSlash(bytes, pathStart, pathEnd);
  const parentHash = store.hashOf(bytes, pathStart, slash);
  const parent = store.findHashed(parentHash, bytes, pathStart, slash);
  if (parent === NONE || !overlay.exists(parent)) return ERROR.noNode;
  if (!permits(p, overlay.acls(parent), PERM.create)) return ERROR.noAuth;
  const parentCversion = overlay.stat(parent, S.cversion);
  if (isSequentialMode(request.flags)) addSequence(p, request, parentCversion);
  const { path, pathStart: start, pathEnd: end } = request;
  if (!isValidPath(path, start, end)) return ERROR.badArguments;
  const hash = store.hashOn(parentHash, path, start + slash - pathStart, end);
  const known = store.findHashed(hash, path, start, end);
  if (known !== NONE && overlay.exists(known)) return ERROR.nodeExists;
  if (ownerKindOf(p, parent) === 'session') return ERROR.noChildrenForEphemerals;
  if (p.rules.enforceQuota) {
    const code = p.tree.quotas.check(known, parent, Math.max(request.dataEnd - request.dataStart, 0), 1);
    if (code !== ERROR.ok) return code;
  }
  const id = known !== NONE ? known : store.addHashed(hash, path, start, end);
  writeCreateBody(p, op, request, (parentCversion + 1) | 0);
  recordCreate(p, op, request, id, parent, (parentCversion + 1) | 0);
  return ERROR.ok;
}

/** Puts the parent's counter behind the path, in scratch space. */
function addSequence(p: Preparer, request: CreateRequest, counter: number): void {
  const scratch = p.pathScratch;
  scratch.clear();
  scratch.raw(request.path, request.pathStart, request.pathEnd);
  const digits = formatSequence(counter);
  for (let i = 0; i < digits.length; i++) scratch.int8(digits.charCodeAt(i));
  request.path = scratch.bytes;
  request.pathStart = 0;
  request.pathEnd = scratch.length;
}

function writeCreateBody(p: Preparer, op: number, request: CreateRequest, cversion: number): void {
  const entry = p.entry;
  entry.bufferRange(request.path, request.pathStart, request.pathEnd);
  if (request.dataStart < 0) entry.int32(-1);
  else entry.bufferFrom(p.reader, request.dataStart, request.dataEnd);
  writeFixedAcl(p);
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
  record.acls = fixedAcls(p);
  fillFreshStat(record.stat, highOf(p.zxid), lowOf(p.zxid), highOf(p.timeMs), lowOf(p.timeMs));
  setOwner(p, op, request, record, id);
  overlay.setData(id, record, p.reader.bytes, request.dataStart, request.dataEnd);
  overlay.close(id, record);
  p.znode = id;
  p.parent = parent;
  p.contentCrc = record.contentCrc;

  const parentRecord = overlay.open(parent, p.zxid);
  parentRecord.childCount++;
  if (parentCversion > (parentRecord.stat[S.cversion] as number)) {
    parentRecord.set(S.cversion, parentCversion);
    setZxid(parentRecord, S.pzxid, p.zxid);
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
  record.stat[S.owner] = high;
  record.stat[S.owner + 1] = low;
}
