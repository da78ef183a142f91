/**
 * The oracle: watches the disk and the clients, keeps the model, and asks the checkers. Sees nothing of the server but what
 * leaves it (bytes to the disk, bytes to clients), except for its clock and, between incarnations, its whole state.
 *
 *   log written ─► records ─► the requests they came from ─► model (expected replies, events)
 *   reply at a client ─► compared with the model as of the reply's zxid
 */
import type { Server } from '@zoots/core';
import { DurabilityChecker } from './checkers/durability.js';
import { readRecords } from './checkers/log-tap.js';
import { SessionChecker } from './checkers/sessions.js';
import { compareSnapshot } from './checkers/snapshot-content.js';
import { compareState, dataOf } from './checkers/tree-state.js';
import { fail, hex } from './checkers/violation.js';
import type { DiskImage } from './disk-image.js';
import type { HostWatcher } from './host.js';
import { sessionKey } from './model.js';
import { ReplyOracle } from './reply-oracle.js';
import type { DiskWatcher, SimDisk } from './sim-disk.js';
import { simGzip } from './sim-gzip.js';
import { type RunOptions, VERSION_DIR } from './swarm.js';
import type { Trace } from './trace.js';

const LOG_HEADER_BYTES = 16;
/** Txns between two prunings of the model's past. */
const PRUNE_INTERVAL = 500;

export class Oracle extends ReplyOracle implements DiskWatcher, HostWatcher {
  readonly durability: DurabilityChecker;
  readonly sessions: SessionChecker;
  /** The server that runs now; null between incarnations. */
  server: Server | null = null;
  /** The snapshot that the server at hand was loaded from. */
  loadedSnapshotZxid = 0;
  readonly #options: RunOptions;
  readonly #image: DiskImage;
  /** Last zxid of each of the two log batches before the one that is written now. */
  #batchEnds: [number, number] = [0, 0];
  #prunedAt = 0;
  /** Of the snapshot under way; infinity without one. */
  #snapshotZxid = Number.POSITIVE_INFINITY;
  #snapshotCount = 0;
  #comparedCount = 0;

  constructor(options: RunOptions, disk: SimDisk, trace: Trace) {
    super(options.core, trace);
    this.#options = options;
    this.#image = disk.image;
    this.durability = new DurabilityChecker(disk.image, options.core.forceSync);
    this.sessions = new SessionChecker(options.core.tickTimeMs, options.expirySlackMs);
  }

  // ---- the log ----

  onWrite(path: string, position: number, bytes: Uint8Array, start: number, end: number): void {
    // Before the server serves, it is recovery that writes: what was there already.
    if (this.server === null || !path.includes('/log.') || position < LOG_HEADER_BYTES) return;
    const records = readRecords(bytes, start, end, position);
    if (records.length === 0) return;
    for (const record of records) {
      this.durability.onLogged(path, record);
      const due = this.model.lastZxid + 1;
      if (record.zxid !== due) fail('log', `txn ${hex(record.zxid)} was logged where ${hex(due)} was due`);
      this.onRecord(record);
    }
    this.#batchEnds = [this.#batchEnds[1], this.model.lastZxid];
    if (this.model.lastZxid - this.#prunedAt > PRUNE_INTERVAL) this.#prune();
  }

  onSynced(): void {
    this.durability.onSynced();
  }

  #prune(): void {
    // Quota verdicts look back over two batches; a snapshot that is being written will be compared.
    let oldest = Math.min(this.#batchEnds[0], this.#snapshotZxid);
    for (const view of this.views) oldest = Math.min(oldest, view.position - 1);
    this.#prunedAt = this.model.lastZxid;
    this.model.prune(Math.min(oldest, this.durability.durableZxid));
  }

  protected get quotaStates(): readonly number[] {
    return this.#batchEnds;
  }

  // ---- sessions ----

  protected onSessionCreated(high: number, low: number, timeoutMs: number): void {
    this.sessions.onCreated(high, low, timeoutMs, this.server?.nowMs ?? 0);
  }

  protected onSessionClosed(high: number, low: number, isExpired: boolean): void {
    if (isExpired) this.sessions.onExpired(high, low, this.server?.nowMs ?? 0);
    this.sessions.onClosed(high, low);
  }

  onHeard(high: number, low: number, nowMs: number, isTaken: boolean): void {
    this.sessions.onHeard(high, low, nowMs, isTaken);
  }

  // ---- clients ----

  /** No reply is older than what the server had told to anybody. */
  protected floorOf(): number {
    return this.durability.toldZxid;
  }

  /** Bytes are about to leave the server: whole frames with a reply header each. */
  onTold(bytes: Uint8Array, start: number, end: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = start; at + 16 <= end; at += 4 + view.getInt32(at)) {
      const zxid = view.getInt32(at + 8) * 4294967296 + view.getUint32(at + 12);
      if (zxid > this.durability.toldZxid) this.durability.onTold(zxid, `a reply (xid ${view.getInt32(at + 4)})`);
    }
  }

  /** A session was promised to a client. */
  onSessionTold(high: number, low: number): void {
    if (high === 0 && low === 0) return;
    const session = this.model.sessions.get(sessionKey(high, low));
    if (session === undefined) fail('sessions', `session ${sessionKey(high, low)} was promised and never logged`);
    this.durability.onTold(session.createdZxid, 'a connect response');
  }

  /** A client that knows the password of its session was told that there is no such session. */
  onSessionRefused(high: number, low: number): void {
    if (!this.model.isSessionAlive(high, low)) return;
    const session = this.server?.sessions.get(high, low);
    // Its closing may be on the way to the log.
    if (session === undefined || session.isClosing) return;
    fail('sessions', `session ${sessionKey(high, low)} was refused to its client, and lives`);
  }

  get viewStart(): number {
    return Math.max(0, this.#batchEnds[0]);
  }

  // ---- lives of the server ----

  /** A server has recovered and is about to serve. */
  onServing(server: Server): void {
    this.server = server;
    this.incarnation++;
    const zxid = server.tree.lastProcessedZxid;
    this.durability.onRecovered(zxid, this.model.lastZxid);
    this.model.rollBack(zxid);
    this.forgetLostSessions();
    this.model.quota.onServerStarted(this.loadedSnapshotZxid, (path) => dataOf(server, path));
    this.#batchEnds = [zxid, zxid];
    this.#prunedAt = zxid;
    compareState(server, this.model, 'after a start');
    const alive = [...this.model.sessions.values()].filter((session) => session.closedZxid === 0);
    this.sessions.onServerStarted(alive, server.nowMs);
  }

  onServerGone(): void {
    this.server = null;
    this.#snapshotZxid = Number.POSITIVE_INFINITY;
  }

  onSnapshotStarted(zxid: number): void {
    this.#snapshotZxid = zxid;
  }

  /** `name` null: it failed. */
  onSnapshotEnded(name: string | null): void {
    const zxid = this.#snapshotZxid;
    this.#snapshotZxid = Number.POSITIVE_INFINITY;
    // The first one is written before anything can be compared.
    if (name === null || this.server === null) return;
    const path = `${this.#options.core.dataDir}/${VERSION_DIR}/${name}`;
    const inode = this.#image.names.get(path);
    if (inode === undefined) fail('snapshot', `${path} is said to be written, and is not there`);
    // Small ones, of which there are many, are looked at now and then.
    const isDue = inode.cachedLength > LARGE_SNAPSHOT_BYTES || ++this.#snapshotCount % 4 === 0;
    if (isDue && this.#comparedCount++ < SNAPSHOTS_COMPARED_MAX)
      compareSnapshot(path, inode.cached.slice(0, inode.cachedLength), zxid, this.model, simGzip);
  }

  get options(): RunOptions {
    return this.#options;
  }
}

const SNAPSHOTS_COMPARED_MAX = 40;
const LARGE_SNAPSHOT_BYTES = 100_000;
