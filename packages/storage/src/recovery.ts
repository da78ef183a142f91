/**
 * What a server does before anything else: find the newest state that its disk can prove, and hand it to the core.
 *
 *   1. List the directories; refuse snapshots in the log directory and logs in the snapshot directory.
 *   2. Load the newest valid snapshot; where one is damaged, drop what it gave and try the next older one.
 *   3. Replay every logged record after it. Zxids must follow one another: +1, or counter 1 of a later epoch.
 *   4. The end must reach everything that a damaged newer snapshot stood for.
 *   5. Only when all that holds, repair: cut a torn tail, complete an end byte, make the newest log durable, remove a log
 *      that never got a record, and temporary files.
 *
 * The principle: nothing is silently dropped. What a crash leaves of an unfinished, hence unacknowledged, batch at the end
 * of the last log is cut. A torn end in an older log is accepted only where the next log goes on without a gap. Everything
 * else is refused with file, offset and remedy, and no file is touched. Apache's server is laxer here: it falls back to an
 * older snapshot without asking whether the logs reach, and leaves gaps unseen.
 */
import { toHex } from '@zoots/base';
import type { GzipPort } from './compression.js';
import type { Disk, DiskEntry, DiskError } from './disk.js';
import { filesOfKind, isTemporaryName, joinPath, type NamedFile, parentPath } from './file-names.js';
import { type LogEnd, type OnRecord, readLog } from './log-reader.js';
import { REMEDIES, type RecoveryError } from './recovery-errors.js';
import { type RepairStep, repair } from './recovery-repair.js';
import type { SnapshotSink } from './snapshot-parser.js';
import { type OnSnapshotRead, readSnapshotFile } from './snapshot-reader.js';
import { entryZxid } from './txn-log-format.js';
import { type ChainVerdict, ZxidChain } from './zxid-chain.js';

export interface RecoveryOptions {
  /** Both end in `/version-2`; they may be the same. */
  readonly snapshotDirectory: string;
  readonly logDirectory: string;
  /** zookeeper.snapshot.trust.empty: logs without any snapshot are replayed onto a fresh tree. */
  readonly trustEmptySnapshot: boolean;
  /** zookeeper.db.autocreate: an empty disk is a fresh database. If false, only with a file `initialize`. */
  readonly autocreateDatabase: boolean;
  /** Accept logs in which records are missing. The operator's word that a partial state will do. */
  readonly allowGaps: boolean;
  readonly gzip: GzipPort | null;
}

export interface RecoverySink extends SnapshotSink {
  /** Drop all state, and be a fresh tree: another snapshot, or none, comes next. Called at least once. */
  reset(): void;
  /** One log entry (TxnHeader, txn, digest), in zxid order, each zxid once. A text says why it cannot be decoded. */
  onTxn(bytes: Uint8Array, start: number, end: number): string | null;
}

export interface RecoveryResult {
  /** The zxid in the loaded snapshot's name; 0 if none was loaded. */
  readonly snapshotZxid: number;
  /** Of the last record, or the snapshot's. -1 if there is no database and none may be created. */
  readonly lastZxid: number;
  /** Records replayed. */
  readonly txnCount: number;
  readonly snapshotName: string | null;
  /** Nothing was on disk: the server must write snapshot.0 before it serves. */
  readonly isFresh: boolean;
  /** What was found amiss and put right, for the log; sentences. */
  readonly repairs: readonly string[];
}

export type OnRecovered = (error: RecoveryError | null, result: RecoveryResult | null) => void;

/** Recovers; `sink` is called between `recover` and `done`. After an error the sink's content is meaningless. */
export function recover(disk: Disk, options: RecoveryOptions, sink: RecoverySink, done: OnRecovered): void {
  new Recovery(disk, options, sink, done).start();
}

/** How a log ended. */
interface EndedLog {
  readonly path: string;
  readonly end: LogEnd;
}

class Recovery {
  readonly #disk: Disk;
  readonly #options: RecoveryOptions;
  readonly #sink: RecoverySink;
  readonly #done: OnRecovered;
  /** Ascending; the newest is taken off the end. */
  #snapshots: NamedFile[] = [];
  #logs: NamedFile[] = [];
  readonly #damaged: {
    readonly path: string;
    readonly zxid: number;
    readonly offset: number;
    readonly reason: string;
  }[] = [];
  #snapshot: NamedFile | null = null;
  #chain: ZxidChain;
  #txnCount = 0;
  /** Logs since the last record taken that ended in something else than records. */
  #unfinished: EndedLog[] = [];
  /** Why the record at hand is refused. */
  #remedy: string = REMEDIES.undecodable;
  #mayCreate = false;
  /** The newest log with records, and how it ended. */
  #lastLog: EndedLog | null = null;
  readonly #repairs: string[] = [];
  readonly #steps: RepairStep[] = [];

  constructor(disk: Disk, options: RecoveryOptions, sink: RecoverySink, done: OnRecovered) {
    this.#disk = disk;
    this.#options = options;
    this.#sink = sink;
    this.#done = done;
    this.#chain = new ZxidChain(0, options.allowGaps);
  }

  start(): void {
    const { snapshotDirectory, logDirectory } = this.#options;
    this.#list(snapshotDirectory, (snapshotEntries) => {
      if (logDirectory === snapshotDirectory) this.#sort(snapshotEntries, snapshotEntries);
      else this.#list(logDirectory, (logEntries) => this.#sort(snapshotEntries, logEntries));
    });
  }

  #refuse(file: string, offset: number, message: string, remedy: string): void {
    this.#done({ file, offset, message, remedy }, null);
  }

  #refuseDisk(error: DiskError): void {
    this.#refuse(error.path, 0, error.message, REMEDIES.disk);
  }

  #list(directory: string, next: (entries: readonly DiskEntry[]) => void): void {
    this.#disk.list(directory, (error, entries) => {
      if (error === null) next(entries);
      else if (error.code !== 'not-found') this.#refuseDisk(error);
      else this.#disk.makeDirectory(directory, (e) => (e === null ? next([]) : this.#refuseDisk(e)));
    });
  }

  // Step 1: what is there.

  #sort(snapshotEntries: readonly DiskEntry[], logEntries: readonly DiskEntry[]): void {
    const { snapshotDirectory, logDirectory } = this.#options;
    this.#snapshots = filesOfKind(snapshotEntries, 'snapshot');
    this.#logs = filesOfKind(logEntries, 'log');
    for (const { name } of snapshotEntries) {
      if (!isTemporaryName(name) || !name.startsWith('snapshot')) continue;
      this.#plan(
        { kind: 'remove', path: joinPath(snapshotDirectory, name) },
        `removed ${name}, an unfinished snapshot`,
      );
    }
    const areApart = snapshotDirectory !== logDirectory;
    const strayLog = areApart ? filesOfKind(snapshotEntries, 'log')[0] : undefined;
    const straySnapshot = areApart ? filesOfKind(logEntries, 'snapshot')[0] : undefined;
    if (strayLog !== undefined) this.#refuseMisplaced(snapshotDirectory, strayLog, 'log', 'snapshot');
    else if (straySnapshot !== undefined) this.#refuseMisplaced(logDirectory, straySnapshot, 'snapshot', 'log');
    else if (this.#snapshots.length === 0) this.#lookForMarker();
    else this.#loadNewest();
  }

  #refuseMisplaced(directory: string, file: NamedFile, kind: string, place: string): void {
    this.#refuse(joinPath(directory, file.name), 0, `a ${kind} file in the ${place} directory`, REMEDIES.misplaced);
  }

  #plan(step: RepairStep, text: string): void {
    this.#steps.push(step);
    this.#repairs.push(text);
  }

  /** Without any snapshot, a file `initialize` beside the log directory may permit a fresh database; it is used up. */
  #lookForMarker(): void {
    this.#mayCreate = this.#options.autocreateDatabase;
    const parent = parentPath(this.#options.logDirectory);
    this.#disk.list(parent, (error, entries) => {
      if (error === null && entries.some((entry) => entry.name === 'initialize' && !entry.isDirectory)) {
        this.#mayCreate = true;
        this.#steps.push({ kind: 'remove', path: joinPath(parent, 'initialize') });
      }
      this.#loadNewest();
    });
  }

  // Step 2: the newest valid snapshot.

  #loadNewest(): void {
    this.#sink.reset();
    this.#snapshot = this.#snapshots.pop() ?? null;
    if (this.#snapshot === null) this.#replayFrom(0);
    else this.#load(this.#snapshot);
  }

  #load({ name, zxid }: NamedFile): void {
    const path = joinPath(this.#options.snapshotDirectory, name);
    const onRead: OnSnapshotRead = (error, damage) => {
      if (error !== null) return this.#refuseDisk(error);
      if (damage === null) return this.#replayFrom(zxid);
      this.#damaged.push({ path, zxid, ...damage });
      this.#repairs.push(`passed over ${name}, which is damaged at offset ${damage.offset}: ${damage.reason}`);
      this.#loadNewest();
    };
    readSnapshotFile(this.#disk, path, this.#sink, onRead, this.#options.gzip);
  }

  // Step 3: the records after it.

  #replayFrom(base: number): void {
    this.#chain = new ZxidChain(base, this.#options.allowGaps);
    let first = 0;
    for (let i = 0; i < this.#logs.length; i++) if ((this.#logs[i] as NamedFile).zxid <= base) first = i;
    this.#replayLog(first);
  }

  #replayLog(index: number): void {
    const log = this.#logs[index];
    if (log === undefined) {
      this.#conclude();
      return;
    }
    const path = joinPath(this.#options.logDirectory, log.name);
    readLog(this.#disk, path, { passDamaged: false }, this.#onRecord, (error, end) => {
      if (error !== null || end === null) return this.#refuseDisk(error as DiskError);
      if (end.kind === 'refused') return this.#refuse(path, end.offset, end.reason, this.#remedy);
      if (end.kind === 'corrupt') return this.#refuse(path, end.offset, `corrupt: ${end.reason}`, REMEDIES.corrupt);
      this.#noteEnd(path, end);
      this.#replayLog(index + 1);
    });
  }

  readonly #onRecord: OnRecord = (bytes, view, start, end) => {
    const zxid = entryZxid(view, start);
    const last = this.#chain.last;
    if (this.#snapshot === null && this.#txnCount === 0 && !this.#isStartProven(zxid)) {
      return this.#damaged.length > 0 ? this.#refuseRecord('gap', last, zxid) : this.#refuseUnfounded(zxid);
    }
    const verdict = this.#chain.take(zxid, view.getUint32(start - 8));
    if (verdict === 'repeated') return null;
    if (verdict !== 'next') return this.#refuseRecord(verdict, last, zxid);
    if (this.#jumpsOverDamaged(last, zxid)) return this.#refuseRecord('gap', last, zxid);
    this.#keepUnfinished();
    this.#txnCount++;
    const problem = this.#sink.onTxn(bytes, start, end);
    if (problem === null) return null;
    this.#remedy = REMEDIES.undecodable;
    return `the transaction 0x${toHex(zxid)} cannot be decoded: ${problem}`;
  };

  /**
   * Without a usable snapshot the logs alone may prove the state: if they begin with the very first txn of all (Apache's
   * 3.4 wrote no snapshot of a fresh tree, so such directories are common), if the snapshot of the fresh tree was there
   * but is damaged, or if the operator says so.
   */
  #isStartProven(zxid: number): boolean {
    return zxid === 1 || this.#options.trustEmptySnapshot || this.#damaged.some((damage) => damage.zxid === 0);
  }

  /**
   * A snapshot whose zxid no record has came from a leader, with txns that were never in these logs. From one epoch to the
   * next the zxids alone do not tell.
   */
  #jumpsOverDamaged(last: number, zxid: number): boolean {
    return !this.#options.allowGaps && this.#damaged.some((damage) => damage.zxid > last && damage.zxid < zxid);
  }

  #refuseUnfounded(zxid: number): string {
    this.#remedy = REMEDIES.noSnapshot;
    return `there are logged transactions (0x${toHex(zxid)}), but no snapshot for them to start from`;
  }

  #refuseRecord(verdict: ChainVerdict, last: number, zxid: number): string {
    if (verdict === 'conflict') {
      this.#remedy = REMEDIES.corrupt;
      return `another transaction with the zxid 0x${toHex(zxid)} was logged before`;
    }
    this.#remedy = REMEDIES.gap;
    const before = this.#unfinished.map(
      ({ path, end }) => `; ${path} breaks off at offset ${end.offset}: ${end.reason}`,
    );
    const damaged = this.#damaged.map(({ path, reason }) => `; ${path} is damaged: ${reason}`);
    return `transactions are missing between 0x${toHex(last)} and 0x${toHex(zxid)}${[...before, ...damaged].join('')}`;
  }

  #noteEnd(path: string, end: LogEnd): void {
    if (end.kind !== 'clean' || end.recordCount === 0) this.#unfinished.push({ path, end });
    else if (end.missingEndAt >= 0) this.#finish({ path, end }, `completed the last record of ${path}`);
    else if (end.header !== null && end.header.mark > 0) this.#finish({ path, end }, null);
    if (end.recordCount > 0) this.#lastLog = { path, end };
  }

  #finish({ path, end }: EndedLog, text: string | null): void {
    const { missingEndAt } = end;
    const mark = end.header?.mark ?? 0;
    this.#steps.push({ kind: 'finish', path, end: end.offset, isCut: end.kind === 'torn', mark, missingEndAt });
    if (text !== null) this.#repairs.push(text);
  }

  /** A record was taken from a later log: what broke off before it was never needed. */
  #keepUnfinished(): void {
    if (this.#unfinished.length === 0) return;
    for (const { path, end } of this.#unfinished) {
      if (end.kind === 'torn')
        this.#repairs.push(`${path} breaks off at offset ${end.offset} (${end.reason}); the next log goes on`);
    }
    this.#unfinished = [];
  }

  // Steps 4 and 5: is it all, and what is to be put right.

  #conclude(): void {
    const unreached = this.#damaged.find(({ zxid }) => zxid > this.#chain.last);
    if (unreached !== undefined) {
      const { path, zxid, offset, reason } = unreached;
      const reach = `the logs reach only 0x${toHex(this.#chain.last)}, not 0x${toHex(zxid)}`;
      this.#refuse(path, offset, `the snapshot is damaged (${reason}), and ${reach}`, REMEDIES.snapshot);
      return;
    }
    for (const log of this.#unfinished) this.#planEnd(log);
    this.#planLast();
    const { repeatedCount, gapCount } = this.#chain;
    if (this.#snapshot === null && this.#txnCount > 0)
      this.#repairs.push('no snapshot: the logs were replayed from a fresh tree');
    if (gapCount > 0) this.#repairs.push(`accepted ${gapCount} gaps in the logs, as told`);
    if (repeatedCount > 0) this.#repairs.push(`skipped ${repeatedCount} records that were logged twice`);
    const { snapshotDirectory, logDirectory } = this.#options;
    repair(this.#disk, this.#steps, [snapshotDirectory, logDirectory], (error) => {
      if (error !== null) this.#refuseDisk(error);
      else this.#done(null, this.#result());
    });
  }

  #planEnd({ path, end }: EndedLog): void {
    if (end.recordCount === 0) {
      this.#plan({ kind: 'remove', path }, `removed ${path}, in which no record was completed`);
    } else {
      const lost = `${end.fileBytes - end.offset} bytes of a write that was never completed: ${end.reason}`;
      this.#finish({ path, end }, `cut ${path} at offset ${end.offset}, off ${lost}`);
    }
  }

  /** The newest log is made durable even if nothing is wrong with it: its writer may have been killed before its sync. */
  #planLast(): void {
    const last = this.#lastLog;
    if (last === null || this.#steps.some((step) => step.path === last.path)) return;
    this.#finish(last, null);
  }

  #result(): RecoveryResult {
    const isEmpty = this.#snapshot === null && this.#txnCount === 0;
    const mayCreate = this.#mayCreate || this.#damaged.length > 0;
    return {
      snapshotZxid: this.#snapshot?.zxid ?? 0,
      lastZxid: isEmpty && !mayCreate ? -1 : this.#chain.last,
      txnCount: this.#txnCount,
      snapshotName: this.#snapshot?.name ?? null,
      isFresh: isEmpty && mayCreate,
      repairs: this.#repairs,
    };
  }
}
