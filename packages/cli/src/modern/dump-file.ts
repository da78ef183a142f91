/** Files with a tree in them: exports, also compressed with gzip, and snapshots of a data directory. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type DumpHead, parseDump } from './dump-format.js';
import { comparePaths } from './tree-reader.js';
import type { TreeRecord } from './tree-record.js';

/** Standard input, under this name. */
export const STDIN = '-';

/** The records of an export, in the file's order. Rejects with RefusedError or an error of the file system. */
export async function* recordsOfDump(file: string, onHead?: (head: DumpHead) => void): AsyncGenerator<TreeRecord> {
  const isGzip = file !== STDIN && (await firstBytes(file, 2)).equals(Buffer.from([0x1f, 0x8b]));
  const raw: Readable = file === STDIN ? process.stdin : createReadStream(file);
  const input = isGzip ? raw.pipe(createGunzip()) : raw;
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  // readline does not hand errors of its input on; what it waits for would never come.
  const failed = new Promise<never>((_, reject) => {
    for (const stream of [raw, input]) stream.once('error', reject);
  });
  failed.catch(() => {});
  yield* parseDump(linesOrError(lines, failed), file === STDIN ? 'standard input' : file, onHead);
}

async function* linesOrError(lines: AsyncIterable<string>, failed: Promise<never>): AsyncGenerator<string> {
  const iterator = lines[Symbol.asyncIterator]();
  for (;;) {
    const next = await Promise.race([iterator.next(), failed]);
    if (next.done) return;
    yield next.value;
  }
}

/** Whatever the file is, sorted as a server's subtree is read. Held in memory. */
export async function sortedRecordsOfFile(file: string): Promise<TreeRecord[]> {
  const records: TreeRecord[] = [];
  if (file !== STDIN && (await isSnapshot(file))) {
    const { recordsOfSnapshot } = await import('./snapshot-records.js');
    records.push(...(await recordsOfSnapshot(file)));
  } else for await (const record of recordsOfDump(file)) records.push(record);
  return records.sort((a, b) => comparePaths(a.path, b.path));
}

async function isSnapshot(file: string): Promise<boolean> {
  // Compressed ones do not say what they are; their names do.
  return (await firstBytes(file, 4)).toString('latin1') === 'ZKSN' || /^snapshot\./.test(basename(file));
}

async function firstBytes(file: string, count: number): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(count), 0, count, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
