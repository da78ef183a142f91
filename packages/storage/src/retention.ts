/**
 * Which snapshots and logs are no longer needed.
 *
 * Kept are the N newest snapshots, and every log that a restart from the oldest of them might read: the one with the
 * largest zxid at or below that snapshot's, and all later ones. Everything older may go.
 */
import type { Disk, DiskError } from './disk.js';
import { filesOfKind, joinPath, type NamedFile } from './file-names.js';

/** autopurge.snapRetainCount is never less (Apache's rule). */
export const SNAPSHOTS_KEPT_MIN = 3;

/** Names of the files that may go. */
export interface Superfluous {
  readonly snapshots: readonly string[];
  readonly logs: readonly string[];
}

/**
 * `snapshots` and `logs` by ascending zxid (as `filesOfKind` gives them); `isUsable` says whether a snapshot counts
 * as one that can be loaded. One that does not is never counted among the kept ones, and goes only when it is older.
 */
export function findSuperfluous(
  snapshots: readonly NamedFile[],
  logs: readonly NamedFile[],
  keepCount: number,
  isUsable: (snapshot: NamedFile) => boolean = () => true,
): Superfluous {
  const usable = snapshots.filter(isUsable);
  const oldestKept = usable[usable.length - Math.max(keepCount, SNAPSHOTS_KEPT_MIN)];
  if (oldestKept === undefined) return { snapshots: [], logs: [] };
  let firstNeeded = 0;
  for (let i = 0; i < logs.length; i++) if ((logs[i] as NamedFile).zxid <= oldestKept.zxid) firstNeeded = i;
  return {
    snapshots: snapshots.filter((file) => file.zxid < oldestKept.zxid).map((file) => file.name),
    logs: logs.slice(0, firstNeeded).map((file) => file.name),
  };
}

export interface PurgeOptions {
  readonly snapshotDirectory: string;
  readonly logDirectory: string;
  readonly keepCount: number;
}

/** Removes what is superfluous, oldest first; a snapshot goes before the logs that belong to it. */
export function purge(
  disk: Disk,
  options: PurgeOptions,
  done: (error: DiskError | null, removed: readonly string[]) => void,
): void {
  const { snapshotDirectory, logDirectory } = options;
  disk.list(snapshotDirectory, (snapshotError, snapshotEntries) => {
    if (snapshotError !== null) return done(snapshotError, []);
    disk.list(logDirectory, (logError, logEntries) => {
      if (logError !== null) return done(logError, []);
      const snapshots = filesOfKind(snapshotEntries, 'snapshot');
      // A valid snapshot is never this short, whatever its compression; its seals are for recovery to check.
      const isUsable = (file: NamedFile): boolean => file.sizeBytes >= SNAPSHOT_BYTES_MIN;
      const goes = findSuperfluous(snapshots, filesOfKind(logEntries, 'log'), options.keepCount, isUsable);
      const paths = goes.snapshots.map((name) => joinPath(snapshotDirectory, name));
      for (const name of goes.logs) paths.push(joinPath(logDirectory, name));
      removeAll(disk, paths, 0, done);
    });
  });
}

/** Apache's own lower bound for a plain snapshot; compressed ones are longer than that too. */
const SNAPSHOT_BYTES_MIN = 10;

function removeAll(
  disk: Disk,
  paths: readonly string[],
  index: number,
  done: (error: DiskError | null, removed: readonly string[]) => void,
): void {
  const path = paths[index];
  if (path === undefined) {
    done(null, paths);
    return;
  }
  disk.remove(path, (error) => {
    // Somebody else may purge at the same time.
    if (error !== null && error.code !== 'not-found') return done(error, paths.slice(0, index));
    removeAll(disk, paths, index + 1, done);
  });
}
