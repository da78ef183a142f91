/**
 * Reads the journal that power-cut.c writes, and builds the library. Record format: see the head of power-cut.c.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PeerMissingError } from '../peers/peer.js';
import { projectRoot } from '../peers/versions.js';

export const recordKinds = {
  create: 1,
  write: 2,
  truncate: 3,
  sync: 4,
  rename: 5,
  unlink: 6,
  mkdir: 7,
  syncDirectory: 8,
  lost: 9,
} as const;

const headBytes = 24;

export interface JournalRecord {
  readonly kind: number;
  /** Where the record starts and ends in the journal. */
  readonly start: number;
  readonly end: number;
  readonly inode: bigint;
  readonly offset: number;
  readonly payload: Buffer;
}

/** All whole records; a record cut short by the kill of its writer is left out. */
export function readJournal(bytes: Buffer): JournalRecord[] {
  const records: JournalRecord[] = [];
  let at = 0;
  while (at + headBytes <= bytes.length) {
    const end = at + headBytes + bytes.readUInt32LE(at + 4);
    if (end > bytes.length) break;
    records.push({
      kind: bytes.readUInt32LE(at),
      start: at,
      end,
      inode: bytes.readBigUInt64LE(at + 8),
      offset: Number(bytes.readBigUInt64LE(at + 16)),
      payload: bytes.subarray(at + headBytes, end),
    });
    at = end;
  }
  return records;
}

/** Compiles power-cut.c into `directory`. Throws PeerMissingError where that cannot be done. */
export function buildPowerCutLibrary(directory: string): string {
  if (process.platform !== 'linux') throw new PeerMissingError('power cuts: the preload library needs Linux');
  const source = join(projectRoot, 'packages', 'e2e', 'src', 'crash', 'power-cut.c');
  const library = join(directory, 'power-cut.so');
  if (existsSync(library)) return library;
  const compiler = spawnSync('cc', ['-O2', '-shared', '-fPIC', '-o', library, source, '-lpthread'], {
    encoding: 'utf8',
  });
  if (compiler.error !== undefined) {
    throw new PeerMissingError('power cuts: no C compiler (cc); install gcc to run them');
  }
  if (compiler.status !== 0) throw new Error(`power-cut.c does not compile:\n${compiler.stderr}`);
  return library;
}
