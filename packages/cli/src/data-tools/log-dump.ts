/** Prints a transaction log, and in recovery mode copies it with checksums that fit. See commands/txnlog.ts. */
import { existsSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { ByteWriter } from '@zoots/base';
import { NodeDisk } from '@zoots/server';
import { beginRecord, endRecord, type LogEnd, readLog, writeLogHeader } from '@zoots/storage';
import { LogScanner, type ScannedHeader, type ScannedRecord } from './log-scanner.js';
import { Answers, Output } from './terminal.js';
import { txnLine } from './txn-text.js';

export interface DumpOptions {
  readonly isRecovery: boolean;
  readonly isVerbose: boolean;
  /** Mends without asking. */
  readonly isForced: boolean;
  readonly isDecoded: boolean;
}

/** The dump ends here, with a message and an exit code. */
class DumpEnd extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Resolves with the exit code. */
export async function dumpLog(path: string, options: DumpOptions): Promise<number> {
  const target = options.isRecovery ? `${path}.fixed` : null;
  if (target !== null && existsSync(target)) {
    console.error(`Recovery file ${target} already exists or not writable`);
    return 1;
  }
  const file = await open(path, 'r');
  const copy = target === null ? null : new LogCopy(await open(target, 'wx'));
  const dump = new LogDump(file, copy, options);
  try {
    await dump.run(basename(path));
    await copy?.finish();
    const fixed = `with ${dump.fixedCount} fixed CRC error(s)`;
    if (target !== null) console.log(`Recovery file ${target} has been written ${fixed}`);
    else await reportDamage(path);
    return 0;
  } catch (error) {
    dump.output.flush();
    await copy?.finish();
    console.error((error as Error).message);
    // An aborted copy is only the first part of the log: left behind, it could be taken for all of it.
    if (target !== null && dump.isAborted) rmSync(target);
    return error instanceof DumpEnd ? error.exitCode : 1;
  } finally {
    dump.answers.close();
    await file.close();
  }
}

class LogDump {
  readonly output = new Output();
  readonly answers = new Answers();
  readonly #scanner: LogScanner;
  readonly #copy: LogCopy | null;
  readonly #options: DumpOptions;
  fixedCount = 0;
  isAborted = false;

  constructor(file: FileHandle, copy: LogCopy | null, options: DumpOptions) {
    this.#scanner = new LogScanner(file);
    this.#copy = copy;
    this.#options = options;
  }

  async run(name: string): Promise<void> {
    const header = await this.#scanner.header();
    if (header === null) throw new DumpEnd(`Invalid magic number for ${name}`, 2);
    this.output.line(headerLine(header));
    this.#copy?.header(header);
    let count = 0;
    for (let record = await this.#scanner.next(); record !== null; record = await this.#scanner.next()) {
      await this.#take(record);
      if (!record.hasEnd) throw new DumpEnd('Last transaction was partial.', 1);
      count++;
    }
    this.output.line(`EOF reached after ${count} txns.`);
    this.output.flush();
  }

  async #take(record: ScannedRecord): Promise<void> {
    const line = txnLine(record.entry, this.#options.isDecoded);
    const isMended = !record.isIntact && (await this.#judgeDamaged(line));
    if (!this.#options.isRecovery || this.#options.isVerbose) this.output.write(line);
    if (record.hasEnd) await this.#copy?.record(record, record.isIntact || isMended);
  }

  /** Whether a record whose checksum disagrees is to be mended. */
  async #judgeDamaged(line: string): Promise<boolean> {
    const { isRecovery, isForced } = this.#options;
    this.output.write(`CRC ${isRecovery && isForced ? 'FIXED' : 'ERROR'} - ${line}`);
    const isMended = isRecovery && (isForced || (await this.#ask()));
    if (isMended) this.fixedCount++;
    return isMended;
  }

  async #ask(): Promise<boolean> {
    for (;;) {
      this.output.write('Would you like to fix it (Yes/No/Abort) ? ');
      this.output.flush();
      const answer = (await this.answers.word())?.[0]?.toUpperCase();
      if (answer === 'Y') return true;
      if (answer === 'N') return false;
      if (answer === 'A' || answer === undefined) {
        this.isAborted = true;
        throw new DumpEnd('Recovery aborted.', answer === 'A' ? 0 : 1);
      }
    }
  }
}

export function headerLine(header: ScannedHeader): string {
  return `ZooKeeper Transactional Log File with dbid ${header.dbid} txnlog format version ${header.version}`;
}

const COPY_BYTES_MAX = 1024 * 1024;

/** A log that is being written: unpadded, and without the durable mark, which is true of the original only. */
export class LogCopy {
  readonly #file: FileHandle;
  readonly #held = new ByteWriter(COPY_BYTES_MAX);

  constructor(file: FileHandle) {
    this.#file = file;
  }

  header(header: ScannedHeader): void {
    writeLogHeader(this.#held, 0);
    this.#held.setInt32At(4, header.version);
    if (!header.isMark) this.#held.view.setBigInt64(8, header.dbid);
  }

  /** `isIntact` false leaves the wrong checksum wrong. */
  async record(record: ScannedRecord, isIntact: boolean): Promise<void> {
    const start = beginRecord(this.#held);
    this.#held.raw(record.entry);
    endRecord(this.#held, start);
    if (!isIntact) this.#held.bytes.set(record.checksum, start);
    if (this.#held.length > COPY_BYTES_MAX) await this.#flush();
  }

  async #flush(): Promise<void> {
    await this.#file.writeFile(this.#held.bytes.subarray(0, this.#held.length));
    this.#held.clear();
  }

  /** Writes what is left, durably, and closes the file. */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#file.sync();
    await this.#file.close();
  }
}

/**
 * The scan passes over wrong checksums and stops at the first zeros; recovery does neither. What it would say about the
 * file goes to stderr, so that nobody takes "EOF reached" for "all is well".
 */
async function reportDamage(path: string): Promise<void> {
  const end = await new Promise<LogEnd | null>((resolve) => {
    const pass = (): null => null;
    readLog(new NodeDisk(), path, { passDamaged: false }, pass, (_error, found) => resolve(found));
  });
  if (end?.kind === 'corrupt' || end?.kind === 'torn') {
    console.error(`${path}: ${end.kind} at offset ${end.offset}: ${end.reason}`);
  }
}
