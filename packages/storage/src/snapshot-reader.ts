/**
 * Reads a snapshot file: chunks from the disk, through the decompression that the name's suffix asks for, into the parser.
 *
 * One chunk is taken apart whenever one was read, so that the event loop runs in between; a compressed chunk is smaller,
 * because it unfolds.
 */

import { CHUNK_BYTES } from './chunk-reader.js';
import { type Codec, decompressorFor, type GzipPort, NO_GZIP } from './compression.js';
import type { Disk, DiskError, DiskFile } from './disk.js';
import { compressionOf, zxidInName } from './file-names.js';
import { SnapshotParser, type SnapshotSink } from './snapshot-parser.js';

/** What is wrong with a snapshot. */
export interface SnapshotDamage {
  /** Where, in the uncompressed stream, the unit begins that could not be read. */
  readonly offset: number;
  readonly reason: string;
}

/** Both null: the snapshot is whole. `error` means that the disk failed, `damage` that the content is not valid. */
export type OnSnapshotRead = (error: DiskError | null, damage: SnapshotDamage | null) => void;

const COMPRESSED_CHUNK_BYTES = CHUNK_BYTES / 8;

/** Reads the snapshot at `path` into `sink`. The file is closed before `done`. */
export function readSnapshotFile(
  disk: Disk,
  path: string,
  sink: SnapshotSink,
  done: OnSnapshotRead,
  gzip: GzipPort | null = null,
): void {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const parser = new SnapshotParser(sink, zxidInName(name, 'snapshot') ?? 0);
  const kind = compressionOf(name);
  disk.open(path, 'read', (error, file) => {
    if (error !== null || file === null) return done(error, null);
    const codec = decompressorFor(kind, gzip, (bytes, start, end) => parser.push(bytes, start, end));
    if (codec === null) return file.close(() => done({ code: 'io', path, message: NO_GZIP }, null));
    new SnapshotReading(file, codec, parser, kind === 'none' ? CHUNK_BYTES : COMPRESSED_CHUNK_BYTES, done).readOn();
  });
}

class SnapshotReading {
  readonly #file: DiskFile;
  readonly #codec: Codec;
  readonly #parser: SnapshotParser;
  readonly #done: OnSnapshotRead;
  /** While one chunk is taken apart, the next one is read into the other. */
  #chunk: Uint8Array;
  #other: Uint8Array;
  #position = 0;
  #isReading = false;
  #isPushing = false;
  /** Of the chunk that was read last. */
  #chunkBytes = 0;
  #isLast = false;
  #hasEnded = false;
  #error: DiskError | null = null;
  #reason: string | null = null;

  constructor(file: DiskFile, codec: Codec, parser: SnapshotParser, chunkBytes: number, done: OnSnapshotRead) {
    this.#file = file;
    this.#codec = codec;
    this.#parser = parser;
    this.#chunk = new Uint8Array(chunkBytes);
    this.#other = new Uint8Array(chunkBytes);
    this.#done = done;
  }

  readOn(): void {
    this.#isReading = true;
    this.#file.read(this.#position, this.#chunk, 0, this.#chunk.length, this.#onRead);
  }

  readonly #onRead = (error: DiskError | null, byteCount: number): void => {
    this.#isReading = false;
    this.#position += byteCount;
    this.#chunkBytes = byteCount;
    if (error !== null) this.#end(error, null);
    else this.#goOn();
  };

  /** When the chunk before is done with and the next one is there. */
  #goOn(): void {
    if (this.#isReading || this.#isPushing) return;
    if (this.#hasEnded) {
      this.#close();
      return;
    }
    const bytes = this.#chunk;
    const byteCount = this.#chunkBytes;
    this.#isLast = byteCount < bytes.length;
    this.#chunk = this.#other;
    this.#other = bytes;
    this.#isPushing = true;
    if (!this.#isLast) this.readOn();
    this.#codec.push(bytes, 0, byteCount, this.#isLast, this.#onPushed);
  }

  readonly #onPushed = (codecError: string | null): void => {
    this.#isPushing = false;
    // What the parser found comes first: it names the place.
    const reason = this.#parser.error ?? codecError;
    if (reason !== null) this.#end(null, reason);
    else if (this.#isLast) this.#end(null, this.#parser.end() ? null : this.#parser.error);
    else this.#goOn();
  };

  #end(error: DiskError | null, reason: string | null): void {
    this.#hasEnded = true;
    this.#error ??= error;
    this.#reason ??= reason;
    this.#goOn();
  }

  #close(): void {
    this.#codec.close();
    const error = this.#reason === null ? this.#error : null;
    const damage = this.#reason === null ? null : { offset: this.#parser.offset, reason: this.#reason };
    this.#file.close(() => this.#done(error, damage));
  }
}
