/**
 * What the server must survive, and with what outcome. The fault injector stays within this; docs/simulation.md says it for
 * people.
 *
 * | fault | must happen |
 * |---|---|
 * | process killed at any event | nothing told to a client is lost |
 * | power cut at any event | the same; unsynced sectors vanish in any subset, or everything behind some byte of the last write |
 * | a crash during recovery | the next recovery succeeds |
 * | a failed sync, write, or directory change of the log | the server stops, and has told nobody of what was not durable |
 * | the same while a snapshot is written | the snapshot is given up, the server goes on |
 * | disk full | as a failed write; after room is made it starts |
 * | one flipped bit in a file, before a start | the exact state, or a refusal that names the file; never a state with a loss |
 *
 * Outside the budget: two flipped bits at once; a flipped bit in what a crash left of the last batch (it cannot be told from
 * a torn write, and the durable mark says where that begins); power cuts with forceSync=no; files removed by others.
 */
import type { Prng } from '@zoots/base';
import type { DiskImage, Inode } from './disk-image.js';

export interface Flip {
  readonly where: string;
  undo(): void;
}

const LOG_HEADER_BYTES = 16;
const MARK_OFFSET = 8;
const MARK_END = 16;
const MARK_TAG = 0x5a4f;

/** Flips one bit somewhere that the budget allows; null if there is no such place. */
export function flipForBudget(image: DiskImage, prng: Prng): Flip | null {
  const paths = [...image.names.keys()].filter((path) => /\/(log|snapshot)\./.test(path)).sort();
  if (paths.length === 0) return null;
  const path = prng.pick(paths);
  const inode = image.names.get(path) as Inode;
  const end = path.includes('/log.') ? flippableEnd(inode) : inode.cachedLength;
  if (end <= 0 || !inode.isClean) return null;
  const offset = prng.below(end);
  if (path.includes('/log.') && offset >= MARK_OFFSET && offset < MARK_END) return null;
  const bit = prng.below(8);
  inode.flipBit(offset, bit);
  return { where: `${path} at ${offset}, bit ${bit}`, undo: () => inode.flipBit(offset, bit) };
}

/** Up to the durable mark; a finished log, which has none, up to its last byte that is not zero. */
function flippableEnd(inode: Inode): number {
  const view = new DataView(inode.cached.buffer, inode.cached.byteOffset, inode.cached.byteLength);
  if (inode.cachedLength < LOG_HEADER_BYTES) return 0;
  if (view.getUint16(MARK_OFFSET) === MARK_TAG) return view.getUint32(MARK_OFFSET + 4);
  let end = inode.cachedLength;
  while (end > 0 && inode.cached[end - 1] === 0) end--;
  return end;
}
