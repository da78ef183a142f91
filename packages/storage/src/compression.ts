/**
 * Compressed snapshots: how a stream of bytes is packed while it is written, and unpacked while it is read.
 *
 * gz is standard gzip, done by the host through `GzipPort`. snappy is the framing of the xerial library, which is what
 * Apache's server writes:
 *   8 bytes 82 53 4e 41 50 50 59 00, int version 1, int oldest compatible version 1,
 *   then blocks { int compressed length, raw Snappy block } of up to 32,768 bytes of content each.
 * Neither checks the content as strictly as we want it; the seals inside the stream do.
 */
import { ByteWriter } from '@zoots/base';
import type { SnapshotCompression } from './file-names.js';
import { SnappyCompressor, snappyDecompress, snappyLength } from './snappy.js';

/** Receives a part of the output: a compressor's is its own from now on, a decompressor's valid during the call only. */
export type OnOutput = (bytes: Uint8Array, start: number, end: number) => void;

/**
 * A stream that is being packed or unpacked. One `push` at a time: the next one only after `done`, which may come before
 * the call returns. All output that the bytes so far lead to comes before `done`. `error` is a text; after it, nothing
 * more may be pushed.
 */
export interface Codec {
  /** Takes bytes from `start` to `end`, which are free again at `done`; `isLast` with the final ones (may be none). */
  push(bytes: Uint8Array, start: number, end: number, isLast: boolean, done: (error: string | null) => void): void;
  /** Gives up what the codec holds, at any time. No callback comes afterwards. */
  close(): void;
}

/** gzip by the host (node:zlib in the server). */
export interface GzipPort {
  compressor(onOutput: OnOutput): Codec;
  decompressor(onOutput: OnOutput): Codec;
}

/** How the files of each kind begin. */
export const GZIP_MAGIC: readonly number[] = [0x1f, 0x8b];
export const SNAPPY_MAGIC: readonly number[] = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00];
const SNAPPY_HEADER_BYTES = 16;
const SNAPPY_BLOCK_BYTES = 32768;
/** Blocks that another writer made larger are read up to this size. */
const SNAPPY_BLOCK_BYTES_MAX = 64 * 1024 * 1024;

/** The error where a gz snapshot is to be read or written without a `GzipPort`. */
export const NO_GZIP = 'gzip is not available here';

export function compressorFor(kind: SnapshotCompression, gzip: GzipPort | null, onOutput: OnOutput): Codec | null {
  if (kind === 'gz') return gzip === null ? null : gzip.compressor(onOutput);
  return kind === 'snappy' ? new SnappyPacker(onOutput) : new PlainCodec(onOutput);
}

export function decompressorFor(kind: SnapshotCompression, gzip: GzipPort | null, onOutput: OnOutput): Codec | null {
  if (kind === 'gz') return gzip === null ? null : gzip.decompressor(onOutput);
  return kind === 'snappy' ? new SnappyUnpacker(onOutput) : new PlainCodec(onOutput);
}

/** Passes everything on as it is. */
class PlainCodec implements Codec {
  readonly #onOutput: OnOutput;

  constructor(onOutput: OnOutput) {
    this.#onOutput = onOutput;
  }

  push(bytes: Uint8Array, start: number, end: number, _isLast: boolean, done: (error: string | null) => void): void {
    if (end > start) this.#onOutput(bytes, start, end);
    done(null);
  }

  close(): void {}
}

/** Packs into xerial blocks. */
class SnappyPacker implements Codec {
  readonly #onOutput: OnOutput;
  readonly #compressor = new SnappyCompressor();
  /** Content of the block that is not full yet. */
  readonly #block = new Uint8Array(SNAPPY_BLOCK_BYTES);
  #blockBytes = 0;
  #isStarted = false;

  constructor(onOutput: OnOutput) {
    this.#onOutput = onOutput;
  }

  push(bytes: Uint8Array, start: number, end: number, isLast: boolean, done: (error: string | null) => void): void {
    const out = new ByteWriter(64 + (end - start));
    if (!this.#isStarted) {
      this.#isStarted = true;
      out.raw(Uint8Array.from(SNAPPY_MAGIC));
      out.int32(1);
      out.int32(1);
    }
    let at = start;
    while (at < end) {
      const count = Math.min(end - at, SNAPPY_BLOCK_BYTES - this.#blockBytes);
      this.#block.set(bytes.subarray(at, at + count), this.#blockBytes);
      this.#blockBytes += count;
      at += count;
      if (this.#blockBytes === SNAPPY_BLOCK_BYTES) this.#emit(out);
    }
    if (isLast && this.#blockBytes > 0) this.#emit(out);
    if (out.length > 0) this.#onOutput(out.bytes, 0, out.length);
    done(null);
  }

  #emit(out: ByteWriter): void {
    const lengthAt = out.length;
    out.int32(0);
    this.#compressor.compress(this.#block, 0, this.#blockBytes, out);
    out.setInt32At(lengthAt, out.length - lengthAt - 4);
    this.#blockBytes = 0;
  }

  close(): void {}
}

/** Unpacks xerial blocks; keeps what is not a whole block until more comes. */
class SnappyUnpacker implements Codec {
  readonly #onOutput: OnOutput;
  readonly #held = new ByteWriter(2 * SNAPPY_BLOCK_BYTES);
  /** Content of the block at hand; reused. */
  #content = new Uint8Array(SNAPPY_BLOCK_BYTES);
  #isStarted = false;

  constructor(onOutput: OnOutput) {
    this.#onOutput = onOutput;
  }

  push(bytes: Uint8Array, start: number, end: number, isLast: boolean, done: (error: string | null) => void): void {
    const held = this.#held;
    held.raw(bytes, start, end);
    let at = 0;
    let error: string | null = null;
    if (!this.#isStarted && held.length >= SNAPPY_HEADER_BYTES) {
      if (!startsWith(held.bytes, SNAPPY_MAGIC)) error = 'the stream does not begin as Snappy does';
      this.#isStarted = true;
      at = SNAPPY_HEADER_BYTES;
    }
    while (error === null && this.#isStarted && held.length - at >= 4) {
      const blockEnd = at + 4 + held.view.getInt32(at);
      const length = blockEnd - at - 4;
      if (length <= 0 || length > SNAPPY_BLOCK_BYTES_MAX) error = 'a Snappy block has an impossible length';
      else if (blockEnd > held.length) break;
      else {
        error = this.#unpack(held.bytes, at + 4, blockEnd);
        at = blockEnd;
      }
    }
    this.#keepFrom(at);
    if (error === null && isLast && (held.length > 0 || !this.#isStarted)) error = 'the stream ends within a block';
    done(error);
  }

  #unpack(bytes: Uint8Array, start: number, end: number): string | null {
    const length = snappyLength(bytes, start, end);
    if (length < 0 || length > SNAPPY_BLOCK_BYTES_MAX) return 'a Snappy block has an impossible size';
    if (length > this.#content.length) this.#content = new Uint8Array(length);
    if (snappyDecompress(bytes, start, end, this.#content) < 0) return 'a Snappy block is damaged';
    this.#onOutput(this.#content, 0, length);
    return null;
  }

  #keepFrom(at: number): void {
    const held = this.#held;
    held.bytes.copyWithin(0, at, held.length);
    held.length -= at;
  }

  close(): void {}
}

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return bytes.length >= prefix.length && prefix.every((byte, at) => bytes[at] === byte);
}
