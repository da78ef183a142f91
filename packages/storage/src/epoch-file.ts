/**
 * `currentEpoch` and `acceptedEpoch`: one decimal number in a small file, replaced as a whole.
 *
 * A new value is written to `<name>.tmp`, synced, renamed, and the directory synced: a crash leaves the old or the new
 * number. That matters because a server that forgets an epoch it promised could vote twice in it.
 */
import type { Disk, DiskError, Done } from './disk.js';
import { joinPath } from './file-names.js';

export type EpochFileName = 'currentEpoch' | 'acceptedEpoch';

/** Longer content is no epoch. */
const CONTENT_BYTES_MAX = 64;

/**
 * Reads an epoch. Null if the file is missing; an error if it holds no number. `fileName` may also be one left behind
 * (`currentEpoch.tmp`).
 */
export function readEpoch(
  disk: Disk,
  directory: string,
  fileName: EpochFileName | 'currentEpoch.tmp',
  done: (error: DiskError | null, epoch: number | null) => void,
): void {
  const path = joinPath(directory, fileName);
  disk.open(path, 'read', (openError, file) => {
    if (openError?.code === 'not-found') return done(null, null);
    if (openError !== null || file === null) return done(openError, null);
    const bytes = new Uint8Array(CONTENT_BYTES_MAX);
    file.read(0, bytes, 0, bytes.length, (readError, byteCount) =>
      file.close(() => {
        if (readError !== null) return done(readError, null);
        const epoch = parseEpoch(bytes, byteCount);
        const error: DiskError = { code: 'io', path, message: `${path} does not hold an epoch (a decimal number)` };
        done(epoch === null ? error : null, epoch);
      }),
    );
  });
}

/** The number on the first line; null if it is none. */
function parseEpoch(bytes: Uint8Array, length: number): number | null {
  let text = '';
  for (let i = 0; i < length && bytes[i] !== 0x0a; i++) text += String.fromCharCode(bytes[i]);
  const digits = text.trim();
  const epoch = /^[0-9]{1,15}$/.test(digits) ? Number(digits) : -1;
  return epoch >= 0 ? epoch : null;
}

/** Replaces the epoch, durably. */
export function writeEpoch(disk: Disk, directory: string, fileName: EpochFileName, epoch: number, done: Done): void {
  const path = joinPath(directory, fileName);
  const temporary = `${path}.tmp`;
  const digits = String(epoch);
  const bytes = Uint8Array.from(digits, (digit) => digit.charCodeAt(0));
  const rename: Done = (error) => {
    if (error !== null) return done(error);
    disk.rename(temporary, path, (renameError) => {
      if (renameError !== null) done(renameError);
      else disk.syncDirectory(directory, done);
    });
  };
  disk.open(temporary, 'create', (openError, file) => {
    if (openError !== null || file === null) return done(openError);
    file.write(0, bytes, 0, bytes.length, true, (error) => file.close((closeError) => rename(error ?? closeError)));
  });
}
