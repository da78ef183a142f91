/**
 * Raw Snappy blocks, compression and decompression, from the format's description.
 *
 *   block     varint length of the uncompressed data (little-endian groups of seven bits), then elements
 *   literal   tag low bits 00; high six bits = length - 1, or 60..63: the length - 1 follows in 1..4 bytes
 *   copy 1    01; 3 bits length - 4, 3 high bits of the offset, 1 byte of offset
 *   copy 2    10; 6 bits length - 1, 2 bytes of offset
 *   copy 4    11; 6 bits length - 1, 4 bytes of offset
 * All multi-byte numbers are little-endian. A copy may overlap what it produces.
 */
import type { ByteWriter } from '@zoots/base';

const HASH_BITS = 14;
/** Shorter inputs are stored as one literal; matching needs some bytes of look-ahead. */
const MATCHABLE_BYTES_MIN = 16;

/** Compresses blocks of up to 64 KiB. Holds the table that is reused from block to block. */
export class SnappyCompressor {
  readonly #table = new Uint16Array(1 << HASH_BITS);

  /** Appends the compressed form of `bytes` from `start` to `end` to `out`. */
  compress(bytes: Uint8Array, start: number, end: number, out: ByteWriter): void {
    const length = end - start;
    // The worst case is one literal after another, each with its own tag: a sixth more, and the length.
    out.reserve(32 + length + Math.ceil(length / 6));
    writeVarint(out, length);
    const literalStart = length < MATCHABLE_BYTES_MIN ? start : this.#matches(bytes, start, end, out);
    if (literalStart < end) writeLiteral(out, bytes, literalStart, end);
  }

  /** Greedy: looks up each four bytes, emits literals and copies. Returns where the last literal begins. */
  #matches(bytes: Uint8Array, start: number, end: number, out: ByteWriter): number {
    const table = this.#table.fill(0);
    const limit = end - 8;
    let literalStart = start;
    let at = start + 1;
    let misses = 32;
    while (at <= limit) {
      const word = word32(bytes, at);
      const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - HASH_BITS);
      const candidate = start + table[slot];
      table[slot] = at - start;
      if (candidate >= at || word32(bytes, candidate) !== word) {
        // The longer nothing matches, the larger the steps: incompressible data costs little.
        at += misses++ >>> 5;
        continue;
      }
      if (literalStart < at) writeLiteral(out, bytes, literalStart, at);
      let matched = 4;
      while (at + matched < end && bytes[candidate + matched] === bytes[at + matched]) matched++;
      writeCopies(out, at - candidate, matched);
      at += matched;
      literalStart = at;
      misses = 32;
    }
    return literalStart;
  }
}

function word32(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

function writeVarint(out: ByteWriter, value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    out.int8((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  out.int8(rest);
}

function writeLiteral(out: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  const last = end - start - 1;
  if (last < 60) out.int8(last << 2);
  else {
    const lengthBytes = last < 0x100 ? 1 : last < 0x10000 ? 2 : 3;
    out.int8((59 + lengthBytes) << 2);
    for (let i = 0; i < lengthBytes; i++) out.int8(last >>> (8 * i));
  }
  out.raw(bytes, start, end);
}

/** One match as copies of at most 64 bytes; a remainder below 4 is avoided, because short copies can't say it. */
function writeCopies(out: ByteWriter, offset: number, length: number): void {
  let rest = length;
  while (rest >= 68) {
    writeCopy2(out, offset, 64);
    rest -= 64;
  }
  if (rest > 64) {
    writeCopy2(out, offset, 60);
    rest -= 60;
  }
  if (rest >= 12 || offset >= 2048) writeCopy2(out, offset, rest);
  else {
    out.int8(1 | ((rest - 4) << 2) | ((offset >>> 8) << 5));
    out.int8(offset);
  }
}

function writeCopy2(out: ByteWriter, offset: number, length: number): void {
  out.int8(2 | ((length - 1) << 2));
  out.int8(offset);
  out.int8(offset >>> 8);
}

/** The length that a block says it has uncompressed, -1 if it says none. */
export function snappyLength(bytes: Uint8Array, start: number, end: number): number {
  let length = 0;
  for (let i = 0; i < 5 && start + i < end; i++) {
    const byte = bytes[start + i];
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return length <= 0xffffffff ? length : -1;
  }
  return -1;
}

/**
 * Decompresses the block from `start` to `end` into `target` at 0. Returns the number of bytes, or -1 if the block is
 * malformed or `target` is too small; `target` then holds rubbish.
 */
export function snappyDecompress(bytes: Uint8Array, start: number, end: number, target: Uint8Array): number {
  const length = snappyLength(bytes, start, end);
  if (length < 0 || length > target.length) return -1;
  let at = start;
  while (bytes[at] >= 0x80) at++;
  at++;
  let to = 0;
  while (at < end) {
    const tag = bytes[at++];
    const kind = tag & 3;
    if (kind === 0) {
      const extra = Math.max(0, (tag >>> 2) - 59);
      if (at + extra > end) return -1;
      const count = 1 + (extra === 0 ? tag >>> 2 : littleEndian(bytes, at, extra));
      at += extra;
      if (at + count > end || to + count > length) return -1;
      target.set(bytes.subarray(at, at + count), to);
      at += count;
      to += count;
      continue;
    }
    const offsetBytes = kind === 3 ? 4 : kind;
    if (at + offsetBytes > end) return -1;
    const count = kind === 1 ? 4 + ((tag >>> 2) & 7) : 1 + (tag >>> 2);
    const offset = littleEndian(bytes, at, offsetBytes) + (kind === 1 ? (tag >>> 5) * 256 : 0);
    at += offsetBytes;
    if (offset === 0 || offset > to || to + count > length) return -1;
    // Byte by byte: the copy may read what it has just written.
    for (const copyEnd = to + count; to < copyEnd; to++) target[to] = target[to - offset];
  }
  return to === length ? length : -1;
}

function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i];
  return value;
}
