/**
 * A Disk in memory: for tests, for servers without files, and for reading a directory that was loaded beforehand.
 *
 * Operations queue up and are carried out by `run()`, in the order in which they were asked for, each with its `done`:
 * deterministic, and never before the call returns. There are no crashes here (the simulator's disk has those), but an
 * operation can be made to fail. Directories need not be made before use.
 */
import type { Disk, DiskEntry, DiskError, DiskErrorCode, DiskFile, Done, OpenMode } from './disk.js';
import { parentPath } from './file-names.js';

interface Content {
  bytes: Uint8Array;
  length: number;
}

export type MemoryOperation =
  | 'list'
  | 'makeDirectory'
  | 'open'
  | 'remove'
  | 'rename'
  | 'syncDirectory'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'close';

function errorOf(code: DiskErrorCode, path: string, operation: string): DiskError {
  return { code, path, message: `${operation} ${path}: ${code}` };
}

/** Grows `content` to `length` bytes of room; new bytes are zero. */
function makeRoom(content: Content, length: number): void {
  if (length <= content.bytes.length) return;
  const grown = new Uint8Array(Math.max(length, content.bytes.length * 2));
  grown.set(content.bytes.subarray(0, content.length));
  content.bytes = grown;
}

export class MemoryDisk implements Disk {
  readonly #files = new Map<string, Content>();
  readonly #directories = new Set<string>();
  readonly #queue: (() => void)[] = [];
  readonly #failures: { operation: MemoryOperation; path: string; code: DiskErrorCode; skip: number }[] = [];
  /** What was carried out, as `operation path`, for tests that check an order. It grows until its owner empties it. */
  readonly journal: string[] = [];
  /** Called when there is something to {@link run}, once until the queue is empty again. */
  onQueued: () => void = () => {};

  /** Carries out everything that is queued and whatever that leads to. Returns the number of operations. */
  run(): number {
    let count = 0;
    while (this.step()) count++;
    return count;
  }

  /** Carries out the next operation; false if there is none. */
  step(): boolean {
    const next = this.#queue.shift();
    next?.();
    return next !== undefined;
  }

  /** The n-th (0 = next) operation of this kind on a path that contains `path` fails, once. */
  failNext(operation: MemoryOperation, path: string, code: DiskErrorCode, skip = 0): void {
    this.#failures.push({ operation, path, code, skip });
  }

  /** Content of a file as a copy, or null. */
  get(path: string): Uint8Array | null {
    const content = this.#files.get(path);
    return content === undefined ? null : content.bytes.slice(0, content.length);
  }

  put(path: string, bytes: Uint8Array): void {
    this.#files.set(path, { bytes: bytes.slice(), length: bytes.length });
    this.#directories.add(parentPath(path));
  }

  delete(path: string): void {
    this.#files.delete(path);
  }

  /** Paths of all files, sorted. */
  paths(): string[] {
    return [...this.#files.keys()].sort();
  }

  #submit(operation: MemoryOperation, path: string, action: (error: DiskError | null) => void): void {
    this.#queue.push(() => {
      this.journal.push(`${operation} ${path}`);
      action(this.#failureOf(operation, path));
    });
    if (this.#queue.length === 1) this.onQueued();
  }

  #failureOf(operation: MemoryOperation, path: string): DiskError | null {
    const at = this.#failures.findIndex((f) => f.operation === operation && path.includes(f.path));
    const failure = this.#failures[at];
    if (failure === undefined || failure.skip-- > 0) return null;
    this.#failures.splice(at, 1);
    return errorOf(failure.code, path, operation);
  }

  list(directory: string, done: (error: DiskError | null, entries: readonly DiskEntry[]) => void): void {
    this.#submit('list', directory, (error) => {
      if (error !== null) return done(error, []);
      if (!this.#directories.has(directory)) return done(errorOf('not-found', directory, 'list'), []);
      const entries: DiskEntry[] = [];
      for (const [path, content] of this.#files) {
        if (parentPath(path) !== directory) continue;
        entries.push({ name: path.slice(path.lastIndexOf('/') + 1), sizeBytes: content.length, isDirectory: false });
      }
      done(null, entries);
    });
  }

  makeDirectory(directory: string, done: Done): void {
    this.#submit('makeDirectory', directory, (error) => {
      if (error === null) this.#directories.add(directory);
      done(error);
    });
  }

  open(path: string, mode: OpenMode, done: (error: DiskError | null, file: DiskFile | null) => void): void {
    this.#submit('open', path, (error) => {
      if (error !== null) return done(error, null);
      if (mode === 'create') this.put(path, new Uint8Array(0));
      const content = this.#files.get(path);
      if (content === undefined) return done(errorOf('not-found', path, 'open'), null);
      done(null, this.#fileOver(path, content));
    });
  }

  remove(path: string, done: Done): void {
    this.#submit('remove', path, (error) => {
      if (error !== null) return done(error);
      done(this.#files.delete(path) ? null : errorOf('not-found', path, 'remove'));
    });
  }

  rename(from: string, to: string, done: Done): void {
    this.#submit('rename', from, (error) => {
      const content = this.#files.get(from);
      if (error !== null) return done(error);
      if (content === undefined) return done(errorOf('not-found', from, 'rename'));
      this.#files.delete(from);
      this.#files.set(to, content);
      done(null);
    });
  }

  syncDirectory(directory: string, done: Done): void {
    this.#submit('syncDirectory', directory, done);
  }

  #fileOver(path: string, content: Content): DiskFile {
    return {
      path,
      sizeBytes: content.length,
      read: (position, target, start, end, done) =>
        this.#submit('read', path, (error) => {
          const count = Math.max(0, Math.min(end - start, content.length - position));
          if (error !== null) return done(error, 0);
          target.set(content.bytes.subarray(position, position + count), start);
          done(null, count);
        }),
      write: (position, bytes, start, end, sync, done) =>
        this.#submit('write', path, (writeError) => {
          const error = writeError ?? (sync ? this.#failureOf('sync', path) : null);
          if (writeError === null) {
            makeRoom(content, position + end - start);
            content.bytes.set(bytes.subarray(start, end), position);
            content.length = Math.max(content.length, position + end - start);
          }
          done(error);
        }),
      sync: (done) => this.#submit('sync', path, done),
      truncate: (sizeBytes, done) =>
        this.#submit('truncate', path, (error) => {
          if (error === null) {
            makeRoom(content, sizeBytes);
            if (sizeBytes < content.length) content.bytes.fill(0, sizeBytes, content.length);
            content.length = sizeBytes;
          }
          done(error);
        }),
      close: (done) => this.#submit('close', path, done),
    };
  }
}
