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

export interface DatabaseParts {
  readonly tree: Tree;
  readonly sessions: SessionTable;
  readonly applier: Applier;
  /** What happens to an entry that may be applied. */
  readonly commit: ApplyEntry;
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

  constructor(config: CoreConfig, ports: Ports, parts: DatabaseParts) {
    this.#config = config;
    this.#ports = ports;
    this.#parts = parts;
    const { tree, sessions, applier } = parts;
    this.#loader = new Loader(tree, sessions, applier, ports.logger);
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
      { onDurable: this.#parts.onDurable, onFailed: this.#parts.onFailed },
    );
  }

  #newPipeline(): Pipeline {
    return new Pipeline(this.log, this.#parts.commit, (batch) =>
      this.snapshotter.onCommitted(batch.recordCount, batch.writer.length, this.log),
    );
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
    const { tree, sessions } = this.#parts;
    this.#loader.finish();
    this.#loader.dropOrphans();
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
    const { dataDir, dataLogDir, trustEmptySnapshot } = this.#config;
    this.snapshotter.stop();
    this.log.close((closeError) => {
      if (closeError !== null) {
        done(closeError.message);
        return;
      }
      const directories = { snapshotDirectory: `${dataDir}/version-2`, logDirectory: `${dataLogDir}/version-2` };
      const options = { ...directories, trustEmptySnapshot, gzip: this.#ports.gzip };
      truncateLog(this.#ports.disk, options, zxid, (error, result) => {
        if (error !== null) {
          done(describeRecoveryError(error));
          return;
        }
        for (const what of result?.changes ?? []) this.#ports.logger.log(logLevels.warn, 'truncated', { what });
        this.#renew();
        this.#recover(nowMs, (problem) => done(problem));
      });
    });
  }

  /** A closed log is not opened again. */
  #renew(): void {
    this.log = this.#newLog();
    this.pipeline = this.#newPipeline();
  }
}
