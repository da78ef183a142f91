/** The GzipPort, at once: node:zlib's synchronous calls on the whole stream, given out in pieces. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { ByteWriter } from '@zoots/base';
import type { Codec, GzipPort, OnOutput } from '@zoots/storage';

const PIECE_BYTES = 4096;

class WholeCodec implements Codec {
  readonly #gathered = new ByteWriter(4096);
  readonly #convert: (bytes: Uint8Array) => Uint8Array;
  readonly #onOutput: OnOutput;

  constructor(convert: (bytes: Uint8Array) => Uint8Array, onOutput: OnOutput) {
    this.#convert = convert;
    this.#onOutput = onOutput;
  }

  push(bytes: Uint8Array, start: number, end: number, isLast: boolean, done: (error: string | null) => void): void {
    this.#gathered.raw(bytes, start, end);
    done(isLast ? this.#finish() : null);
  }

  #finish(): string | null {
    try {
      const output = this.#convert(this.#gathered.toBytes());
      for (let at = 0; at < output.length; at += PIECE_BYTES) {
        const piece = output.slice(at, at + PIECE_BYTES);
        this.#onOutput(piece, 0, piece.length);
      }
      return null;
    } catch (error) {
      return `gzip: ${(error as Error).message}`;
    }
  }

  close(): void {}
}

export const simGzip: GzipPort = {
  compressor: (onOutput) => new WholeCodec((bytes) => gzipSync(bytes, { level: 1 }), onOutput),
  decompressor: (onOutput) => new WholeCodec((bytes) => gunzipSync(bytes), onOutput),
};
