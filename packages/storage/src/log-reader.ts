/**
 * Reads one transaction log from front to back and says how it ends.
 *
 * Recovery and the tools read through this. Records are handed over where they lie in the read buffer, valid only during
 * the call. A log of 64 MiB that is mostly padding is read to its end all the same: a record behind a stretch of zeros
 * would otherwise be dropped silently.
 */

import { ChunkReader, findLastNonZero } from './chunk-reader.js';
import type { Disk, DiskError, DiskFile } from './disk.js';
import { judgeDamage } from './log-damage.js';
import {
  checkRecord,
  ENTRY_BYTES_MAX,
  ENTRY_BYTES_MIN,
  entryZxid,
  LOG_HEADER_BYTES,
  LOG_MAGIC,
  RECORD_CHECKSUM,
  RECORD_HEAD_BYTES,
  RECORD_OVERHEAD_BYTES,
  RECORD_SHORT,
  RECORD_VALID,
  readMark,
} from './txn-log-format.js';

export interface LogHeader {
  readonly version: number;
  /** The dbid field, as two int32. */
  readonly dbidHigh: number;
  readonly dbidLow: number;
  /** The durable mark in it, 0 if none. */
  readonly mark: number;
}

/** How a log ends. */
export interface LogEnd {
  /**
   * - `clean`: by the end of the file, or by nothing but zeros.
   * - `no-header`: shorter than a header, or a header that never arrived, and nothing else.
   * - `torn`: by what a crash leaves of an unfinished batch; cutting at `offset` loses nothing that was acknowledged.
   * - `corrupt`: damage that no crash explains, at `offset`.
   * - `refused`: the receiver could not take the record at `offset`.
   */
  readonly kind: 'clean' | 'no-header' | 'torn' | 'corrupt' | 'refused';
  /** Behind the last good record; for `corrupt` and `refused`, where the bad one begins. */
  readonly offset: number;
  readonly reason: string;
  readonly fileBytes: number;
  readonly recordCount: number;
  /** Where the end byte of the last record is missing, though the record is whole; -1 normally. */
  readonly missingEndAt: number;
  /** Null for `no-header`. */
  readonly header: LogHeader | null;
}

/** Receives a record: `bytes` from `start` to `end` are its entry. A text refuses it and ends the reading. */
export type OnRecord = (
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  offset: number,
  isIntact: boolean,
) => string | null;

export type OnLogEnd = (error: DiskError | null, end: LogEnd | null) => void;

export interface LogReadOptions {
  /** Hand over records whose checksum disagrees, with `isIntact` false, as long as length and end byte fit. */
  readonly passDamaged: boolean;
  readonly onHeader?: (header: LogHeader) => void;
}

/** Reads the log at `path`; `done` gets an error only if the disk fails. The file is closed before `done`. */
export function readLog(disk: Disk, path: string, options: LogReadOptions, onRecord: OnRecord, done: OnLogEnd): void {
  disk.open(path, 'read', (error, file) => {
    if (error !== null || file === null) return done(error, null);
    new LogReading(file, options, onRecord, (readError, end) => file.close(() => done(readError, end))).start();
  });
}

class LogReading {
  readonly #file: DiskFile;
  readonly #options: LogReadOptions;
  readonly #onRecord: OnRecord;
  readonly #done: OnLogEnd;
  readonly #reader: ChunkReader;
  #header: LogHeader | null = null;
  #recordCount = 0;

  constructor(file: DiskFile, options: LogReadOptions, onRecord: OnRecord, done: OnLogEnd) {
    this.#file = file;
    this.#options = options;
    this.#onRecord = onRecord;
    this.#done = done;
    this.#reader = new ChunkReader(file);
  }

  start(): void {
    this.#reader.more((error) => {
      if (error !== null) return this.#done(error, null);
      const { bytes, view, end } = this.#reader;
      if (end < LOG_HEADER_BYTES || view.getInt32(0) !== LOG_MAGIC) return this.#judgeHeader(bytes, end);
      this.#header = {
        version: view.getInt32(4),
        dbidHigh: view.getInt32(8),
        dbidLow: view.getInt32(12),
        mark: readMark(view, 0),
      };
      this.#options.onHeader?.(this.#header);
      this.#reader.start = LOG_HEADER_BYTES;
      this.#parseBuffer();
    });
  }

  /** A header that never arrived is a prefix of the right one, followed by nothing. */
  #judgeHeader(bytes: Uint8Array, length: number): void {
    const right = [0x5a, 0x4b, 0x4c, 0x47, 0, 0, 0, 2];
    let same = 0;
    while (same < length && same < right.length && bytes[same] === right[same]) same++;
    if (same === length || (same === right.length && length < LOG_HEADER_BYTES)) {
      this.#end('no-header', 0, 'the file ends within its header');
      return;
    }
    findLastNonZero(this.#file, same, (error, lastNonZero) => {
      if (error !== null) this.#done(error, null);
      else if (lastNonZero < 0) this.#end('no-header', 0, 'the header was never written');
      else this.#end('corrupt', 0, 'the file does not begin with ZKLG');
    });
  }

  readonly #parse = (error: DiskError | null): void => {
    if (error === null) this.#parseBuffer();
    else this.#done(error, null);
  };

  /** Hands over every whole record in the buffer, then reads on or judges why it cannot. */
  #parseBuffer(): void {
    const reader = this.#reader;
    const { bytes, view, end } = reader;
    let at = reader.start;
    let state = RECORD_VALID;
    let refusal: string | null = null;
    while (refusal === null) {
      state = checkRecord(bytes, view, at, end);
      const passes = state === RECORD_VALID || (state === RECORD_CHECKSUM && this.#options.passDamaged);
      if (!passes) break;
      const start = at + RECORD_HEAD_BYTES;
      const length = view.getInt32(at + 8);
      const offset = reader.offset + at - reader.start;
      refusal = this.#give(bytes, view, start, start + length, offset, state === RECORD_VALID);
      if (refusal === null) at += RECORD_OVERHEAD_BYTES + length;
    }
    reader.start = at;
    if (refusal !== null) this.#end('refused', reader.offset, refusal);
    else if (state === RECORD_SHORT && this.#canGrow()) reader.more(this.#parse);
    else this.#judgeEnd();
  }

  #give(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    offset: number,
    isIntact: boolean,
  ): string | null {
    if (end - start < ENTRY_BYTES_MIN) return 'the entry is shorter than its header';
    const refusal = this.#onRecord(bytes, view, start, end, offset, isIntact);
    if (refusal === null) this.#recordCount++;
    return refusal;
  }

  /** Whether the record at the start of the buffer could still be completed by reading on. */
  #canGrow(): boolean {
    const reader = this.#reader;
    if (reader.isAtEnd) return false;
    const held = reader.end - reader.start;
    if (held < RECORD_HEAD_BYTES) return true;
    const length = reader.view.getInt32(reader.start + 8);
    return reader.offset + RECORD_HEAD_BYTES + length < this.#file.sizeBytes;
  }

  /** No valid record begins here: the end, or damage. */
  #judgeEnd(): void {
    const offset = this.#reader.offset;
    findLastNonZero(this.#file, offset, (error, lastNonZero) => {
      if (error !== null) return this.#done(error, null);
      const mark = (this.#header as LogHeader).mark;
      if (lastNonZero >= 0) return this.#judgeDamage(offset, lastNonZero, mark);
      if (offset >= mark || offset >= this.#file.sizeBytes) return this.#end('clean', offset, 'end of records');
      this.#end('corrupt', offset, `zeros, although everything before offset ${mark} was durable`);
    });
  }

  #judgeDamage(offset: number, lastNonZero: number, mark: number): void {
    const windowBytes = Math.min(lastNonZero + 1 - offset, ENTRY_BYTES_MAX);
    const window = new Uint8Array(windowBytes);
    this.#file.read(offset, window, 0, windowBytes, (error) => {
      if (error !== null) return this.#done(error, null);
      const verdict = judgeDamage({ window, offset, lastNonZero, fileBytes: this.#file.sizeBytes, mark });
      if (verdict.kind === 'complete') this.#takeComplete(window, offset, lastNonZero);
      else this.#end(verdict.kind, offset, verdict.reason);
    });
  }

  /** The last record is whole but for its end byte: it counts. Zeros at its end may lie behind the window. */
  #takeComplete(window: Uint8Array, offset: number, lastNonZero: number): void {
    const length = new DataView(window.buffer).getInt32(8);
    const end = RECORD_HEAD_BYTES + length;
    const record = new Uint8Array(Math.max(end, lastNonZero + 1 - offset));
    record.set(window);
    const refusal = this.#give(record, new DataView(record.buffer), RECORD_HEAD_BYTES, end, offset, true);
    if (refusal !== null) this.#end('refused', offset, refusal);
    else this.#end('clean', offset + end + 1, 'the end byte of the last record is missing', offset + end);
  }

  #end(kind: LogEnd['kind'], offset: number, reason: string, missingEndAt = -1): void {
    this.#done(null, {
      kind,
      offset,
      reason,
      fileBytes: this.#file.sizeBytes,
      recordCount: this.#recordCount,
      missingEndAt,
      header: this.#header,
    });
  }
}

/**
 * Reads a log for a tool: every record whose length and end byte fit is handed over, with its zxid and whether its
 * checksum agrees. `done` says how the file ends.
 */
export function readLogFile(
  disk: Disk,
  path: string,
  onRecord: (offset: number, zxid: number, crcOk: boolean, bytes: Uint8Array, start: number, end: number) => void,
  done: OnLogEnd,
  onHeader: (header: LogHeader) => void = () => {},
): void {
  const give: OnRecord = (bytes, view, start, end, offset, isIntact) => {
    onRecord(offset, entryZxid(view, start), isIntact, bytes, start, end);
    return null;
  };
  readLog(disk, path, { passDamaged: true, onHeader }, give, done);
}
