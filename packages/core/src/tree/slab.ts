/**
 * Byte strings (paths, znode data) off the V8 heap: 512 KiB chunks carved into size classes, with a free list per class.
 *
 * A handle is an int32: chunk number and offset in units of 8 bytes, or, for values above 128 KiB, a number below -1 that
 * names an array of its own. -1 is "nothing" (an empty or null value). 32,768 chunks bound the slab at 16 GiB.
 *
 * Freed space goes back to its class and is used again by values of that class; chunks are not given back.
 */
import { assert } from '@zoots/base';

const UNIT_BITS = 3;
const UNITS_PER_CHUNK_BITS = 16;
const CHUNK_BYTES = 1 << (UNIT_BITS + UNITS_PER_CHUNK_BITS);
const CHUNKS_MAX = 32768;
const SMALL_BYTES_MAX = 128 * 1024;
export const NO_BYTES = -1;

/** Class sizes in bytes: steps of 8 up to 128, then about a fifth more each time. */
const CLASS_BYTES: number[] = [];
for (let size = 8; size <= SMALL_BYTES_MAX; ) {
  CLASS_BYTES.push(size);
  size =
    size < 128
      ? size + 8
      : Math.min((Math.ceil((size * 6) / 5) + 7) & ~7, size === SMALL_BYTES_MAX ? Infinity : SMALL_BYTES_MAX);
}

/** Class of a length, by units; lengths above the table are large. */
const CLASS_OF_UNITS = new Uint8Array((SMALL_BYTES_MAX >> UNIT_BITS) + 1);
for (let units = 1, at = 0; units < CLASS_OF_UNITS.length; units++) {
  while ((CLASS_BYTES[at] as number) < units << UNIT_BITS) at++;
  CLASS_OF_UNITS[units] = at;
}

export class Slab {
  readonly #chunks: Uint8Array[] = [];
  #cursor = CHUNK_BYTES;
  readonly #free: number[][] = CLASS_BYTES.map(() => []);
  readonly #large = new Map<number, Uint8Array>();
  #nextLarge = -2;

  /** Copies the range in; returns its handle ({@link NO_BYTES} if it is empty). */
  store(source: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length <= 0) return NO_BYTES;
    if (length > SMALL_BYTES_MAX) return this.#storeLarge(source, start, end);
    const handle = this.#allocate(CLASS_OF_UNITS[(length + 7) >> UNIT_BITS] as number);
    const chunk = this.chunkOf(handle);
    let at = this.offsetOf(handle);
    if (length <= 64) for (let i = start; i < end; i++) chunk[at++] = source[i] as number;
    else chunk.set(source.subarray(start, end), at);
    return handle;
  }

  /** Gives the space of a value of `length` bytes back. */
  release(handle: number, length: number): void {
    if (handle === NO_BYTES) return;
    if (handle < NO_BYTES) {
      this.#large.delete(handle);
      return;
    }
    (this.#free[CLASS_OF_UNITS[(length + 7) >> UNIT_BITS] as number] as number[]).push(handle);
  }

  /** The array that holds the value; it starts at {@link offsetOf}. */
  chunkOf(handle: number): Uint8Array {
    if (handle >= 0) return this.#chunks[handle >>> UNITS_PER_CHUNK_BITS] as Uint8Array;
    return handle === NO_BYTES ? EMPTY : (this.#large.get(handle) as Uint8Array);
  }

  offsetOf(handle: number): number {
    return handle >= 0 ? (handle & 0xffff) << UNIT_BITS : 0;
  }

  #storeLarge(source: Uint8Array, start: number, end: number): number {
    const handle = this.#nextLarge--;
    this.#large.set(handle, source.slice(start, end));
    return handle;
  }

  #allocate(sizeClass: number): number {
    const reused = (this.#free[sizeClass] as number[]).pop();
    if (reused !== undefined) return reused;
    const size = CLASS_BYTES[sizeClass] as number;
    if (this.#cursor + size > CHUNK_BYTES) {
      assert(this.#chunks.length < CHUNKS_MAX, 'the slab is full (16 GiB)');
      this.#chunks.push(new Uint8Array(CHUNK_BYTES));
      this.#cursor = 0;
    }
    const handle = ((this.#chunks.length - 1) << UNITS_PER_CHUNK_BITS) | (this.#cursor >> UNIT_BITS);
    this.#cursor += size;
    return handle;
  }
}

const EMPTY = new Uint8Array(0);
