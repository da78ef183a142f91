/**
 * Reads the records out of what the server writes to its log. This is how the checkers learn which request got which zxid:
 * a record's header has the session and the client's own number of the request. Own decoding, from the sheet
 * `disk-format.md` section 6.
 */
import { ByteReader } from '@zoots/base';
import { OP } from '@zoots/protocol';
import { fail } from './violation.js';

export interface TapRecord {
  readonly zxid: number;
  readonly timeMs: number;
  readonly sessionHigh: number;
  readonly sessionLow: number;
  readonly cxid: number;
  readonly type: number;
  /** Of an error txn. */
  readonly code: number;
  /** Of createSession. */
  readonly timeoutMs: number;
  /** Of closeSession and deleteContainer. */
  readonly paths: readonly string[];
  /** Codes of a multi's parts, 0 for those that are no errors. */
  readonly partCodes: readonly number[];
  /** Where the record lies in the file. */
  readonly start: number;
  readonly end: number;
}

const HEAD_BYTES = 12;
const RECORD_END = 0x42;

/** The records in one write at `position`. */
export function readRecords(bytes: Uint8Array, start: number, end: number, position: number): TapRecord[] {
  const records: TapRecord[] = [];
  // Room for later records, filled with zeros.
  if (isZero(bytes, start, end)) return records;
  const reader = new ByteReader(bytes, start, end);
  let at = start;
  while (at < end) {
    reader.reset(bytes, at + 8, end);
    const entryBytes = reader.int32();
    const entryEnd = at + HEAD_BYTES + entryBytes;
    if (reader.failed || entryBytes <= 0 || entryEnd >= end || bytes[entryEnd] !== RECORD_END) {
      fail('log', `a write to the log at ${position} is not made of whole records`);
    }
    reader.reset(bytes, at + HEAD_BYTES, entryEnd);
    records.push(readEntry(reader, position + at - start, position + entryEnd + 1 - start));
    at = entryEnd + 1;
  }
  return records;
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** `reader` stands at the entry's header; `start` and `end`: where the record lies in its file. */
export function readEntry(reader: ByteReader, start: number, end: number): TapRecord {
  const sessionHigh = reader.int32();
  const sessionLow = reader.int32();
  const cxid = reader.int32();
  const zxid = reader.long();
  const timeMs = reader.long();
  const type = reader.int32();
  const code = type === OP.error ? reader.int32() : 0;
  const timeoutMs = type === OP.createSession ? reader.int32() : 0;
  const paths = readPaths(reader, type);
  const partCodes = type === OP.multi ? readPartCodes(reader) : [];
  return { zxid, timeMs, sessionHigh, sessionLow, cxid, type, code, timeoutMs, paths, partCodes, start, end };
}

function readPaths(reader: ByteReader, type: number): string[] {
  if (type === OP.deleteContainer) return [reader.string() ?? ''];
  if (type !== OP.closeSession) return [];
  const paths: string[] = [];
  const count = reader.count(4);
  for (let i = 0; i < count; i++) paths.push(reader.string() ?? '');
  return paths;
}

function readPartCodes(reader: ByteReader): number[] {
  const codes: number[] = [];
  const count = reader.count(8);
  for (let i = 0; i < count; i++) {
    const type = reader.int32();
    reader.range();
    codes.push(type === OP.error ? new ByteReader(reader.bytes, reader.rangeStart, reader.rangeEnd).int32() : 0);
  }
  return codes;
}
