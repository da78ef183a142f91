/**
 * The bytes of a transaction log, and when they are valid. All integers are big-endian.
 *
 *   file    offset  0   4  magic 5a4b4c47 "ZKLG"
 *                   4   4  version 2 (not checked by any reader)
 *                   8   8  dbid: 0; while a server of ours writes the file, its durable mark (below)
 *                  16      records, back to back
 *                          zeros up to the end (preallocated room)
 *
 *   record          0   8  Adler-32 of the entry, the upper four bytes zero
 *                   8   4  length of the entry, > 0
 *                  12      entry: TxnHeader { long client, int cxid, long zxid, long time, int type }, the txn,
 *                          and since 3.6 a digest { int version, long digest }
 *               12+len  1  42 "B", end of record
 *
 * A record is *valid* if its length is positive and fits the file, its last byte is 42, and the checksum agrees. The
 * checksum covers neither the length nor the last byte; both are checked by the fact that everything else then fits.
 * The first place without a valid record is the end, or damage; `log-damage.ts` tells them apart.
 *
 * The durable mark. A batch of records is written and synced as one; when power fails meanwhile, any of its 512-byte
 * sectors may be missing, while later ones arrived. Records after a hole would look like corruption in the middle of the
 * log. So the writer keeps in the header how far everything was durable when the last batch began: a hole before the mark
 * is corruption, a hole behind it is the unfinished batch. No version of Apache's server looks at this field. The mark
 * is cleared when the file is finished, so that a finished file has Apache's bytes.
 */
import { adler32, type ByteWriter, pairToNumber } from '@zoots/base';

export const LOG_MAGIC = 0x5a4b4c47;
export const LOG_VERSION = 2;
export const LOG_HEADER_BYTES = 16;
/** Where the durable mark lies in the file. */
export const MARK_OFFSET = 8;
export const MARK_BYTES = 8;
/** Checksum and length, before the entry. */
export const RECORD_HEAD_BYTES = 12;
export const RECORD_END = 0x42;
/** What a record takes besides its entry. */
export const RECORD_OVERHEAD_BYTES = RECORD_HEAD_BYTES + 1;
/** A TxnHeader: no entry is shorter. */
export const ENTRY_BYTES_MIN = 32;
/** Where the zxid lies in an entry. */
export const ENTRY_ZXID_OFFSET = 12;
/** No entry is longer; far above what any jute.maxbuffer in use lets in, and small enough to hold in memory. */
export const ENTRY_BYTES_MAX = 128 * 1024 * 1024;
/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

/** Part of what tells a durable mark from other content of the field. */
const MARK_TAG = 0x5a4f;

/** The two bytes before the offset: a mark of which only a part was written must not be believed. */
function markCheck(offset: number): number {
  return (MARK_TAG ^ (offset % 65521)) & 0xffff;
}

/** Appends the 16 bytes that begin a file; `mark` 0 for none. */
export function writeLogHeader(writer: ByteWriter, mark: number): void {
  writer.int32(LOG_MAGIC);
  writer.int32(LOG_VERSION);
  writeMark(writer, mark);
}

/** The mark: a check of two bytes, then the offset in six; none is written as eight zeros. */
export function writeMark(writer: ByteWriter, mark: number): void {
  writer.long(mark);
  if (mark !== 0) writer.view.setUint16(writer.length - MARK_BYTES, markCheck(mark));
}

/** The durable mark of the header at `at`; 0 if it has none, or none that can be believed. */
export function readMark(view: DataView, at: number): number {
  const start = at + MARK_OFFSET;
  const offset = view.getUint16(start + 2) * 4294967296 + view.getUint32(start + 4);
  return offset > 0 && view.getUint16(start) === markCheck(offset) ? offset : 0;
}

/** Leaves room for a record's head. Returns where the record begins; see {@link endRecord}. */
export function beginRecord(writer: ByteWriter): number {
  const recordStart = writer.length;
  writer.reserve(RECORD_HEAD_BYTES);
  writer.length = recordStart + RECORD_HEAD_BYTES;
  return recordStart;
}

/** Fills in the head of the record that began at `recordStart` and whose entry has just been appended. */
export function endRecord(writer: ByteWriter, recordStart: number): void {
  const entryStart = recordStart + RECORD_HEAD_BYTES;
  const view = writer.view;
  view.setInt32(recordStart, 0);
  view.setInt32(recordStart + 4, adler32(view, entryStart, writer.length) | 0);
  view.setInt32(recordStart + 8, writer.length - entryStart);
  writer.int8(RECORD_END);
}

/** What {@link checkRecord} finds. Numbers, because it is asked for every record of a replay. */
export const RECORD_VALID = 0;
/** More bytes are needed to tell. */
export const RECORD_SHORT = 1;
/** No record begins here: padding or damage. */
export const RECORD_NONE = 2;
/** Length and last byte fit, the checksum does not. */
export const RECORD_CHECKSUM = 3;

/** Judges the record at `at` from the bytes up to `end`. */
export function checkRecord(bytes: Uint8Array, view: DataView, at: number, end: number): number {
  if (end - at < RECORD_OVERHEAD_BYTES) return RECORD_SHORT;
  const length = view.getInt32(at + 8);
  if (length <= 0 || length > ENTRY_BYTES_MAX) return RECORD_NONE;
  const entryStart = at + RECORD_HEAD_BYTES;
  const entryEnd = entryStart + length;
  if (entryEnd >= end) return RECORD_SHORT;
  if (bytes[entryEnd] !== RECORD_END) return RECORD_NONE;
  const isIntact = view.getInt32(at) === 0 && view.getUint32(at + 4) === adler32(view, entryStart, entryEnd);
  return isIntact ? RECORD_VALID : RECORD_CHECKSUM;
}

/** The zxid of the entry at `entryStart`. */
export function entryZxid(view: DataView, entryStart: number): number {
  const at = entryStart + ENTRY_ZXID_OFFSET;
  return pairToNumber(view.getInt32(at), view.getInt32(at + 4));
}
