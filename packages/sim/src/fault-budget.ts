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
 * Outside the budget: two flipped bits at once; power cuts with forceSync=no; a torn sector in the middle of a write whose
 * later sectors arrived; files removed by others.
 */
import type { Prng } from '@zoots/base';
import type { DiskImage, Inode } from './disk-image.js';

export interface Flip {
  readonly where: string;
  undo(): void;
}

/** Flips one bit in a log or snapshot, in what is written there; null if there is nothing to flip. */
export function flipForBudget(image: DiskImage, prng: Prng): Flip | null {
  const paths = [...image.names.keys()].filter((path) => /\/(log|snapshot)\./.test(path)).sort();
  if (paths.length === 0) return null;
  const path = prng.pick(paths);
  const inode = image.names.get(path) as Inode;
  const end = writtenEnd(inode);
  if (end === 0 || !inode.isClean) return null;
  const offset = prng.below(end);
  const bit = prng.below(8);
  inode.flipBit(offset, bit);
  return { where: `${path} at ${offset}, bit ${bit}`, undo: () => inode.flipBit(offset, bit) };
}

/** Behind the last byte that is not zero. */
function writtenEnd(inode: Inode): number {
  let end = inode.cachedLength;
  while (end > 0 && inode.cached[end - 1] === 0) end--;
  return end;
}
