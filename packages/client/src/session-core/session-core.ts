/**
 * A client's session as a machine: bytes, clock readings and requests go in; bytes, replies, events and states come out, through
 * {@link SessionPorts}. No socket, timer or promise: the simulator runs this very class against the server.
 *
 * Two unions hold its life. `#stage` is the connection: pause → dialing → handshake → open → pause …, ended.
 * `state` is what the application sees of the session. Requests wait in the flow until the connection is open and the window has
 * room; replies come in the order in which they were sent, as the protocol promises.
 *
 * When a connection breaks, requests in flight that ask for nothing lasting are sent again with the next one; the others
 * end with outcome `unknown`. A write is never sent twice. When the session is over, everything ends with `session-lost`.
 *
 * Read next: liveness.ts (when a session must be assumed gone), watch-registry.ts.
 */
import { assert, ByteReader, ByteWriter } from '@zoots/base';
import { type ConnectResponse, ERROR, FrameReader, OP, readConnectResponse, XID } from '@zoots/protocol';
import { Authentication } from './authentication.js';
import { CloseRequest } from './close-request.js';
import { Dialer } from './dialer.js';
import { Liveness } from './liveness.js';
import type { FailureOutcome, FailureReason, SessionRequest } from './request.js';
import { fail, failAll, RequestFlow } from './request-flow.js';
import { connectTimeoutMs, NO_IDENTITY, writeIdentity } from './session-identity.js';
import {
  type AuthInfo,
  CLOSE_TIMEOUT_MS,
  type EstablishedSession,
  type SessionEnd,
  type SessionIdentity,
  type SessionOptions,
  type SessionPorts,
  type SessionState,
} from './session-ports.js';
import { writeSetWatches } from './set-watches.js';
import { WatchRegistry } from './watch-registry.js';

type Stage = 'pause' | 'dialing' | 'handshake' | 'open' | 'ended';

const OUT_BYTES = 16 * 1024;
const NO_CONNECT_RESPONSE = 'no ConnectResponse: is this a ZooKeeper port?';

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
  readonly #flow: RequestFlow;
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
    this.#flow = new RequestFlow(options);
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
    return this.#flow.pendingCount;
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
    this.#connectUntilMs =
      this.#ports.nowMs() + connectTimeoutMs(this.#options, this.session, this.#dialer.serverCount);
    const server = this.#dialer.next();
    this.#ports.onDeadline();
    this.#ports.connect(server);
  }

  /** The connection that `connect` asked for is there. */
  onConnected(): void {
    assert(this.#stage === 'dialing', 'connected while dialing');
    this.#stage = 'handshake';
    this.#frames = new FrameReader();
    this.#out.clear();
    if (!this.#hasSeenReadWrite) this.#identity = NO_IDENTITY;
    writeIdentity(this.#out, this.#options, this.#identity, this.lastZxid);
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
    this.#flow.onEstablished();
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
    this.#liveness.onAnswered(this.#flow.answeredCount);
    this.#pump();
  }

  #onHandshakeFrame(bytes: Uint8Array, start: number, end: number): void {
    const response = readConnectResponse(this.#reader.reset(bytes, start, end));
    if (response === null) this.#drop(`the first answer is ${NO_CONNECT_RESPONSE}`);
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
    else if (xid === XID.auth) {
      if (!this.#authentication.onReply(code)) this.#finish('auth-failed', 'auth-failed', 'auth-failed');
    }
    // A server that is too busy refuses setWatches as well. Without a word from us the watches would be lost.
    else if (xid === XID.setWatches && code !== ERROR.ok) this.#drop(`the watches were refused with code ${code}`);
  }

  #onReply(xid: number, zxid: number, code: number, reader: ByteReader): void {
    if (this.#liveness.isStale(this.#flow.answeredCount + 1)) {
      this.#onUnreachable();
      return;
    }
    const request = this.#flow.answer(xid);
    if (request === undefined) {
      this.#onUnexpectedReply(xid, zxid, code, reader);
      return;
    }
    if (zxid > 0) this.lastZxid = zxid;
    if (request.stage === 'sent') this.#complete(request, zxid, code, reader);
    else request.onLateReply(code);
  }

  #complete(request: SessionRequest, zxid: number, code: number, reader: ByteReader): void {
    request.stage = 'done';
    if (request.watch !== null) this.watches.onReply(request.watch, code);
    request.onReply(code, zxid, reader);
  }

  /** A server answers an operation that it does not know ahead of what is in flight, and ends the connection. */
  #onUnexpectedReply(xid: number, zxid: number, code: number, reader: ByteReader): void {
    const request = code === ERROR.unimplemented ? this.#flow.inFlight(xid) : undefined;
    if (request !== undefined) this.#complete(request, zxid, code, reader);
    else this.#drop(`a reply to request ${xid}, where another was due`);
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

  /** The oversized frame is the reply to the oldest request: that one fails, and is not asked for again. */
  #onBadLength(lengthField: number): void {
    if (this.#stage !== 'open') {
      this.#drop(`the first answer, a frame of ${lengthField} bytes, is ${NO_CONNECT_RESPONSE}`);
      return;
    }
    const request = lengthField > 0 ? this.#flow.takeOldest() : undefined;
    if (request?.stage === 'sent') fail(request, 'reply-too-large', 'unknown');
    this.#drop(`a frame of ${lengthField} bytes`);
  }

  // ---- requests ----

  /** The request ends exactly once, by `onReply` or `onFailed`; the latter may be called before this returns. */
  submit(request: SessionRequest): void {
    if (this.#stage === 'open' && this.#flow.isFree && !this.#isClosing) {
      this.#flow.send(request, this.#out);
      this.#markDirty();
    } else this.#enqueue(request);
  }

  /** Nobody waits for it any more. Says whether a server may have seen it; null if it has ended. */
  cancel(request: SessionRequest): FailureOutcome | null {
    return this.#flow.cancel(request);
  }

  #enqueue(request: SessionRequest): void {
    const { failWhenSuspended, sessionTimeoutMs } = this.#options;
    if (this.#stage === 'ended' || this.#isClosing) fail(request, this.#endReason(), 'not-sent');
    else if (failWhenSuspended && this.#stage !== 'open') fail(request, 'connection-loss', 'not-sent');
    else if (this.#flow.isFull) fail(request, 'overloaded', 'not-sent');
    else {
      this.#flow.wait(request);
      if (this.session !== null || this.#patienceUntilMs !== Number.POSITIVE_INFINITY) return;
      this.#patienceUntilMs = this.#ports.nowMs() + sessionTimeoutMs;
      this.#ports.onDeadline();
    }
  }

  #endReason(): FailureReason {
    return this.#state === 'auth-failed' ? 'auth-failed' : 'closed';
  }

  /** A request that fails here may make its caller end the connection: look each time. */
  #pump(): void {
    while (this.#stage === 'open') {
      const request = this.#flow.next();
      if (request === undefined) break;
      this.#flow.send(request, this.#out);
    }
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
    this.#liveness.onSent(this.#flow.sentCount, this.#ports.nowMs());
    this.#out = this.#ports.write(this.#out);
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
    if (this.session !== null || nowMs < this.#patienceUntilMs) return;
    this.#patienceUntilMs = Number.POSITIVE_INFINITY;
    failAll(this.#flow.drainWaiting(), 'connection-loss');
  }

  #ping(nowMs: number): void {
    this.#out.int32(8);
    this.#out.int32(XID.ping);
    this.#out.int32(OP.ping);
    this.#liveness.onPing(nowMs);
    this.flush();
  }

  #onUnreachable(): void {
    // The connection goes first: whoever is told must not ask anything of a dead session.
    if (this.#stage !== 'pause') {
      this.#ports.disconnect();
      this.#leaveConnection('the session must be assumed gone');
    }
    if (this.#stage !== 'ended') this.#loseSession('unreachable');
  }

  // ---- losing ----

  /** The connection, or the attempt at one, is over. */
  onDisconnected(reason: string): void {
    if (this.#stage === 'pause' || this.#stage === 'ended') return;
    const wasOpen = this.#stage === 'open';
    this.#leaveConnection(reason);
    if (wasOpen) this.#suspend();
  }

  #leaveConnection(reason: string): void {
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
  }

  #drop(reason: string): void {
    if (this.#stage === 'pause' || this.#stage === 'ended') return;
    this.#ports.disconnect();
    this.onDisconnected(reason);
  }

  #suspend(): void {
    const interrupted = this.#flow.interrupt();
    // Whoever is told may end the client, and with it what waits.
    if (this.session !== null) this.#setState('suspended');
    failAll(interrupted, 'connection-loss');
    if (this.#options.failWhenSuspended) failAll(this.#flow.drainWaiting(), 'connection-loss');
  }

  #loseSession(end: SessionEnd): void {
    const pending = this.#flow.drain();
    const had = this.session !== null;
    this.session = null;
    this.#identity = NO_IDENTITY;
    this.#hasSeenReadWrite = false;
    if (this.#options.newSession) this.#setState('lost');
    if (had) this.#ports.onSessionEnd(end);
    failAll(pending, 'session-lost');
    if (!this.#options.newSession) this.#finish('closed', 'closed', end);
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
    this.#flow.wait(request);
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
    const pending = this.#flow.drain();
    const had = this.session !== null;
    this.session = null;
    this.#setState(state);
    if (had) this.#ports.onSessionEnd(end);
    this.#authentication.failAll();
    failAll(pending, reason);
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
