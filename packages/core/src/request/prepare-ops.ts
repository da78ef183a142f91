/**
 * The checks of every write op, in the order in which ZooKeeper makes them: the first that fails decides the code.
 * Source: ZooKeeper's PrepRequestProcessor. Each function reads its request, checks, writes the txn body, and records what
 * will change in the overlay. They return an error code; on failure the caller drops what was written.
 */
import { pairToNumber } from '@zoots/base';
import { ERROR, hasSlashAndNoNul, OP, PERM } from '@zoots/protocol';
import { ttlOf } from '../tree/ephemerals.js';
import { S } from '../tree/stat-rows.js';
import { F, NONE } from '../tree/znode-store.js';
import type { Preparer } from './prepare.js';
import {
  findExisting,
  findParent,
  findValid,
  fixedAcls,
  fixUpAcl,
  isWritePath,
  ownerKindOf,
  permits,
  recordDelete,
  setZxid,
  skipAcls,
  versionMatches,
  writeFixedAcl,
} from './prepare-checks.js';
import { prepareCreate } from './prepare-create.js';
import { prepareCloseSession, prepareCreateSession } from './prepare-session.js';

type PrepareOp = (p: Preparer) => number;

const SPECIAL_PATHS = ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'];

// ---- delete ----

export function prepareDelete(p: Preparer): number {
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
  if (!versionMatches(version, p.overlay.stat(id, S.version))) return ERROR.badVersion;
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
  const mtimeMs = pairToNumber(overlay.stat(id, S.mtime), overlay.stat(id, S.mtime + 1));
  return p.timeMs - mtimeMs > ttlOf(overlay.stat(id, S.owner), overlay.stat(id, S.owner + 1));
}

// ---- setData, setACL, check ----

export function prepareSetData(p: Preparer): number {
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
  const current = p.overlay.stat(id, S.version);
  if (!versionMatches(version, current)) return ERROR.badVersion;
  const next = (current + 1) | 0;
  const entry = p.entry;
  entry.bufferFrom(reader, start, end);
  if (dataStart < 0) entry.int32(-1);
  else entry.bufferFrom(reader, dataStart, dataEnd);
  entry.int32(next);

  const record = p.overlay.open(id, p.zxid);
  record.set(S.version, next);
  setZxid(record, S.mzxid, p.zxid);
  setZxid(record, S.mtime, p.timeMs);
  p.overlay.setData(id, record, reader.bytes, dataStart, dataEnd);
  p.overlay.close(id, record);
  p.znode = id;
  p.contentCrc = record.contentCrc;
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
  const current = p.overlay.stat(id, S.aversion);
  if (!versionMatches(version, current)) return ERROR.badVersion;
  p.entry.bufferRange(reader.bytes, start, end);
  writeFixedAcl(p);
  p.entry.int32((current + 1) | 0);

  const record = p.overlay.open(id, p.zxid);
  record.acls = fixedAcls(p);
  record.set(S.aversion, (current + 1) | 0);
  p.overlay.close(id, record);
  return ERROR.ok;
}

/** Only inside a multi. The txn holds the checked version plus one, as Apache's does. */
export function prepareCheck(p: Preparer): number {
  const reader = p.reader;
  reader.range();
  const start = reader.rangeStart;
  const end = reader.rangeEnd;
  const version = reader.int32();
  if (reader.failed) return ERROR.marshallingError;
  const id = findValid(p, start, end);
  if (id < 0) return id === NONE ? ERROR.noNode : ERROR.badArguments;
  if (!permits(p, p.overlay.acls(id), PERM.read)) return ERROR.noAuth;
  const current = p.overlay.stat(id, S.version);
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
