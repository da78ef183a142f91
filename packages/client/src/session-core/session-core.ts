/**
 * A client's session as a machine: bytes, clock readings and requests go in; bytes, replies, events and states come out, through
 * {@link SessionPorts}. No socket, timer or promise: the simulator runs this very class against the server.
 *
 * Two unions hold its life. `#stage` is the connection: pause → dialing → handshake → open → pause …, ended.
 * `state` is what the application sees of the session. Requests stand in `#waiting` until the connection is open and the
 * window has room, then in `#inFlight` until answered; replies come in that order, as the protocol promises.
 *
 * When a connection breaks, requests in flight that ask for nothing lasting go back to the head of the line; the others
 * end with outcome `unknown`. A write is never sent twice. When the session is over, everything ends with `session-lost`.
 *
 * Read next: liveness.ts (when a session must be assumed gone), watch-registry.ts.
 */
import { assert, ByteReader, ByteWriter } from '@zoots/base';
import {
  type ConnectResponse,
  ERROR,
  FrameReader,
  OP,
  PASSWORD_BYTES,
  readConnectResponse,
  writeConnectRequest,
  XID,
} from '@zoots/protocol';
import { Authentication } from './authentication.js';
import { CloseRequest } from './close-request.js';
import { Dialer } from './dialer.js';
import { Liveness } from './liveness.js';
import type { FailureOutcome, FailureReason, SessionRequest } from './request.js';
import { RequestQueue } from './request-queue.js';
import {
  type AuthInfo,
  CLOSE_TIMEOUT_MS,
  CONNECT_TIMEOUT_MS_MAX,
  type EstablishedSession,
  IN_FLIGHT_BYTES_MAX,
  type SessionEnd,
  type SessionIdentity,
  type SessionOptions,
  type SessionPorts,
  type SessionState,
} from './session-ports.js';
import { writeSetWatches } from './set-watches.js';
import { WatchRegistry } from './watch-registry.js';

type Stage = 'pause' | 'dialing' | 'handshake' | 'open' | 'ended';

const LENGTH_BYTES = 4;
const OUT_BYTES = 16 * 1024;
const XID_MAX = 0x7fffffff;
/** Cancelled requests stay in the line until they are reached, or until there are so many. */
const CANCELLED_MAX = 1024;
const NO_IDENTITY: SessionIdentity = { high: 0, low: 0, password: new Uint8Array(PASSWORD_BYTES) };

export class SessionCore {
  readonly watches = new WatchRegistry();
  /** Null before the first and after the loss of one. */
  session: EstablishedSession | null = null;
  /** Of the newest reply; a server that has not seen it yet refuses the session. */
  lastZxid = 0;

  readonly #options: SessionOptions;
  readonly #ports: SessionPorts;
  readonly #dialer: Dialer;
  readonly #liveness = new Liveness();
  readonly #authentication: Authentication;
  readonly #waiting = new RequestQueue();
  readonly #inFlight = new RequestQueue();
  readonly #reader = new ByteReader();
  #frames = new FrameReader();
  #out = new ByteWriter(OUT_BYTES);

  #state: SessionState = 'connecting';
  #stage: Stage = 'pause';
  #isClosing = false;
  /** What the next ConnectRequest asks for. */
  #identity: SessionIdentity;
  /** A session that only read-only servers know cannot be resumed at another one. */
  #hasSeenReadWrite: boolean;
  #xid = 0;
  #sentCount = 0;
  #answeredCount = 0;
  #inFlightBytes = 0;
  #cancelledCount = 0;
  #isDirty = false;

  #dialAtMs = 0;
  #connectUntilMs = 0;
  #connectSentMs = 0;
  /** Without a session nothing bounds how long requests wait, except this. */
  #patienceUntilMs = Number.POSITIVE_INFINITY;
  #closeUntilMs = Number.POSITIVE_INFINITY;

  constructor(options: SessionOptions, ports: SessionPorts) {
    assert(options.serverCount > 0, 'at least one server');
    this.#options = options;
    this.#ports = ports;
    this.#dialer = new Dialer(options.serverCount, ports.prng, options.backoffMinMs, options.backoffMaxMs);
    this.#authentication = new Authentication(options.auth);
    this.#identity = options.session ?? NO_IDENTITY;
    this.#hasSeenReadWrite = options.session !== null;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** The number of the server that is dialled or connected to; -1 before the first. */
  get server(): number {
    return this.#dialer.server;
  }

  get isOpen(): boolean {
    return this.#stage === 'open';
  }

  /** Requests that were not answered yet. */
  get pendingCount(): number {
    return this.#inFlight.length + this.#waiting.length - this.#cancelledCount;
  }

  /** `onTime` is to be called then, at the latest. */
  get deadlineMs(): number {
    if (this.#stage === 'ended') return Number.POSITIVE_INFINITY;
    const life = this.session === null ? this.#patienceUntilMs : this.#liveness.lostAtMs;
    if (this.#stage === 'pause') return Math.min(life, this.#dialAtMs);
    if (this.#stage !== 'open') return Math.min(life, this.#connectUntilMs);
    return Math.min(life, this.#liveness.silentAtMs, this.#liveness.pingAtMs, this.#closeUntilMs);
  }

  // ---- connecting ----

  start(): void {
    this.#dial();
  }

  #dial(): void {
    this.#stage = 'dialing';
    this.#connectUntilMs = this.#ports.nowMs() + this.#connectTimeoutMs();
    const server = this.#dialer.next();
    this.#ports.onDeadline();
    this.#ports.connect(server);
  }

  #connectTimeoutMs(): number {
    const { connectTimeoutMs, sessionTimeoutMs } = this.#options;
    const timeoutMs = this.session?.timeoutMs ?? sessionTimeoutMs;
    return connectTimeoutMs ?? Math.min(CONNECT_TIMEOUT_MS_MAX, timeoutMs / this.#dialer.serverCount);
  }

  /** The connection that `connect` asked for is there. */
  onConnected(): void {
    assert(this.#stage === 'dialing', 'connected while dialing');
    this.#stage = 'handshake';
    this.#frames = new FrameReader();
    this.#out.clear();
    if (!this.#hasSeenReadWrite) this.#identity = NO_IDENTITY;
    writeConnectRequest(this.#out, {
      lastZxidSeen: this.lastZxid,
      timeoutMs: this.#options.sessionTimeoutMs,
      sessionHigh: this.#identity.high,
      sessionLow: this.#identity.low,
      password: this.#identity.password,
      readOnly: this.#options.readOnly,
      hasReadOnly: true,
    });
    this.#connectSentMs = this.#ports.nowMs();
    this.#out = this.#ports.write(this.#out);
  }

  #onConnectResponse(response: ConnectResponse): void {
    const asked = this.#identity;
    if (response.timeoutMs <= 0) {
      this.#loseSession('expired');
      this.#drop('the server does not know the session');
      return;
    }
    const isOther = response.sessionHigh !== asked.high || response.sessionLow !== asked.low;
    // A server that silently opens another session has lost this one's ephemerals: say so (ClickHouse Keeper does it).
    if (isOther && (asked.high !== 0 || asked.low !== 0)) this.#loseSession('replaced');
    else if (isOther && this.session !== null) this.#ports.onSessionEnd('replaced');
    if (this.#stage === 'handshake') this.#establish(response);
  }

  #establish(response: ConnectResponse): void {
    const { sessionHigh: high, sessionLow: low, password, timeoutMs, isReadOnlyServer } = response;
    const isNew = this.session === null || this.session.high !== high || this.session.low !== low;
    this.session = { high, low, password, timeoutMs };
    this.#identity = this.session;
    this.#hasSeenReadWrite ||= !isReadOnlyServer;
    this.#liveness.onEstablished(timeoutMs, this.#connectSentMs, this.#ports.nowMs());
    this.#patienceUntilMs = Number.POSITIVE_INFINITY;
    this.#sentCount = 0;
    this.#answeredCount = 0;
    this.#dialer.onSucceeded();
    this.#stage = 'open';
    this.#prime();
    if (isNew) this.#ports.onSession(this.session);
    // Whoever is told may end the connection.
    if (this.#stage === 'open') this.#setState(isReadOnlyServer ? 'read-only' : 'connected');
    if (this.#stage === 'open') this.watches.announceGap();
    this.#pump();
    this.flush();
    this.#ports.onDeadline();
  }

  /** What a new connection must know before any request: who we are, and what we watch. */
  #prime(): void {
    this.#authentication.sendAll(this.#out);
    // All frames are relative to the same zxid: the replies on this connection must not move it in between.
    writeSetWatches(this.#out, this.watches.paths(), this.lastZxid, this.#options.setWatchesBytesMax);
    this.#markDirty();
  }

  // ---- the stream ----

  /** Bytes of the current connection, valid during the call. */
  onBytes(bytes: Uint8Array, start: number, end: number): void {
    if (this.#stage !== 'handshake' && this.#stage !== 'open') return;
    this.#liveness.onReceived(this.#ports.nowMs());
    const frames = this.#frames;
    frames.push(bytes, start, end);
    while (frames === this.#frames && (this.#stage === 'open' || this.#stage === 'handshake')) {
      const result = frames.next(this.#options.replyBytesMax);
      if (result === 'more') break;
      if (result === 'bad-length') {
        this.#onBadLength(frames.lengthField);
        return;
      }
      if (this.#stage === 'open') this.#onFrame(frames.bytes, frames.start, frames.end);
      else this.#onHandshakeFrame(frames.bytes, frames.start, frames.end);
    }
    if (this.#stage !== 'open') return;
    this.#liveness.onAnswered(this.#answeredCount);
    if (this.#waiting.length > 0) this.#pump();
  }

  #onHandshakeFrame(bytes: Uint8Array, start: number, end: number): void {
    const response = readConnectResponse(this.#reader.reset(bytes, start, end));
    if (response === null) this.#drop('the first answer is no ConnectResponse: is this a ZooKeeper port?');
    else this.#onConnectResponse(response);
  }

  #onFrame(bytes: Uint8Array, start: number, end: number): void {
    const reader = this.#reader.reset(bytes, start, end);
    const xid = reader.int32();
    const zxid = reader.long();
    const code = reader.int32();
    if (reader.failed) this.#drop(`a reply of ${end - start} bytes, fewer than its header has`);
    else if (xid > 0) this.#onReply(xid, zxid, code, reader);
    else if (xid === XID.notification) this.#onNotification(zxid, reader);
    else if (xid === XID.ping) this.#liveness.onPong();
    else if (xid === XID.auth) this.#onAuthReply(code);
    // A server that is too busy refuses setWatches as well. Without a word from us the watches would be lost.
    else if (xid === XID.setWatches && code !== ERROR.ok) this.#drop(`the watches were refused with code ${code}`);
  }

  #onReply(xid: number, zxid: number, code: number, reader: ByteReader): void {
    const request = this.#inFlight.peek();
    if (request === undefined || request.xid !== xid) {
      this.#onUnexpectedReply(xid, zxid, code, reader);
      return;
    }
    this.#inFlight.shift();
    this.#answeredCount++;
    this.#inFlightBytes -= request.frameBytes;
    if (zxid > 0) this.lastZxid = zxid;
    if (request.stage === 'sent') this.#complete(request, zxid, code, reader);
  }

  #complete(request: SessionRequest, zxid: number, code: number, reader: ByteReader): void {
    request.stage = 'done';
    if (request.watch !== null) this.watches.onReply(request.watch, code);
    request.onReply(code, zxid, reader);
  }

  /** A server answers an operation that it does not know ahead of what is in flight, and ends the connection. */
  #onUnexpectedReply(xid: number, zxid: number, code: number, reader: ByteReader): void {
    if (code === ERROR.unimplemented) {
      for (let i = 0; i < this.#inFlight.length; i++) {
        const request = this.#inFlight.at(i);
        if (request.xid === xid && request.stage === 'sent') this.#complete(request, zxid, code, reader);
      }
    } else this.#drop(`a reply to request ${xid}, where another was due`);
  }

  #onNotification(zxid: number, reader: ByteReader): void {
    const type = reader.int32();
    reader.int32();
    const path = reader.string();
    if (reader.failed || path === null) {
      this.#drop('a watch event that cannot be read');
      return;
    }
    this.#ports.onEvent(type, path, zxid);
    this.watches.dispatch(type, path, zxid);
  }

  #onAuthReply(code: number): void {
    if (this.#authentication.onReply(code)) return;
    this.#finish('auth-failed', 'auth-failed', 'auth-failed');
  }

  /** The oversized frame is the reply to the oldest request: that one fails, and is not asked for again. */
  #onBadLength(lengthField: number): void {
    const request = lengthField > 0 && this.#stage === 'open' ? this.#inFlight.shift() : undefined;
    if (request !== undefined && request.stage === 'sent') this.#fail(request, 'reply-too-large', 'unknown');
    this.#drop(`a frame of ${lengthField} bytes`);
  }

  // ---- requests ----

  /** The request ends exactly once, by `onReply` or `onFailed`; the latter may be called before this returns. */
  submit(request: SessionRequest): void {
    if (this.#stage === 'open' && this.#waiting.length === 0 && !this.#isClosing && this.#hasRoom())
      this.#send(request);
    else this.#enqueue(request);
  }

  /** Nobody waits for it any more. Says whether a server may have seen it; null if it has ended. */
  cancel(request: SessionRequest): FailureOutcome | null {
    if (request.stage === 'sent') {
      request.stage = 'abandoned';
      return 'unknown';
    }
    if (request.stage !== 'waiting') return null;
    request.stage = 'done';
    this.#cancelledCount++;
    if (this.#cancelledCount > CANCELLED_MAX && this.#cancelledCount > this.#waiting.length / 2) this.#sweep();
    return 'not-sent';
  }

  #hasRoom(): boolean {
    return (
      this.#inFlight.length < this.#options.inFlightMax &&
      (this.#inFlightBytes < IN_FLIGHT_BYTES_MAX || this.#inFlight.length === 0)
    );
  }

  #enqueue(request: SessionRequest): void {
    const { waitingMax, failWhenSuspended, sessionTimeoutMs } = this.#options;
    if (this.#stage === 'ended' || this.#isClosing) this.#fail(request, this.#endReason(), 'not-sent');
    else if (failWhenSuspended && this.#stage !== 'open') this.#fail(request, 'connection-loss', 'not-sent');
    else if (this.#waiting.length - this.#cancelledCount >= waitingMax) this.#fail(request, 'overloaded', 'not-sent');
    else {
      request.stage = 'waiting';
      this.#waiting.push(request);
      if (this.session !== null || this.#patienceUntilMs !== Number.POSITIVE_INFINITY) return;
      this.#patienceUntilMs = this.#ports.nowMs() + sessionTimeoutMs;
      this.#ports.onDeadline();
    }
  }

  #endReason(): FailureReason {
    return this.#state === 'auth-failed' ? 'auth-failed' : 'closed';
  }

  #pump(): void {
    while (this.#stage === 'open' && this.#waiting.length > 0 && this.#hasRoom()) {
      const request = this.#waiting.shift() as SessionRequest;
      if (request.stage === 'waiting') this.#send(request);
      else this.#cancelledCount--;
    }
  }

  #send(request: SessionRequest): void {
    const out = this.#out;
    const lengthAt = out.length;
    const xid = this.#xid === XID_MAX ? 1 : this.#xid + 1;
    out.int32(0);
    out.int32(xid);
    out.int32(request.op);
    request.write(out);
    const frameBytes = out.length - lengthAt - LENGTH_BYTES;
    if (frameBytes > this.#options.requestBytesMax) {
      // A server would end the connection without a word, and everything in flight with it.
      out.length = lengthAt;
      this.#fail(request, 'request-too-large', 'not-sent');
      return;
    }
    out.setInt32At(lengthAt, frameBytes);
    this.#xid = xid;
    request.xid = xid;
    request.frameBytes = frameBytes;
    request.stage = 'sent';
    this.#inFlight.push(request);
    this.#inFlightBytes += frameBytes;
    this.#sentCount++;
    this.#markDirty();
  }

  #markDirty(): void {
    if (this.#isDirty || this.#out.length === 0) return;
    this.#isDirty = true;
    this.#ports.onDirty();
  }

  /** Sends what was written since the last call. */
  flush(): void {
    this.#isDirty = false;
    if (this.#stage !== 'open' || this.#out.length === 0) return;
    this.#liveness.onSent(this.#sentCount, this.#ports.nowMs());
    this.#out = this.#ports.write(this.#out);
  }

  #fail(request: SessionRequest, reason: FailureReason, outcome: FailureOutcome): void {
    request.stage = 'done';
    request.onFailed(reason, outcome);
  }

  /** Takes cancelled requests out of the line. */
  #sweep(): void {
    for (const request of this.#waiting.drain()) if (request.stage === 'waiting') this.#waiting.push(request);
    this.#cancelledCount = 0;
  }

  /** Presents an identity now and on every later connection. `onDone` gets the server's answer; one that is refused ends the session. */
  authenticate(info: AuthInfo, onDone: (code: number) => void): void {
    if (this.#stage === 'ended') {
      onDone(ERROR.authFailed);
      return;
    }
    this.#authentication.add(info, onDone, this.#stage === 'open' ? this.#out : null);
    if (this.#stage === 'open') this.#markDirty();
  }

  // ---- time ----

  onTime(): void {
    if (this.#stage === 'ended') return;
    const nowMs = this.#ports.nowMs();
    if (this.session !== null && nowMs >= this.#liveness.lostAtMs) this.#onUnreachable();
    else if (this.#stage === 'pause') {
      if (nowMs >= this.#dialAtMs) this.#dial();
    } else if (this.#stage !== 'open') {
      if (nowMs >= this.#connectUntilMs) this.#drop('the server did not answer in time');
    } else if (nowMs >= this.#liveness.silentAtMs) this.#drop('the server is silent');
    else if (nowMs >= this.#closeUntilMs) this.#drop('the server does not close the session');
    else if (nowMs >= this.#liveness.pingAtMs) this.#ping(nowMs);
    if (this.session === null && nowMs >= this.#patienceUntilMs) this.#onImpatient();
  }

  #ping(nowMs: number): void {
    this.#out.int32(8);
    this.#out.int32(XID.ping);
    this.#out.int32(OP.ping);
    this.#liveness.onPing(nowMs);
    this.flush();
  }

  #onUnreachable(): void {
    this.#loseSession('unreachable');
    if (this.#stage !== 'pause' && this.#stage !== 'ended') this.#drop('the session must be assumed gone');
  }

  #onImpatient(): void {
    this.#patienceUntilMs = Number.POSITIVE_INFINITY;
    this.#failAll(this.#drainWaiting(), 'connection-loss');
  }

  // ---- losing ----

  /** The connection, or the attempt at one, is over. */
  onDisconnected(reason: string): void {
    if (this.#stage === 'pause' || this.#stage === 'ended') return;
    const wasOpen = this.#stage === 'open';
    this.#stage = 'pause';
    this.#isDirty = false;
    this.#out.clear();
    this.#authentication.onDisconnected();
    this.#ports.onConnectionEnd(reason);
    if (this.#isClosing) {
      this.#finish('closed', 'closed', 'closed');
      return;
    }
    if (!wasOpen) this.#dialer.onFailed();
    this.#dialAtMs = this.#ports.nowMs() + this.#dialer.pauseMs();
    this.#ports.onDeadline();
    if (wasOpen) this.#suspend();
  }

  #drop(reason: string): void {
    if (this.#stage === 'pause' || this.#stage === 'ended') return;
    this.#ports.disconnect();
    this.onDisconnected(reason);
  }

  #suspend(): void {
    const interrupted = this.#inFlight.drain();
    this.#inFlightBytes = 0;
    const { failWhenSuspended } = this.#options;
    for (let i = interrupted.length - 1; i >= 0; i--) {
      const request = interrupted[i] as SessionRequest;
      if (request.stage !== 'sent' || !request.isRepeatable || failWhenSuspended) continue;
      request.stage = 'waiting';
      this.#waiting.unshift(request);
    }
    // Whoever is told may end the client, and with it what waits.
    if (this.session !== null) this.#setState('suspended');
    for (const request of interrupted) if (request.stage === 'sent') this.#fail(request, 'connection-loss', 'unknown');
    if (failWhenSuspended) this.#failAll(this.#drainWaiting(), 'connection-loss');
  }

  #loseSession(end: SessionEnd): void {
    const pending = [...this.#inFlight.drain(), ...this.#drainWaiting()];
    const had = this.session !== null;
    this.session = null;
    this.#inFlightBytes = 0;
    this.#identity = NO_IDENTITY;
    this.#hasSeenReadWrite = false;
    if (this.#options.newSession) this.#setState('lost');
    if (had) this.#ports.onSessionEnd(end);
    this.#failAll(pending, 'session-lost');
    if (!this.#options.newSession) this.#finish('closed', 'closed', end);
  }

  #failAll(requests: readonly SessionRequest[], reason: FailureReason): void {
    for (const request of requests) {
      if (request.stage === 'waiting') this.#fail(request, reason, 'not-sent');
      else if (request.stage === 'sent') this.#fail(request, reason, 'unknown');
    }
  }

  #drainWaiting(): SessionRequest[] {
    this.#cancelledCount = 0;
    return this.#waiting.drain();
  }

  // ---- ending ----

  /**
   * Closes the session behind everything that was asked for. Without a connection, or without an answer in time, this side ends
   * at once, and the server expires the session later.
   */
  close(): void {
    if (this.#stage === 'ended' || this.#isClosing) return;
    if (this.#stage !== 'open') {
      this.#finish('closed', 'closed', 'closed');
      return;
    }
    const request = new CloseRequest(() => this.#finish('closed', 'closed', 'closed'));
    request.stage = 'waiting';
    this.#waiting.push(request);
    this.#isClosing = true;
    this.#closeUntilMs = this.#ports.nowMs() + CLOSE_TIMEOUT_MS;
    this.#pump();
    this.#ports.onDeadline();
  }

  /** Drops the connection and leaves the session as it is, to expire or to be resumed by somebody. */
  abandon(): void {
    if (this.#stage !== 'ended') this.#finish('closed', 'closed', 'closed');
  }

  #finish(state: SessionState, reason: FailureReason, end: SessionEnd): void {
    if (this.#stage === 'ended') return;
    const wasConnected = this.#stage !== 'pause';
    this.#stage = 'ended';
    if (wasConnected) this.#ports.disconnect();
    const pending = [...this.#inFlight.drain(), ...this.#drainWaiting()];
    const had = this.session !== null;
    this.session = null;
    this.#setState(state);
    if (had) this.#ports.onSessionEnd(end);
    this.#authentication.failAll();
    this.#failAll(pending, reason);
    this.#ports.onDeadline();
  }

  #setState(state: SessionState): void {
    const previous = this.#state;
    if (state === previous) return;
    this.#state = state;
    this.#ports.onState(state, previous);
  }

  // ---- other servers ----

  /** A new list of servers. `current` is where the connected one stands in it; -1 drops it and moves. */
  setServers(count: number, current: number): void {
    assert(count > 0 && current < count, 'a server of the list');
    this.#dialer.reset(count, current);
    if (current < 0) this.#moveNow('the server is not in the new list');
  }

  /** Leaves the connected server for this one, as a read-only client does when it finds a read-write server. */
  moveTo(server: number): void {
    this.#dialer.server = server - 1;
    this.#moveNow('another server is better');
  }

  #moveNow(reason: string): void {
    if (this.#stage === 'ended' || this.#isClosing) return;
    this.#drop(reason);
    if (this.#stage === 'pause') this.#dial();
  }
}
