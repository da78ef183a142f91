/**
 * Logged txns, read back for a learner that is far behind: all after a zxid, in order, without a gap.
 *
 * Two passes. `openHistory` reads the stretch once: is its beginning still there, does it hang together, how many bytes
 * is it? The leader must know before it says DIFF, since a DIFF that breaks off in the middle cannot be taken back. Then
 * `read` hands the entries out, as many at a time as the connection has room for. Memory: a chunk, or the longest entry.
 *
 * It bears a log that is being written, because it is told where to stop: at a txn that is durable. Nothing behind that is
 * handed out, and nothing before it changes any more. It bears a purge, because all files that it will need are open before
 * `openHistory` is done: a removed file stays readable as long as it is open.
 *
 * A hole can look like none: a server that fetched a snapshot from its leader has logs from before and after it, and between
 * epochs counters do not tell how many are missing. So a snapshot whose zxid falls between two records counts as a hole.
 *
 * Which answer leads to what is the leader's decision (a learner whose last zxid is not ours gets a TRUNC, say); every refusal
 * leads to SNAP. Source of the rules: ZooKeeper's LearnerHandler.syncFollower.
 */
import { assert, toHex } from '@zoots/base';
import { counterOf } from '@zoots/protocol';
import type { Disk, DiskError, DiskFile } from './disk.js';
import { filesOfKind, joinPath, type NamedFile } from './file-names.js';
import { type LogPlace, LogWalk, type OnWalked } from './log-walk.js';
import { follows } from './zxid-chain.js';

export interface HistoryRequest {
  /** Both end in `/version-2`; they may be the same. */
  readonly snapshotDirectory: string;
  readonly logDirectory: string;
  /** The learner's last zxid: what comes after it is wanted. */
  readonly fromZxid: number;
  /** The last txn wanted, which is durable; not below `fromZxid`. May be the 0 of an epoch. */
  readonly lastZxid: number;
  /** A stretch with more entry bytes is refused: snapshotSizeFactor times the size of a snapshot. */
  readonly bytesMax: number;
}

export interface HistoryRefusal {
  /**
   * - `purged`: the logs do not go back far enough.
   * - `too-long`: more than `bytesMax`, or too many files.
   * - `broken`: txns are missing or unreadable within the stretch.
   * - `disk`: an operation failed.
   */
  readonly kind: 'purged' | 'too-long' | 'broken' | 'disk';
  readonly file: string;
  readonly offset: number;
  readonly message: string;
}

export type OnHistoryOpened = (refusal: HistoryRefusal | null, history: LogHistory | null) => void;

/** Receives an entry; `bytes` from `start` to `end` are valid during the call only. */
export type OnHistoryEntry = (bytes: Uint8Array, start: number, end: number, zxid: number) => void;

/** Looks the stretch up. A history that comes must be closed. */
export function openHistory(disk: Disk, request: HistoryRequest, done: OnHistoryOpened): void {
  assert(request.fromZxid <= request.lastZxid, 'a history that ends before it begins');
  new HistoryOpening(disk, request, done).start();
}

/** What the first pass found out. */
export interface HistoryStretch {
  /** Where the first entry to be handed out lies; null if there is none. */
  readonly place: LogPlace | null;
  /** The log has a record of exactly `fromZxid`. */
  readonly hasFrom: boolean;
  /**
   * Zxid of the last record before `fromZxid`; -1 if none was seen, and then `hasFrom`, or the next zxid follows directly.
   * Where `hasFrom` is false, the learner has another history, which is to be cut there.
   */
  readonly previousZxid: number;
  /** Zxids of the first and last entry; -1 if there is none. */
  readonly firstZxid: number;
  readonly lastZxid: number;
  readonly txnCount: number;
  readonly entryBytes: number;
}

/** A stretch that is complete and ready to be read. */
export class LogHistory {
  readonly stretch: HistoryStretch;
  readonly #files: readonly DiskFile[];
  readonly #walk: LogWalk;
  #lastZxid: number;
  /** Set by `close`. */
  #onClosed: (() => void) | null = null;

  /** Made by {@link openHistory}. */
  constructor(files: readonly DiskFile[], stretch: HistoryStretch, fromZxid: number) {
    this.stretch = stretch;
    this.#files = files;
    this.#walk = new LogWalk(files, stretch.place ?? { index: files.length, offset: 0 });
    this.#lastZxid = fromZxid;
  }

  /** All entries were handed out. */
  get isAtEnd(): boolean {
    return this.stretch.place === null || this.#lastZxid === this.stretch.lastZxid;
  }

  /**
   * Hands out entries until they come to `bytesMax` bytes (at least one), or to the end. `done` may come before the call
   * returns, and may call `read` again. After a refusal (what was read before has changed, or the disk fails) the learner's
   * connection must be closed: it has a part of a DIFF.
   */
  read(
    bytesMax: number,
    onEntry: OnHistoryEntry,
    done: (refusal: HistoryRefusal | null, isAtEnd: boolean) => void,
  ): void {
    assert(this.#onClosed === null, 'a closed history is read');
    if (this.isAtEnd) {
      done(null, true);
      return;
    }
    let left = bytesMax;
    let problem: HistoryRefusal | null = null;
    const onRecord: OnWalked = (bytes, start, end, zxid, index, offset) => {
      if (this.#onClosed !== null) return false;
      if (zxid <= this.#lastZxid) return true;
      const { firstZxid, lastZxid } = this.stretch;
      const isNext = this.#lastZxid < firstZxid ? zxid === firstZxid : follows(this.#lastZxid, zxid);
      if (!isNext || zxid > lastZxid) {
        problem = refusal('broken', this.#pathOf(index), offset, 'the log has changed since it was looked through');
        return false;
      }
      this.#lastZxid = zxid;
      onEntry(bytes, start, end, zxid);
      left -= end - start;
      return left > 0 && zxid !== lastZxid;
    };
    this.#walk.run(onRecord, (error, isAtEnd) => {
      if (this.#onClosed !== null) {
        closeAll(this.#files, this.#onClosed);
        return;
      }
      if (error !== null) problem = refuseDisk(error);
      else if (isAtEnd && !this.isAtEnd)
        problem ??= refusal('broken', this.#pathOf(this.#files.length - 1), 0, 'the log ends earlier than it did');
      done(problem, this.isAtEnd);
    });
  }

  #pathOf(index: number): string {
    return this.#files[index]?.path ?? '';
  }

  /** Lets go of the files. A `read` that is under way ends without a callback. */
  close(done: () => void): void {
    assert(this.#onClosed === null, 'a history is closed twice');
    this.#onClosed = done;
    if (!this.#walk.isRunning) closeAll(this.#files, done);
  }
}

/** So many logs are open at once, at most. */
const FILES_MAX = 256;

class HistoryOpening {
  readonly #disk: Disk;
  readonly #request: HistoryRequest;
  readonly #done: OnHistoryOpened;
  readonly #files: DiskFile[] = [];
  /** Zxids of the snapshots, ascending. */
  #snapshots: number[] = [];

  #place: LogPlace | null = null;
  #hasFrom = false;
  #previousZxid = -1;
  #firstZxid = -1;
  /** Of the record taken last; the learner's own before the first one. */
  #lastZxid: number;
  #txnCount = 0;
  #entryBytes = 0;
  #refusal: HistoryRefusal | null = null;

  constructor(disk: Disk, request: HistoryRequest, done: OnHistoryOpened) {
    this.#disk = disk;
    this.#request = request;
    this.#done = done;
    this.#lastZxid = request.fromZxid;
  }

  start(): void {
    const { snapshotDirectory, logDirectory } = this.#request;
    this.#disk.list(snapshotDirectory, (snapshotError, snapshotEntries) => {
      if (snapshotError !== null) return this.#refuse(refuseDisk(snapshotError));
      this.#snapshots = filesOfKind(snapshotEntries, 'snapshot').map((file) => file.zxid);
      this.#disk.list(logDirectory, (logError, logEntries) => {
        if (logError !== null) this.#refuse(refuseDisk(logError));
        else this.#open(this.#choose(filesOfKind(logEntries, 'log')));
      });
    });
  }

  #refuse(reason: HistoryRefusal): void {
    closeAll(this.#files, () => this.#done(reason, null));
  }

  /** The logs that may hold records of the stretch, and the one before its beginning. */
  #choose(logs: readonly NamedFile[]): NamedFile[] {
    const { fromZxid, lastZxid } = this.#request;
    let first = 0;
    for (let i = 0; i < logs.length; i++) if ((logs[i] as NamedFile).zxid <= fromZxid) first = i;
    return logs.slice(first).filter((log) => log.zxid <= lastZxid);
  }

  #open(logs: readonly NamedFile[]): void {
    const { logDirectory } = this.#request;
    if (logs.length > FILES_MAX) {
      this.#refuse(refusal('too-long', logDirectory, 0, `the stretch lies in ${logs.length} files`));
      return;
    }
    const openFrom = (index: number): void => {
      const log = logs[index];
      if (log === undefined) {
        new LogWalk(this.#files, { index: 0, offset: 0 }).run(this.#onRecord, (error) => this.#conclude(error));
        return;
      }
      this.#disk.open(joinPath(logDirectory, log.name), 'read', (error, file) => {
        if (error?.code === 'not-found')
          return this.#refuse(refusal('purged', error.path, 0, 'the log was removed meanwhile'));
        if (error !== null || file === null) return this.#refuse(refuseDisk(error as DiskError));
        this.#files.push(file);
        openFrom(index + 1);
      });
    };
    openFrom(0);
  }

  readonly #onRecord: OnWalked = (_bytes, start, end, zxid, index, offset) => {
    const { fromZxid, lastZxid, bytesMax } = this.#request;
    if (zxid > lastZxid) return false;
    if (zxid <= fromZxid) {
      if (zxid === fromZxid) this.#hasFrom = true;
      else if (zxid > this.#previousZxid) this.#previousZxid = zxid;
      return zxid !== lastZxid;
    }
    if (this.#firstZxid >= 0 && zxid <= this.#lastZxid) return true;
    const path = (this.#files[index] as DiskFile).path;
    this.#refusal = this.#firstZxid < 0 ? this.#judgeFirst(zxid, path, offset) : this.#judgeNext(zxid, path, offset);
    if (this.#refusal !== null) return false;
    if (this.#firstZxid < 0) {
      this.#firstZxid = zxid;
      this.#place = { index, offset };
    }
    this.#lastZxid = zxid;
    this.#txnCount++;
    this.#entryBytes += end - start;
    if (this.#entryBytes > bytesMax) {
      this.#refusal = refusal('too-long', path, offset, `the stretch has more than ${bytesMax} bytes`);
    }
    return zxid !== lastZxid && this.#refusal === null;
  };

  /** Before the first record wanted there must be the learner's own, or one before it; or it is the very next. */
  #judgeFirst(zxid: number, path: string, offset: number): HistoryRefusal | null {
    const { fromZxid } = this.#request;
    if (this.#hasFrom) return this.#judgeNext(zxid, path, offset);
    if (zxid === fromZxid + 1) return null;
    if (this.#previousZxid < 0) return refusal('purged', path, offset, `the logs begin behind 0x${toHex(fromZxid)}`);
    this.#lastZxid = this.#previousZxid;
    return this.#judgeNext(zxid, path, offset);
  }

  #judgeNext(zxid: number, path: string, offset: number): HistoryRefusal | null {
    const last = this.#lastZxid;
    if (follows(last, zxid) && !this.#hasSnapshotBetween(last, zxid)) return null;
    const message = `transactions may be missing between 0x${toHex(last)} and 0x${toHex(zxid)}`;
    return refusal('broken', path, offset, message);
  }

  /** Behind `last` and before `next`, both exclusive. */
  #hasSnapshotBetween(last: number, next: number): boolean {
    return this.#snapshots.some((zxid) => zxid > last && zxid < next);
  }

  #conclude(error: DiskError | null): void {
    const reason = error === null ? (this.#refusal ?? this.#judgeEnd()) : refuseDisk(error);
    if (reason === null) this.#done(null, new LogHistory(this.#files, this.#stretch(), this.#request.fromZxid));
    else this.#refuse(reason);
  }

  /** Every record is read, up to the last one wanted or to the end of the logs. */
  #judgeEnd(): HistoryRefusal | null {
    const { fromZxid, lastZxid, logDirectory } = this.#request;
    const isReached = this.#firstZxid >= 0 ? this.#lastZxid === lastZxid : this.#hasFrom && fromZxid === lastZxid;
    // No txn has the 0 of an epoch.
    const isEpochStart = counterOf(lastZxid) === 0 && (this.#firstZxid >= 0 || this.#hasFrom);
    if (isReached || (isEpochStart && !this.#hasSnapshotBetween(this.#lastZxid, lastZxid + 1))) return null;
    if (this.#firstZxid < 0 && !this.#hasFrom)
      return refusal('purged', logDirectory, 0, `the logs have nothing from 0x${toHex(fromZxid)} on`);
    const message = `the logs end at 0x${toHex(this.#lastZxid)}, before 0x${toHex(lastZxid)}`;
    return refusal('broken', logDirectory, 0, message);
  }

  #stretch(): HistoryStretch {
    return {
      place: this.#place,
      hasFrom: this.#hasFrom,
      previousZxid: this.#previousZxid,
      firstZxid: this.#firstZxid,
      lastZxid: this.#firstZxid < 0 ? -1 : this.#lastZxid,
      txnCount: this.#txnCount,
      entryBytes: this.#entryBytes,
    };
  }
}

function refusal(kind: HistoryRefusal['kind'], file: string, offset: number, message: string): HistoryRefusal {
  return { kind, file, offset, message };
}

function refuseDisk(error: DiskError): HistoryRefusal {
  return refusal('disk', error.path, 0, error.message);
}

/** Errors of closing what was only read mean nothing. */
function closeAll(files: readonly DiskFile[], done: () => void): void {
  const closeFrom = (index: number): void => {
    const file = files[index];
    if (file === undefined) done();
    else file.close(() => closeFrom(index + 1));
  };
  closeFrom(0);
}
