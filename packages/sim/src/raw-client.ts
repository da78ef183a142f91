/**
 * A simulated client that speaks the wire format by itself, with the habits that a server must bear and the session core
 * does not have: wrong passwords, requests cut short, a connection ended on one side, the read-only byte left out, absurd
 * timeouts. It keeps its session and its watches across connections, too, in its own way.
 */
import { ByteWriter, type Prng } from '@zoots/base';
import { FrameReader, OP, XID } from '@zoots/protocol';
import { fail } from './checkers/violation.js';
import { authRequest, WireCheck, type WireListener } from './checkers/wire.js';
import type { Client, ClientWorld } from './client.js';
import { makeRequest, type Request, writeConnect, writeRequest } from './request.js';
import type { Endpoint, Link } from './sim-network.js';
import { NOTE } from './trace.js';
import { USERS, type Workload } from './workload.js';

type RawState = 'away' | 'connecting' | 'connected' | 'closing' | 'gone';

/** What came back for a request. */
export interface Answer {
  readonly request: Request;
  readonly code: number;
  readonly zxid: number;
  readonly body: Uint8Array;
}

const FRAME_BYTES_MAX = 64 * 1024 * 1024;
const RECONNECT_MIN_US = 2_000;
const RECONNECT_MAX_US = 100_000;
const QUIET_GAP_MIN_US = 10_000;
const QUIET_GAP_MAX_US = 60_000;
const NO_PASSWORD = new Uint8Array(16);

export class RawClient implements Client, Endpoint, WireListener {
  readonly number: number;
  state: RawState = 'away';
  progressCount = 0;
  readonly #world: ClientWorld;
  readonly #prng: Prng;
  readonly #workload: Workload;
  readonly #wire: WireCheck;
  readonly #halfCloseChance: number;
  #link: Link | null = null;
  #frames = new FrameReader();
  /** Lists of the last connection's watches, to be set again. */
  #lists: readonly (readonly string[])[] = [];
  readonly #out = new ByteWriter(4096);

  sessionHigh = 0;
  sessionLow = 0;
  #timeoutMs: number;
  #wantedTimeoutMs: number;
  #xid = 0;
  readonly #users: readonly string[];
  /** Offers a wrong password: the session must be refused to it. */
  #hasWrongPassword = false;

  /** Counts attempts: timers of an earlier connection do nothing. */
  #attempt = 0;
  #isPaused = false;
  #isHalfClosed = false;
  #heardUs = 0;
  #sentUs = 0;
  /** Asks for nothing by itself: a scenario says what. */
  isScripted = false;
  /** Of a scripted one: the member of an ensemble that it talks to; null: any. */
  home: number | null = null;
  /** Of a scripted one: what was answered, oldest first. */
  readonly answers: Answer[] = [];
  isQuiet = false;
  #isLeaving = false;

  constructor(
    number: number,
    world: ClientWorld,
    prng: Prng,
    workload: Workload,
    timeoutMs: number,
    halfCloseChance: number,
  ) {
    this.number = number;
    this.#world = world;
    this.#prng = prng;
    this.#workload = workload;
    this.#timeoutMs = timeoutMs;
    this.#wantedTimeoutMs = timeoutMs;
    this.#halfCloseChance = halfCloseChance;
    this.#wire = new WireCheck(number, world.oracle, world.trace, this);
    this.#users = USERS.slice(0, workload.habits.usersMax).filter(() => prng.chance(0.6));
  }

  get hasSession(): boolean {
    return this.sessionHigh !== 0 || this.sessionLow !== 0;
  }

  get isConnected(): boolean {
    return this.state === 'connected';
  }

  get outstandingCount(): number {
    return this.#wire.outstanding.length;
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
    const leavesOutReadOnly = this.#prng.chance(0.2);
    this.#hasWrongPassword = this.hasSession && this.#prng.chance(0.01);
    this.#heardUs = this.#world.simulator.nowUs;
    this.#wire.onConnecting();
    const { members } = this.#world;
    const member = this.home ?? (members.length === 0 ? 0 : this.#prng.pick(members));
    this.#link = this.#world.connect(this, this.#wire.address, member);
    const { sessionHigh, sessionLow } = this;
    const ask = { sessionHigh, sessionLow, timeoutMs: this.#wantedTimeoutMs, leavesOutReadOnly };
    const password = this.#hasWrongPassword || !this.hasSession ? NO_PASSWORD : this.#wire.password;
    this.#out.clear();
    writeConnect(this.#out, { ...ask, lastZxidSeen: this.#wire.lastZxid, password });
    this.#wire.onConnectSent({ ...ask, hasWrongPassword: this.#hasWrongPassword });
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
    this.#wire.line(`connection lost: ${why}`);
    const { view, outstanding } = this.#wire;
    if (view !== null) this.#lists = mergeLists(view.lists(), outstanding);
    this.#wire.onDisconnected();
    this.#link = null;
    if (this.state === 'closing') this.#forgetSession();
    if (this.#isLeaving) this.#vanish();
    else this.#reconnectLater();
  }

  #forgetSession(): void {
    this.sessionHigh = 0;
    this.sessionLow = 0;
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
      this.#wire.onFrame(this.#frames.bytes, this.#frames.start, this.#frames.end);
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

  // ---- what the frames say ----

  onEventCame(): void {}

  onAnswerCame(request: Request, code: number, zxid: number, bytes: Uint8Array, start: number, end: number): void {
    this.progressCount++;
    if (this.isScripted && request.op !== OP.ping)
      this.answers.push({ request, code, zxid, body: bytes.slice(start, end) });
    if (request.op === OP.closeSession) this.#forgetSession();
  }

  onRefused(): void {
    const link = this.#link;
    // With a wrong password the session goes on; the next attempt is honest.
    if (!this.#hasWrongPassword) this.#forgetSession();
    link?.reset(false, true);
    this.#leave('refused');
  }

  onAccepted(timeoutMs: number): void {
    this.state = 'connected';
    this.sessionHigh = this.#wire.sessionHigh;
    this.sessionLow = this.#wire.sessionLow;
    this.#timeoutMs = timeoutMs;
    for (const user of this.#users) this.#send(authRequest('digest', user));
    this.#setWatchesAgain();
    this.#flush();
    this.#schedulePing();
    this.#scheduleWork();
  }

  #setWatchesAgain(): void {
    const lists = this.#lists;
    this.#lists = [];
    if (!lists.some((list) => list.length > 0)) return;
    const withPersistent = lists.slice(3).some((list) => list.length > 0);
    const op = withPersistent ? OP.setWatches2 : OP.setWatches;
    const kept = withPersistent ? lists : lists.slice(0, 3);
    this.#send(makeRequest(op, { lists: kept, relativeZxid: this.#wire.lastZxid, xid: XID.setWatches }));
  }

  // ---- asking ----

  /** Appends to what is flushed next. */
  #send(request: Request): void {
    if (request.xid === 0) request.xid = request.op === OP.ping ? XID.ping : ++this.#xid;
    this.#wire.onSent(request, this.#world.simulator.nowUs);
    writeRequest(this.#out, request);
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
        ? 1 - this.outstandingCount
        : Math.min(pipelineMax - this.outstandingCount, this.#prng.between(1, burstMax));
      for (let i = 0; i < room; i++) this.#send(this.#workload.next());
      if (!this.isQuiet && this.#prng.chance(0.0005)) this.#closeSession();
      if (this.#out.length > 0) this.#flush();
      if (!this.isQuiet && this.#prng.chance(0.001 * this.#halfCloseChance)) this.#halfClose();
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
    if (!this.#prng.chance(this.#halfCloseChance)) return;
    this.#flush();
    this.#halfClose();
  }

  /** Says no more, and hears what is still to come until the server ends its side, too. */
  #halfClose(): void {
    this.#wire.line('ends its side');
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

  pause(durationUs: number): void {
    if (this.#isPaused || this.state === 'gone') return;
    this.#wire.line(`pauses for ${Math.floor(durationUs / 1000)} ms`);
    this.#isPaused = true;
    this.#link?.down.pause();
    this.#world.simulator.after(durationUs, () => this.wake());
  }

  wake(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#wire.line('wakes');
    if (this.#link !== null) this.#link.down.resume();
    else if (this.state === 'away' || this.state === 'connecting') this.#reconnectLater();
  }

  finish(properly: boolean): void {
    this.#isLeaving = true;
    if (this.state === 'connected' && properly) {
      this.#closeSession();
      this.#flush();
    } else if (this.#link !== null) this.drop(true);
    else this.#vanish();
  }

  knows(condition: (member: number) => boolean): boolean {
    return this.home === null ? this.#world.members.some(condition) : condition(this.home);
  }

  get isAtRest(): boolean {
    return this.state === 'gone';
  }

  demandNothingMissed(): void {}

  onServerExpired(): void {}
}

/** What the connection watched, and what a setWatches that was not answered would have added. */
function mergeLists(lists: readonly string[][], outstanding: readonly Request[]): readonly string[][] {
  const asked = outstanding.filter((request) => request.op === OP.setWatches || request.op === OP.setWatches2);
  return lists.map((list, i) => [...new Set([...list, ...asked.flatMap((request) => request.lists[i] ?? [])])]);
}
