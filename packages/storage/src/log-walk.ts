/**
 * Goes over the records of several open logs, in the order of the files, and can pause behind any record.
 *
 * Where no valid record begins, a log is over: whether that is its end or damage is not asked. The caller looks at the
 * zxids instead (recovery has judged these files before; what it accepts goes on in the next file without a gap).
 */
import { assert } from '@zoots/base';
import { ChunkReader } from './chunk-reader.js';
import type { DiskError, DiskFile } from './disk.js';
import {
  checkRecord,
  ENTRY_BYTES_MIN,
  entryZxid,
  LOG_HEADER_BYTES,
  LOG_MAGIC,
  RECORD_HEAD_BYTES,
  RECORD_OVERHEAD_BYTES,
  RECORD_SHORT,
  RECORD_VALID,
} from './txn-log-format.js';

/** A place between two records. */
export interface LogPlace {
  /** Which of the logs. */
  readonly index: number;
  /** Where a record begins in it; 0 for its beginning. */
  readonly offset: number;
}

/**
 * Receives a record: `bytes` from `start` to `end` are its entry, valid during the call. False pauses the walk behind it.
 */
export type OnWalked = (
  bytes: Uint8Array,
  start: number,
  end: number,
  zxid: number,
  index: number,
  offset: number,
) => boolean;

/** The walk has paused, or, with `isAtEnd`, there are no more records. */
export type OnWalkPaused = (error: DiskError | null, isAtEnd: boolean) => void;

export class LogWalk {
  readonly #files: readonly DiskFile[];
  #index: number;
  /** Where the log at hand is to be entered. */
  #offset: number;
  /** Over the log at hand; null until it is entered. */
  #reader: ChunkReader | null = null;
  #isHeaderRead = false;
  #onRecord: OnWalked = () => false;
  #done: OnWalkPaused | null = null;
  #isReading = false;
  #isLooping = false;

  /** The files stay the caller's, who closes them when no `run` is under way. */
  constructor(files: readonly DiskFile[], from: LogPlace) {
    this.#files = files;
    this.#index = from.index;
    this.#offset = from.offset;
  }

  /** A `run` is under way. */
  get isRunning(): boolean {
    return this.#done !== null;
  }

  /** Goes on until `onRecord` pauses it. `done` may come before the call returns, and may call `run` again. */
  run(onRecord: OnWalked, done: OnWalkPaused): void {
    assert(this.#done === null, 'a walk over logs runs already');
    this.#onRecord = onRecord;
    this.#done = done;
    if (!this.#isLooping) this.#loop();
  }

  /** A `run` that is asked for within `done` goes on here, not deeper. */
  #loop(): void {
    this.#isLooping = true;
    while (this.#done !== null && !this.#isReading) this.#step();
    this.#isLooping = false;
  }

  #pause(error: DiskError | null, isAtEnd: boolean): void {
    const done = this.#done as OnWalkPaused;
    this.#done = null;
    done(error, isAtEnd);
  }

  #step(): void {
    const file = this.#files[this.#index];
    if (file === undefined) this.#pause(null, true);
    else if (this.#reader === null) this.#enter(file);
    else if (!this.#isHeaderRead) this.#readHeader(this.#reader);
    else this.#readRecords(this.#reader, file);
  }

  #enter(file: DiskFile): void {
    this.#reader = new ChunkReader(file);
    this.#reader.seek(this.#offset);
    this.#isHeaderRead = this.#offset > 0;
    this.#more(this.#reader);
  }

  #leave(): void {
    this.#reader = null;
    this.#offset = 0;
    this.#index++;
  }

  #more(reader: ChunkReader): void {
    this.#isReading = true;
    reader.more(this.#onChunk);
  }

  readonly #onChunk = (error: DiskError | null): void => {
    this.#isReading = false;
    if (error !== null) this.#pause(error, false);
    if (!this.#isLooping) this.#loop();
  };

  #readHeader(reader: ChunkReader): void {
    this.#isHeaderRead = true;
    if (reader.end < LOG_HEADER_BYTES || reader.view.getInt32(0) !== LOG_MAGIC) this.#leave();
    else reader.start = LOG_HEADER_BYTES;
  }

  /** Hands over what is in the buffer, then reads on, or leaves the log. */
  #readRecords(reader: ChunkReader, file: DiskFile): void {
    const { bytes, view, end } = reader;
    let state = checkRecord(bytes, view, reader.start, end);
    while (state === RECORD_VALID) {
      const start = reader.start + RECORD_HEAD_BYTES;
      const length = view.getInt32(reader.start + 8);
      if (length < ENTRY_BYTES_MIN) break;
      const { offset } = reader;
      reader.start += RECORD_OVERHEAD_BYTES + length;
      if (!this.#onRecord(bytes, start, start + length, entryZxid(view, start), this.#index, offset)) {
        this.#pause(null, false);
        return;
      }
      state = checkRecord(bytes, view, reader.start, end);
    }
    if (state === RECORD_SHORT && canGrow(reader, file)) this.#more(reader);
    else this.#leave();
  }
}

/** Whether the record at the start of the buffer could be completed by reading on. */
function canGrow(reader: ChunkReader, file: DiskFile): boolean {
  if (reader.isAtEnd) return false;
  if (reader.end - reader.start < RECORD_HEAD_BYTES) return true;
  const length = reader.view.getInt32(reader.start + 8);
  return reader.offset + RECORD_HEAD_BYTES + length < file.sizeBytes;
}
