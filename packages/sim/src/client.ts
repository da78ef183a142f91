/**
 * A simulated client: speaks the wire format over a simulated stream, keeps its session across connections and crashes of
 * the server, sets its watches again, pings, gets tired, goes away. What it receives goes to the oracle at once.
 */
import { createHash } from 'node:crypto';
import { ByteReader, ByteWriter, type Prng } from '@zoots/base';
import { FrameReader, type Id, OP, XID } from '@zoots/protocol';
import { passwordOf } from './checkers/sessions.js';
import { fail } from './checkers/violation.js';
import { WatchView } from './checkers/watch-view.js';
import type { Oracle } from './oracle.js';
import { describe, makeRequest, type Request, writeConnect, writeRequest } from './request.js';
import type { Endpoint, Link } from './sim-network.js';
import type { Simulator } from './simulator.js';
import { NOTE, type Trace } from './trace.js';
import { USERS, type Workload } from './workload.js';

export interface ClientWorld {
  readonly simulator: Simulator;
  readonly trace: Trace;
  readonly oracle: Oracle;
  /** A connection to the server's port; the other side may refuse it at once. */
  connect(client: Client, address: string): Link;
  readonly halfCloseChance: number;
}

type ClientState = 'away' | 'connecting' | 'connected' | 'closing' | 'gone';

const FRAME_BYTES_MAX = 64 * 1024 * 1024;
const RECONNECT_MIN_US = 2_000;
const RECONNECT_MAX_US = 100_000;
const QUIET_GAP_MIN_US = 10_000;
const QUIET_GAP_MAX_US = 60_000;
const NO_PASSWORD = new Uint8Array(16);

export class Client implements Endpoint {
  readonly number: number;
  readonly address: string;
  state: ClientState = 'away';
  /** Answers received while the run heals. */
  progressCount = 0;
  readonly #world: ClientWorld;
  readonly #prng: Prng;
  readonly #workload: Workload;
  #link: Link | null = null;
  #frames = new FrameReader();
  #view: WatchView | null = null;
  /** Lists of the last connection's watches, to be set again. */
  #lists: readonly (readonly string[])[] = [];
  #outstanding: Request[] = [];
  readonly #out = new ByteWriter(4096);

  sessionHigh = 0;
  sessionLow = 0;
  #timeoutMs: number;
  #wantedTimeoutMs: number;
  #password: Uint8Array = NO_PASSWORD;
  #xid = 0;
  #lastZxid = 0;
  #identities: readonly Id[] = [];
  readonly #users: readonly string[];
  #leavesOutReadOnly = false;
  /** Offers a wrong password: the session must be refused to it. */
  #hasWrongPassword = false;
  #incarnationAtConnect = 0;

  /** Counts attempts: timers of an earlier connection do nothing. */
  #attempt = 0;
  #isPaused = false;
  #isHalfClosed = false;
  #heardUs = 0;
  #sentUs = 0;
  /** Asks for nothing by itself: a scenario says what. */
  isScripted = false;
  /** Stops asking for things (the run ends). */
  isQuiet = false;
  /** After the run's end: close the session, or just vanish. */
  #isLeaving = false;

  constructor(number: number, world: ClientWorld, prng: Prng, workload: Workload, timeoutMs: number) {
    this.number = number;
    this.address = `10.0.0.${number}`;
    this.#world = world;
    this.#prng = prng;
    this.#workload = workload;
    this.#timeoutMs = timeoutMs;
    this.#wantedTimeoutMs = timeoutMs;
    this.#users = USERS.slice(0, workload.habits.usersMax).filter(() => prng.chance(0.6));
  }

  get hasSession(): boolean {
    return this.sessionHigh !== 0 || this.sessionLow !== 0;
  }

  get outstandingCount(): number {
    return this.#outstanding.length;
  }

  #line(text: string): void {
    if (this.#world.trace.isVerbose) this.#world.trace.line(`client ${this.number}: ${text}`);
  }

  #later(delayUs: number, run: () => void): void {
    const attempt = this.#attempt;
    this.#world.simulator.after(delayUs, () => {
      if (attempt === this.#attempt) run();
    });
  }

  // ---- connecting ----

  start(delayUs: number): void {
    this.#later(delayUs, () => this.#connect());
  }

  #connect(): void {
    if (this.state === 'gone') return;
    if (this.#isPaused) return;
    this.#attempt++;
    this.state = 'connecting';
    this.#frames = new FrameReader();
    this.#isHalfClosed = false;
    this.#outstanding = [];
    this.#leavesOutReadOnly = this.#prng.chance(0.2);
    this.#hasWrongPassword = this.hasSession && this.#prng.chance(0.01);
    this.#heardUs = this.#world.simulator.nowUs;
    this.#incarnationAtConnect = this.#world.oracle.incarnation;
    this.#link = this.#world.connect(this, this.address);
    this.#out.clear();
    writeConnect(this.#out, {
      lastZxidSeen: this.#lastZxid,
      timeoutMs: this.#wantedTimeoutMs,
      sessionHigh: this.sessionHigh,
      sessionLow: this.sessionLow,
      password: this.#hasWrongPassword ? NO_PASSWORD : this.#password,
      leavesOutReadOnly: this.#leavesOutReadOnly,
    });
    this.#flush();
    this.#watchSilence();
  }

  #reconnectLater(): void {
    if (this.state === 'gone') return;
    this.state = 'away';
    this.#attempt++;
    this.#later(this.#prng.between(RECONNECT_MIN_US, RECONNECT_MAX_US), () => this.#connect());
  }

  /** The connection is over for this side; what was in flight has an unknown outcome. */
  #leave(why: string): void {
    this.#line(`connection lost: ${why}`);
    if (this.#view !== null) {
      this.#lists = mergeLists(this.#view.lists(), this.#outstanding);
      this.#world.oracle.views.delete(this.#view);
    }
    this.#view = null;
    this.#link = null;
    this.#outstanding = [];
    if (this.state === 'closing') this.#forgetSession();
    if (this.#isLeaving) this.#vanish();
    else this.#reconnectLater();
  }

  #forgetSession(): void {
    this.sessionHigh = 0;
    this.sessionLow = 0;
    this.#password = NO_PASSWORD;
    this.#lists = [];
    this.#wantedTimeoutMs = this.#prng.chance(0.2) ? this.#prng.pick([0, -1, 1, 1_000_000]) : this.#timeoutMs;
  }

  #vanish(): void {
    this.state = 'gone';
    this.#attempt++;
  }

  // ---- the stream ----

  onBytes(bytes: Uint8Array, start: number, end: number): void {
    this.#world.trace.bytes(NOTE.toClient, bytes, start, end);
    if (this.#isPaused) return;
    this.#heardUs = this.#world.simulator.nowUs;
    this.#frames.push(bytes, start, end);
    const link = this.#link;
    while (this.#link === link && link !== null) {
      const result = this.#frames.next(FRAME_BYTES_MAX);
      if (result === 'more') return;
      if (result === 'bad-length')
        fail('frames', `client ${this.number} got a frame of ${this.#frames.lengthField} bytes`);
      this.#onFrame(this.#frames.bytes, this.#frames.start, this.#frames.end);
    }
  }

  onEnd(): void {
    if (this.#link === null) return;
    this.#link.reset(false, true);
    this.#leave('the server ended it');
  }

  onReset(): void {
    if (this.#link !== null) this.#leave('reset');
  }

  onDrained(): void {}

  #flush(): void {
    this.#sentUs = this.#world.simulator.nowUs;
    this.#link?.up.write(this.#out.bytes, 0, this.#out.length);
    this.#out.clear();
  }

  /** Gives the connection up from this side; the server may or may not learn of it. */
  drop(tellServer: boolean): void {
    if (this.#link === null) return;
    this.#link.reset(false, tellServer);
    this.#leave('dropped');
  }

  // ---- frames ----

  #onFrame(bytes: Uint8Array, start: number, end: number): void {
    const reader = new ByteReader(bytes, start, end);
    if (this.state === 'connecting') {
      this.#onConnectResponse(reader, end - start);
      return;
    }
    const xid = reader.int32();
    const zxid = reader.long();
    const code = reader.int32();
    if (reader.failed) fail('frames', `client ${this.number} got a reply of ${end - start} bytes`);
    if (xid === XID.notification) this.#onNotification(zxid, reader);
    else this.#onReply(xid, zxid, code, bytes, start - 4, end);
  }

  #onNotification(zxid: number, reader: ByteReader): void {
    const type = reader.int32();
    const state = reader.int32();
    const path = reader.string() ?? '';
    if (reader.failed || state !== 3) fail('frames', `client ${this.number} got a broken event`);
    this.#line(`event ${type} ${path} of ${zxid}`);
    this.#view?.onNotification(zxid, type, path);
  }

  #onReply(xid: number, zxid: number, code: number, bytes: Uint8Array, start: number, end: number): void {
    // A request that nobody knows is answered on the spot, before what is in flight, and ends the connection.
    const isRejection =
      code === -6 && zxid === -1 && this.#outstanding.some((one) => one.op === UNKNOWN_OP && one.xid === xid);
    if (isRejection) return;
    const request = this.#outstanding.shift();
    const view = this.#view as WatchView;
    if (request === undefined || request.xid !== xid) {
      fail(
        'order',
        `client ${this.number} got the reply ${xid} where ${request === undefined ? 'none' : describe(request)} was due`,
      );
    }
    if (this.#world.trace.isVerbose) this.#line(`reply ${describe(request)} → ${code} at ${zxid}`);
    this.progressCount++;
    if (request.op === OP.auth) {
      if (code !== 0 || zxid !== 0) fail('replies', `client ${this.number}: auth was answered ${code} at ${zxid}`);
      return;
    }
    if (request.op === UNKNOWN_OP)
      fail('replies', `client ${this.number}: an unknown op was answered ${code} at ${zxid}`);
    if (zxid < this.#lastZxid) fail('order', `client ${this.number} saw ${zxid} after ${this.#lastZxid}`);
    this.#world.oracle.onReply(view, this.sessionHigh, this.sessionLow, request, bytes, start, end);
    this.#lastZxid = zxid;
    if (request.op === OP.closeSession) this.#forgetSession();
  }

  #onConnectResponse(reader: ByteReader, frameBytes: number): void {
    const version = reader.int32();
    const timeoutMs = reader.int32();
    const high = reader.int32();
    const low = reader.int32();
    const password = reader.buffer() ?? NO_PASSWORD;
    if (version !== 0 || frameBytes !== (this.#leavesOutReadOnly ? 36 : 37)) {
      fail('frames', `client ${this.number} got a connect response of ${frameBytes} bytes, version ${version}`);
    }
    if (timeoutMs <= 0) this.#onRefused(high, low);
    else this.#onAccepted(timeoutMs, high, low, password);
  }

  #onRefused(high: number, low: number): void {
    if (high !== 0 || low !== 0) fail('sessions', 'a refusal names a session');
    const { oracle } = this.#world;
    if (!this.hasSession) fail('sessions', `client ${this.number} was refused a new session`);
    this.#line('session refused');
    const wasRestarted = oracle.incarnation !== this.#incarnationAtConnect;
    if (!this.#hasWrongPassword && !wasRestarted) oracle.onSessionRefused(this.sessionHigh, this.sessionLow);
    const link = this.#link;
    // With a wrong password the session goes on; the next attempt is honest.
    if (!this.#hasWrongPassword) this.#forgetSession();
    link?.reset(false, true);
    this.#leave('refused');
  }

  #onAccepted(timeoutMs: number, high: number, low: number, password: Uint8Array): void {
    const { oracle } = this.#world;
    if (this.#hasWrongPassword) fail('sessions', `client ${this.number} resumed a session with a wrong password`);
    if (this.hasSession && (high !== this.sessionHigh || low !== this.sessionLow)) {
      fail('sessions', `client ${this.number} asked for a session and got another`);
    }
    oracle.onConnected(high, low, this.#wantedTimeoutMs, timeoutMs);
    if (!passwordOf(high, low).every((byte, i) => byte === password[i]))
      fail('sessions', 'a wrong password was given out');
    this.state = 'connected';
    this.sessionHigh = high;
    this.sessionLow = low;
    this.#password = password;
    this.#timeoutMs = timeoutMs;
    this.#line(`connected, session ${high}:${low}, timeout ${timeoutMs} ms`);
    this.#view = new WatchView(`client ${this.number}`, oracle.model, Math.max(this.#lastZxid, oracle.viewStart));
    oracle.views.add(this.#view);
    this.#identities = [{ scheme: 'ip', id: this.address }];
    for (const user of this.#users) this.#authenticate(user);
    this.#view.identities = this.#identities;
    this.#setWatchesAgain();
    this.#flush();
    this.#schedulePing();
    this.#scheduleWork();
  }

  #authenticate(user: string): void {
    const digest = createHash('sha1').update(user).digest('base64');
    this.#identities = [...this.#identities, { scheme: 'digest', id: `${user.split(':')[0]}:${digest}` }];
    this.#send(makeRequest(OP.auth, { path: 'digest', data: user, xid: XID.auth }));
  }

  #setWatchesAgain(): void {
    const lists = this.#lists;
    this.#lists = [];
    if (!lists.some((list) => list.length > 0)) return;
    const withPersistent = lists.slice(3).some((list) => list.length > 0);
    const op = withPersistent ? OP.setWatches2 : OP.setWatches;
    const kept = withPersistent ? lists : lists.slice(0, 3);
    this.#send(makeRequest(op, { lists: kept, relativeZxid: this.#lastZxid, xid: XID.setWatches }));
  }

  // ---- asking ----

  /** Appends to what is flushed next. */
  #send(request: Request): void {
    if (request.xid === 0) request.xid = request.op === OP.ping ? XID.ping : ++this.#xid;
    request.identities = this.#identities;
    request.sentUs = this.#world.simulator.nowUs;
    this.#world.oracle.onSent(this.sessionHigh, this.sessionLow, request);
    this.#outstanding.push(request);
    writeRequest(this.#out, request);
    if (this.#world.trace.isVerbose) this.#line(`asks ${describe(request)}`);
  }

  #scheduleWork(): void {
    const { gapMinUs, gapMaxUs } = this.#workload.habits;
    const gapUs = this.isQuiet
      ? this.#prng.between(QUIET_GAP_MIN_US, QUIET_GAP_MAX_US)
      : this.#prng.between(gapMinUs, gapMaxUs);
    this.#later(gapUs, () => this.#work());
  }

  #work(): void {
    if (this.state !== 'connected' || this.#isHalfClosed) return;
    const { pipelineMax, burstMax } = this.#workload.habits;
    if (!this.#isPaused && !this.isScripted) {
      const room = this.isQuiet
        ? 1 - this.#outstanding.length
        : Math.min(pipelineMax - this.#outstanding.length, this.#prng.between(1, burstMax));
      for (let i = 0; i < room; i++) this.#send(this.#workload.next());
      if (!this.isQuiet && this.#prng.chance(0.0005)) this.#closeSession();
      if (this.#out.length > 0) this.#flush();
      if (!this.isQuiet && this.#prng.chance(0.001 * this.#world.halfCloseChance)) this.#halfClose();
    }
    this.#scheduleWork();
  }

  /** Sends these at once, in one write. */
  ask(...requests: Request[]): void {
    for (const request of requests) this.#send(request);
    this.#flush();
  }

  #closeSession(): void {
    this.#send(makeRequest(OP.closeSession));
    this.state = 'closing';
    if (!this.#prng.chance(this.#world.halfCloseChance)) return;
    this.#flush();
    this.#halfClose();
  }

  /** Says no more, and hears what is still to come until the server ends its side, too. */
  #halfClose(): void {
    this.#line('ends its side');
    this.#link?.up.end();
    this.#isHalfClosed = true;
  }

  #schedulePing(): void {
    this.#later(this.#timeoutMs * 250, () => {
      if (this.state !== 'connected' || this.#isHalfClosed) return;
      const { nowUs } = this.#world.simulator;
      if (!this.#isPaused && nowUs - this.#sentUs >= this.#timeoutMs * 250) {
        this.#send(makeRequest(OP.ping));
        this.#flush();
      }
      this.#schedulePing();
    });
  }

  /** Two thirds of the timeout without a word: the connection is taken for dead. */
  #watchSilence(): void {
    const patienceUs = Math.floor((this.#timeoutMs * 1000 * 2) / 3);
    const dueUs = this.#heardUs + patienceUs;
    this.#later(Math.max(dueUs - this.#world.simulator.nowUs, 1_000), () => {
      const { nowUs } = this.#world.simulator;
      if (this.#link === null) return;
      if (!this.#isPaused && nowUs - this.#heardUs >= patienceUs) this.drop(this.#prng.chance(0.7));
      else this.#watchSilence();
    });
  }

  // ---- moods ----

  /** Hears and says nothing for a while, as a process that is swapped out. Its kernel goes on taking bytes. */
  pause(durationUs: number): void {
    if (this.#isPaused || this.state === 'gone') return;
    this.#line(`pauses for ${Math.floor(durationUs / 1000)} ms`);
    this.#isPaused = true;
    this.#link?.down.pause();
    this.#world.simulator.after(durationUs, () => this.wake());
  }

  wake(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#line('wakes');
    if (this.#link !== null) this.#link.down.resume();
    else if (this.state === 'away' || this.state === 'connecting') this.#reconnectLater();
  }

  /** The run ends: close the session properly, or vanish and let it expire. */
  finish(properly: boolean): void {
    this.#isLeaving = true;
    if (this.state === 'connected' && properly) {
      this.#closeSession();
      this.#flush();
    } else if (this.#link !== null) this.drop(true);
    else this.#vanish();
  }
}

const UNKNOWN_OP = 99;

/** What the connection watched, and what a setWatches that was not answered would have added. */
function mergeLists(lists: readonly string[][], outstanding: readonly Request[]): readonly string[][] {
  const asked = outstanding.filter((request) => request.op === OP.setWatches || request.op === OP.setWatches2);
  return lists.map((list, i) => [...new Set([...list, ...asked.flatMap((request) => request.lists[i] ?? [])])]);
}
