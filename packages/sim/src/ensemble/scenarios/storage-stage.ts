/**
 * One server's disk, for stories in which only the disk matters: histories of numbered transactions, with a power cut wherever the story
 * wants one. The disk is the simulator's, so that what was not synced may be gone, and names without a sync of their directory, too.
 */
import assert from 'node:assert/strict';
import { ByteWriter, Prng, toHex } from '@zoots/base';
import { writeTxnHeader } from '@zoots/protocol';
import {
  describeRecoveryError,
  type Epochs,
  loadEpochs,
  RecordingSink,
  type RecoveryResult,
  recover,
  SnapshotWriter,
  type TruncateError,
  TxnLog,
  truncateLog,
} from '@zoots/storage';
import { type DiskManner, SimDisk } from '../../sim-disk.js';
import { Simulator } from '../../simulator.js';
import { Trace } from '../../trace.js';

export const DIRECTORY = '/data/version-2';

export const CALM_DISK: DiskManner = {
  opMinUs: 2,
  opMaxUs: 5,
  syncMinUs: 200,
  syncMaxUs: 300,
  slowSyncChance: 0,
  slowSyncMaxUs: 0,
  syncErrorChance: 0,
  writeErrorChance: 0,
  readErrorChance: 0,
  metadataErrorChance: 0,
  isFull: false,
  keepsFailedPages: false,
  liesAboutSync: false,
  liesAboutDirectories: false,
  acksBeforeSync: false,
};

/** A transaction that is known by its zxid, and by who wrote it. */
export function entryOf(zxid: number, author = 0): Uint8Array {
  const writer = new ByteWriter();
  writeTxnHeader(writer, 0, author, 0, zxid, 1_700_000_000_000, 1);
  // Of different lengths, so that records end anywhere in a sector.
  for (let i = (zxid * 131) % 900; i > 0; i--) writer.int8(1 + (i % 100));
  return writer.toBytes();
}

export interface Recovered {
  /** What recovery read, in order: the snapshot's zxid, if there was one, then the transactions'. */
  readonly snapshotZxid: number;
  readonly zxids: readonly number[];
  readonly result: RecoveryResult;
}

/** Thrown where a server would refuse to start. */
export class Refusal extends Error {}

const recoveryOptions = {
  snapshotDirectory: DIRECTORY,
  logDirectory: DIRECTORY,
  trustEmptySnapshot: false,
  autocreateDatabase: true,
  allowGaps: false,
  gzip: null,
};

/** With nothing to do for so long, nothing is under way. */
const IDLE_US = 1_000_000;

export class StorageStage {
  readonly simulator = new Simulator();
  readonly disk: SimDisk;
  /** Changed by planted bugs that are settings. */
  readonly options = { ...recoveryOptions };
  #crashIn = -1;
  hasCrashed = false;

  constructor(seed = 1) {
    this.disk = new SimDisk(this.simulator, new Prng(seed), new Trace(null, 0), { ...CALM_DISK });
    this.disk.addDirectory(DIRECTORY);
    this.disk.onOperation = () => this.#countDown();
  }

  /** Lets everything happen that was asked for. */
  settle(): void {
    while (this.simulator.step(this.simulator.nowUs + IDLE_US));
  }

  /** The power fails before the n-th operation from now on. */
  crashBefore(operation: number): void {
    this.#crashIn = operation;
    this.hasCrashed = false;
  }

  #countDown(): void {
    if (this.#crashIn < 0 || this.#crashIn-- > 0) return;
    this.powerCut();
  }

  powerCut(): void {
    this.#crashIn = -1;
    this.hasCrashed = true;
    this.disk.powerCut(true);
  }

  // ---- what a server does ----

  openLog(preallocateBytes = 4_096): TxnLog {
    const options = { directory: DIRECTORY, preallocateBytes, sizeLimitBytes: 0, forceSync: true };
    return new TxnLog(this.disk, options, {
      onDurable: () => {},
      onFailed: (error) => {
        throw new Error(error.message);
      },
    });
  }

  /** A log file of its own with these transactions. */
  log(...zxids: readonly number[]): void {
    const log = this.openLog();
    for (const zxid of zxids) this.append(log, zxid);
    this.settle();
    log.close(() => {});
    this.settle();
  }

  append(log: TxnLog, zxid: number, author = 0): void {
    log.batch.openEntry().raw(entryOf(zxid, author));
    log.batch.closeEntry(zxid);
    log.flush();
    this.settle();
  }

  /** An empty tree with this zxid. */
  snapshot(zxid: number): void {
    const options = {
      directory: DIRECTORY,
      compression: 'none',
      gzip: null,
      hasDigest: true,
      hasZxidTrailer: true,
    } as const;
    const writer = new SnapshotWriter(this.disk, options, zxid);
    writer.beginSessions(0);
    writer.beginAcls(0);
    writer.out.string('');
    writer.out.buffer(new Uint8Array(0));
    writer.out.long(-1);
    for (let i = 0; i < 15; i++) writer.out.int32(0);
    writer.finish(0, 0, 0, (error) => assert.equal(error, null));
    this.settle();
  }

  /** Reads everything, as a start does. */
  recover(): Recovered {
    const sink = new RecordingSink();
    let recovered: Recovered | Error | null = null;
    recover(this.disk, this.options, sink, (error, result) => {
      if (error !== null || result === null) {
        recovered = new Refusal(error === null ? 'no result' : describeRecoveryError(error));
        return;
      }
      const zxids = sink.lines.flatMap((line) => (line.startsWith('txn ') ? [Number.parseInt(line.slice(4), 16)] : []));
      recovered = { snapshotZxid: result.snapshotZxid, zxids, result };
    });
    this.settle();
    return orThrow<Recovered>(recovered, 'recovery');
  }

  truncate(zxid: number): TruncateError | null {
    let outcome: { readonly error: TruncateError | null } | null = null;
    truncateLog(this.disk, this.options, zxid, (error) => {
      outcome = { error };
    });
    this.settle();
    if (outcome === null && this.hasCrashed) return null;
    return orThrow<{ readonly error: TruncateError | null }>(outcome, 'truncation').error;
  }

  /** The two epochs as a start reads them, behind what was recovered. */
  loadEpochs(lastZxid: number): Epochs {
    let loaded: Epochs | Error | null = null;
    loadEpochs(this.disk, DIRECTORY, lastZxid, (error, epochs) => {
      loaded = error === null ? epochs : new Refusal(describeRecoveryError(error));
    });
    this.settle();
    return orThrow<Epochs>(loaded, 'loading the epochs');
  }

  // ---- what others do to it ----

  remove(name: string): void {
    assert.ok(this.disk.image.remove(`${DIRECTORY}/${name}`), `${name} is there`);
    this.disk.image.syncDirectory(DIRECTORY);
  }

  put(name: string, text: string): void {
    const inode = this.disk.image.create(`${DIRECTORY}/${name}`);
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    inode.write(0, bytes, 0, bytes.length);
    inode.endSync(inode.beginSync());
    this.disk.image.syncDirectory(DIRECTORY);
  }

  /** The file ends here, as after `truncate(1)`. */
  cutFile(name: string, length: number): void {
    const inode = this.disk.image.names.get(`${DIRECTORY}/${name}`);
    assert.ok(inode !== undefined, `${name} is there`);
    inode.truncate(length);
    inode.endSync(inode.beginSync());
  }

  sizeOf(name: string): number {
    return this.disk.image.names.get(`${DIRECTORY}/${name}`)?.cachedLength ?? -1;
  }

  get names(): string[] {
    return [...this.disk.image.names.keys()].map((path) => path.slice(DIRECTORY.length + 1)).sort();
  }
}

export const logNameOf = (zxid: number): string => `log.${toHex(zxid)}`;

function orThrow<T extends object>(outcome: T | Error | null, what: string): T {
  if (outcome === null) throw new Error(`${what} did not end`);
  if (outcome instanceof Error) throw outcome;
  return outcome;
}
