/**
 * Stat, as clients see it (68 bytes) and as it is on disk (60 bytes).
 *
 *   Stat           long czxid, mzxid, ctime, mtime; int version, cversion, aversion; long ephemeralOwner;
 *                  int dataLength, numChildren; long pzxid
 *   StatPersisted  the same without dataLength and numChildren
 *
 * The persisted cversion counts creations; what a client sees is 2 * persisted - numChildren.
 */

export const STAT_BYTES = 68;
export const STAT_PERSISTED_BYTES = 60;

/** Offsets within StatPersisted. */
export const STAT_AT = {
  czxid: 0,
  mzxid: 8,
  ctime: 16,
  mtime: 24,
  version: 32,
  cversion: 36,
  aversion: 40,
  ephemeralOwner: 44,
  pzxid: 52,
} as const;
