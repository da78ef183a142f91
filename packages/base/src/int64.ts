/**
 * 64-bit integers without BigInt on the data path.
 *
 * Two forms are used. A zxid, a time or a size is a *safe integer* (|n| <= 2^53 - 1): one Number.
 * A session id needs all 64 bits: a pair of int32 (`high`, `low`), which is a bigint only at the edges
 * (handshake, tools, text).
 */

const TWO_32 = 4294967296;

/** High 32 bits, signed, of a safe integer. */
export function highOf(value: number): number {
  return Math.floor(value / TWO_32) | 0;
}

/** Low 32 bits, as a signed int32, of a safe integer. */
export function lowOf(value: number): number {
  return value | 0;
}

/** True if the 64-bit integer fits a safe integer. */
export function isSafePair(high: number, low: number): boolean {
  return high >= -0x200000 && high < 0x200000 && !(high === -0x200000 && low === 0);
}

/** The number a pair stands for; exact only if {@link isSafePair}. */
export function pairToNumber(high: number, low: number): number {
  return high * TWO_32 + (low >>> 0);
}

export function pairToBigint(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}

export function highOfBigint(value: bigint): number {
  return Number(BigInt.asIntN(32, value >> 32n));
}

export function lowOfBigint(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

/** Unsigned lower-case hex without leading zeros, as ZooKeeper prints zxids and session ids (no `0x`). */
export function pairToHex(high: number, low: number): string {
  const lowHex = (low >>> 0).toString(16);
  return high === 0 ? lowHex : (high >>> 0).toString(16) + lowHex.padStart(8, '0');
}

/** As {@link pairToHex}, of a safe integer (negative ones in two's complement). */
export function toHex(value: number): string {
  return pairToHex(highOf(value), lowOf(value));
}
