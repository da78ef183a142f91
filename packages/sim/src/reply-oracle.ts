/**
 * What every reply must be: keeps the model, finds the request behind each txn by session and number, and compares what clients
 * get with what the model says. Where the txns come from is another matter: from one server's log (oracle.ts), or from what an ensemble
 * has agreed on (ensemble/ensemble-oracle.ts).
 */
import { ByteReader } from '@zoots/base';
import type { CoreConfig } from '@zoots/core';
import { ERROR, OP } from '@zoots/protocol';
import type { TapRecord } from './checkers/log-tap.js';
import { fail, hex } from './checkers/violation.js';
import type { WatchView } from './checkers/watch-view.js';
import { type Logged, Model, type ModelTxn, sessionKey } from './model.js';
import { expectedRead, isRead, sortLists } from './model-reads.js';
import { describe, isWrite, type Request } from './request.js';
import { NOTE, type Trace } from './trace.js';

export abstract class ReplyOracle {
  readonly model: Model;
  /** Views of the connections that are open. */
  readonly views = new Set<WatchView>();
  /** A checker that must fail: whoever sees it pass knows that nothing is being checked. */
  isCanary = false;
  /** Counts servers started. */
  incarnation = 0;
  replyCount = 0;
  txnCount = 0;
  /** Told of every session that the server closes by itself. */
  onSessionExpired: (high: number, low: number) => void = () => {};
  /** Sessions that the log does not know are a server's own; whether one that is closed lives on so somewhere, the leader cannot tell. */
  protected readonly hasLocalSessions: boolean = false;
  /** Sessions move between servers, and writes may be refused for it. */
  protected readonly isOfEnsemble: boolean = false;
  protected readonly trace: Trace;
  readonly #core: CoreConfig;
  /** What clients sent and the log has not shown yet, by session and the client's number. */
  readonly #sent = new Map<string, Map<number, Request>>();

  constructor(core: CoreConfig, trace: Trace) {
    this.#core = core;
    this.trace = trace;
    this.model = new Model(core);
  }

  /** The last transaction up to a zxid that may stand for the beginning of an epoch. */
  lastTxn(zxid: number): number {
    return zxid;
  }

  /** States whose quota usage the server may have looked at when it prepared the txn at hand. */
  protected abstract get quotaStates(): readonly number[];
  /** The oldest reply that a request which is sent now may get. */
  protected abstract floorOf(request: Request): number;
  protected abstract onSessionCreated(high: number, low: number, timeoutMs: number): void;
  protected abstract onSessionClosed(high: number, low: number, isExpired: boolean): void;
  /** An answer of this zxid came for the request. */
  protected onAnswered(_request: Request, _zxid: number): void {}
  /** A session that is known was refused to its client. */
  abstract onSessionRefused(high: number, low: number): void;
  /** A connection that opens now need not account for events up to here. */
  abstract get viewStart(): number;

  // ---- txns ----

  /** The next txn of the history. */
  protected onRecord(record: TapRecord): void {
    const { zxid, type } = record;
    this.txnCount++;
    this.trace.note(NOTE.txn, zxid, type);
    const txn = this.#execute(record);
    if (this.trace.isVerbose) this.trace.line(`txn ${hex(zxid)} ${textOf(txn)}`);
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
    const logged: Logged = { ...record, op: type, quotaStates: this.quotaStates, exceededPart: exceededPart(record) };
    if (type === OP.createSession) return this.#createSession(logged, record.timeoutMs);
    if (type === OP.closeSession) return this.#closeSession(logged, record);
    if (sessionHigh === 0 && sessionLow === 0)
      return this.model.deleteContainer(logged, record.paths[0] ?? null, record.code);
    if (this.isOfEnsemble && type === OP.error && SESSION_REFUSALS.includes(record.code)) {
      const refused = this.#takeSent(sessionHigh, sessionLow, cxid);
      if (refused !== undefined) return this.model.refuse(logged, refused, record.code);
    }
    if (!this.hasLocalSessions && !this.model.isSessionAlive(sessionHigh, sessionLow)) {
      fail(
        'sessions',
        `txn ${hex(zxid)} (type ${type}, code ${record.code}) belongs to session ${sessionKey(sessionHigh, sessionLow)}, which is closed`,
      );
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
    this.onSessionCreated(logged.sessionHigh, logged.sessionLow, timeoutMs);
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
    if (request === null) this.onSessionExpired(sessionHigh, sessionLow);
    this.onSessionClosed(sessionHigh, sessionLow, request === null);
    // In an ensemble what was on its way is refused, and that has a zxid, too.
    if (!this.isOfEnsemble) this.#sent.delete(sessionKey(sessionHigh, sessionLow));
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
    request.floorZxid = this.floorOf(request);
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

  /** Is this a session that only one server knows? */
  protected isLocal(high: number, low: number): boolean {
    return this.hasLocalSessions && !this.model.sessions.has(sessionKey(high, low));
  }

  /** Sessions that never were: what was sent under them is forgotten. */
  protected forgetLostSessions(): void {
    for (const key of this.#sent.keys()) if (!this.model.sessions.has(key)) this.#sent.delete(key);
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
    this.onAnswered(request, zxid);
    if (code === ERROR.throttledOp && this.#mayThrottle(request)) {
      this.#takeSent(high, low, request.xid);
      return zxid;
    }
    // A local session ends where it is, and nobody else hears of it.
    if (request.op === OP.closeSession && this.isLocal(high, low)) return zxid;
    if (isWrite(request.op)) this.#compareWrite(view, high, low, request, zxid, bytes, start, end);
    else if (isRead(request.op)) this.#compareRead(view, high, low, request, zxid, bytes, start, end);
    else this.#compareWatchOp(view, request, zxid, code);
    this.#register(view, request, code, zxid);
    return zxid;
  }

  /** With throttledOpWaitTime a request that waited too long is answered so, and not done. */
  #mayThrottle(request: Request): boolean {
    const isExempt = request.op === OP.ping || request.op === OP.closeSession;
    return !isExempt && this.#core.throttle.throttledOpWaitTimeMs > 0;
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
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#core;
    const must = Math.min(Math.max(wantedMs, minSessionTimeoutMs), maxSessionTimeoutMs);
    if (grantedMs !== must) fail('sessions', `a timeout of ${wantedMs} ms became ${grantedMs}, must be ${must}`);
    const session = this.model.sessions.get(sessionKey(high, low));
    if (session === undefined && !this.hasLocalSessions)
      fail('sessions', `a client got session ${sessionKey(high, low)}, which was never logged`);
  }
}

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

const SESSION_REFUSALS: readonly number[] = [ERROR.sessionExpired, ERROR.sessionMoved];
