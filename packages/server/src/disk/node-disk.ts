/**
 * The Disk port on real files.
 *
 * Everything goes through libuv's thread pool, except that a short write which is synced right away (a log batch) is
 * copied into the page cache on the spot: 10 to 20 µs, against 60 to 80 µs for one more hop through the pool; the
 * fdatasync that follows takes 200 µs and more. Longer writes, and those of a snapshot, go through the pool, because
 * they could wait for the kernel to write back.
 *
 * fdatasync suffices for data: it includes the length when that is needed to find the data. A failed sync is reported and
 * never repeated, since the kernel forgets the pages it could not write.
 */
import * as fs from 'node:fs';
import type { Disk, DiskEntry, DiskError, DiskErrorCode, DiskFile, Done, OpenMode } from '@zoots/storage';

/** Up to this much is written on the spot if it is synced at once, and if it is not. */
const DIRECT_SYNCED_BYTES_MAX = 64 * 1024;
const DIRECT_UNSYNCED_BYTES_MAX = 4096;

const CODES: Readonly<Record<string, DiskErrorCode>> = {
  ENOENT: 'not-found',
  EEXIST: 'exists',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EACCES: 'not-permitted',
  EPERM: 'not-permitted',
  EROFS: 'not-permitted',
  ENOTDIR: 'not-a-directory',
};

const FLAGS: Readonly<Record<OpenMode, string>> = { read: 'r', write: 'r+', create: 'w+' };

function toDiskError(operation: string, path: string, error: NodeJS.ErrnoException): DiskError {
  const code = CODES[error.code ?? ''] ?? 'io';
  return { code, path, message: `${operation} ${path} failed: ${error.message}` };
}

/** A callback for node:fs that turns its error into ours. */
function reporting(operation: string, path: string, done: Done): (error: NodeJS.ErrnoException | null) => void {
  return (error) => done(error === null ? null : toDiskError(operation, path, error));
}

export class NodeDisk implements Disk {
  list(directory: string, done: (error: DiskError | null, entries: readonly DiskEntry[]) => void): void {
    fs.readdir(directory, { withFileTypes: true }, (error, found) => {
      if (error !== null) return done(toDiskError('list', directory, error), []);
      statAll(directory, found, done);
    });
  }

  makeDirectory(directory: string, done: Done): void {
    fs.mkdir(directory, { recursive: true }, (error) => reporting('create directory', directory, done)(error));
  }

  open(path: string, mode: OpenMode, done: (error: DiskError | null, file: DiskFile | null) => void): void {
    fs.open(path, FLAGS[mode], 0o644, (error, fd) => {
      if (error !== null) return done(toDiskError('open', path, error), null);
      fs.fstat(fd, (statError, stats) => {
        if (statError === null) return done(null, new NodeFile(fd, path, stats.size));
        fs.close(fd, () => done(toDiskError('stat', path, statError), null));
      });
    });
  }

  remove(path: string, done: Done): void {
    fs.unlink(path, reporting('remove', path, done));
  }

  rename(from: string, to: string, done: Done): void {
    fs.rename(from, to, reporting('rename', from, done));
  }

  syncDirectory(directory: string, done: Done): void {
    fs.open(directory, 'r', (error, fd) => {
      if (error !== null) return done(toDiskError('open directory', directory, error));
      fs.fsync(fd, (syncError) => {
        fs.close(fd, () => reporting('sync directory', directory, done)(syncError));
      });
    });
  }
}

/** Sizes of the files; one that has gone meanwhile is left out. */
function statAll(
  directory: string,
  found: readonly fs.Dirent[],
  done: (error: DiskError | null, entries: readonly DiskEntry[]) => void,
): void {
  const entries: DiskEntry[] = [];
  const statFrom = (index: number): void => {
    const entry = found[index];
    if (entry === undefined) {
      done(null, entries);
      return;
    }
    const path = `${directory}/${entry.name}`;
    fs.stat(path, (error, stats) => {
      if (error === null) entries.push({ name: entry.name, sizeBytes: stats.size, isDirectory: stats.isDirectory() });
      else if (error.code !== 'ENOENT') return done(toDiskError('stat', path, error), []);
      statFrom(index + 1);
    });
  };
  statFrom(0);
}

class NodeFile implements DiskFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #fd: number;

  constructor(fd: number, path: string, sizeBytes: number) {
    this.#fd = fd;
    this.path = path;
    this.sizeBytes = sizeBytes;
  }

  read(
    position: number,
    target: Uint8Array,
    start: number,
    end: number,
    done: (error: DiskError | null, byteCount: number) => void,
  ): void {
    let at = start;
    const readOn = (): void =>
      fs.read(this.#fd, target, at, end - at, position + at - start, (error, byteCount) => {
        if (error !== null) return done(toDiskError('read', this.path, error), 0);
        at += byteCount;
        if (byteCount === 0 || at === end) done(null, at - start);
        else readOn();
      });
    readOn();
  }

  write(position: number, bytes: Uint8Array, start: number, end: number, sync: boolean, done: Done): void {
    const directMax = sync ? DIRECT_SYNCED_BYTES_MAX : DIRECT_UNSYNCED_BYTES_MAX;
    if (end - start > directMax) this.#writeInPool(position, bytes, start, end, sync, done);
    else this.#writeDirectly(position, bytes, start, end, sync, done);
  }

  #writeDirectly(position: number, bytes: Uint8Array, start: number, end: number, sync: boolean, done: Done): void {
    let failure: DiskError | null = null;
    try {
      for (let at = start; at < end; ) at += fs.writeSync(this.#fd, bytes, at, end - at, position + at - start);
    } catch (error) {
      failure = toDiskError('write', this.path, error as NodeJS.ErrnoException);
    }
    if (failure !== null || !sync) setImmediate(done, failure);
    else this.sync(done);
  }

  #writeInPool(position: number, bytes: Uint8Array, start: number, end: number, sync: boolean, done: Done): void {
    let at = start;
    const writeOn = (): void =>
      fs.write(this.#fd, bytes, at, end - at, position + at - start, (error, byteCount) => {
        if (error !== null) return done(toDiskError('write', this.path, error));
        at += byteCount;
        if (at < end) writeOn();
        else if (sync) this.sync(done);
        else done(null);
      });
    writeOn();
  }

  sync(done: Done): void {
    fs.fdatasync(this.#fd, (error) => done(error === null ? null : toDiskError('sync', this.path, error)));
  }

  truncate(sizeBytes: number, done: Done): void {
    fs.ftruncate(this.#fd, sizeBytes, reporting('set the length of', this.path, done));
  }

  close(done: Done): void {
    fs.close(this.#fd, (error) => reporting('close', this.path, done)(error ?? null));
  }
}
