/**
 * TRUNC: cuts the history on disk behind a zxid, as a learner must when its leader knows nothing of what follows.
 *
 *   1. Find the newest valid snapshot at or before the zxid, and follow the logs from it to the zxid: the state that is to
 *      be left must be provable. Where it is not, nothing is changed.
 *   2. Undo in the reverse order of time. Logs that begin behind the zxid are removed, snapshots behind it are set aside, the
 *      newest first, each durably before the next one; then the log that holds the zxid is cut.
 *
 * So a crash at any moment leaves a disk from which recovery reads a beginning of the old history that reaches at least to
 * the zxid: never a gap, never a mixture. Any such beginning will do, because what the leader tells us to cut was never
 * committed; the leader will tell us again.
 *
 * A cut is not atomic: a file system may clear the end of the last block before it shortens the file, which would look like
 * damage in the middle of a log. Hence the durable mark (see txn-log-format.ts) is moved to the cut before, so that
 * recovery takes whatever lies behind it for an unfinished batch, and cleared afterwards, so that the file is Apache's.
 *
 * Snapshots behind the zxid show what is undone. They are renamed to `undone-snapshot.…`, a name that neither our recovery
 * nor Apache's sees, and stay for people to look at until the next truncation. (Apache's server leaves them as they are.)
 *
 * The caller has closed the TxnLog and ended any snapshot under way, and recovers from disk afterwards.
 * See docs/decisions/0015-truncating-the-log.md.
 */
import { assert, ByteWriter, toHex } from '@zoots/base';
import { counterOf } from '@zoots/protocol';
import type { GzipPort } from './compression.js';
import type { Disk, DiskEntry, DiskError, Done } from './disk.js';
import { filesOfKind, isUndoneSnapshotName, joinPath, type NamedFile, undoneSnapshotName } from './file-names.js';
import { type LogEnd, type OnRecord, readLog } from './log-reader.js';
import { REMEDIES, type RecoveryError } from './recovery-errors.js';
import { type Action, runInTurn } from './recovery-repair.js';
import type { SnapshotSink } from './snapshot-parser.js';
import { type OnSnapshotRead, readSnapshotFile } from './snapshot-reader.js';
import { entryZxid, MARK_BYTES, MARK_OFFSET, writeMark } from './txn-log-format.js';
import { ZxidChain } from './zxid-chain.js';

export interface TruncateOptions {
  /** Both end in `/version-2`; they may be the same. */
  readonly snapshotDirectory: string;
  readonly logDirectory: string;
  /** zookeeper.snapshot.trust.empty: logs without any snapshot are a history. */
  readonly trustEmptySnapshot: boolean;
  readonly gzip: GzipPort | null;
  /** A zxid that is not in the history: cut behind the last one before it (a snapshot of the zxid is about to stand in for the rest). */
  readonly atOrBefore?: boolean;
}

export interface TruncateError extends RecoveryError {
  /**
   * - `absent`: the history here has no such zxid; cutting anywhere would leave something else than the leader believes.
   * - `unfounded`: no valid snapshot at or before the zxid, so that the state there cannot be rebuilt.
   * - `damaged`: the logs cannot be followed as far as the zxid.
   * - `disk`: an operation failed. What is on disk is a beginning of the old history; the truncation can be repeated.
   *
   * After the first three nothing was changed, and only a whole snapshot from the leader helps.
   */
  readonly kind: 'absent' | 'unfounded' | 'damaged' | 'disk';
}

export interface TruncateResult {
  /**
   * Of the last txn left (or of the snapshot): the zxid asked for; if that is the 0 of an epoch, the last before it; or the 0
   * of the epoch that began with the state asked for.
   */
  readonly lastZxid: number;
  /** What was changed, for the log; sentences. Empty if nothing lay behind the zxid. */
  readonly changes: readonly string[];
}

export type OnTruncated = (error: TruncateError | null, result: TruncateResult | null) => void;

/** Leaves the history up to and including `zxid`. */
export function truncateLog(disk: Disk, options: TruncateOptions, zxid: number, done: OnTruncated): void {
  assert(zxid >= 0, 'a log is truncated to a negative zxid');
  new Truncation(disk, options, zxid, done).start();
}

/** Where a log is to end. */
interface Cut {
  readonly log: NamedFile;
  readonly offset: number;
  /** Nothing is left of it: it is removed. */
  readonly isWhole: boolean;
}

/** Looks at a snapshot only to see whether it is valid. */
const IGNORING_SINK: SnapshotSink = {
  onSession: () => {},
  onAcl: () => {},
  onNode: () => true,
  onSnapshotEnd: () => true,
};

/** The reader's words for a record that lies behind the zxid. */
const BEHIND = 'behind the zxid';
const UNFOUNDED = 'no valid snapshot of that zxid or an earlier one is left';

class Truncation {
  readonly #disk: Disk;
  readonly #options: TruncateOptions;
  readonly #zxid: number;
  readonly #done: OnTruncated;
  #snapshots: NamedFile[] = [];
  #logs: NamedFile[] = [];
  /** Set aside by an earlier truncation. */
  #evidence: string[] = [];
  /** Of the snapshot that the history is followed from; -1 for none. */
  #base = -1;
  /** Zxids of snapshots between that one and the zxid that are damaged. */
  readonly #damaged: number[] = [];
  #chain = new ZxidChain(0, false);
  /** The record read last, in the order of the files; -1 before the first one. */
  #seen = -1;
  /** Of the first record behind the zxid. */
  #behind = Number.POSITIVE_INFINITY;
  /** There is something that the logs go on from: a snapshot, or the fresh tree. */
  #isFounded: boolean;
  /** Why the record at hand is refused, unless because it lies behind. */
  #problem: Pick<TruncateError, 'kind' | 'remedy'> = { kind: 'damaged', remedy: REMEDIES.truncate };
  readonly #actions: Action[] = [];
  readonly #changes: string[] = [];

  constructor(disk: Disk, options: TruncateOptions, zxid: number, done: OnTruncated) {
    this.#disk = disk;
    this.#options = options;
    this.#zxid = zxid;
    this.#done = done;
    this.#isFounded = options.trustEmptySnapshot || zxid === 0;
  }

  #refuse(kind: TruncateError['kind'], file: string, offset: number, message: string, remedy: string): void {
    const told = `cannot cut the history at 0x${toHex(this.#zxid)}: ${message}`;
    this.#done({ kind, file, offset, message: told, remedy }, null);
  }

  #refuseDisk(error: DiskError): void {
    this.#refuse('disk', error.path, 0, error.message, REMEDIES.disk);
  }

  #logPath(log: NamedFile): string {
    return joinPath(this.#options.logDirectory, log.name);
  }

  start(): void {
    const { snapshotDirectory, logDirectory } = this.#options;
    this.#disk.list(snapshotDirectory, (snapshotError, snapshotEntries) => {
      if (snapshotError !== null) return this.#refuseDisk(snapshotError);
      this.#disk.list(logDirectory, (logError, logEntries) => {
        if (logError !== null) this.#refuseDisk(logError);
        else this.#sort(snapshotEntries, logEntries);
      });
    });
  }

  #sort(snapshotEntries: readonly DiskEntry[], logEntries: readonly DiskEntry[]): void {
    this.#snapshots = filesOfKind(snapshotEntries, 'snapshot');
    this.#logs = filesOfKind(logEntries, 'log');
    this.#evidence = snapshotEntries.map((entry) => entry.name).filter(isUndoneSnapshotName);
    this.#findBase(this.#snapshots.filter((snapshot) => snapshot.zxid <= this.#zxid));
  }

  // Step 1: where the zxid lies.

  /** Takes the newest valid one of `candidates` (ascending). */
  #findBase(candidates: NamedFile[]): void {
    const candidate = candidates.pop();
    if (candidate === undefined) {
      // As for recovery: a damaged snapshot of the fresh tree stands for the fresh tree.
      if (this.#damaged.includes(0)) this.#isFounded = true;
      this.#follow(0);
      return;
    }
    this.#whenRead(candidate, (isValid) => {
      if (!isValid) {
        this.#damaged.push(candidate.zxid);
        this.#findBase(candidates);
        return;
      }
      this.#isFounded = true;
      this.#base = candidate.zxid;
      this.#chain = new ZxidChain(candidate.zxid, false);
      this.#follow(this.#firstLogFor(candidate.zxid));
    });
  }

  /** Reads a snapshot for nothing but to see whether it is valid. */
  #whenRead(snapshot: NamedFile, next: (isValid: boolean) => void): void {
    const { snapshotDirectory, gzip } = this.#options;
    const onRead: OnSnapshotRead = (error, damage) => {
      if (error !== null) this.#refuseDisk(error);
      else next(damage === null);
    };
    readSnapshotFile(this.#disk, joinPath(snapshotDirectory, snapshot.name), IGNORING_SINK, onRead, gzip);
  }

  /** Index of the log that recovery from a snapshot of `base` begins with. */
  #firstLogFor(base: number): number {
    let first = 0;
    for (let i = 0; i < this.#logs.length; i++) if ((this.#logs[i] as NamedFile).zxid <= base) first = i;
    return first;
  }

  /** Reads the logs from `index` on, up to the first record behind the zxid. */
  #follow(index: number): void {
    const log = this.#logs[index];
    if (log === undefined) {
      this.#conclude(null, index);
      return;
    }
    if (log.zxid > this.#zxid) {
      this.#behind = log.zxid;
      this.#conclude({ log, offset: 0, isWhole: true }, index);
      return;
    }
    const path = this.#logPath(log);
    readLog(this.#disk, path, { passDamaged: false }, this.#onRecord, (error, end) => {
      if (error !== null || end === null) return this.#refuseDisk(error as DiskError);
      const isBehind = end.kind === 'refused' && end.reason === BEHIND;
      // Whatever is not clean behind the very record that was looked for is cut off as well.
      const isEnough = end.kind !== 'clean' && end.kind !== 'refused' && this.#seen === this.#zxid;
      if (isBehind || isEnough) this.#conclude(cutOf(log, end), index);
      else if (end.kind === 'refused') {
        const { kind, remedy } = this.#problem;
        this.#refuse(kind, path, end.offset, end.reason, remedy);
      } else if (end.kind === 'corrupt') {
        this.#refuse('damaged', path, end.offset, `the log is corrupt (${end.reason})`, REMEDIES.truncate);
      } else this.#follow(index + 1);
    });
  }

  readonly #onRecord: OnRecord = (_bytes, view, start) => {
    const zxid = entryZxid(view, start);
    // Logs that begin with the very first txn of all are a whole history.
    if (this.#seen < 0 && zxid === 1) this.#isFounded = true;
    if (!this.#isFounded) {
      this.#problem = { kind: 'unfounded', remedy: REMEDIES.truncate };
      return UNFOUNDED;
    }
    if (zxid > this.#zxid) {
      this.#behind = zxid;
      return BEHIND;
    }
    this.#seen = zxid;
    const last = this.#chain.last;
    const verdict = this.#chain.take(zxid, view.getUint32(start - 8));
    // A snapshot between two records came from a leader, with txns that were never logged here.
    const isHole = verdict === 'gap' || (verdict === 'next' && this.#damaged.some((at) => at > last && at < zxid));
    if (!isHole && verdict !== 'conflict') return null;
    this.#problem = { kind: 'damaged', remedy: REMEDIES.truncate };
    return isHole
      ? `transactions are missing between 0x${toHex(last)} and 0x${toHex(zxid)}`
      : `another transaction with the zxid 0x${toHex(zxid)} was logged before`;
  };

  /** Everything up to the zxid is read. `index` is the log that the cut is in, or behind the last one. */
  #conclude(cut: Cut | null, index: number): void {
    const last = this.#chain.last;
    // No txn has the counter 0: it stands for the beginning of an epoch, which is proven by a txn of that epoch or a later one.
    const isEpochStart = counterOf(this.#zxid) === 0 && cut !== null;
    const isThere = last === this.#zxid || isEpochStart || this.#options.atOrBefore === true;
    if (this.#isFounded && isThere) this.#checkEarlier(this.#firstLogFor(Math.max(0, this.#base)) - 1, cut, index, []);
    else this.#trySuccessor(() => this.#refuseAbsent(cut));
  }

  #refuseAbsent(cut: Cut | null): void {
    if (!this.#isFounded) {
      this.#refuse('unfounded', this.#options.snapshotDirectory, 0, UNFOUNDED, REMEDIES.truncate);
      return;
    }
    const last = toHex(this.#chain.last);
    const found = cut === null ? `the history ends at 0x${last}` : `0x${last} is followed by a later one`;
    const place = cut === null ? this.#options.logDirectory : this.#logPath(cut.log);
    this.#refuse('absent', place, cut?.offset ?? 0, `no such transaction is there: ${found}`, REMEDIES.truncate);
  }

  /**
   * A whole snapshot that an elected leader sent before its epoch's first txn bears the 0 of the epoch, and shows the state that
   * the epoch began with: after the last txn before it, whose zxid this server may never have seen. A leader that has committed
   * nothing since cuts at that zxid; here this means the snapshot.
   */
  #trySuccessor(otherwise: () => void): void {
    const successor = this.#snapshots.find((snapshot) => snapshot.zxid > this.#zxid);
    if (successor === undefined || counterOf(successor.zxid) !== 0 || successor.zxid > this.#behind) {
      otherwise();
      return;
    }
    this.#whenRead(successor, (isValid) => {
      if (isValid) new Truncation(this.#disk, this.#options, successor.zxid, this.#done).start();
      else otherwise();
    });
  }

  /**
   * Logs before the first one that was followed matter to nobody now, but a later recovery may start from an older snapshot.
   * Where records were logged twice, some behind the zxid may be in them.
   */
  #checkEarlier(earlier: number, cut: Cut | null, index: number, overlaps: Cut[]): void {
    const log = this.#logs[earlier];
    if (log === undefined) {
      this.#plan(cut, index, overlaps);
      return;
    }
    const onRecord: OnRecord = (_bytes, view, start) => (entryZxid(view, start) > this.#zxid ? BEHIND : null);
    readLog(this.#disk, this.#logPath(log), { passDamaged: false }, onRecord, (error, end) => {
      // Purged since the directory was listed: nobody can start from it any more.
      const isGone = error?.code === 'not-found';
      if (!isGone && (error !== null || end === null)) return this.#refuseDisk(error as DiskError);
      if (end?.reason === BEHIND) overlaps.push(cutOf(log, end));
      this.#checkEarlier(earlier - 1, cut, index, overlaps);
    });
  }

  // Step 2: the changes, newest first.

  #plan(cut: Cut | null, index: number, overlaps: readonly Cut[]): void {
    const isBeyond = cut !== null && cut.log.zxid > this.#zxid;
    const logs = this.#logs.slice(isBeyond ? index : index + 1).map((file) => ({ file, isLog: true }));
    const snapshots = this.#snapshots.filter((file) => file.zxid > this.#zxid).map((file) => ({ file, isLog: false }));
    // Of a snapshot and a log with the same zxid the snapshot is the newer one: it shows the state after the record.
    const undone = [...logs, ...snapshots].sort(
      (a, b) => b.file.zxid - a.file.zxid || Number(a.isLog) - Number(b.isLog),
    );
    for (const { file, isLog } of undone) {
      if (isLog) this.#planRemoval(file);
      else this.#planSettingAside(file);
    }
    if (cut !== null && !isBeyond) this.#planCut(cut);
    for (const overlap of overlaps) this.#planCut(overlap);
    this.#planEvidence(new Set(snapshots.map(({ file }) => undoneSnapshotName(file.name))));
    runInTurn(this.#actions, (error) => {
      if (error !== null) this.#refuseDisk(error);
      else this.#done(null, { lastZxid: this.#chain.last, changes: this.#changes });
    });
  }

  #planRemoval(log: NamedFile): void {
    this.#changes.push(`removed ${log.name}`);
    this.#actions.push((next) => this.#disk.remove(this.#logPath(log), next));
    this.#actions.push((next) => this.#disk.syncDirectory(this.#options.logDirectory, next));
  }

  #planSettingAside({ name }: NamedFile): void {
    const directory = this.#options.snapshotDirectory;
    const aside = undoneSnapshotName(name);
    this.#changes.push(`set ${name} aside as ${aside}`);
    this.#actions.push((next) => this.#disk.rename(joinPath(directory, name), joinPath(directory, aside), next));
    this.#actions.push((next) => this.#disk.syncDirectory(directory, next));
  }

  #planCut({ log, offset, isWhole }: Cut): void {
    if (isWhole) {
      this.#planRemoval(log);
      return;
    }
    this.#changes.push(`cut ${log.name} at offset ${offset}, off ${log.sizeBytes - offset} bytes`);
    this.#actions.push((next) => cutFile(this.#disk, this.#logPath(log), offset, next));
  }

  /** What an earlier truncation set aside goes once this one is done, so that it never adds up. */
  #planEvidence(kept: ReadonlySet<string>): void {
    const directory = this.#options.snapshotDirectory;
    // A truncation that has nothing to do, or is repeated after a crash, leaves everything as it is.
    if (this.#actions.length === 0) return;
    for (const name of this.#evidence) {
      if (kept.has(name)) continue;
      this.#changes.push(`removed ${name}`);
      this.#actions.push((next) => this.#disk.remove(joinPath(directory, name), next));
    }
  }
}

function cutOf(log: NamedFile, end: LogEnd): Cut {
  return { log, offset: end.offset, isWhole: end.recordCount === 0 };
}

/** Ends the log at `offset`, durably; see the header for the mark. */
function cutFile(disk: Disk, path: string, offset: number, done: Done): void {
  disk.open(path, 'write', (error, file) => {
    if (error !== null || file === null) return done(error);
    const mark = (value: number): Action => {
      const writer = new ByteWriter(MARK_BYTES);
      writeMark(writer, value);
      return (next) => file.write(MARK_OFFSET, writer.bytes, 0, MARK_BYTES, true, next);
    };
    const actions: Action[] = [
      // What the mark will vouch for may still be in the page cache.
      (next) => file.sync(next),
      mark(offset),
      (next) => file.truncate(offset, next),
      (next) => file.sync(next),
      mark(0),
    ];
    runInTurn(actions, (stepError) => file.close((closeError) => done(stepError ?? closeError)));
  });
}
