/**
 * The Disk port: everything the pure packages may do with files.
 *
 * Two implementations: `server/disk/node-disk.ts` (real files) and `sim/sim-disk.ts` (a page cache and a durable image,
 * with crashes, torn and lost writes, slow and failing syncs, a full disk, bit rot).
 *
 * Rules both keep:
 * - `done` is called exactly once, never before the call returns.
 * - Bytes handed to `write` or `append` belong to the disk until `done`.
 * - What was written is durable only after `sync` of the file (and, for a new or renamed name, `syncDirectory`).
 * - After a failed `sync` the file's unsynced content is undefined: the caller must stop, never retry.
 *
 * Which faults each file survives: a transaction log loses what was not synced, may end in a torn record, and is refused
 * when damaged anywhere else; a snapshot is written under a temporary name, synced and renamed, so a crash leaves either
 * none or a whole one; epoch files likewise.
 */

export type DiskErrorCode =
  | 'not-found'
  | 'exists'
  | 'no-space'
  | 'io'
  | 'not-permitted'
  | 'not-a-directory'
  | 'crashed';

export interface DiskError {
  readonly code: DiskErrorCode;
  /** The path concerned. */
  readonly path: string;
  /** For people; names the operation and the system's own words. */
  readonly message: string;
}

export interface DiskEntry {
  readonly name: string;
  readonly sizeBytes: number;
  readonly isDirectory: boolean;
}

export type Done = (error: DiskError | null) => void;

/** `read`: must exist. `write`: must exist, read and write. `create`: made, or cut to length 0. */
export type OpenMode = 'read' | 'write' | 'create';

export interface Disk {
  /** Entries in no particular order; sort before use. */
  list(directory: string, done: (error: DiskError | null, entries: readonly DiskEntry[]) => void): void;
  makeDirectory(directory: string, done: Done): void;
  open(path: string, mode: OpenMode, done: (error: DiskError | null, file: DiskFile | null) => void): void;
  remove(path: string, done: Done): void;
  rename(from: string, to: string, done: Done): void;
  /** Makes creations, renames and removals in the directory durable. */
  syncDirectory(directory: string, done: Done): void;
}

export interface DiskFile {
  readonly path: string;
  /** Length when opened; later changes are the owner's to count. */
  readonly sizeBytes: number;
  /** Fills `target` from `start` to `end`; fewer bytes only at the end of the file. */
  read(
    position: number,
    target: Uint8Array,
    start: number,
    end: number,
    done: (error: DiskError | null, byteCount: number) => void,
  ): void;
  /** Writes all or fails. With `sync` the data is durable when `done` comes (one hop: a group commit). */
  write(position: number, bytes: Uint8Array, start: number, end: number, sync: boolean, done: Done): void;
  sync(done: Done): void;
  /** Sets the length: cuts, or extends with zeros. */
  truncate(sizeBytes: number, done: Done): void;
  close(done: Done): void;
}
