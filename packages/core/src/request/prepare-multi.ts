/**
 * Preparing a multi: all or nothing over the single ops, and the shape of its request.
 */
import { ByteReader } from '@zoots/base';
import { ERROR, isTtlMode, OP } from '@zoots/protocol';
import type { Preparer } from './prepare.js';
import { ENTRY_OVERHEAD_BYTES, FLAGS_MAX, skipAcls } from './prepare-checks.js';
import { checkModeAndTtl, createChecked, readCreateRequest } from './prepare-create.js';
import { prepareCheck, prepareDelete, prepareSetData } from './prepare-ops.js';

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
    entry.int32(loggedType(type));
    entry.int32(0);
    let code: number = ERROR.runtimeInconsistency;
    if (!failed) {
      reader.reset(reader.bytes, partStart, partEnd);
      code = (PREPARE_PART.get(type) as (p: Preparer, headerType: number) => number)(p, headerType);
      if (code === ERROR.marshallingError) return 'malformed';
      failed = code !== ERROR.ok;
      if (type === OP.create2) p.create2Parts.push(i);
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

/**
 * A create2 is logged as a create, which makes the same znode: Apache's servers before 3.8.2 pass over a create2 inside a
 * multi when they replay a log, and lose the znode without a word. Only the reply tells the two apart.
 */
function loggedType(type: number): number {
  return type === OP.create2 ? OP.create : type;
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

/** Which parts of a multi's request ask for create2, by their place; null: none, or it cannot be decoded. */
export function create2PartsOf(bytes: Uint8Array, start: number, end: number): ReadonlySet<number> | null {
  const parts = new Set<number>();
  forEachMultiPart(new ByteReader().reset(bytes, start, end), (type, _part, index) => {
    if (type === OP.create2) parts.add(index);
  });
  return parts.size === 0 ? null : parts;
}

/** Visits the parts of a multi's request as far as they can be decoded; the visitor may read `part`, which begins with the body. */
export function forEachMultiPart(
  reader: ByteReader,
  visit: (type: number, part: ByteReader, index: number) => void,
): void {
  const { bytes, end } = reader;
  const part = new ByteReader();
  for (let i = 0; ; i++) {
    const type = reader.int32();
    const done = reader.bool();
    reader.int32();
    if (reader.failed || done || !MULTI_PART_TYPES.has(type)) return;
    visit(type, part.reset(bytes, reader.offset, end), i);
    skipPart(reader, type);
    if (reader.failed) return;
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
