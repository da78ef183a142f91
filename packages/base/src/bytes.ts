/**
 * Big-endian reading and writing over one Uint8Array.
 *
 * The reader never throws: a read past the end sets `failed` and yields zeros, so a decoder reads a whole
 * record and asks once. The writer grows. Neither allocates per field.
 */
import { highOf, lowOf, pairToNumber } from './int64.js';

/** Longer ranges are copied as a whole. */
const COPIED_IN_STEPS_MAX = 256;

export class ByteWriter {
  /** Valid from 0 to `length`; replaced when the writer grows, so do not keep it across a write. */
  bytes: Uint8Array;
  view: DataView;
  length = 0;
  /** Others have it, too: it is not written to any more. */
  isShared = false;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed > this.bytes.length) this.#grow(needed);
  }

  #grow(needed: number): void {
    let capacity = Math.max(64, this.bytes.length * 2);
    while (capacity < needed) capacity *= 2;
    const grown = new Uint8Array(capacity);
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  clear(): void {
    this.length = 0;
  }

  int8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  bool(value: boolean): void {
    this.int8(value ? 1 : 0);
  }

  int32(value: number): void {
    this.reserve(4);
    this.view.setInt32(this.length, value);
    this.length += 4;
  }

  /** Overwrites four bytes that were written before. */
  setInt32At(offset: number, value: number): void {
    this.view.setInt32(offset, value);
  }

  /** A safe integer as a 64-bit two's complement long. */
  long(value: number): void {
    this.reserve(8);
    this.view.setInt32(this.length, highOf(value));
    this.view.setInt32(this.length + 4, lowOf(value));
    this.length += 8;
  }

  longPair(high: number, low: number): void {
    this.reserve(8);
    this.view.setInt32(this.length, high);
    this.view.setInt32(this.length + 4, low);
    this.length += 8;
  }

  /** Bytes as they are, without a length. */
  raw(source: Uint8Array, start = 0, end = source.length): void {
    const count = end - start;
    this.reserve(count);
    // A loop beats `set(subarray)` for the short runs (paths, headers) that dominate: no view is made.
    if (count <= 48) {
      const target = this.bytes;
      let at = this.length;
      for (let i = start; i < end; i++) target[at++] = source[i] as number;
    } else {
      this.bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.length);
    }
    this.length += count;
  }

  /** Jute buffer: int32 length and bytes; null is length -1. */
  buffer(source: Uint8Array | null): void {
    if (source === null) {
      this.int32(-1);
      return;
    }
    this.int32(source.length);
    this.raw(source);
  }

  bufferRange(source: Uint8Array, start: number, end: number): void {
    this.int32(end - start);
    this.raw(source, start, end);
  }

  /**
   * {@link bufferRange} of a reader's bytes. Both have a view, and four bytes at a time through these, 128 bytes take 40 ns;
   * `set(subarray)` takes 60 and leaves a view to the collector.
   */
  bufferFrom(reader: ByteReader, start: number, end: number): void {
    const count = end - start;
    if (count > COPIED_IN_STEPS_MAX) {
      this.bufferRange(reader.bytes, start, end);
      return;
    }
    this.reserve(4 + count);
    const { view } = this;
    const source = reader.view;
    view.setInt32(this.length, count);
    let at = this.length + 4;
    let from = start;
    for (const last = end - 4; from <= last; from += 4, at += 4) view.setInt32(at, source.getInt32(from));
    for (; from < end; from++, at++) view.setUint8(at, source.getUint8(from));
    this.length = at;
  }

  /** Jute ustring. Written as CESU-8 (each UTF-16 unit on its own), as Java writes it. */
  string(text: string | null): void {
    if (text === null) {
      this.int32(-1);
      return;
    }
    this.reserve(4 + text.length * 3);
    const lengthAt = this.length;
    const target = this.bytes;
    let at = lengthAt + 4;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x80) target[at++] = unit;
      else if (unit < 0x800) {
        target[at++] = 0xc0 | (unit >> 6);
        target[at++] = 0x80 | (unit & 0x3f);
      } else {
        target[at++] = 0xe0 | (unit >> 12);
        target[at++] = 0x80 | ((unit >> 6) & 0x3f);
        target[at++] = 0x80 | (unit & 0x3f);
      }
    }
    this.view.setInt32(lengthAt, at - lengthAt - 4);
    this.length = at;
  }

  /** A copy of what was written. */
  toBytes(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

/** A cursor over `bytes` from `start` to `end` (exclusive). Owns nothing: valid as long as the bytes are. */
export class ByteReader {
  bytes: Uint8Array;
  view: DataView;
  offset = 0;
  end = 0;
  /** Sticky: some read went past `end`, or a length was negative (other than -1) or too large. */
  failed = false;
  /** Start of the last buffer or string read by {@link range}; -1 when it was null. */
  rangeStart = 0;
  rangeEnd = 0;

  constructor(bytes: Uint8Array = new Uint8Array(0), start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offset = start;
    this.end = end;
  }

  /** Points the reader at other bytes. A new DataView is made only if `bytes` is another array. */
  reset(bytes: Uint8Array, start: number, end: number): this {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.offset = start;
    this.end = end;
    this.failed = false;
    return this;
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  #take(count: number): number {
    const at = this.offset;
    if (this.failed || at + count > this.end) {
      this.failed = true;
      return -1;
    }
    this.offset = at + count;
    return at;
  }

  int8(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : (this.bytes[at] as number);
  }

  /** Any non-zero byte is true, as in Java's reader. */
  bool(): boolean {
    return this.int8() !== 0;
  }

  int32(): number {
    const at = this.#take(4);
    return at < 0 ? 0 : this.view.getInt32(at);
  }

  /** A long as a Number; exact only for safe integers. Read pairs of {@link int32} where all 64 bits count. */
  long(): number {
    const at = this.#take(8);
    return at < 0 ? 0 : pairToNumber(this.view.getInt32(at), this.view.getInt32(at + 4));
  }

  longBigint(): bigint {
    const at = this.#take(8);
    return at < 0 ? 0n : this.view.getBigInt64(at);
  }

  /**
   * Reads the length of a jute buffer or ustring and skips its content; `rangeStart` and `rangeEnd` then say
   * where the content is. Returns false for null (and after a failure).
   */
  range(): boolean {
    const length = this.int32();
    if (this.failed || length < 0) {
      if (length < -1) this.failed = true;
      this.rangeStart = -1;
      this.rangeEnd = -1;
      return false;
    }
    const at = this.#take(length);
    this.rangeStart = at;
    this.rangeEnd = at + length;
    return at >= 0;
  }

  /** Jute buffer as a copy, or null. */
  buffer(): Uint8Array | null {
    if (!this.range()) return null;
    // Called by name: a subclass's own `slice` may give a view (Node's Buffer does), which changes when its bytes are reused.
    return Uint8Array.prototype.slice.call(this.bytes, this.rangeStart, this.rangeEnd);
  }

  /** Jute ustring, or null. Malformed UTF-8 becomes U+FFFD, as in Java's reader. */
  string(): string | null {
    return this.range() ? decodeUtf8(this.bytes, this.rangeStart, this.rangeEnd) : null;
  }

  /**
   * Length of a vector: -1 for null. Fails if it could not fit in what is left (`elementBytesMin` each). Any other negative
   * length is an empty vector, as for Java's reader.
   */
  count(elementBytesMin: number): number {
    const count = this.int32();
    if (count < -1) return 0;
    if (count * elementBytesMin > this.remaining) {
      this.failed = true;
      return 0;
    }
    return count;
  }
}

/**
 * Strict UTF-8 to a string; each malformed part becomes U+FFFD the way Java and the WHATWG decoder do it
 * (one replacement per maximal subpart). An encoded surrogate, which Java's own writer produces, is malformed.
 */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  let i = start;
  while (i < end) {
    const first = bytes[i] as number;
    if (first < 0x80) {
      text += String.fromCharCode(first);
      i++;
      continue;
    }
    let need = 0;
    let low = 0x80;
    let high = 0xbf;
    let point = 0;
    if (first >= 0xc2 && first <= 0xdf) {
      need = 1;
      point = first & 0x1f;
    } else if (first >= 0xe0 && first <= 0xef) {
      need = 2;
      point = first & 0x0f;
      if (first === 0xe0) low = 0xa0;
      else if (first === 0xed) high = 0x9f;
    } else if (first >= 0xf0 && first <= 0xf4) {
      need = 3;
      point = first & 0x07;
      if (first === 0xf0) low = 0x90;
      else if (first === 0xf4) high = 0x8f;
    } else {
      text += '\ufffd';
      i++;
      continue;
    }
    i++;
    let complete = true;
    for (; need > 0; need--) {
      const next = i < end ? (bytes[i] as number) : -1;
      if (next < low || next > high) {
        complete = false;
        break;
      }
      low = 0x80;
      high = 0xbf;
      point = (point << 6) | (next & 0x3f);
      i++;
    }
    text += complete ? String.fromCodePoint(point) : '\ufffd';
  }
  return text;
}

/** Text as bytes, in the form {@link ByteWriter.string} writes (CESU-8). */
export function encodeUtf8(text: string): Uint8Array {
  const writer = new ByteWriter(4 + text.length * 3);
  writer.string(text);
  return writer.bytes.slice(4, writer.length);
}

/** Lexicographic comparison of two byte ranges for equality. */
export function equalRanges(
  left: Uint8Array,
  leftStart: number,
  right: Uint8Array,
  rightStart: number,
  length: number,
): boolean {
  for (let i = 0; i < length; i++) if (left[leftStart + i] !== right[rightStart + i]) return false;
  return true;
}
