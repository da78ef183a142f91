/**
 * What one client's connections carry, seen between the network and the client: every frame that comes is compared with
 * what the oracle says it must be, whoever the client is. It knows the protocol's promises to a client, and nothing of the
 * client's own: those are in client-promises.ts.
 *
 * Its owner says what was sent, and pushes what comes in; it is told what it was.
 */
import { createHash } from 'node:crypto';
import { ByteReader } from '@zoots/base';
import { ERROR, type Id, OP, XID } from '@zoots/protocol';
import type { ReplyOracle } from '../reply-oracle.js';
import { describe, makeRequest, type Request } from '../request.js';
import type { Trace } from '../trace.js';
import { passwordOf } from './sessions.js';
import { fail } from './violation.js';
import { WatchView } from './watch-view.js';

/** An operation that no server knows. */
export const UNKNOWN_OP = 99;
/** An auth scheme that no server knows; the session ends by it. */
export const UNKNOWN_SCHEME = 'nobody';

const CONNECT_RESPONSE_BYTES = 37;
const HEADER_BYTES = 16;

export interface WireListener {
  onAccepted(timeoutMs: number): void;
  onRefused(): void;
  onEventCame(type: number, path: string, zxid: number): void;
  /** A checked answer; the body is `bytes` from `bodyStart` to `end`, valid during the call. */
  onAnswerCame(request: Request, code: number, zxid: number, bytes: Uint8Array, bodyStart: number, end: number): void;
}

/** What a ConnectRequest asked for. */
export interface ConnectAsk {
  readonly sessionHigh: number;
  readonly sessionLow: number;
  readonly timeoutMs: number;
  readonly leavesOutReadOnly: boolean;
  readonly hasWrongPassword: boolean;
}

export class WireCheck {
  readonly name: string;
  readonly address: string;
  /** Of the session that the open connection belongs to. */
  sessionHigh = 0;
  sessionLow = 0;
  password: Uint8Array = new Uint8Array(0);
  /** Null while the connection is not accepted. */
  view: WatchView | null = null;
  identities: readonly Id[] = [];
  /** Sent on this connection and not answered. */
  outstanding: Request[] = [];
  /** Of the newest reply that the client hears of, over all connections. */
  lastZxid = 0;
  /** Of the newest reply to a ping on this connection: the client's next server may be one that has not come so far. */
  #pingZxid = 0;
  readonly #oracle: ReplyOracle;
  readonly #trace: Trace;
  readonly #listener: WireListener;
  #ask: ConnectAsk | null = null;
  #incarnationAtConnect = 0;

  constructor(number: number, oracle: ReplyOracle, trace: Trace, listener: WireListener) {
    this.name = `client ${number}`;
    this.address = `10.0.0.${number}`;
    this.#oracle = oracle;
    this.#trace = trace;
    this.#listener = listener;
  }

  line(text: string): void {
    if (this.#trace.isVerbose) this.#trace.line(`${this.name}: ${text}`);
  }

  onConnecting(): void {
    this.#ask = null;
    this.#pingZxid = 0;
    this.outstanding = [];
    this.#incarnationAtConnect = this.#oracle.incarnation;
  }

  onConnectSent(ask: ConnectAsk): void {
    this.#ask = ask;
  }

  onDisconnected(): void {
    if (this.view !== null) this.#oracle.views.delete(this.view);
    this.view = null;
    this.outstanding = [];
  }

  // ---- what goes out ----

  /** A request with its number is on its way. */
  onSent(request: Request, nowUs: number): void {
    if (request.op === OP.auth) this.#identify(request);
    request.identities = this.identities;
    request.sentUs = nowUs;
    this.#oracle.onSent(this.sessionHigh, this.sessionLow, request);
    this.outstanding.push(request);
    if (this.#trace.isVerbose) this.line(`asks ${describe(request)}`);
  }

  #identify(request: Request): void {
    if (request.path === UNKNOWN_SCHEME) return;
    const user = request.data ?? '';
    const digest = createHash('sha1').update(user).digest('base64');
    const id = `${user.split(':')[0]}:${digest}`;
    if (this.identities.some((one) => one.id === id)) return;
    this.identities = [...this.identities, { scheme: 'digest', id }];
    // Events are filtered by who the connection is when they happen; a server that is asked later only knows more.
    if (this.view !== null) this.view.identities = this.identities;
  }

  // ---- what comes in ----

  /** A whole frame, without its length field. */
  onFrame(bytes: Uint8Array, start: number, end: number): void {
    const reader = new ByteReader(bytes, start, end);
    if (this.view === null) {
      this.#onConnectResponse(reader, end - start);
      return;
    }
    const xid = reader.int32();
    const zxid = reader.long();
    const code = reader.int32();
    if (reader.failed) fail('frames', `${this.name} got a reply of ${end - start} bytes`);
    if (xid === XID.notification) this.#onNotification(zxid, reader);
    else this.#onReply(xid, zxid, code, bytes, start, end);
  }

  #onNotification(zxid: number, reader: ByteReader): void {
    const type = reader.int32();
    const state = reader.int32();
    const path = reader.string() ?? '';
    if (reader.failed || state !== 3) fail('frames', `${this.name} got a broken event`);
    if (this.#trace.isVerbose) this.line(`event ${type} ${path} of ${zxid}`);
    this.view?.onNotification(zxid, type, path);
    this.#listener.onEventCame(type, path, zxid);
  }

  #onReply(xid: number, zxid: number, code: number, bytes: Uint8Array, start: number, end: number): void {
    const rejected = this.#rejected(xid, zxid, code);
    if (rejected !== undefined) {
      this.#listener.onAnswerCame(rejected, code, zxid, bytes, start + HEADER_BYTES, end);
      return;
    }
    const request = this.#takeOutstanding(xid);
    if (request === undefined || request.xid !== xid) {
      fail(
        'order',
        `${this.name} got the reply ${xid} where ${request === undefined ? 'none' : describe(request)} was due`,
      );
    }
    if (this.#trace.isVerbose) this.line(`reply ${describe(request)} → ${code} at ${zxid}`);
    if (request.op === OP.auth) this.#compareAuth(request, zxid, code);
    else this.#compareReply(request, zxid, code, bytes, start, end);
    this.#listener.onAnswerCame(request, code, zxid, bytes, start + HEADER_BYTES, end);
  }

  /** Identities are taken at once, ahead of requests that wait; everything else is answered in order. */
  #takeOutstanding(xid: number): Request | undefined {
    if (xid !== XID.auth) return this.outstanding.shift();
    const index = this.outstanding.findIndex((one) => one.xid === XID.auth);
    return index < 0 ? undefined : this.outstanding.splice(index, 1)[0];
  }

  /** A request that nobody knows is answered on the spot, before what is in flight, and ends the connection. */
  #rejected(xid: number, zxid: number, code: number): Request | undefined {
    if (code !== ERROR.unimplemented || zxid !== -1) return undefined;
    return this.outstanding.find((one) => one.op === UNKNOWN_OP && one.xid === xid);
  }

  #compareAuth(request: Request, zxid: number, code: number): void {
    const must = request.path === UNKNOWN_SCHEME ? ERROR.authFailed : ERROR.ok;
    if (code !== must || zxid !== 0) fail('replies', `${this.name}: auth was answered ${code} at ${zxid}`);
  }

  #compareReply(request: Request, zxid: number, code: number, bytes: Uint8Array, start: number, end: number): void {
    if (request.op === UNKNOWN_OP) fail('replies', `${this.name}: an unknown op was answered ${code} at ${zxid}`);
    const seen = Math.max(this.lastZxid, this.#pingZxid);
    if (zxid < this.#oracle.lastTxn(seen)) fail('order', `${this.name} saw ${zxid} after ${seen}`);
    const view = this.view as WatchView;
    this.#oracle.onReply(view, this.sessionHigh, this.sessionLow, request, bytes, start - 4, end);
    // Nobody but the client's own watches hears of this answer: the next server may be one that has not come so far.
    if (request.xid === XID.ping) this.#pingZxid = Math.max(zxid, this.#pingZxid);
    else if (request.xid !== XID.setWatches) this.lastZxid = Math.max(zxid, this.lastZxid);
  }

  #onConnectResponse(reader: ByteReader, frameBytes: number): void {
    const ask = this.#ask;
    if (ask === null) fail('frames', `${this.name} got ${frameBytes} bytes before it said anything`);
    const version = reader.int32();
    const timeoutMs = reader.int32();
    const high = reader.int32();
    const low = reader.int32();
    const password = reader.buffer() ?? new Uint8Array(0);
    if (version !== 0 || frameBytes !== CONNECT_RESPONSE_BYTES - (ask.leavesOutReadOnly ? 1 : 0)) {
      fail('frames', `${this.name} got a connect response of ${frameBytes} bytes, version ${version}`);
    }
    if (timeoutMs <= 0) this.#onRefused(ask, high, low);
    else this.#onAccepted(ask, timeoutMs, high, low, password);
  }

  #onRefused(ask: ConnectAsk, high: number, low: number): void {
    if (high !== 0 || low !== 0) fail('sessions', 'a refusal names a session');
    if (ask.sessionHigh === 0 && ask.sessionLow === 0) fail('sessions', `${this.name} was refused a new session`);
    this.line('session refused');
    const wasRestarted = this.#oracle.incarnation !== this.#incarnationAtConnect;
    if (!ask.hasWrongPassword && !wasRestarted) this.#oracle.onSessionRefused(ask.sessionHigh, ask.sessionLow);
    this.#listener.onRefused();
  }

  #onAccepted(ask: ConnectAsk, timeoutMs: number, high: number, low: number, password: Uint8Array): void {
    if (ask.hasWrongPassword) fail('sessions', `${this.name} resumed a session with a wrong password`);
    const isResumed = ask.sessionHigh !== 0 || ask.sessionLow !== 0;
    if (isResumed && (high !== ask.sessionHigh || low !== ask.sessionLow)) {
      fail('sessions', `${this.name} asked for a session and got another`);
    }
    this.#oracle.onConnected(high, low, ask.timeoutMs, timeoutMs);
    if (!passwordOf(high, low).every((byte, i) => byte === password[i]))
      fail('sessions', 'a wrong password was given out');
    this.sessionHigh = high;
    this.sessionLow = low;
    this.password = password;
    this.line(`connected, session ${high}:${low}, timeout ${timeoutMs} ms`);
    this.view = new WatchView(
      this.name,
      this.#oracle.model,
      Math.max(this.#oracle.lastTxn(this.lastZxid), this.#oracle.viewStart),
    );
    this.#oracle.views.add(this.view);
    this.identities = [{ scheme: 'ip', id: this.address }];
    this.view.identities = this.identities;
    this.#listener.onAccepted(timeoutMs);
  }
}

/** The request behind an auth frame. */
export function authRequest(scheme: string, auth: string): Request {
  return makeRequest(OP.auth, { path: scheme, data: auth, xid: XID.auth });
}
