/**
 * When a snapshot is taken, and its life: the log is rolled, the walk goes on in slices at the end of turns, the file is
 * finished by the writer. One at a time. A failed snapshot is no disaster (the log has everything); a new one is tried later.
 */
import { type Logger, logLevels, type Prng } from '@zoots/base';
import { formatZxid } from '@zoots/protocol';
import { type Disk, type DiskError, type GzipPort, SnapshotWriter, type TxnLog } from '@zoots/storage';
import { SNAPSHOT_BACKLOG_BYTES_MAX, SNAPSHOT_SLICE_BYTES } from './limits.js';
import type { CoreConfig } from './ports.js';
import type { SessionTable } from './session/session-table.js';
import { SnapshotWalk } from './tree/snapshot-walk.js';
import type { Tree } from './tree/tree.js';

const MARK_MAX = 0xffffff;

export interface SnapshotterParts {
  readonly disk: Disk;
  readonly gzip: GzipPort | null;
  readonly logger: Logger;
  readonly prng: Prng;
  readonly tree: Tree;
  readonly sessions: SessionTable;
}

export class Snapshotter {
  readonly #config: CoreConfig;
  readonly #parts: SnapshotterParts;
  #mark = 0;
  #walk: SnapshotWalk | null = null;
  #writer: SnapshotWriter | null = null;
  #isFinishing = false;
  #isAborting = false;
  #whenIdle: (() => void)[] = [];
  #txnsSince = 0;
  #bytesSince = 0;
  #txnsUntilNext = 0;
  #bytesUntilNext = 0;
  #onDone: ((error: DiskError | null) => void) | null = null;
  /** Snapshots completed since the start, and the zxid of the latest (-1: none). */
  completedCount = 0;
  lastZxid = -1;
  failedCount = 0;
  /** A walk over the tree for somebody else is on: only one can be at a time. */
  isBlocked = false;

  constructor(config: CoreConfig, parts: SnapshotterParts) {
    this.#config = config;
    this.#parts = parts;
    this.#drawThresholds();
  }

  /**
   * In an ensemble a random half to all of the configured counts, so that its servers do not all snapshot at once. A server that
   * stands alone has nobody to keep out of step with, and takes a quarter fewer snapshots.
   */
  #drawThresholds(): void {
    const { snapCount, snapSizeLimitBytes, ensemble } = this.#config;
    const { prng } = this.#parts;
    const mayDiffer = ensemble != null;
    const half = Math.max(1, Math.floor(snapCount / 2));
    this.#txnsUntilNext = mayDiffer ? half + prng.below(half) : snapCount;
    this.#bytesUntilNext = snapSizeLimitBytes > 0 ? snapSizeLimitBytes : Infinity;
    if (mayDiffer && snapSizeLimitBytes > 0) this.#bytesUntilNext *= (1 + prng.below(1024) / 1024) / 2;
    this.#txnsSince = 0;
    this.#bytesSince = 0;
  }

  /** The walk over the tree is not over. */
  get isWalking(): boolean {
    return this.#walk !== null;
  }

  /** A number for a walk; none before had it. */
  takeMark(): number {
    this.#mark = this.#mark >= MARK_MAX ? 1 : this.#mark + 1;
    return this.#mark;
  }

  get isRunning(): boolean {
    return this.#walk !== null || this.#isFinishing || this.#isAborting;
  }

  /** More of the walk can be written at once: another turn is wanted. */
  get hasWork(): boolean {
    return this.#walk !== null && (this.#writer?.backlogBytes ?? 0) < SNAPSHOT_BACKLOG_BYTES_MAX;
  }

  /** A batch was committed: is it time? */
  onCommitted(txnCount: number, byteCount: number, log: TxnLog): void {
    this.#txnsSince += txnCount;
    this.#bytesSince += byteCount;
    if (this.isRunning || this.isBlocked) return;
    if (this.#txnsSince >= this.#txnsUntilNext || this.#bytesSince >= this.#bytesUntilNext) this.start(log, null);
  }

  /** The log had so many txns behind its snapshot when it was loaded. */
  onRecovered(txnCount: number): void {
    this.#txnsSince = txnCount;
  }

  /** Begins a snapshot of the tree as it is now. `log` starts a new file with the next batch. */
  start(log: TxnLog | null, onDone: ((error: DiskError | null) => void) | null): void {
    const { disk, gzip, tree, sessions } = this.#parts;
    this.#drawThresholds();
    log?.rollNext();
    this.#onDone = onDone;
    this.#writer = new SnapshotWriter(
      disk,
      {
        directory: `${this.#config.dataDir}/version-2`,
        compression: this.#config.snapshotCompression,
        gzip,
        hasDigest: this.#config.digestEnabled,
        hasZxidTrailer: this.#config.serializeLastProcessedZxid && this.#config.digestEnabled,
      },
      tree.lastProcessedZxid,
    );
    this.#walk = new SnapshotWalk(tree, sessions, this.#writer, this.takeMark());
    this.#log(logLevels.info, 'snapshot started');
  }

  /** One slice; called at the end of a turn. */
  step(): void {
    const walk = this.#walk;
    const writer = this.#writer;
    if (walk === null || writer === null) return;
    if (writer.error !== null) {
      this.#end(writer.error);
      return;
    }
    if (writer.backlogBytes >= SNAPSHOT_BACKLOG_BYTES_MAX) return;
    const isComplete = walk.step(this.#config.snapshotSliceBytes ?? SNAPSHOT_SLICE_BYTES);
    writer.pump();
    if (!isComplete) return;
    walk.end();
    this.#walk = null;
    this.#isFinishing = true;
    writer.finish(walk.digest.zxid, walk.digest.high, walk.digest.low, (error) => this.#finished(walk.zxid, error));
  }

  #finished(zxid: number, error: DiskError | null): void {
    if (error === null) {
      this.completedCount++;
      this.lastZxid = zxid;
      this.#log(logLevels.info, 'snapshot written');
    }
    this.#end(error);
  }

  #end(error: DiskError | null): void {
    const writer = this.#writer;
    // A writer that was told to finish has cleaned up by itself.
    const mustAbort = !this.#isFinishing;
    this.#walk?.end();
    this.#walk = null;
    this.#isFinishing = false;
    if (error !== null) {
      this.failedCount++;
      this.#parts.logger.log(logLevels.warn, 'snapshot failed', { reason: error.message });
      if (mustAbort) writer?.abort(() => {});
    }
    this.#writer = null;
    const onDone = this.#onDone;
    this.#onDone = null;
    onDone?.(error);
    this.#tellIdle();
  }

  /** An unfinished snapshot is dropped, one that only waits for the disk is not. `done`: nothing is on its way any more. */
  stop(done: () => void = () => {}): void {
    const isWalking = this.#walk !== null;
    this.#walk?.end();
    this.#walk = null;
    if (isWalking && this.#writer !== null) {
      this.#isAborting = true;
      this.#writer.abort(() => {
        this.#isAborting = false;
        this.#writer = null;
        this.#onDone = null;
        this.#tellIdle();
      });
    }
    if (this.isRunning) this.#whenIdle.push(done);
    else done();
  }

  #tellIdle(): void {
    if (this.isRunning) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const done of waiting) done();
  }

  #log(level: number, event: string): void {
    this.#parts.logger.log(level, event, {
      file: this.#writer?.name ?? '',
      zxid: formatZxid(this.#parts.tree.lastProcessedZxid),
    });
  }
}
