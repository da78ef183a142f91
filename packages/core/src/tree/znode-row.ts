/** How a znode's row of int32 is laid out; see znode-store.ts, the only file that reads one but by way of {@link F}. */

import { equalRanges } from '@zoots/base';

/** Offsets of a row's fields. */
export const F = {
  pathHandle: 0,
  pathLength: 1,
  dataHandle: 2,
  /** -1: null data. */
  dataLength: 3,
  parent: 4,
  /** Of a row that is not in use: the next such row. */
  firstChild: 5,
  nextSibling: 6,
  previousSibling: 7,
  childCount: 8,
  /** Pins and marks (low 8 bits), number of the snapshot that has the row already (high 24 bits). */
  flags: 9,
  acl: 10,
  /** CRC-32 over path and data, for the digest; kept so that a change of the stat alone need not read the data. */
  contentCrc: 11,
  /** The znode's share of the digest; kept because each change takes the old share out. */
  digest: 12,
} as const;

/** czxid and ctime: all of the stat, while it has no row of its own. */
export const FRESH = 13;
/** Where the stat is. */
export const STAT_ROW = 17;
export const ROW_INTS = 18;

/** Reasons to keep an id. */
export const PIN = { present: 1, pending: 2, dataWatch: 4, childWatch: 8, quota: 16 } as const;
export const PINS = 0x1f;
/** Below `/zookeeper/`: not part of the digest. */
export const UNDER_SYSTEM = 0x20;
/** Somebody keeps a list of the children: `ChildObserver`. */
export const LISTED = 0x40;
export const MARK_SHIFT = 8;
export const MARK_MASK = 0xffffff;

export const NONE = -1;
export const ROOT = 0;

const SYSTEM_PREFIX = new Uint8Array([0x2f, 0x7a, 0x6f, 0x6f, 0x6b, 0x65, 0x65, 0x70, 0x65, 0x72, 0x2f]);

export function isUnderSystem(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start > SYSTEM_PREFIX.length && equalRanges(bytes, start, SYSTEM_PREFIX, 0, SYSTEM_PREFIX.length);
}
