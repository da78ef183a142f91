/** Copies a transaction log up to and including a zxid. See commands/txnlog.ts. */
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { toHex } from '@zoots/base';
import { counterOf, epochOf } from '@zoots/protocol';
import { ENTRY_ZXID_OFFSET } from '@zoots/storage';
import { headerLine, LogCopy } from './log-dump.js';
import { LogScanner } from './log-scanner.js';

/** Resolves with the exit code, which as with Apache's tool is 0 even if nothing could be cut: read what it prints. */
export async function chopLog(path: string, zxid: number): Promise<number> {
  const source = await open(path, 'r');
  const copy = new LogCopy(await open(`${path}.chopped${zxid}`, 'w'));
  let problem: string | null;
  try {
    problem = (await copyUpTo(new LogScanner(source), copy, zxid)) ? null : `Failed to chop ${basename(path)}`;
  } catch (error) {
    problem = (error as Error).message;
  }
  await copy.finish();
  await source.close();
  if (problem !== null) console.log(`Got exception: ${problem}`);
  return 0;
}

/** True if the log has the zxid and goes on behind it. */
async function copyUpTo(scanner: LogScanner, copy: LogCopy, zxid: number): Promise<boolean> {
  const header = await scanner.header();
  if (header === null) {
    console.error('Invalid magic number in txn log file');
    return false;
  }
  console.log(headerLine(header));
  copy.header(header);
  let count = 0;
  let previous = -1;
  for (let record = await scanner.next(); record !== null; record = await scanner.next()) {
    if (!record.isIntact) throw new Error(`CRC doesn't match at offset ${record.offset}`);
    if (!record.hasEnd) {
      console.log('Last transaction was partial.');
      throw new Error('Last transaction was partial.');
    }
    const current = zxidOf(record.entry);
    reportGap(previous, current);
    if (current > zxid) {
      if (previous !== zxid) console.log(`This log does not contain zxid ${toHex(zxid)}`);
      else console.log(`Chopping at ${toHex(zxid)} new log has ${count} records`);
      return previous === zxid;
    }
    previous = current;
    await copy.record(record, true);
    count++;
  }
  console.log(`EOF reached after ${count} txns.`);
  return false;
}

function zxidOf(entry: Uint8Array): number {
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
  return Number(view.getBigInt64(ENTRY_ZXID_OFFSET));
}

/** Epochs may leave counters out; within one, and at the beginning of the next, nothing may be missing. */
function reportGap(previous: number, current: number): void {
  if (previous === -1 || current === previous + 1) return;
  const isSameEpoch = epochOf(previous) === epochOf(current);
  if (!isSameEpoch && counterOf(current) === 1) return;
  console.log(`There is ${isSameEpoch ? 'intra' : 'inter'}-epoch gap between ${toHex(previous)} and ${toHex(current)}`);
}
