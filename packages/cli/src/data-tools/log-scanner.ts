/**
 * Goes through a transaction log record by record, as Apache's toolkit does: what is whole is handed over, its checksum
 * right or not, and the first thing that is no record ends the log. Recovery is stricter (`readLog` of @zoots/storage);
 * the tools are there to look at what recovery refuses.
 */
import type { FileHandle } from 'node:fs/promises';
import { adler32 } from '@zoots/base';
import { ENTRY_BYTES_MAX, LOG_HEADER_BYTES, LOG_MAGIC, RECORD_END, RECORD_HEAD_BYTES, readMark } from '@zoots/storage';

export interface ScannedHeader {
  readonly version: number;
  readonly dbid: bigint;
  /** The field holds the durable mark of a server of ours that is writing the file, or was killed while it did. */
  readonly isMark: boolean;
}

export interface ScannedRecord {
  /** Where in the file the record begins. */
  readonly offset: number;
  /** Whether the checksum agrees with the entry. */
  readonly isIntact: boolean;
  /** The eight bytes of the checksum as they stand in the file. */
  readonly checksum: Uint8Array;
  /** The entry's own bytes, a copy. */
  readonly entry: Uint8Array;
  /** False: the byte that should end the record is another, or missing; nothing behind it is looked at. */
  readonly hasEnd: boolean;
}

const CHUNK_BYTES = 1024 * 1024;

export class LogScanner {
  readonly #file: FileHandle;
  #held = new Uint8Array(CHUNK_BYTES);
  #view = new DataView(this.#held.buffer);
  #start = 0;
  #end = 0;
  #position = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** The first 16 bytes; null if the file does not begin as a log does. */
  async header(): Promise<ScannedHeader | null> {
    if (!(await this.#holds(LOG_HEADER_BYTES)) || this.#view.getInt32(this.#start) !== LOG_MAGIC) return null;
    const at = this.#start;
    this.#start += LOG_HEADER_BYTES;
    const isMark = readMark(this.#view, at) !== 0;
    return { version: this.#view.getInt32(at + 4), dbid: this.#view.getBigInt64(at + 8), isMark };
  }

  /** The next record; null at the end: zeros where a record's length would be, or fewer bytes than it needs. */
  async next(): Promise<ScannedRecord | null> {
    if (!(await this.#holds(RECORD_HEAD_BYTES))) return null;
    const length = this.#view.getInt32(this.#start + 8);
    const offset = this.#position - (this.#end - this.#start);
    if (length === 0) return null;
    if (length < 0 || length > ENTRY_BYTES_MAX) throw new Error(`Unreasonable length = ${length} at offset ${offset}`);
    if (!(await this.#holds(RECORD_HEAD_BYTES + length))) return null;
    const hasEndByte = await this.#holds(RECORD_HEAD_BYTES + length + 1);
    const at = this.#start;
    const entryEnd = at + RECORD_HEAD_BYTES + length;
    const entry = this.#held.slice(at + RECORD_HEAD_BYTES, entryEnd);
    const checksum = this.#held.slice(at, at + 8);
    const isIntact =
      this.#view.getInt32(at) === 0 &&
      this.#view.getUint32(at + 4) === adler32(this.#view, at + RECORD_HEAD_BYTES, entryEnd);
    this.#start = entryEnd + (hasEndByte ? 1 : 0);
    return { offset, isIntact, checksum, entry, hasEnd: hasEndByte && this.#held[entryEnd] === RECORD_END };
  }

  /** Reads until `count` bytes from the start on are in memory; false if the file ends before. */
  async #holds(count: number): Promise<boolean> {
    while (this.#end - this.#start < count) {
      this.#makeRoom(count);
      const { bytesRead } = await this.#file.read(this.#held, this.#end, this.#held.length - this.#end, this.#position);
      if (bytesRead === 0) return false;
      this.#end += bytesRead;
      this.#position += bytesRead;
    }
    return true;
  }

  #makeRoom(count: number): void {
    const kept = this.#held.subarray(this.#start, this.#end);
    if (count > this.#held.length) {
      this.#held = new Uint8Array(count + CHUNK_BYTES);
      this.#view = new DataView(this.#held.buffer);
    }
    this.#held.set(kept, 0);
    this.#end = kept.length;
    this.#start = 0;
  }
}
