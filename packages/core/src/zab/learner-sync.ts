/**
 * Brings learners to the leader's history: carries out what sync-plan.ts decides.
 *
 *   none, DIFF, TRUNC   PROPOSAL and COMMIT of each transaction the learner lacks, out of memory or off the disk
 *   SNAP                the whole tree behind the packet, in slices at the end of turns; what happens meanwhile waits behind it
 *
 * A learner joins the live traffic in the very step in which its history is complete: then it has been sent, or will be, each
 * transaction exactly once, without a gap. The walk over the tree is one at a time; further learners wait for theirs.
 *
 * Source: ZooKeeper's LearnerHandler.syncFollower and Leader.startForwarding; reference, quorum protocol section 6.1.
 */
import { type Logger, logLevels } from '@zoots/base';
import { counterOf, epochOf, formatZxid, PACKET } from '@zoots/protocol';
import { type Disk, type LogHistory, openHistory, SnapshotStreamWriter } from '@zoots/storage';
import type { Database } from '../database.js';
import { SNAPSHOT_SLICE_BYTES } from '../limits.js';
import type { CoreConfig } from '../ports.js';
import type { SessionTable } from '../session/session-table.js';
import { SnapshotWalk } from '../tree/snapshot-walk.js';
import type { Tree } from '../tree/tree.js';
import type { CommittedLog } from './committed-log.js';
import type { LearnerHandle } from './learner-handle.js';
import type { EnsembleRules } from './quorum-net.js';
import { HistoryWalk, planSync, type SyncPlan } from './sync-plan.js';

/** Bytes on the way to one learner above which its history or snapshot waits. */
const BACKLOG_BYTES_MAX = 2 * 1024 * 1024;
const HISTORY_SLICE_BYTES = 256 * 1024;

export interface LearnerSyncParts {
  readonly config: CoreConfig;
  readonly rules: EnsembleRules;
  readonly disk: Disk;
  readonly logger: Logger;
  readonly tree: Tree;
  readonly sessions: SessionTable;
  readonly database: Database;
  readonly committedLog: CommittedLog;
  readonly nowMs: () => number;
  readonly openTurn: () => void;
  /** The learner has been sent the history and gets the live traffic. */
  readonly onSynchronised: (handle: LearnerHandle) => void;
  readonly drop: (handle: LearnerHandle, why: string) => void;
}

/** A learner that reads the log on disk. */
interface DiskReading {
  readonly handle: LearnerHandle;
  readonly history: LogHistory;
  /** What the learner has before it: the stretch may be empty. */
  readonly fromZxid: number;
  isReading: boolean;
}

export class LearnerSyncs {
  readonly #parts: LearnerSyncParts;
  readonly #readings = new Map<LearnerHandle, DiskReading>();
  /** Learners that have everything up to this zxid, and wait for what is not on this server's disk yet. */
  readonly #waiting = new Map<LearnerHandle, number>();
  /** Learners that wait for a snapshot; the first one may be getting it. */
  readonly #snapQueue: LearnerHandle[] = [];
  #walk: SnapshotWalk | null = null;
  #writer: SnapshotStreamWriter | null = null;
  #isEnded = false;

  constructor(parts: LearnerSyncParts) {
    this.#parts = parts;
  }

  begin(handle: LearnerHandle): void {
    const { tree, committedLog, rules } = this.#parts;
    const plan = planSync(handle.lastZxid, {
      lastProcessedZxid: tree.lastProcessedZxid,
      minCommittedZxid: committedLog.minZxid,
      maxCommittedZxid: committedLog.maxZxid,
      mayUseDisk: rules.snapshotSizeFactor >= 0,
      mustSnap: rules.forceSnapshotSync,
    });
    if (plan === 'walk') this.#fromMemory(handle, this.#walkMemory(handle.lastZxid));
    else this.#follow(handle, plan);
  }

  #follow(handle: LearnerHandle, plan: SyncPlan): void {
    if (plan.kind === 'none') this.#diff(handle, handle.lastZxid, 'has everything');
    else if (plan.kind === 'trunc') this.#truncate(handle, plan.to);
    else if (plan.kind === 'disk') {
      this.#fromDisk(handle);
      return;
    } else {
      this.#snap(handle, 'is too far behind, or of another history');
      return;
    }
    this.#join(handle);
  }

  #log(handle: LearnerHandle, how: string, why: string): void {
    this.#parts.logger.log(logLevels.info, 'synchronising a learner', {
      serverId: handle.serverId,
      its: formatZxid(Math.max(handle.lastZxid, 0)),
      ours: formatZxid(this.#parts.tree.lastProcessedZxid),
      how,
      why,
    });
  }

  #diff(handle: LearnerHandle, upTo: number, why: string): void {
    this.#log(handle, 'DIFF', why);
    handle.send(PACKET.diff, upTo);
  }

  #truncate(handle: LearnerHandle, to: number): void {
    this.#log(handle, 'TRUNC', `what it has behind ${formatZxid(to)} was never committed`);
    handle.send(PACKET.trunc, to);
  }

  // ---- from memory ----

  #walkMemory(learnerZxid: number): HistoryWalk {
    const { committedLog } = this.#parts;
    const walk = new HistoryWalk(learnerZxid, committedLog.maxZxid ?? learnerZxid);
    for (let i = 0; i < committedLog.count; i++) walk.feed(committedLog.at(i).zxid);
    walk.end();
    return walk;
  }

  #fromMemory(handle: LearnerHandle, walk: HistoryWalk): void {
    const plan = walk.plan as SyncPlan;
    if (plan.kind === 'diff') this.#diff(handle, plan.upTo, 'lacks transactions that are in memory');
    else if (plan.kind === 'trunc') this.#truncate(handle, plan.to);
    else {
      this.#snap(handle, 'its last transaction is not in our history');
      return;
    }
    this.#sendFromMemory(handle, walk.sendAfter);
    this.#join(handle);
  }

  /** Transactions behind a zxid. */
  #sendFromMemory(handle: LearnerHandle, afterZxid: number): void {
    const { committedLog } = this.#parts;
    for (let i = 0; i < committedLog.count; i++) {
      const { zxid, bytes, length } = committedLog.at(i);
      if (zxid > afterZxid) sendCommitted(handle, zxid, bytes, 0, length);
    }
  }

  /** Live traffic from here on; outstanding proposals first. */
  #join(handle: LearnerHandle): void {
    const { database, nowMs } = this.#parts;
    handle.isForwarding = true;
    database.pipeline.forEachUnapplied(Number.POSITIVE_INFINITY, (zxid, bytes, start, end) =>
      handle.propose(zxid, bytes, start, end, nowMs()),
    );
    this.#parts.onSynchronised(handle);
  }

  // ---- from disk ----

  #fromDisk(handle: LearnerHandle): void {
    const { tree, rules } = this.#parts;
    if (this.#isOver(handle, this.#readings.keys(), rules.diffSyncsMax)) return;
    const lastZxid = Math.min(this.#parts.database.durableZxid, tree.lastProcessedZxid);
    if (lastZxid <= handle.lastZxid) {
      this.#snap(handle, 'the log on disk does not reach it');
      return;
    }
    const refused = (why: string): void => this.#snap(handle, why);
    this.#openHistory(handle, handle.lastZxid, lastZxid, refused, (history) => {
      const { hasFrom, previousZxid, firstZxid } = history.stretch;
      // An epoch has no holes: whose next transaction is ours, has our history, even if our log begins with a snapshot just there.
      const isNext = firstZxid === handle.lastZxid + 1;
      const isKnown = hasFrom || isNext || counterOf(handle.lastZxid) === 0;
      const mayCut = previousZxid >= 0 && epochOf(firstZxid) === epochOf(handle.lastZxid);
      if (isKnown) this.#diff(handle, lastZxid, 'lacks transactions that are on disk');
      else if (mayCut) this.#truncate(handle, previousZxid);
      else {
        history.close(() => {});
        this.#snap(handle, 'its last transaction is not in our history');
        return;
      }
      this.#read({ handle, history, fromZxid: isKnown ? handle.lastZxid : previousZxid, isReading: false });
    });
  }

  #openHistory(
    handle: LearnerHandle,
    fromZxid: number,
    lastZxid: number,
    refused: (why: string) => void,
    use: (history: LogHistory) => void,
  ): void {
    const { config, rules, disk, tree, openTurn } = this.#parts;
    const request = {
      snapshotDirectory: `${config.dataDir}/version-2`,
      logDirectory: `${config.dataLogDir}/version-2`,
      fromZxid,
      lastZxid,
      bytesMax: Math.floor(rules.snapshotSizeFactor * (tree.store.dataBytes + tree.store.pathBytes)),
    };
    openHistory(disk, request, (refusal, history) => {
      openTurn();
      if (this.#isEnded || handle.stage === 'closed') history?.close(() => {});
      else if (history === null) refused(`the log on disk does not do: ${refusal?.message ?? ''}`);
      else use(history);
    });
  }

  #read(reading: DiskReading): void {
    this.#readings.set(reading.handle, reading);
    this.#readOn(reading);
  }

  #readOn(reading: DiskReading): void {
    const { handle, history } = reading;
    if (reading.isReading || isBackedUp(handle)) return;
    reading.isReading = true;
    history.read(
      HISTORY_SLICE_BYTES,
      (bytes, start, end, zxid) => {
        if (handle.stage !== 'closed') sendCommitted(handle, zxid, bytes, start, end);
      },
      (refusal, isAtEnd) => {
        this.#parts.openTurn();
        reading.isReading = false;
        if (this.#readings.get(handle) !== reading) return;
        if (refusal !== null) {
          this.#parts.drop(handle, `its history broke off: ${refusal.message}`);
        } else if (isAtEnd) this.#onReadToEnd(reading);
        else this.#readOn(reading);
      },
    );
  }

  #onReadToEnd({ handle, history, fromZxid }: DiskReading): void {
    this.#stopReading(handle);
    this.#goOn(handle, Math.max(fromZxid, history.stretch.lastZxid));
  }

  /** The log went on meanwhile: the rest is in memory, or one more stretch of it has become durable, or soon will. */
  #goOn(handle: LearnerHandle, sentZxid: number): void {
    const { committedLog, database, tree } = this.#parts;
    const minZxid = committedLog.minZxid;
    if (sentZxid >= tree.lastProcessedZxid || (minZxid !== null && minZxid <= sentZxid)) {
      this.#sendFromMemory(handle, sentZxid);
      this.#join(handle);
      return;
    }
    if (counterOf(tree.lastProcessedZxid) === 0 && (committedLog.maxZxid ?? 0) <= sentZxid) {
      // The epoch has just begun: its zero is no transaction.
      this.#join(handle);
      return;
    }
    const lastZxid = Math.min(database.durableZxid, tree.lastProcessedZxid);
    if (lastZxid <= sentZxid) {
      this.#waiting.set(handle, sentZxid);
      return;
    }
    // What has begun as a DIFF cannot become a SNAP: the learner must come again.
    const refused = (reason: string): void => this.#parts.drop(handle, `its history broke off: ${reason}`);
    this.#openHistory(handle, sentZxid, lastZxid, refused, (next) =>
      this.#read({ handle, history: next, fromZxid: sentZxid, isReading: false }),
    );
  }

  #stopReading(handle: LearnerHandle): void {
    const reading = this.#readings.get(handle);
    if (reading === undefined) return;
    this.#readings.delete(handle);
    reading.history.close(() => {});
  }

  // ---- snapshots ----

  /** Followers are never turned away; observers come again. */
  #isOver(handle: LearnerHandle, others: Iterable<LearnerHandle>, countMax: number): boolean {
    if (!handle.isObserver || [...others].filter(({ isObserver }) => isObserver).length < countMax) return false;
    const why = `${countMax} observers are being synchronised`;
    this.#log(handle, 'not now', why);
    this.#parts.drop(handle, why);
    return true;
  }

  #snap(handle: LearnerHandle, why: string): void {
    if (this.#isOver(handle, this.#snapQueue, this.#parts.rules.snapSyncsMax)) return;
    this.#log(handle, 'SNAP', why);
    this.#snapQueue.push(handle);
    this.#beginSnapshot();
  }

  #beginSnapshot(): void {
    const { tree, sessions, database } = this.#parts;
    const handle = this.#snapQueue[0];
    if (handle === undefined || this.#walk !== null || database.snapshotter.isWalking) return;
    database.snapshotter.isBlocked = true;
    this.#writer = new SnapshotStreamWriter();
    this.#walk = new SnapshotWalk(tree, sessions, this.#writer, database.snapshotter.takeMark());
    handle.send(PACKET.snap, this.#walk.zxid);
    // What is sent from here on waits behind the snapshot, which shows the tree of this moment.
    handle.beginSnapshot();
    this.#join(handle);
  }

  /** Carries snapshots and histories on; called at the end of a turn. */
  step(): void {
    for (const reading of [...this.#readings.values()]) {
      if (reading.handle.stage === 'closed') this.#stopReading(reading.handle);
      else this.#readOn(reading);
    }
    for (const [handle, sentZxid] of [...this.#waiting]) {
      this.#waiting.delete(handle);
      if (handle.stage !== 'closed') this.#goOn(handle, sentZxid);
    }
    this.#stepSnapshot();
  }

  /** More can be done at once: another turn is wanted. */
  get hasWork(): boolean {
    for (const { handle, isReading } of this.#readings.values()) if (!isReading && hasRoom(handle)) return true;
    const handle = this.#snapQueue[0];
    if (handle === undefined) return false;
    return this.#walk !== null ? hasRoom(handle) : !this.#parts.database.snapshotter.isWalking;
  }

  #stepSnapshot(): void {
    const handle = this.#snapQueue[0];
    if (handle === undefined) return;
    if (handle.stage === 'closed') {
      this.#endSnapshot();
      return;
    }
    if (this.#walk === null) {
      this.#beginSnapshot();
      return;
    }
    const writer = this.#writer as SnapshotStreamWriter;
    if (isBackedUp(handle)) return;
    const sliceBytes = this.#parts.config.snapshotSliceBytes ?? SNAPSHOT_SLICE_BYTES;
    if (!writer.isEnded && this.#walk.step(sliceBytes)) {
      this.#walk.end();
      writer.finish();
    }
    writer.takeInto(handle.stream.out, Number.POSITIVE_INFINITY);
    handle.stream.markDirty();
    if (!writer.isEnded) return;
    handle.endSnapshot();
    this.#endSnapshot();
  }

  #endSnapshot(): void {
    this.#walk?.end();
    this.#walk = null;
    this.#writer = null;
    this.#snapQueue.shift();
    this.#parts.database.snapshotter.isBlocked = false;
    this.#beginSnapshot();
  }

  /** The leader leads no more. */
  end(): void {
    this.#isEnded = true;
    for (const handle of [...this.#readings.keys()]) this.#stopReading(handle);
    this.#waiting.clear();
    this.#walk?.end();
    this.#walk = null;
    this.#snapQueue.length = 0;
    this.#parts.database.snapshotter.isBlocked = false;
  }
}

function isBackedUp({ stream }: LearnerHandle): boolean {
  return stream.out.length + stream.unsentBytes >= BACKLOG_BYTES_MAX;
}

/** Once what was written in this turn is sent. */
function hasRoom({ stream }: LearnerHandle): boolean {
  return stream.unsentBytes < BACKLOG_BYTES_MAX;
}

function sendCommitted(handle: LearnerHandle, zxid: number, bytes: Uint8Array, start: number, end: number): void {
  handle.send(PACKET.proposal, zxid, bytes, start, end);
  handle.send(PACKET.commit, zxid);
}
