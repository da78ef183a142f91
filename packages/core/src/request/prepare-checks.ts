/**
 * Checks and records that several write ops share, and the two shapes of changes: a record's zxids and times, and what a
 * deletion does to znode and parent.
 */
import { type ByteReader, highOf, lowOf } from '@zoots/base';
import { type Acl, ERROR, isValidPath, lastSlash, readAcls, writeAcls } from '@zoots/protocol';
import { isOpenAcl, OPEN_ACL_BYTES } from '../tree/acl-table.js';
import { ownerKind } from '../tree/ephemerals.js';
import { S } from '../tree/stat-rows.js';
import { NONE } from '../tree/znode-store.js';
import type { ChangeRecord } from './outstanding.js';
import type { Preparer } from './prepare.js';

/** More than a header, a digest, a sequence number and the fixed fields of any single op take. */
export const ENTRY_OVERHEAD_BYTES = 128;

/** Highest create flag. */
export const FLAGS_MAX = 6;

/** The parent's id if it exists in the overlay's view, or NONE. */
export function findParent(p: Preparer, bytes: Uint8Array, start: number, end: number): number {
  const slash = lastSlash(bytes, start, end);
  const id = p.tree.store.find(bytes, start, slash);
  return id !== NONE && p.overlay.exists(id) ? id : NONE;
}

export function findExisting(p: Preparer, bytes: Uint8Array, start: number, end: number): number {
  const id = p.tree.store.find(bytes, start, end);
  return id !== NONE && p.overlay.exists(id) ? id : NONE;
}

export function isWritePath(bytes: Uint8Array, start: number, end: number): boolean {
  return start >= 0 && isValidPath(bytes, start, end);
}

/** The znode's id; NONE if it does not exist; NONE - 1 if the path is invalid (which is found out only when it matters). */
export function findValid(p: Preparer, start: number, end: number): number {
  const bytes = p.reader.bytes;
  if (start < 0 || start === end) return NONE - 1;
  const id = findExisting(p, bytes, start, end);
  if (id !== NONE) return id;
  return isValidPath(bytes, start, end) ? NONE : NONE - 1;
}

export function permits(p: Preparer, acls: readonly Acl[] | null, perms: number): boolean {
  return acls === null || p.requester.isInternal || p.aclChecker.permits(acls, perms, p.requester.identities);
}

export function versionMatches(wanted: number, current: number): boolean {
  return wanted === -1 || wanted === current;
}

export function ownerKindOf(p: Preparer, id: number): ReturnType<typeof ownerKind> {
  return ownerKind(p.overlay.stat(id, S.owner), p.overlay.stat(id, S.owner + 1), p.tree.options);
}

/** Finds out which list goes into the txn: the open one, by far the most common, or what is left in `aclScratch`. */
export function fixUpAcl(p: Preparer, start: number, end: number): number {
  p.hasOpenAcl = isOpenAcl(p.reader.bytes, start, end);
  if (p.hasOpenAcl) return ERROR.ok;
  const scratch = p.aclScratch;
  scratch.clear();
  const reader = p.reader;
  const { offset, end: readerEnd } = reader;
  const raw = readAcls(reader.reset(reader.bytes, start, end));
  reader.reset(reader.bytes, offset, readerEnd);
  const fixed = p.aclChecker.fixUp(raw, p.requester.identities);
  if (typeof fixed === 'number') return fixed;
  writeAcls(scratch, fixed);
  p.hasOpenAcl = isOpenAcl(scratch.bytes, 0, scratch.length);
  // `auth` may stand for many identities. An entry that some reader of the log would refuse must not come to be.
  return readerEnd - start + scratch.length + ENTRY_OVERHEAD_BYTES > p.rules.entryBytesMax
    ? ERROR.invalidAcl
    : ERROR.ok;
}

/** Puts the list that the fix-up left into the txn. */
export function writeFixedAcl(p: Preparer): void {
  if (p.hasOpenAcl) p.entry.raw(OPEN_ACL_BYTES);
  else p.entry.raw(p.aclScratch.bytes, 0, p.aclScratch.length);
}

/** The same, decoded; null: the open list. */
export function fixedAcls(p: Preparer): readonly Acl[] | null {
  if (p.hasOpenAcl) return null;
  const reader = p.reader;
  const { bytes, offset, end } = reader;
  const acls = readAcls(reader.reset(p.aclScratch.bytes, 0, p.aclScratch.length)) as readonly Acl[];
  reader.reset(bytes, offset, end);
  return acls;
}

export function skipAcls(reader: ByteReader): void {
  const count = reader.count(12);
  for (let i = 0; i < count && !reader.failed; i++) {
    reader.int32();
    reader.range();
    reader.range();
  }
}

/** A zxid or a time into a record's stat. */
export function setZxid(record: ChangeRecord, field: number, value: number): void {
  record.set(field, highOf(value));
  record.set(field + 1, lowOf(value));
}

export function recordDelete(p: Preparer, id: number, parent: number): void {
  const record = p.overlay.open(id, p.zxid);
  record.exists = false;
  p.overlay.close(id, record);
  const parentRecord = p.overlay.open(parent, p.zxid);
  parentRecord.childCount--;
  setZxid(parentRecord, S.pzxid, p.zxid);
  p.overlay.close(parent, parentRecord);
}
