/**
 * Names of the files in a data directory, and the paths between them.
 *
 * `log.<zxid>` and `snapshot.<zxid>[.gz|.snappy]`: the zxid is unsigned hex, lower case, without leading zeros. As in
 * Apache's server a name is split at the dots, the first part is the kind and the second the zxid; further parts are
 * ignored, and a name whose second part is no number is not seen at all. Order is by zxid, never by name or time.
 */
import { toHex } from '@zoots/base';
import type { DiskEntry } from './disk.js';

export type SnapshotCompression = 'none' | 'gz' | 'snappy';

/** A log or snapshot that lies in a directory. */
export interface NamedFile {
  readonly name: string;
  /** The zxid in the name. Snapshots: state as of this one. Logs: the first record. */
  readonly zxid: number;
  readonly sizeBytes: number;
}

const SUFFIXES: Record<SnapshotCompression, string> = { none: '', gz: '.gz', snappy: '.snappy' };

/**
 * Snapshots grow under this kind of name. Apache's server does not see it (its first part is not `snapshot`), and we
 * remove what a crash left.
 */
export function snapshotTemporaryName(zxid: number, compression: SnapshotCompression): string {
  return `snapshot-${toHex(zxid)}${SUFFIXES[compression]}.tmp`;
}

export function snapshotName(zxid: number, compression: SnapshotCompression): string {
  return `snapshot.${toHex(zxid)}${SUFFIXES[compression]}`;
}

const UNDONE_PREFIX = 'undone-';

/**
 * What a snapshot is called whose state was undone by a truncation of the log. Its first part is not `snapshot`, so neither
 * Apache's server nor ours takes it for one.
 */
export function undoneSnapshotName(name: string): string {
  return UNDONE_PREFIX + name;
}

export function isUndoneSnapshotName(name: string): boolean {
  return name.startsWith(`${UNDONE_PREFIX}snapshot.`);
}

export function logName(zxid: number): string {
  return `log.${toHex(zxid)}`;
}

/** The suffix alone decides how a snapshot is read. */
export function compressionOf(name: string): SnapshotCompression {
  if (name.endsWith(SUFFIXES.gz)) return 'gz';
  return name.endsWith(SUFFIXES.snappy) ? 'snappy' : 'none';
}

export function isTemporaryName(name: string): boolean {
  return name.endsWith('.tmp');
}

/** The zxid in a name of the given kind; null if the name is of another kind or holds no usable number. */
export function zxidInName(name: string, kind: 'log' | 'snapshot'): number | null {
  const parts = name.split('.');
  const digits = parts[1];
  if (parts[0] !== kind || digits === undefined || !/^[0-9a-fA-F]{1,16}$/.test(digits)) return null;
  const zxid = Number.parseInt(digits, 16);
  return Number.isSafeInteger(zxid) ? zxid : null;
}

/** The files of one kind, by ascending zxid (and by name among equals). Temporary files are left out. */
export function filesOfKind(entries: readonly DiskEntry[], kind: 'log' | 'snapshot'): NamedFile[] {
  const files: NamedFile[] = [];
  for (const entry of entries) {
    if (entry.isDirectory || isTemporaryName(entry.name)) continue;
    const zxid = zxidInName(entry.name, kind);
    if (zxid !== null) files.push({ name: entry.name, zxid, sizeBytes: entry.sizeBytes });
  }
  return files.sort((a, b) => a.zxid - b.zxid || (a.name < b.name ? -1 : 1));
}

export function joinPath(directory: string, name: string): string {
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
}

/** The directory that holds `path`. */
export function parentPath(path: string): string {
  const trimmed = path.endsWith('/') ? path.slice(0, -1) : path;
  const slash = trimmed.lastIndexOf('/');
  if (slash < 0) return '.';
  return slash === 0 ? '/' : trimmed.slice(0, slash);
}
