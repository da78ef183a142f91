/**
 * Adler-32 (RFC 1950) over a byte range: the checksum of log records and of snapshots.
 */

const MODULUS = 65521;

/**
 * Bytes that can be summed before reducing. zlib's bound is 5552 with unsigned sums; ours is lower so that the second
 * sum stays below 2^31 and never leaves the engine's small-integer arithmetic: 255·n·(n+1)/2 + (n+1)·65520 < 2^31.
 */
const RUN_BYTES = 3792;

/**
 * The checksum, unsigned, of `bytes` from `start` to `end`. `seed` is the checksum of what came before (1 = nothing):
 * `adler32(b, 0, n)` equals `adler32(b, k, n, adler32(b, 0, k))`.
 */
export function adler32(bytes: Uint8Array, start: number, end: number, seed = 1): number {
  let low = seed & 0xffff;
  let high = seed >>> 16;
  let at = start;
  while (at < end) {
    const runEnd = end - at > RUN_BYTES ? at + RUN_BYTES : end;
    // Eight bytes a step, with the weights written out, so that the two sums don't wait for each other.
    for (const last = runEnd - 8; at <= last; at += 8) {
      const b0 = bytes[at];
      const b1 = bytes[at + 1];
      const b2 = bytes[at + 2];
      const b3 = bytes[at + 3];
      const b4 = bytes[at + 4];
      const b5 = bytes[at + 5];
      const b6 = bytes[at + 6];
      const b7 = bytes[at + 7];
      high += (low << 3) + (b0 << 3) + b1 * 7 + b2 * 6 + b3 * 5 + (b4 << 2) + b5 * 3 + (b6 << 1) + b7;
      low += b0 + b1 + b2 + b3 + b4 + b5 + b6 + b7;
    }
    for (; at < runEnd; at++) {
      low += bytes[at];
      high += low;
    }
    low %= MODULUS;
    high %= MODULUS;
  }
  return ((high << 16) | low) >>> 0;
}
