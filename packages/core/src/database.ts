/**
 * What a server keeps: the tree and the sessions in memory, the log and the snapshots on disk, and the pipeline between them.
 *
 * It is opened from disk, and can be brought into another state as a whole: cut behind a zxid, or replaced by a snapshot from a
 * leader. Then everything in memory is read or received anew; nobody may be served meanwhile.
 */
import { logLevels } from '@zoots/base';
import { formatZxid } from '@zoots/protocol';
import {
  type DiskError,
  describeRecoveryError,
  type LogBatch,
  type RecoveryResult,
  recover,
  SnapshotStreamReader,
  TxnLog,
  truncateLog,
} from '@zoots/storage';
import { Loader } from './loader.js';
import type { CoreConfig, Ports } from './ports.js';
import type { Applier } from './request/apply.js';
import { type ApplyEntry, Pipeline } from './request/pipeline.js';
import type { SessionTable } from './session/session-table.js';
import { Snapshotter } from './snapshotter.js';
import type { Tree } from './tree/tree.js';
import type { CommittedLog } from './zab/committed-log.js';

export interface DatabaseParts {
  readonly tree: Tree;
  readonly sessions: SessionTable;
  readonly applier: Applier;
  /** What happens to an entry that may be applied. */
  readonly commit: ApplyEntry;
  /** For learners that were away; null for a stand-alone server. */
  readonly committedLog: CommittedLog | null;
  /** A batch is on disk. */
  readonly onDurable: (batch: LogBatch) => void;
  readonly onFailed: (error: DiskError) => void;
  /** Something goes on that the end of a turn carries further. */
  readonly openTurn: () => void;
}

/** Null, or why it cannot be. */
export type DatabaseDone = (problem: string | null) => void;

export class Database {
  readonly snapshotter: Snapshotter;
  log: TxnLog;
  pipeline: Pipeline;
  readonly #config: CoreConfig;
  readonly #ports: Ports;
  readonly #parts: DatabaseParts;
  readonly #loader: Loader;
  /** Everything up to here is on disk, when the log has nothing newer. */
  #settledZxid = 0;
  /** Who waits until the log is on disk up to a zxid. */
  #waiting: { readonly zxid: number; readonly done: DatabaseDone }[] = [];
  /** A leader's snapshot stands in for what is on disk, and is not on disk itself: nothing behind it may be. */
  #isHeld = false;
  /** While such a snapshot is received. */
  #stream: SnapshotStreamReader | null = null;
  /** The last zxid that the log had before such a snapshot. */
  #replacedZxid = 0;
  /** The history on disk is being cut or read anew. */
  #isLogClosed = false;
  #onReopened: (() => void) | null = null;

  constructor(config: CoreConfig, ports: Ports, parts: DatabaseParts) {
    this.#config = config;
    this.#ports = ports;
    this.#parts = parts;
    const { tree, sessions, applier } = parts;
    this.#loader = new Loader(tree, sessions, applier, ports.logger);
    if (parts.committedLog !== null) this.#loader.onReplayed = this.#remember;
    this.snapshotter = new Snapshotter(config, { ...ports, tree, sessions });
    this.log = this.#newLog();
    this.pipeline = this.#newPipeline();
  }

  #newLog(): TxnLog {
    const { dataLogDir, preAllocBytes, txnLogSizeLimitBytes, forceSync } = this.#config;
    return new TxnLog(
      this.#ports.disk,
      {
        directory: `${dataLogDir}/version-2`,
        preallocateBytes: preAllocBytes,
        sizeLimitBytes: txnLogSizeLimitBytes,
        forceSync,
      },
      { onDurable: (batch) => this.#onDurable(batch), onFailed: this.#parts.onFailed },
    );
  }

  #onDurable(batch: LogBatch): void {
    this.#parts.onDurable(batch);
    this.#settle();
  }

  #newPipeline(): Pipeline {
    const { commit, committedLog } = this.#parts;
    const apply: ApplyEntry =
      committedLog === null
        ? commit
        : (bytes, start, end) => {
            if (!commit(bytes, start, end)) return false;
            this.#remember(bytes, start, end);
            return true;
          };
    return new Pipeline(this.log, apply, (batch) => {
      if (!this.#isHeld) this.snapshotter.onCommitted(batch.recordCount, batch.writer.length, this.log);
    });
  }

  /** Of what was applied last, learners that come back soon will want to hear. */
  readonly #remember = (bytes: Uint8Array, start: number, end: number): void => {
    const { zxid } = this.#parts.applier.header;
    const committedLog = this.#parts.committedLog as CommittedLog;
    if (zxid > (committedLog.maxZxid ?? Number.NEGATIVE_INFINITY)) committedLog.add(zxid, bytes, start, end);
  };

  /** The log has gathered something, and nothing is on its way to the disk. */
  get mayFlush(): boolean {
    return !this.#isHeld && !this.log.isFlushing && this.log.batch.recordCount > 0;
  }

  /** Sends what the log has gathered to the disk; false if nothing left. */
  flush(): boolean {
    return !this.#isHeld && this.pipeline.flush();
  }

  /** Everything in the log up to here is on disk. */
  get durableZxid(): number {
    return Math.max(this.pipeline.durableZxid, this.#settledZxid);
  }

  /** Calls when everything appended so far is on disk; at once if it is. */
  whenDurable(done: DatabaseDone): void {
    const zxid = this.pipeline.appendedZxid;
    if (zxid <= this.pipeline.durableZxid) done(null);
    else this.#waiting.push({ zxid, done });
  }

  #settle(): void {
    while (this.#waiting.length > 0 && (this.#waiting[0] as { zxid: number }).zxid <= this.pipeline.durableZxid) {
      this.#waiting.shift()?.done(null);
    }
  }

  /** The role ended: whoever waited for its sake waits no more. */
  forgetWaiting(): void {
    this.#waiting = [];
  }

  /** The last zxid in the log or, where that has none, in the tree. */
  get lastLoggedZxid(): number {
    return Math.max(this.pipeline.appendedZxid, this.#parts.tree.lastProcessedZxid, 0);
  }

  // ---- from disk ----

  /** Reads everything; on an empty disk, writes the first snapshot. `nowMs`: when sessions' timeouts begin. */
  open(nowMs: number, done: DatabaseDone): void {
    this.#recover(nowMs, (problem, result) => {
      if (problem !== null || result === null) done(problem ?? 'recovery ended without a result');
      else if (result.snapshotName !== null) done(null);
      else {
        // Logs without a snapshot are not a database for Apache, and not for us: the first one is durable before anything
        // can be acknowledged.
        this.snapshotter.start(null, (error) =>
          done(error === null ? null : `the first snapshot cannot be written: ${error.message}`),
        );
      }
    });
  }

  #recover(nowMs: number, done: (problem: string | null, result: RecoveryResult | null) => void): void {
    const { config, ports } = { config: this.#config, ports: this.#ports };
    this.#loader.nowMs = nowMs;
    recover(
      ports.disk,
      {
        snapshotDirectory: `${config.dataDir}/version-2`,
        logDirectory: `${config.dataLogDir}/version-2`,
        trustEmptySnapshot: config.trustEmptySnapshot,
        autocreateDatabase: config.dbAutocreate,
        allowGaps: config.allowLogGaps === true,
        gzip: ports.gzip,
      },
      this.#loader,
      (error, result) => {
        if (error !== null || result === null) {
          done(error === null ? 'recovery ended without a result' : describeRecoveryError(error), null);
          return;
        }
        this.#parts.openTurn();
        this.#onRecovered(result);
        done(null, result);
      },
    );
  }

  #onRecovered(result: RecoveryResult): void {
    const { tree, sessions, committedLog } = this.#parts;
    this.#loader.finish();
    // In an ensemble whoever leads judges: a server that drops znodes by itself would differ from the others.
    if (committedLog === null) this.#loader.dropOrphans();
    this.#settledZxid = Math.max(tree.lastProcessedZxid, 0);
    this.snapshotter.onRecovered(result.txnCount);
    for (const repair of result.repairs) this.#ports.logger.log(logLevels.warn, 'repaired', { what: repair });
    this.#ports.logger.log(logLevels.info, 'database loaded', {
      snapshot: result.snapshotName,
      txnCount: result.txnCount,
      zxid: formatZxid(tree.lastProcessedZxid),
      znodeCount: tree.nodeCount,
      sessionCount: sessions.count,
    });
  }

  // ---- into another state ----

  /** Closes the log, cuts what lies behind the zxid, and reads what is left. */
  truncate(zxid: number, nowMs: number, done: DatabaseDone): void {
    this.#closeLog((closeProblem) => {
      if (closeProblem !== null) done(closeProblem);
      else {
        this.#cut(zxid, false, (problem) => {
          if (problem === null) this.#reread(nowMs, done);
          else done(problem);
        });
      }
    });
  }

  /** Drops what is in memory and not on disk, and reads what is on disk. */
  reload(nowMs: number, done: DatabaseDone): void {
    this.snapshotter.stop();
    this.log.batch.clear();
    this.#isHeld = false;
    this.#stream = null;
    this.#closeLog((problem) => {
      if (problem === null) this.#reread(nowMs, done);
      else done(problem);
    });
  }

  #reread(nowMs: number, done: DatabaseDone): void {
    this.#renew();
    this.#parts.committedLog?.clear();
    this.#recover(nowMs, (problem) => {
      done(problem);
      this.#onReopened?.();
    });
  }

  #closeLog(done: DatabaseDone): void {
    this.#isLogClosed = true;
    this.log.close((error) => done(error === null ? null : error.message));
  }

  #cut(zxid: number, atOrBefore: boolean, done: DatabaseDone): void {
    const { dataDir, dataLogDir, trustEmptySnapshot } = this.#config;
    const directories = { snapshotDirectory: `${dataDir}/version-2`, logDirectory: `${dataLogDir}/version-2` };
    const options = { ...directories, trustEmptySnapshot, gzip: this.#ports.gzip, atOrBefore };
    // A snapshot on its way to the disk may show what is cut off: not before it is there.
    this.snapshotter.stop(() =>
      truncateLog(this.#ports.disk, options, zxid, (error, result) => {
        this.#parts.openTurn();
        for (const what of result?.changes ?? []) this.#ports.logger.log(logLevels.warn, 'truncated', { what });
        done(error === null ? null : describeRecoveryError(error));
      }),
    );
  }

  /** The server stops. What stands on a snapshot that is not on disk is dropped. */
  close(done: () => void): void {
    if (this.#isLogClosed) {
      this.#onReopened = () => this.close(done);
      return;
    }
    if (this.#isHeld) this.log.batch.clear();
    this.#closeLog(() => done());
  }

  /** A closed log is not opened again. */
  #renew(): void {
    this.#isLogClosed = false;
    this.log = this.#newLog();
    this.pipeline = this.#newPipeline();
  }

  // ---- a leader's snapshot ----

  /** Empties the memory for it. What is appended from now on stays in memory until {@link writeSnapshot} is done. */
  beginReplacement(zxid: number, nowMs: number): void {
    this.snapshotter.stop();
    this.#replacedZxid = this.lastLoggedZxid;
    this.#isHeld = true;
    // Nothing is on its way: the log was on disk before this server looked for a leader.
    this.#closeLog(() => {});
    this.#renew();
    this.#parts.committedLog?.clear();
    this.#loader.nowMs = nowMs;
    this.#loader.reset();
    this.#stream = new SnapshotStreamReader(this.#loader, zxid);
  }

  /** Its next bytes: how many of them belong to it, and whether it is whole; or why it cannot be read. */
  replacementBytes(bytes: Uint8Array): { readonly usedBytes: number; readonly isWhole: boolean } | string {
    const stream = this.#stream as SnapshotStreamReader;
    const end = stream.push(bytes, 0, bytes.length);
    if (stream.error !== null) return `${stream.error} at offset ${stream.offset}`;
    if (end < 0) return { usedBytes: bytes.length, isWhole: false };
    this.#stream = null;
    this.#loader.finish();
    this.#parts.applier.isCatchingUp = true;
    return { usedBytes: end, isWhole: true };
  }

  /** Memory and disk are not of one history. */
  get isReplaced(): boolean {
    return this.#isHeld;
  }

  /**
   * Makes the leader's snapshot durable. What the log has behind it was never committed and is cut off first: recovery would replay
   * it over the snapshot. Until the snapshot is there, the disk holds an earlier state of this server's own.
   */
  writeSnapshot(done: DatabaseDone): void {
    const zxid = this.#parts.tree.lastProcessedZxid;
    const write = (): void => {
      this.#parts.openTurn();
      this.snapshotter.start(null, (error) => {
        if (error === null) {
          this.#isHeld = false;
          this.#settledZxid = zxid;
        }
        done(error === null ? null : `the leader's snapshot cannot be written: ${error.message}`);
      });
    };
    if (this.#replacedZxid <= zxid) {
      this.snapshotter.stop(write);
      return;
    }
    this.#cut(zxid, true, (problem) => {
      if (problem === null) write();
      else done(problem);
    });
  }
}
