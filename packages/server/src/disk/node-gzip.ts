/**
 * The GzipPort on node:zlib: streams in the thread pool, output in pieces of 64 KiB.
 *
 * A stream that ends early, or goes on behind its end (with more than zeros), is an error.
 */
import * as zlib from 'node:zlib';
import type { Codec, GzipPort, OnOutput } from '@zoots/storage';

const PIECE_BYTES = 64 * 1024;
const TRAILING = 'gzip: something follows the end of the stream';

export const nodeGzip: GzipPort = {
  compressor: (onOutput) => new StreamCodec(zlib.createGzip({ chunkSize: PIECE_BYTES }), onOutput),
  decompressor: (onOutput) => new StreamCodec(zlib.createGunzip({ chunkSize: PIECE_BYTES }), onOutput),
};

class StreamCodec implements Codec {
  readonly #stream: zlib.Gzip | zlib.Gunzip;
  /** The callback of the push under way. */
  #pending: ((error: string | null) => void) | null = null;
  #isLastPushed = false;
  #hasEnded = false;

  constructor(stream: zlib.Gzip | zlib.Gunzip, onOutput: OnOutput) {
    this.#stream = stream;
    stream.on('data', (piece: Buffer) => onOutput(piece, 0, piece.length));
    stream.on('error', (error) => this.#settle(`gzip: ${error.message}`));
    stream.on('end', () => {
      this.#hasEnded = true;
      this.#settle(this.#isLastPushed ? null : TRAILING);
    });
  }

  push(bytes: Uint8Array, start: number, end: number, isLast: boolean, done: (error: string | null) => void): void {
    this.#pending = done;
    this.#isLastPushed = isLast;
    const view = bytes.subarray(start, end);
    if (this.#hasEnded) this.#settle(TRAILING);
    else if (isLast) this.#stream.end(view);
    // The stream calls back once the bytes are consumed; what they led to may be emitted one tick later.
    else this.#stream.write(view, () => setImmediate(() => this.#settle(null)));
  }

  close(): void {
    this.#pending = null;
    this.#stream.destroy();
  }

  #settle(error: string | null): void {
    const done = this.#pending;
    this.#pending = null;
    done?.(error);
  }
}
