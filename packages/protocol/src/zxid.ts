/**
 * A zxid is epoch * 2^32 + counter, kept as one safe-integer Number: epochs stay below 2^21 (two million elections), which
 * is asserted where a zxid enters from disk or wire. -1 ("none") is a Number too.
 */
import { toHex } from '@zoots/base';

const TWO_32 = 4294967296;
export const EPOCH_MAX = 0x1fffff;
export const COUNTER_MAX = 0xffffffff;

export function epochOf(zxid: number): number {
  return Math.floor(zxid / TWO_32);
}

export function counterOf(zxid: number): number {
  return zxid - epochOf(zxid) * TWO_32;
}

export function makeZxid(epoch: number, counter: number): number {
  return epoch * TWO_32 + counter;
}

/** `0x` and lower-case hex, as ZooKeeper prints it. */
export function formatZxid(zxid: number): string {
  return `0x${toHex(zxid)}`;
}
