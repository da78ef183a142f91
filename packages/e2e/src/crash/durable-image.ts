/**
 * What a disk may hold after a power cut, worked out from a journal of everything that was done to it.
 *
 * Per inode there is the synced content and a list of changes since; per directory tree there are the durable names and
 * a list of name changes since. `materialise` writes one legal state into a directory:
 *
 *   strict  nothing unsynced survives
 *   torn    of the unsynced writes, any 512-byte sector survives or not, each on its own; of the unsynced name
 *           changes, the first few
 *
 * When a name becomes durable is a choice, because file systems differ:
 *
 *   posix      only a sync of the directory it is in makes it so; that is all that the standard promises
 *   journaled  any sync of a file makes every earlier name change durable, as ext4, XFS and the like do in fact
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Prng } from '../differential/prng.js';
import { type JournalRecord, recordKinds } from './journal.js';

export type NameRule = 'posix' | 'journaled';
export type CutKind = 'strict' | 'torn';

const sectorBytes = 512;

/** File content that is mostly holes: sectors by number. Preallocated logs would cost 64 MiB each otherwise. */
class Sectors {
  size = 0;
  readonly #sectors = new Map<number, Buffer>();

  write(offset: number, bytes: Buffer, keep: (sector: number) => boolean): void {
    let at = 0;
    while (at < bytes.length) {
      const sector = Math.floor((offset + at) / sectorBytes);
      const within = (offset + at) % sectorBytes;
      const count = Math.min(sectorBytes - within, bytes.length - at);
      if (keep(sector)) {
        bytes.copy(this.#sector(sector), within, at, at + count);
        this.size = Math.max(this.size, offset + at + count);
      }
      at += count;
    }
  }

  truncate(size: number): void {
    if (size < this.size) {
      for (const sector of this.#sectors.keys()) if (sector * sectorBytes >= size) this.#sectors.delete(sector);
      const last = this.#sectors.get(Math.floor(size / sectorBytes));
      last?.fill(0, size % sectorBytes);
    }
    this.size = size;
  }

  copy(): Sectors {
    const copy = new Sectors();
    copy.size = this.size;
    for (const [sector, bytes] of this.#sectors) copy.#sectors.set(sector, Buffer.from(bytes));
    return copy;
  }

  store(path: string): void {
    const file = openSync(path, 'w');
    for (const [sector, bytes] of this.#sectors) writeSync(file, bytes, 0, sectorBytes, sector * sectorBytes);
    ftruncateSync(file, this.size);
    closeSync(file);
  }

  #sector(number: number): Buffer {
    let bytes = this.#sectors.get(number);
    if (bytes === undefined) {
      bytes = Buffer.alloc(sectorBytes);
      this.#sectors.set(number, bytes);
    }
    return bytes;
  }
}

interface FileState {
  durable: Sectors;
  /** Writes and truncations since the last sync, oldest first. */
  pending: JournalRecord[];
}

/** A name (below the root) of a file, by inode, or of a directory. */
type Name = bigint | 'directory';
type NameChange = {
  readonly directories: readonly string[];
  readonly end: number;
  apply(names: Map<string, Name>): void;
};

export class DurableImage {
  readonly #root: string;
  readonly #rule: NameRule;
  readonly #files = new Map<bigint, FileState>();
  /** Names as the process sees them, and as a cut would leave them; paths relative to the root. */
  readonly #names = new Map<string, Name>();
  readonly #durableNames = new Map<string, Name>();
  #pendingNames: NameChange[] = [];

  /** `root` as it is now is durable; the journal of a run that starts now may then be fed in. */
  constructor(root: string, rule: NameRule) {
    this.#root = root;
    this.#rule = rule;
    this.#scan('');
  }

  #scan(relative: string): void {
    for (const entry of readdirSync(join(this.#root, relative), { withFileTypes: true })) {
      const path = relative === '' ? entry.name : `${relative}/${entry.name}`;
      if (entry.isDirectory()) {
        this.#names.set(path, 'directory');
        this.#scan(path);
      } else {
        const inode = statSync(join(this.#root, path), { bigint: true }).ino;
        const durable = new Sectors();
        const bytes = readFileSync(join(this.#root, path));
        durable.write(0, bytes, (sector) => !isZero(bytes, sector));
        durable.truncate(bytes.length);
        this.#files.set(inode, { durable, pending: [] });
        this.#names.set(path, inode);
      }
    }
    for (const [path, name] of this.#names) this.#durableNames.set(path, name);
  }

  apply(record: JournalRecord): void {
    const row = rows[record.kind];
    if (row === undefined) throw new Error(`journal record of unknown kind ${record.kind} at ${record.start}`);
    row(this, record);
  }

  create(record: JournalRecord): void {
    const path = this.#relative(record.payload.toString());
    this.#files.set(record.inode, { durable: new Sectors(), pending: [] });
    this.#changeNames([dirname(path)], record.end, (names) => names.set(path, record.inode));
  }

  change(record: JournalRecord): void {
    this.#file(record.inode).pending.push(record);
  }

  sync(record: JournalRecord): void {
    const file = this.#file(record.inode);
    const rest: JournalRecord[] = [];
    for (const change of file.pending) {
      if (change.end <= record.offset) applyChange(file.durable, change, () => true);
      else rest.push(change);
    }
    file.pending = rest;
    if (this.#rule === 'journaled') this.#settleNames((change) => change.end <= record.offset);
  }

  lose(record: JournalRecord): void {
    const file = this.#file(record.inode);
    file.pending = file.pending.filter((change) => change.end > record.offset);
  }

  rename(record: JournalRecord): void {
    const [from, to] = record.payload
      .toString()
      .split('\0')
      .map((path) => this.#relative(path)) as [string, string];
    this.#changeNames([dirname(from), dirname(to)], record.end, (names) => {
      const name = names.get(from);
      names.delete(from);
      if (name !== undefined) names.set(to, name);
    });
  }

  unlink(record: JournalRecord): void {
    const path = this.#relative(record.payload.toString());
    this.#changeNames([dirname(path)], record.end, (names) => names.delete(path));
  }

  mkdir(record: JournalRecord): void {
    const path = this.#relative(record.payload.toString());
    this.#changeNames([dirname(path)], record.end, (names) => names.set(path, 'directory'));
  }

  syncDirectory(record: JournalRecord): void {
    const path = this.#relative(record.payload.toString());
    this.#settleNames((change) => change.end <= record.offset && change.directories.includes(path));
  }

  #relative(path: string): string {
    return path === this.#root ? '.' : path.slice(this.#root.length + 1);
  }

  #file(inode: bigint): FileState {
    const file = this.#files.get(inode);
    if (file === undefined) throw new Error(`the journal names inode ${inode}, which it never created`);
    return file;
  }

  #changeNames(directories: string[], end: number, apply: (names: Map<string, Name>) => void): void {
    apply(this.#names);
    this.#pendingNames.push({ directories, end, apply });
  }

  #settleNames(isSettled: (change: NameChange) => boolean): void {
    this.#pendingNames = this.#pendingNames.filter((change) => {
      if (!isSettled(change)) return true;
      change.apply(this.#durableNames);
      return false;
    });
  }

  /** Writes a state that a cut at this moment may leave into `target`, which must be empty. */
  materialise(target: string, cut: CutKind, prng: Prng): void {
    const names = new Map(this.#durableNames);
    const survivors = cut === 'strict' ? 0 : prng.below(this.#pendingNames.length + 1);
    for (const change of this.#pendingNames.slice(0, survivors)) change.apply(names);
    for (const path of [...names.keys()].sort()) {
      const name = names.get(path) as Name;
      // A name in a directory that is not durable itself cannot be reached.
      if (!isReachable(path, names)) continue;
      if (name === 'directory') mkdirSync(join(target, path));
      else this.#surviving(name, cut, prng).store(join(target, path));
    }
  }

  #surviving(inode: bigint, cut: CutKind, prng: Prng): Sectors {
    const file = this.#file(inode);
    if (cut === 'strict' || file.pending.length === 0) return file.durable;
    const content = file.durable.copy();
    // Each cut has a temper: mostly lost, half, mostly kept. A fair coin alone would hardly ever tear only the end.
    const share = prng.pick([0.05, 0.5, 0.95]);
    const keep = () => prng.chance(share);
    for (const change of file.pending) {
      if (change.kind === recordKinds.write) applyChange(content, change, keep);
      else if (keep()) applyChange(content, change, keep);
    }
    return content;
  }
}

const rows: Readonly<Record<number, (image: DurableImage, record: JournalRecord) => void>> = {
  [recordKinds.create]: (image, record) => image.create(record),
  [recordKinds.write]: (image, record) => image.change(record),
  [recordKinds.truncate]: (image, record) => image.change(record),
  [recordKinds.sync]: (image, record) => image.sync(record),
  [recordKinds.rename]: (image, record) => image.rename(record),
  [recordKinds.unlink]: (image, record) => image.unlink(record),
  [recordKinds.mkdir]: (image, record) => image.mkdir(record),
  [recordKinds.syncDirectory]: (image, record) => image.syncDirectory(record),
  [recordKinds.lost]: (image, record) => image.lose(record),
};

function applyChange(content: Sectors, change: JournalRecord, keep: (sector: number) => boolean): void {
  if (change.kind === recordKinds.write) content.write(change.offset, change.payload, keep);
  else content.truncate(change.offset);
}

function isReachable(path: string, names: ReadonlyMap<string, Name>): boolean {
  const parent = dirname(path);
  return parent === '.' || (names.get(parent) === 'directory' && isReachable(parent, names));
}

function isZero(bytes: Buffer, sector: number): boolean {
  const end = Math.min(bytes.length, (sector + 1) * sectorBytes);
  for (let at = sector * sectorBytes; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}
