/**
 * `zoots cleanup`, called by zkCleanup.sh: removes the snapshots and logs that a restart no longer needs, keeping the
 * COUNT newest snapshots that look whole. Arguments, lines and exit codes are those of Apache's PurgeTxnLog.
 *
 * Which files may go is decided in @zoots/storage, for this command and for autopurge alike. One difference: with fewer
 * than COUNT snapshots nothing goes; Apache's then removes what is older than the oldest of them.
 */
import { closeSync, existsSync, openSync, readdirSync, readSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  compressionOf,
  filesOfKind,
  findSuperfluous,
  GZIP_MAGIC,
  type NamedFile,
  SNAPPY_MAGIC,
  SNAPSHOTS_KEPT_MIN,
} from '@zoots/storage';
import { mediumDateTime } from '../data-tools/text-forms.js';

const countMessage = `count should be greater than or equal to ${SNAPSHOTS_KEPT_MIN}`;

const usage = `Usage:
PurgeTxnLog dataLogDir [snapDir] -n count
\tdataLogDir -- the directory of the transaction logs
\tsnapDir -- the directory of the snapshots, if it is another
\tcount -- how many snapshots to keep, with the logs that go with them; at least ${SNAPSHOTS_KEPT_MIN}`;

export async function run(words: readonly string[]): Promise<number> {
  const directories = words.slice(0, -2);
  const [option, count] = words.slice(-2);
  const [logDir, snapDir = logDir] = directories;
  if (logDir === undefined || snapDir === undefined || directories.length > 2) return refuse(null);
  for (const directory of directories) {
    if (!existsSync(directory)) return refuse(`Path '${resolve(directory)}' does not exist. `);
  }
  if (!/^[-+]?\d+$/.test(count as string)) return refuse(`'${count}' can not be parsed to integer.`);
  if (Number(count) < SNAPSHOTS_KEPT_MIN) return refuse(countMessage);
  return option === '-n' ? purge(logDir, snapDir, Number(count)) : refuse(null);
}

function refuse(message: string | null): number {
  if (message !== null) console.error(message);
  console.log(usage);
  return 1;
}

function purge(logDir: string, snapDir: string, keepCount: number): number {
  const logDirectory = join(logDir, 'version-2');
  const snapshotDirectory = join(snapDir, 'version-2');
  const logs = filesIn(logDirectory, 'log');
  const snapshots = filesIn(snapshotDirectory, 'snapshot');
  const goes = findSuperfluous(snapshots, logs, keepCount, (file) => looksWhole(snapshotDirectory, file));
  const paths = [
    ...goes.logs.map((name) => join(logDirectory, name)),
    ...goes.snapshots.map((name) => join(snapshotDirectory, name)),
  ];
  for (const path of paths) remove(path);
  return 0;
}

function remove(path: string): void {
  const changedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  console.log(`Removing file: ${mediumDateTime(changedMs)}\t${path}`);
  try {
    // Somebody else may purge at the same time: a file that is gone is no failure.
    rmSync(path, { force: true });
  } catch (error) {
    console.error(`Failed to remove ${path}: ${(error as Error).message}`);
  }
}

function filesIn(directory: string, kind: 'log' | 'snapshot'): NamedFile[] {
  if (!existsSync(directory)) return [];
  const entries = readdirSync(directory, { withFileTypes: true }).map((entry) => ({
    name: entry.name,
    sizeBytes: statSync(join(directory, entry.name), { throwIfNoEntry: false })?.size ?? 0,
    isDirectory: entry.isDirectory(),
  }));
  return filesOfKind(entries, kind);
}

/** A plain snapshot ends in an int 1 and a slash, and is never shorter than this. */
const PLAIN_TAIL = [0, 0, 0, 1, 0x2f];
const PLAIN_BYTES_MIN = 10;

/** The look that Apache's server takes before it tries a snapshot: the end of a plain one, the beginning of the others. */
function looksWhole(directory: string, file: NamedFile): boolean {
  const kind = compressionOf(file.name);
  if (kind === 'none' && file.sizeBytes < PLAIN_BYTES_MIN) return false;
  const wanted = kind === 'none' ? PLAIN_TAIL : kind === 'gz' ? GZIP_MAGIC : SNAPPY_MAGIC;
  const position = kind === 'none' ? file.sizeBytes - PLAIN_TAIL.length : 0;
  const found = Buffer.alloc(wanted.length);
  const fd = openSync(join(directory, file.name), 'r');
  try {
    readSync(fd, found, 0, found.length, position);
  } finally {
    closeSync(fd);
  }
  return wanted.every((byte, at) => found[at] === byte);
}
