/**
 * The oracle: watches the disk and the clients, keeps the model, and asks the checkers. Sees nothing of the server but what
 * leaves it (bytes to the disk, bytes to clients), except for its clock and, between incarnations, its whole state.
 *
 *   log written ─► records ─► the requests they came from ─► model (expected replies, events)
 *   reply at a client ─► compared with the model as of the reply's zxid
 */
import { ByteReader } from '@zoots/base';
import type { Server } from '@zoots/core';
import { ERROR, OP } from '@zoots/protocol';
import { DurabilityChecker } from './checkers/durability.js';
import { readRecords, type TapRecord } from './checkers/log-tap.js';
import { SessionChecker } from './checkers/sessions.js';
import { compareSnapshot } from './checkers/snapshot-content.js';
import { compareState, dataOf } from './checkers/tree-state.js';
import { fail, hex } from './checkers/violation.js';
import type { WatchView } from './checkers/watch-view.js';
import type { DiskImage } from './disk-image.js';
import { type Logged, Model, type ModelTxn, sessionKey } from './model.js';
import { expectedRead, isRead, sortLists } from './model-reads.js';
import { describe, isWrite, type Request } from './request.js';
import type { DiskWatcher, SimDisk } from './sim-disk.js';
import { simGzip } from './sim-gzip.js';
import { type RunOptions, VERSION_DIR } from './swarm.js';
import { NOTE, type Trace } from './trace.js';

const LOG_HEADER_BYTES = 16;
/** Txns between two prunings of the model's past. */
const PRUNE_INTERVAL = 500;

export class Oracle implements DiskWatcher {
  readonly model: Model;
  readonly durability: DurabilityChecker;
  readonly sessions: SessionChecker;
  /** The server that runs now; null between incarnations. */
  server: Server | null = null;
  /** Views of the connections that are open. */
  readonly views = new Set<WatchView>();
  /** The snapshot that the server at hand was loaded from. */
  loadedSnapshotZxid = 0;
  /** A checker that must fail: whoever sees it pass knows that nothing is being checked. */
  isCanary = false;
  /** Counts servers started. */
  incarnation = 0;
  replyCount = 0;
  txnCount = 0;
  /** Told of every session that the server closes by itself. */
  onSessionExpired: (high: number, low: number) => void = () => {};
  readonly #trace: Trace;
  readonly #options: RunOptions;
  readonly #image: DiskImage;
  /** What clients sent and the log has not shown yet, by session and the client's number. */
  readonly #sent = new Map<string, Map<number, Request>>();
  /** Last zxid of each of the two log batches before the one that is written now. */
  #batchEnds: [number, number] = [0, 0];
  #prunedAt = 0;
  /** Of the snapshot under way; infinity without one. */
  #snapshotZxid = Number.POSITIVE_INFINITY;
  #snapshotCount = 0;
  #comparedCount = 0;

  constructor(options: RunOptions, disk: SimDisk, trace: Trace) {
    this.#options = options;
    this.#trace = trace;
    this.#image = disk.image;
    this.model = new Model(options.core);
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
      this.#onRecord(record);
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

  #onRecord(record: TapRecord): void {
    const { zxid, type } = record;
    const due = this.model.lastZxid + 1;
    if (zxid !== due) fail('log', `txn ${hex(zxid)} was logged where ${hex(due)} was due`);
    this.txnCount++;
    this.#trace.note(NOTE.txn, zxid, type);
    const txn = this.#execute(record);
    if (this.#trace.isVerbose) this.#trace.line(`txn ${hex(zxid)} ${textOf(txn)}`);
    const loggedCode = type === OP.error ? record.code : 0;
    if (loggedCode !== txn.code) {
      fail('outcome', `txn ${hex(zxid)} (${textOf(txn)}) was logged with code ${loggedCode}, must be ${txn.code}`);
    }
    if (txn.partCodes !== null || record.partCodes.some((code) => code !== 0)) this.#compareParts(record, txn);
  }

  #compareParts(record: TapRecord, txn: ModelTxn): void {
    const must = txn.partCodes ?? record.partCodes.map(() => 0);
    if (JSON.stringify(record.partCodes) === JSON.stringify(must)) return;
    fail(
      'outcome',
      `the parts of txn ${hex(txn.zxid)} (${textOf(txn)}) are logged as ${record.partCodes}, must be ${must}`,
    );
  }

  #execute(record: TapRecord): ModelTxn {
    const { sessionHigh, sessionLow, cxid, type, zxid } = record;
    const logged: Logged = { ...record, op: type, quotaStates: this.#batchEnds, exceededPart: exceededPart(record) };
    if (type === OP.createSession) return this.#createSession(logged, record.timeoutMs);
    if (type === OP.closeSession) return this.#closeSession(logged, record);
    if (sessionHigh === 0 && sessionLow === 0)
      return this.model.deleteContainer(logged, record.paths[0] ?? null, record.code);
    if (!this.model.isSessionAlive(sessionHigh, sessionLow)) {
      fail('sessions', `txn ${hex(zxid)} belongs to session ${sessionKey(sessionHigh, sessionLow)}, which is closed`);
    }
    const request = this.#takeSent(sessionHigh, sessionLow, cxid);
    if (request === undefined) {
      fail(
        'log',
        `txn ${hex(zxid)} has number ${cxid} of ${sessionKey(sessionHigh, sessionLow)}: nobody asked for it, or it was logged twice`,
      );
    }
    return this.model.execute({ ...logged, op: request.op }, request);
  }

  #createSession(logged: Logged, timeoutMs: number): ModelTxn {
    const nowMs = this.server?.nowMs ?? 0;
    this.sessions.onCreated(logged.sessionHigh, logged.sessionLow, timeoutMs, nowMs);
    return this.model.createSession(logged, timeoutMs);
  }

  #closeSession(logged: Logged, record: TapRecord): ModelTxn {
    const { sessionHigh, sessionLow, cxid, zxid } = record;
    const request = cxid === 0 ? null : (this.#takeSent(sessionHigh, sessionLow, cxid) ?? null);
    if (cxid !== 0 && request?.op !== OP.closeSession) {
      fail(
        'sessions',
        `txn ${hex(zxid)} closes session ${sessionKey(sessionHigh, sessionLow)}, whose client did not ask for it`,
      );
    }
    if (request === null) {
      this.sessions.onExpired(sessionHigh, sessionLow, this.server?.nowMs ?? 0);
      this.onSessionExpired(sessionHigh, sessionLow);
    }
    this.sessions.onClosed(sessionHigh, sessionLow);
    this.#sent.delete(sessionKey(sessionHigh, sessionLow));
    const must = this.model.ephemeralsOf(sessionHigh, sessionLow);
    const listed = [...record.paths].sort();
    if (JSON.stringify(must) !== JSON.stringify(listed)) {
      fail(
        'ephemerals',
        `txn ${hex(zxid)} closes a session that has ${JSON.stringify(must)}, and lists ${JSON.stringify(listed)}`,
      );
    }
    return this.model.closeSession(logged, record.paths, request);
  }

  // ---- clients ----

  onSent(high: number, low: number, request: Request): void {
    request.floorZxid = this.durability.toldZxid;
    if (!isWrite(request.op)) return;
    const key = sessionKey(high, low);
    let ofSession = this.#sent.get(key);
    if (ofSession === undefined) {
      ofSession = new Map();
      this.#sent.set(key, ofSession);
    }
    ofSession.set(request.xid, request);
  }

  #takeSent(high: number, low: number, xid: number): Request | undefined {
    const ofSession = this.#sent.get(sessionKey(high, low));
    const request = ofSession?.get(xid);
    ofSession?.delete(xid);
    return request;
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

  /** A reply came to the client that sent `request`. The frame is `bytes` from `start` to `end`, its length field included. */
  onReply(
    view: WatchView,
    high: number,
    low: number,
    request: Request,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    this.replyCount++;
    if (this.isCanary && this.replyCount === CANARY_REPLIES) fail('canary', 'this checker always fails');
    const reader = new ByteReader(bytes, start + 8, end);
    const zxid = reader.long();
    const code = reader.int32();
    if (zxid < request.floorZxid) {
      fail(
        'order',
        `${view.name}: the reply to ${describe(request)} is as of ${hex(zxid)}, but ${hex(request.floorZxid)} was known when it was sent`,
      );
    }
    view.onReply(zxid);
    if (code === ERROR.throttledOp && this.#mayThrottle(request)) {
      this.#takeSent(high, low, request.xid);
      return zxid;
    }
    if (isWrite(request.op)) this.#compareWrite(view, high, low, request, zxid, bytes, start, end);
    else if (isRead(request.op)) this.#compareRead(view, high, low, request, zxid, bytes, start, end);
    else this.#compareWatchOp(view, request, zxid, code);
    this.#register(view, request, code, zxid);
    return zxid;
  }

  /** With throttledOpWaitTime a request that waited too long is answered so, and not done. */
  #mayThrottle(request: Request): boolean {
    const isExempt = request.op === OP.ping || request.op === OP.closeSession;
    return !isExempt && this.#options.core.throttle.throttledOpWaitTimeMs > 0;
  }

  #compareWrite(
    view: WatchView,
    high: number,
    low: number,
    request: Request,
    zxid: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const txn = this.model.txns.get(zxid);
    if (txn === undefined || txn.request !== request || txn.sessionHigh !== high || txn.sessionLow !== low) {
      fail(
        'replies',
        `${view.name}: the reply to ${describe(request)} says ${hex(zxid)}, which is ${txn === undefined ? 'unknown' : textOf(txn)}`,
      );
    }
    this.#compareFrames(view, request, txn.reply ?? EMPTY, bytes.slice(start, end));
  }

  #compareRead(
    view: WatchView,
    high: number,
    low: number,
    request: Request,
    zxid: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const must = expectedRead(this.model, request, zxid, high, low);
    this.#compareFrames(view, request, must, sortLists(request, bytes, start, end));
  }

  #compareFrames(view: WatchView, request: Request, must: Uint8Array, real: Uint8Array): void {
    if (must.length === real.length && must.every((byte, i) => byte === real[i])) return;
    fail(
      'replies',
      `${view.name}: the reply to ${describe(request)}\n    is      ${hexOf(real)}\n    must be ${hexOf(must)}`,
    );
  }

  /** Requests about watches: the code depends on what the connection has. */
  #compareWatchOp(view: WatchView, request: Request, zxid: number, code: number): void {
    let must: number = ERROR.ok;
    const path = request.path ?? '';
    if (request.op === OP.checkWatches) must = view.has(path, request.type) ? ERROR.ok : ERROR.noWatcher;
    else if (request.op === OP.removeWatches) must = view.remove(path, request.type) ? ERROR.ok : ERROR.noWatcher;
    else if (request.op === OP.setWatches || request.op === OP.setWatches2) view.onSetWatches(request, zxid);
    if (code !== must) fail('replies', `${view.name}: ${describe(request)} was answered ${code}, must be ${must}`);
  }

  #register(view: WatchView, request: Request, code: number, zxid: number): void {
    const path = request.path ?? '';
    if (request.op === OP.addWatch && code === ERROR.ok) view.addWatch(path, request.type);
    if (!request.watch) return;
    if (request.op === OP.exists) {
      if (code === ERROR.ok || code === ERROR.noNode) view.watchData(path, this.model.at(path, zxid) === undefined);
    } else if (code !== ERROR.ok) return;
    else if (request.op === OP.getData) view.watchData(path, false);
    else view.watchChildren(path);
  }

  /** A client got a session, a fresh one or its own back. */
  onConnected(high: number, low: number, wantedMs: number, grantedMs: number): void {
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#options.core;
    const must = Math.min(Math.max(wantedMs, minSessionTimeoutMs), maxSessionTimeoutMs);
    if (grantedMs !== must) fail('sessions', `a timeout of ${wantedMs} ms became ${grantedMs}, must be ${must}`);
    const session = this.model.sessions.get(sessionKey(high, low));
    if (session === undefined)
      fail('sessions', `a client got session ${sessionKey(high, low)}, which was never logged`);
  }

  /** A client that knows the password of its session was told that there is no such session. */
  onSessionRefused(high: number, low: number): void {
    if (!this.model.isSessionAlive(high, low)) return;
    const session = this.server?.sessions.get(high, low);
    // Its closing may be on the way to the log.
    if (session === undefined || session.isClosing) return;
    fail('sessions', `session ${sessionKey(high, low)} was refused to its client, and lives`);
  }

  /** A connection that opens now need not account for events up to here. */
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
    for (const key of this.#sent.keys()) if (!this.model.sessions.has(key)) this.#sent.delete(key);
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
const CANARY_REPLIES = 20;
const EMPTY = new Uint8Array(0);

function exceededPart(record: TapRecord): number {
  if (record.type === OP.error) return record.code === ERROR.quotaExceeded ? 0 : -1;
  return record.partCodes.indexOf(ERROR.quotaExceeded);
}

function textOf(txn: ModelTxn): string {
  const what = txn.request === null ? `server's own, type ${txn.op}` : describe(txn.request);
  return `${sessionKey(txn.sessionHigh, txn.sessionLow)} ${what}${txn.code === 0 ? '' : ` code ${txn.code}`}`;
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
