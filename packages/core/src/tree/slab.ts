/**
 * Byte strings (paths, znode data) off the V8 heap: 512 KiB chunks carved into size classes, with a free list per class.
 *
 * A handle is an int32: chunk number and offset in units of 8 bytes, or, for values above 128 KiB, a number below -1 that
 * names an array of its own. -1 is "nothing" (an empty or null value). 32,768 chunks bound the slab at 16 GiB.
 *
 * Freed space goes back to its class and is used again by values of that class; chunks are not given back.
 */
import { assert, type ByteWriter } from '@zoots/base';

const UNIT_BITS = 3;
const UNITS_PER_CHUNK_BITS = 16;
const CHUNK_BYTES = 1 << (UNIT_BITS + UNITS_PER_CHUNK_BITS);
const CHUNKS_MAX = 32768;
const SMALL_BYTES_MAX = 128 * 1024;
export const NO_BYTES = -1;
const EMPTY = new Uint8Array(0);

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

/**
 * Up to here values are copied eight bytes at a time through DataViews: 128 bytes in 40 ns. `set(subarray)` takes 60 ns and makes
 * a view, of which a million creates and the snapshots beside them leave half a gigabyte to the collector; a loop takes 190 ns.
 */
const COPIED_IN_STEPS_MAX = 256;

export class Slab {
  readonly #chunks: Uint8Array[] = [];
  readonly #views: DataView[] = [];
  /** A view of the array that the last value came from: the next one mostly comes from there, too. */
  #source: Uint8Array = EMPTY;
  #sourceView: DataView = new DataView(EMPTY.buffer);
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
    const at = this.offsetOf(handle);
    if (length > COPIED_IN_STEPS_MAX) this.chunkOf(handle).set(source.subarray(start, end), at);
    else copyInSteps(this.#viewOf(source), start, end, this.#views[handle >>> UNITS_PER_CHUNK_BITS] as DataView, at);
    return handle;
  }

  #viewOf(source: Uint8Array): DataView {
    if (source !== this.#source) {
      this.#source = source;
      this.#sourceView = new DataView(source.buffer, source.byteOffset, source.byteLength);
    }
    return this.#sourceView;
  }

  /** Appends the value to a writer. */
  writeTo(out: ByteWriter, handle: number, length: number): void {
    const start = this.offsetOf(handle);
    if (handle <= NO_BYTES || length > COPIED_IN_STEPS_MAX) {
      if (length > 0) out.raw(this.chunkOf(handle), start, start + length);
      return;
    }
    out.reserve(length);
    const view = this.#views[handle >>> UNITS_PER_CHUNK_BITS] as DataView;
    copyInSteps(view, start, start + length, out.view, out.length);
    out.length += length;
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
    // Called by name: a Buffer's own `slice` is a view.
    this.#large.set(handle, Uint8Array.prototype.slice.call(source, start, end));
    return handle;
  }

  #allocate(sizeClass: number): number {
    const reused = (this.#free[sizeClass] as number[]).pop();
    if (reused !== undefined) return reused;
    const size = CLASS_BYTES[sizeClass] as number;
    if (this.#cursor + size > CHUNK_BYTES) {
      assert(this.#chunks.length < CHUNKS_MAX, 'the slab is full (16 GiB)');
      const chunk = new Uint8Array(CHUNK_BYTES);
      this.#chunks.push(chunk);
      this.#views.push(new DataView(chunk.buffer));
      this.#cursor = 0;
    }
    const handle = ((this.#chunks.length - 1) << UNITS_PER_CHUNK_BITS) | (this.#cursor >> UNIT_BITS);
    this.#cursor += size;
    return handle;
  }
}

function copyInSteps(source: DataView, start: number, end: number, target: DataView, targetStart: number): void {
  let from = start;
  let to = targetStart;
  for (const last = end - 8; from <= last; from += 8, to += 8) {
    target.setInt32(to, source.getInt32(from));
    target.setInt32(to + 4, source.getInt32(from + 4));
  }
  for (; from < end; from++, to++) target.setUint8(to, source.getUint8(from));
}
