/**
 * Reads a file from front to back in chunks, keeping in memory only what has not been consumed.
 *
 * The chunk is small enough (256 KiB) that parsing and applying one takes a few milliseconds: between two chunks the
 * event loop runs, whatever the size of the file.
 */
import type { DiskError, DiskFile, Done } from './disk.js';

export const CHUNK_BYTES = 256 * 1024;

export class ChunkReader {
  /** Unconsumed bytes lie from `start` to `end`. Replaced when it must grow, moved down by `more`. */
  bytes: Uint8Array;
  view: DataView;
  start = 0;
  end = 0;
  /** Everything up to the end of the file has been read. */
  isAtEnd = false;
  readonly #file: DiskFile;
  readonly #chunkBytes: number;
  #position = 0;
  #done: Done = () => {};

  constructor(file: DiskFile, chunkBytes = CHUNK_BYTES) {
    this.#file = file;
    // One byte more than the file, so that the first read tells that it has ended.
    this.#chunkBytes = Math.min(chunkBytes, file.sizeBytes + 1);
    this.bytes = new Uint8Array(2 * this.#chunkBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Where in the file `bytes[start]` lies. */
  get offset(): number {
    return this.#position - (this.end - this.start);
  }

  /** Goes on reading at `offset`; what is in memory is dropped. */
  seek(offset: number): void {
    this.#position = offset;
    this.start = 0;
    this.end = 0;
    this.isAtEnd = false;
  }

  /** Reads one more chunk behind `end`. */
  more(done: Done): void {
    this.#makeRoom();
    this.#done = done;
    this.#file.read(this.#position, this.bytes, this.end, this.end + this.#chunkBytes, this.#onRead);
  }

  #makeRoom(): void {
    const kept = this.end - this.start;
    if (this.start > 0) this.bytes.copyWithin(0, this.start, this.end);
    this.start = 0;
    this.end = kept;
    if (kept + this.#chunkBytes <= this.bytes.length) return;
    const grown = new Uint8Array(this.bytes.length * 2);
    grown.set(this.bytes.subarray(0, kept));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  readonly #onRead = (error: DiskError | null, byteCount: number): void => {
    if (error === null) {
      this.end += byteCount;
      this.#position += byteCount;
      if (byteCount < this.#chunkBytes) this.isAtEnd = true;
    }
    this.#done(error);
  };
}

/** Finds the last byte from `offset` on that is not zero; -1 if all are zero. */
export function findLastNonZero(
  file: DiskFile,
  offset: number,
  done: (error: DiskError | null, lastNonZero: number) => void,
): void {
  const left = Math.max(0, file.sizeBytes - offset);
  const bytes = new Uint8Array(Math.min(4 * CHUNK_BYTES, 4 * Math.ceil((left + 1) / 4)));
  const words = new Int32Array(bytes.buffer);
  let position = offset;
  let found = -1;
  const step = (): void =>
    file.read(position, bytes, 0, bytes.length, (error, byteCount) => {
      if (error !== null) return done(error, -1);
      const last = lastNonZeroIn(bytes, words, byteCount);
      if (last >= 0) found = position + last;
      position += byteCount;
      if (byteCount < bytes.length) done(null, found);
      else step();
    });
  step();
}

/** The same within the first `length` bytes of a buffer; `words` is the same memory as four-byte words. */
function lastNonZeroIn(bytes: Uint8Array, words: Int32Array, length: number): number {
  let at = length;
  while (at % 4 !== 0) if (bytes[--at] !== 0) return at;
  let word = at / 4;
  while (word > 0 && words[word - 1] === 0) word--;
  if (word === 0) return -1;
  at = word * 4;
  while (bytes[at - 1] === 0) at--;
  return at - 1;
}
