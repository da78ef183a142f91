/**
 * A process with one session core: its sockets, its clock, its timer and the end of its turn, all simulated. It decides as
 * little as the client's shell on Node does (compare session-shell.ts and transport.ts). Every byte in and out passes the wire's
 * checks first, every word of the core those of client-promises.ts.
 */
import { ByteReader, ByteWriter, type Prng } from '@zoots/base';
import {
  type EstablishedSession,
  SessionCore,
  type SessionEnd,
  type SessionOptions,
  type SessionPorts,
  type SessionState,
} from '@zoots/client/session-core';
import { FrameReader, OP, readConnectRequest } from '@zoots/protocol';
import { ClientPromises } from './checkers/client-promises.js';
import { fail } from './checkers/violation.js';
import { authRequest, WireCheck, type WireListener } from './checkers/wire.js';
import type { ClientWorld } from './client.js';
import { makeRequest, type Request } from './request.js';
import type { Endpoint, Link } from './sim-network.js';
import { NOTE } from './trace.js';

/** What is at an address; a number: the member of an ensemble with this myid. */
export type AddressKind = 'server' | 'refusing' | 'silent' | number;

/** The application's side of the ports. */
export interface ProcessEvents {
  onState(process: CoreProcess, state: SessionState): void;
  onSession(process: CoreProcess): void;
}

const FRAME_BYTES_MAX = 64 * 1024 * 1024;
const OUT_BYTES = 4096;
/** A timer may come so late, behind the millisecond that Node rounds up to. */
const TIMER_LATE_US_MAX = 2_000;
const FLUSH_US_MAX = 30;
/** What the checks of the session's life allow for. */
const LIFE_SLACK_US = TIMER_LATE_US_MAX + 2_000;

export class CoreProcess implements SessionPorts, WireListener {
  readonly core: SessionCore;
  readonly prng: Prng;
  readonly wire: WireCheck;
  readonly promises: ClientPromises;
  /** Killed: nothing of it happens any more. */
  isDead = false;
  isPaused = false;
  readonly #world: ClientWorld;
  readonly #addresses: readonly AddressKind[];
  readonly #events: ProcessEvents;
  #link: Link | null = null;
  #frames = new FrameReader();
  #spare = new ByteWriter(OUT_BYTES);
  /** Counts connections: what an earlier one brings is not for the core. */
  #attempt = 0;
  #isHandshakeDue = false;
  #connectSentUs = 0;
  /** What happened while the process was paused, in order. */
  #missed: (() => void)[] = [];
  #timerAtMs = Number.POSITIVE_INFINITY;
  #timerNumber = 0;
  #isFlushDue = false;
  /** When it last ran again after a pause. */
  #wokenUs = 0;
  #timeoutUs = 0;
  #isLifeWatched = false;

  constructor(
    number: number,
    world: ClientWorld,
    prng: Prng,
    addresses: readonly AddressKind[],
    options: SessionOptions,
    hasOpenAcls: boolean,
    events: ProcessEvents,
  ) {
    this.#world = world;
    this.prng = prng;
    this.#addresses = addresses;
    this.#events = events;
    this.wire = new WireCheck(number, world.oracle, world.trace, this);
    this.promises = new ClientPromises(this.wire, world.oracle.model, hasOpenAcls, options.auth);
    this.core = new SessionCore(options, this);
  }

  get hasEnded(): boolean {
    return this.core.state === 'closed' || this.core.state === 'auth-failed';
  }

  /** Runs when the process can; never if the connection it is for is over by then. */
  #whenAwake(run: () => void, attempt = -1): void {
    const guarded = (): void => {
      if (!this.isDead && (attempt === -1 || attempt === this.#attempt)) run();
    };
    if (this.isPaused) this.#missed.push(guarded);
    else guarded();
  }

  #later(delayUs: number, run: () => void, attempt = -1): void {
    this.#world.simulator.after(delayUs, () => this.#whenAwake(run, attempt));
  }

  // ---- moods ----

  pause(): void {
    this.isPaused = true;
    this.#link?.down.pause();
  }

  wake(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.#wokenUs = this.#world.simulator.nowUs;
    const missed = this.#missed;
    this.#missed = [];
    for (const run of missed) run();
    this.#link?.down.resume();
  }

  /** SIGKILL: its kernel closes the connection, or the machine is gone. */
  kill(): void {
    this.isDead = true;
    this.#cut(this.prng.chance(0.7));
  }

  #cut(tellServer: boolean): void {
    this.#attempt++;
    this.#link?.reset(false, tellServer);
    this.#link = null;
    this.wire.onDisconnected();
    this.promises.onDisconnected();
  }

  // ---- what the core asks for ----

  nowMs(): number {
    return this.#world.simulator.nowUs / 1000;
  }

  connect(server: number): void {
    if (this.hasEnded) fail('client rest', `${this.wire.name} dials, and is closed`);
    if (this.#link !== null) fail('client rest', `${this.wire.name} dials while it has a connection`);
    const attempt = ++this.#attempt;
    this.#frames = new FrameReader();
    this.#isHandshakeDue = true;
    this.wire.onConnecting();
    const kind = this.#addresses[server] ?? 'server';
    if (kind === 'silent') return;
    if (kind === 'refusing') {
      this.#later(this.prng.between(10, 1_000), () => this.core.onDisconnected('refused'), attempt);
      return;
    }
    this.#link = this.#world.connect(this.#endpoint(attempt), this.wire.address, kind === 'server' ? 0 : kind);
    this.#later(this.prng.between(10, 2_000), () => this.core.onConnected(), attempt);
  }

  #endpoint(attempt: number): Endpoint {
    const lose = (why: string): void =>
      this.#whenAwake(() => {
        this.#cut(true);
        this.core.onDisconnected(why);
      }, attempt);
    return {
      onBytes: (bytes, start, end) => {
        if (attempt === this.#attempt) this.#onBytes(bytes, start, end);
      },
      onEnd: () => lose('the server ended it'),
      onReset: () => lose('reset'),
      onDrained: () => {},
    };
  }

  disconnect(): void {
    const link = this.#link;
    if (link === null || this.prng.chance(0.4)) {
      this.#cut(this.prng.chance(0.8));
      return;
    }
    // The kernel sends what it has taken over, and the end behind it.
    this.#link = null;
    this.#cut(false);
    link.down.break();
    link.down.reader = null;
    link.up.writer = null;
    link.up.end();
  }

  write(filled: ByteWriter): ByteWriter {
    this.#inspect(filled.bytes, filled.length);
    this.#link?.up.write(filled.bytes, 0, filled.length);
    // The bytes were copied; a writer that is still used shows.
    filled.bytes.fill(0xdd, 0, filled.length);
    filled.clear();
    const spare = this.#spare;
    this.#spare = filled;
    return spare;
  }

  onDirty(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#later(this.prng.below(FLUSH_US_MAX), () => {
      this.#isFlushDue = false;
      this.core.flush();
    });
  }

  onDeadline(): void {
    const atMs = this.core.deadlineMs;
    if (atMs === Number.POSITIVE_INFINITY) {
      this.#timerNumber++;
      this.#timerAtMs = atMs;
    } else if (atMs < this.#timerAtMs) this.#arm(atMs);
  }

  #arm(atMs: number): void {
    const number = ++this.#timerNumber;
    this.#timerAtMs = atMs;
    const lateUs = this.prng.chance(0.3) ? this.prng.below(TIMER_LATE_US_MAX) : 0;
    // Whole milliseconds, and one at least, as Node's timers.
    const delayMs = Math.max(1, Math.ceil(atMs - this.nowMs()));
    this.#later(delayMs * 1000 + lateUs, () => {
      if (number !== this.#timerNumber) return;
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.core.onTime();
      this.onDeadline();
    });
  }

  // ---- what goes out ----

  #inspect(bytes: Uint8Array, length: number): void {
    if (this.hasEnded) fail('client rest', `${this.wire.name} writes, and is closed`);
    const frames = new FrameReader();
    frames.push(bytes, 0, length);
    let end = 0;
    while (frames.next(FRAME_BYTES_MAX) === 'frame') {
      end = frames.end;
      if (this.#isHandshakeDue) this.#inspectConnect(frames.bytes, frames.start, frames.end);
      else this.#inspectFrame(new ByteReader(frames.bytes, frames.start, frames.end));
    }
    if (end !== length) fail('client requests', `${this.wire.name} writes half a frame`);
  }

  #inspectConnect(bytes: Uint8Array, start: number, end: number): void {
    this.#isHandshakeDue = false;
    const ask = readConnectRequest(new ByteReader(bytes, start, end));
    if (ask === null || !ask.hasReadOnly) fail('client requests', `${this.wire.name} sends a broken ConnectRequest`);
    const { lastZxidSeen, sessionHigh, sessionLow, timeoutMs } = ask;
    if (lastZxidSeen < this.promises.deliveredZxid || lastZxidSeen > this.wire.lastZxid) {
      fail('client order', `${this.wire.name} connects as of ${lastZxidSeen}, and has seen ${this.wire.lastZxid}`);
    }
    this.#connectSentUs = this.#world.simulator.nowUs;
    const ownAsk = { sessionHigh, sessionLow, timeoutMs, leavesOutReadOnly: false, hasWrongPassword: false };
    this.wire.onConnectSent(ownAsk);
  }

  #inspectFrame(reader: ByteReader): void {
    const xid = reader.int32();
    const op = reader.int32();
    const request = this.#requestOf(xid, op, reader);
    if (op === OP.auth) this.promises.onAuthSent(request);
    else if (op === OP.setWatches || op === OP.setWatches2) this.promises.onSetWatchesSent(request);
    else this.promises.onOtherSent(`op ${op}, xid ${xid}`);
    request.xid = xid;
    this.wire.onSent(request, this.#world.simulator.nowUs);
  }

  #requestOf(xid: number, op: number, reader: ByteReader): Request {
    if (op === OP.ping || op === OP.closeSession) return makeRequest(op);
    if (op === OP.auth) {
      reader.int32();
      return authRequest(reader.string() ?? '', reader.string() ?? '');
    }
    if (op !== OP.setWatches && op !== OP.setWatches2) return this.promises.takeWritten(xid).request;
    const relativeZxid = reader.long();
    const lists: string[][] = [];
    while (reader.remaining > 0) lists.push(Array.from({ length: reader.count(4) }, () => reader.string() ?? ''));
    return makeRequest(op, { relativeZxid, lists });
  }

  // ---- what comes in ----

  #onBytes(bytes: Uint8Array, start: number, end: number): void {
    const attempt = this.#attempt;
    const { core, promises, wire } = this;
    const heardZxid = wire.lastZxid;
    this.#world.trace.bytes(NOTE.toClient, bytes, start, end);
    this.#frames.push(bytes, start, end);
    for (;;) {
      const result = this.#frames.next(FRAME_BYTES_MAX);
      if (result === 'more') break;
      if (result === 'bad-length') fail('frames', `${wire.name} got a frame of ${this.#frames.lengthField} bytes`);
      wire.onFrame(this.#frames.bytes, this.#frames.start, this.#frames.end);
      // What comes behind a refusal is not for anybody.
      if (wire.view === null) break;
    }
    core.onBytes(bytes, start, end);
    if (attempt === this.#attempt) promises.demandDelivered();
    else {
      promises.discardDeliveries();
      // The client ended the connection at one of these replies, and heard nothing of it nor of what came behind.
      wire.lastZxid = Math.max(heardZxid, Math.min(wire.lastZxid, core.lastZxid));
    }
    // The buffer is ours again: whoever kept a reference reads rubbish.
    bytes.fill(0xee, start, end);
  }

  onAccepted(timeoutMs: number): void {
    this.promises.onAccepted(this.#connectSentUs);
    this.#timeoutUs = timeoutMs * 1000;
    this.#watchLife();
  }

  onRefused(): void {}

  onAnswerCame(request: Request, code: number, zxid: number, bytes: Uint8Array, start: number, end: number): void {
    this.promises.onAnswerCame(request, code, zxid, bytes, start, end);
  }

  onEventCame(_type: number, path: string, zxid: number): void {
    this.promises.onEventCame(path, zxid);
  }

  // ---- what the core tells ----

  onState(state: SessionState): void {
    this.wire.line(`state ${state}`);
    this.#events.onState(this, state);
  }

  onSession(_session: EstablishedSession): void {
    this.#events.onSession(this);
  }

  onSessionEnd(end: SessionEnd): void {
    this.wire.line(`session over: ${end}`);
    if (end === 'unreachable') this.promises.demandNotTooEarly(this.#world.simulator.nowUs, this.#timeoutUs);
  }

  onEvent(type: number, path: string, zxid: number): void {
    this.promises.onEvent(type, path, zxid);
  }

  onConnectionEnd(reason: string): void {
    this.wire.line(`connection over: ${reason}`);
  }

  // ---- the session's life ----

  /** Looks once more when the session must be assumed gone, from what was heard by then. */
  #watchLife(): void {
    if (this.#isLifeWatched) return;
    this.#isLifeWatched = true;
    const lostUs = Math.max(this.promises.heardUs + this.#timeoutUs, this.#world.simulator.nowUs);
    this.#world.simulator.at(lostUs + LIFE_SLACK_US + 1, () => this.#whenAwake(() => this.#checkLife()));
  }

  #checkLife(): void {
    this.#isLifeWatched = false;
    if (this.core.session === null) return;
    const { nowUs } = this.#world.simulator;
    if (nowUs < this.#wokenUs + LIFE_SLACK_US) {
      this.#isLifeWatched = true;
      this.#later(LIFE_SLACK_US, () => this.#checkLife());
      return;
    }
    this.promises.demandNotTooLate(nowUs, this.#timeoutUs, LIFE_SLACK_US);
    this.#watchLife();
  }

  /** The server has expired this session; `slackUs`: how much shorter than ours its timeouts can be. */
  onServerExpired(high: number, low: number, slackUs: number): void {
    const { session } = this.core;
    if (session === null || session.high !== high || session.low !== low) return;
    this.#later(slackUs + LIFE_SLACK_US, () => this.#demandGone(high, low));
  }

  #demandGone(high: number, low: number): void {
    const { session } = this.core;
    const { simulator, oracle } = this.#world;
    if (session === null || session.high !== high || session.low !== low) return;
    // The server died before its closing was durable: the session lives.
    if (oracle.model.isSessionAlive(high, low)) return;
    if (simulator.nowUs < this.#wokenUs + LIFE_SLACK_US) this.#later(LIFE_SLACK_US, () => this.#demandGone(high, low));
    else
      fail('client session', `${this.wire.name} works on under session ${high}:${low}, which the server has expired`);
  }

  // ---- the end ----

  /** What is left of it after its end; null if nothing waits, nothing is held, no timer runs. */
  get leftover(): string | null {
    if (this.isDead) return null;
    const { state, deadlineMs, pendingCount } = this.core;
    if (!this.hasEnded) return `the session is ${state}`;
    if (deadlineMs !== Number.POSITIVE_INFINITY) return `a deadline at ${deadlineMs} ms`;
    if (this.#timerAtMs !== Number.POSITIVE_INFINITY) return `a timer at ${this.#timerAtMs} ms`;
    if (this.#link !== null) return 'a connection';
    return pendingCount === 0 ? null : `${pendingCount} requests pending`;
  }
}
