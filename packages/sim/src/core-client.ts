/**
 * A simulated application over the real session core: asks, watches, cancels, presents identities, moves to other servers,
 * closes its session or drops it, is paused, killed and started again, also with the session of the process before.
 */
import type { Prng } from '@zoots/base';
import type { SessionIdentity, SessionOptions, SessionState, WatchAsk } from '@zoots/client/session-core';
import { OP } from '@zoots/protocol';
import { LISTS_OF_TYPE, SimWatcher } from './checkers/client-watches.js';
import { fail } from './checkers/violation.js';
import { UNKNOWN_SCHEME } from './checkers/wire.js';
import type { Client, ClientWorld } from './client.js';
import { type AddressKind, CoreProcess, type ProcessEvents } from './core-process.js';
import { CoreRequest } from './core-request.js';
import { makeRequest, type Request } from './request.js';
import { USERS, type Workload } from './workload.js';

const RESTART_US_MAX = 200_000;
const QUIET_GAP_MIN_US = 10_000;
const QUIET_GAP_MAX_US = 60_000;
/** No answer the server gives to a handshake or of an event is longer. */
const SMALL_REPLY_BYTES = 600;

export class CoreClient implements Client, ProcessEvents {
  readonly number: number;
  isQuiet = false;
  progressCount = 0;
  readonly #world: ClientWorld;
  readonly #prng: Prng;
  readonly #workload: Workload;
  readonly #timeoutMs: number;
  readonly #addresses: readonly AddressKind[];
  readonly #hasOpenAcls: boolean;
  #process: CoreProcess | null = null;
  #sessionToResume: SessionIdentity | null = null;
  #isPaused = false;
  #isLeaving = false;

  constructor(number: number, world: ClientWorld, prng: Prng, workload: Workload, timeoutMs: number) {
    this.number = number;
    this.#world = world;
    this.#prng = prng;
    this.#workload = workload;
    this.#timeoutMs = timeoutMs;
    this.#hasOpenAcls = workload.habits.aclChance === 0;
    this.#addresses = world.members.length === 0 ? drawAddresses(prng) : drawMembers(prng, world.members);
  }

  get isConnected(): boolean {
    return this.#process?.core.state === 'connected';
  }

  get outstandingCount(): number {
    return this.#process?.promises.open.size ?? 0;
  }

  // ---- processes ----

  start(delayUs: number): void {
    this.#world.simulator.after(delayUs, () => this.#begin(null));
  }

  #begin(session: SessionIdentity | null): void {
    if (this.#isLeaving) return;
    if (this.#isPaused) {
      this.#beginLater(session);
      return;
    }
    const prng = this.#prng.fork('process');
    const options = this.#drawOptions(prng, session);
    const process = new CoreProcess(this.number, this.#world, prng, this.#addresses, options, this.#hasOpenAcls, this);
    this.#process = process;
    process.promises.watches.onHeard = () => this.#maybeMove(process, 0.002);
    process.wire.line(`begins; ${this.#addresses}, ${session === null ? 'new session' : 'resumes a session'}`);
    process.core.start();
    this.#scheduleWork(process);
  }

  #beginLater(session: SessionIdentity | null): void {
    // A session to be resumed may have expired by then.
    const isLate = session !== null && !this.isQuiet && this.#prng.chance(0.3);
    const delayUs = isLate ? 2_000 * this.#timeoutMs : this.#prng.below(RESTART_US_MAX);
    this.#world.simulator.after(delayUs, () => this.#begin(session));
  }

  #drawOptions(prng: Prng, session: SessionIdentity | null): SessionOptions {
    const users = USERS.slice(0, this.#workload.habits.usersMax).filter(() => prng.chance(0.6));
    return {
      serverCount: this.#addresses.length,
      sessionTimeoutMs: this.#timeoutMs,
      connectTimeoutMs: prng.pick([null, null, 200, 2_000]),
      readOnly: false,
      auth: users.map((auth) => ({ scheme: 'digest', auth })),
      session,
      backoffMinMs: prng.pick([1, 10, 100]),
      backoffMaxMs: prng.pick([100, 1_000]),
      newSession: prng.chance(0.8),
      inFlightMax: prng.pick([1, 3, 100, 1_000]),
      waitingMax: prng.pick([5, 100, 10_000]),
      failWhenSuspended: prng.chance(0.2),
      requestBytesMax: prng.pick([1_000_000, 1_000_000, 300]),
      replyBytesMax: prng.pick([4_000_000, 4_000_000, 4_000_000, SMALL_REPLY_BYTES]),
      setWatchesBytesMax: prng.pick([1, 30, 131_072]),
    };
  }

  /** The session core has ended: look whether it really has, and start another process. */
  #onEnded(process: CoreProcess): void {
    if (process !== this.#process) return;
    this.#process = null;
    const session = this.#sessionToResume;
    this.#sessionToResume = null;
    // It may still be in the middle of telling everybody.
    this.#world.simulator.after(0, () => {
      process.promises.demandEmpty();
      const { leftover } = process;
      if (leftover !== null) fail('client rest', `${process.wire.name} is closed, and there is still ${leftover}`);
      this.#beginLater(session);
    });
  }

  /** The session goes on in another process. Its requests are counted anew: no write of the old may still be on its way. */
  #mayResume(process: CoreProcess): boolean {
    const { unknownWriteCount, open } = process.promises;
    const hasWrites = unknownWriteCount > 0 || [...open].some((one) => one.writeCount > 0 && !one.isReallyRepeatable);
    return !hasWrites && process.core.session !== null && this.#prng.chance(0.8);
  }

  // ---- asking ----

  #scheduleWork(process: CoreProcess): void {
    const { gapMinUs, gapMaxUs } = this.#workload.habits;
    const gapUs = this.isQuiet
      ? this.#prng.between(QUIET_GAP_MIN_US, QUIET_GAP_MAX_US)
      : this.#prng.between(gapMinUs, gapMaxUs);
    this.#world.simulator.after(gapUs, () => {
      if (process !== this.#process) return;
      if (!this.#isPaused) this.#work(process);
      this.#scheduleWork(process);
    });
  }

  #work(process: CoreProcess): void {
    const open = process.promises.open.size;
    if (this.isQuiet) {
      if (open === 0) this.#ask(process);
      return;
    }
    const { pipelineMax, burstMax } = this.#workload.habits;
    // Without a connection it asks for less.
    const isEager = process.core.isOpen || this.#prng.chance(0.1);
    const room = isEager ? Math.min(pipelineMax - open, this.#prng.between(1, burstMax)) : 0;
    for (let i = 0; i < room && process === this.#process; i++) this.#ask(process);
    if (this.#isLively(process) && this.#prng.chance(KILL_CHANCE)) this.kill(process);
    this.#maybeMove(process, MOOD_CHANCE);
  }

  #ask(process: CoreProcess): void {
    const drawn = this.#workload.next();
    // The core says by itself that it is there, and when it goes.
    const isCores = drawn.op === OP.ping || drawn.op === OP.closeSession;
    // An identity that comes later is taken at once: who asks whoAmI may have got another by the time it is answered.
    const isPlain = !isCores && !(drawn.op === OP.whoAmI && this.#hasOpenAcls);
    const made = isPlain ? { ...drawn, cutBytes: 0 } : makeRequest(OP.exists, { path: '/' });
    const asker = {
      onAnswered: (request: CoreRequest, code: number) => this.#onAnswered(process, request, code),
      onFailed: () => this.#onFailed(process),
      onDoneLate: (request: CoreRequest) => this.#onDone(process, request),
    };
    process.core.submit(new CoreRequest(made, this.#watchOf(process, made), process.promises, asker));
  }

  #watchOf(process: CoreProcess, request: Request): WatchAsk | null {
    const path = request.path ?? '';
    const watcher = new SimWatcher(path, process.promises.watches);
    if (request.op === OP.addWatch) {
      return { path, watcher, list: request.type === 1 ? 'recursive' : 'persistent', listIfMissing: null };
    }
    if (!request.watch) return null;
    const isOfData = request.op === OP.exists || request.op === OP.getData;
    return {
      path,
      watcher,
      list: isOfData ? 'data' : 'child',
      listIfMissing: request.op === OP.exists ? 'exist' : null,
    };
  }

  // ---- what the core says ----

  #onAnswered(process: CoreProcess, request: CoreRequest, code: number): void {
    this.progressCount++;
    if (code === 0) this.#onDone(process, request);
    // An application that goes on from within the answer.
    if (this.#isLively(process) && this.#prng.chance(0.02)) this.#ask(process);
    this.#maybeMove(process, 0.0005);
  }

  #onDone(process: CoreProcess, request: CoreRequest): void {
    if (request.op === OP.removeWatches) this.#removeWatches(process, request.request);
  }

  #isLively(process: CoreProcess): boolean {
    return process === this.#process && !this.isQuiet && !this.#isLeaving;
  }

  #maybeMove(process: CoreProcess, chance: number): void {
    if (this.#isLively(process) && this.#prng.chance(chance)) this.#prng.pick(MOODS)(this, process);
  }

  #removeWatches(process: CoreProcess, { path, type }: Request): void {
    process.promises.watches.onRemoving(type, path ?? '');
    process.core.watches.remove(LISTS_OF_TYPE[type] ?? [], path ?? '');
    process.promises.watches.demandTold();
  }

  #onFailed(process: CoreProcess): void {
    if (this.#isLively(process) && this.#prng.chance(0.01)) this.#ask(process);
    this.#maybeMove(process, 0.002);
  }

  onState(process: CoreProcess, state: SessionState): void {
    if (process.hasEnded) this.#onEnded(process);
    else if (state === 'lost' && this.#isLively(process)) this.#ask(process);
    else if (state !== 'connecting') this.#maybeMove(process, 0.01);
  }

  onSession(process: CoreProcess): void {
    this.#maybeMove(process, 0.01);
  }

  onServerExpired(high: number, low: number, driftPpm: number, turnMaxUs: number): void {
    const process = this.#process;
    const timeoutMs = process?.core.session?.timeoutMs ?? 0;
    process?.onServerExpired(high, low, (timeoutMs * Math.max(0, driftPpm)) / 1_000 + turnMaxUs);
  }

  // ---- moods ----

  cancelOne(process: CoreProcess): void {
    const { open } = process.promises;
    if (open.size === 0) return;
    const request = this.#prng.pick([...open].slice(0, CANCELLED_OF));
    const outcome = process.core.cancel(request);
    if (outcome !== null) process.promises.onCancelled(request, outcome);
  }

  /** Somebody new, known to the server or not. Who may read what must not depend on it: events would be hard to foresee. */
  authenticate(process: CoreProcess): void {
    if (!this.#hasOpenAcls) return;
    const isUnknown = this.#prng.chance(0.1);
    const auth = this.#prng.pick(USERS);
    const info = { scheme: isUnknown ? UNKNOWN_SCHEME : 'digest', auth };
    process.promises.onIdentityAdded(info);
    process.core.authenticate(info, (code) => process.promises.onAuthenticated(info, code));
  }

  moveTo(process: CoreProcess): void {
    process.core.moveTo(this.#prng.below(this.#addresses.length));
  }

  setServers(process: CoreProcess): void {
    const { server } = process.core;
    process.core.setServers(this.#addresses.length, this.#prng.chance(0.5) ? server : -1);
  }

  close(process: CoreProcess): void {
    process.core.close();
  }

  abandon(process: CoreProcess): void {
    const session = this.#mayResume(process) ? process.core.session : null;
    if (session !== null) this.#sessionToResume = session;
    process.core.abandon();
  }

  kill(process: CoreProcess): void {
    process.wire.line('is killed');
    this.#process = null;
    const session = this.#mayResume(process) ? process.core.session : null;
    process.kill();
    this.#beginLater(session);
  }

  pause(durationUs: number): void {
    if (this.#isPaused || this.#isLeaving) return;
    this.#process?.wire.line(`pauses for ${Math.floor(durationUs / 1000)} ms`);
    this.#isPaused = true;
    this.#process?.pause();
    this.#world.simulator.after(durationUs, () => this.wake());
  }

  wake(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#process?.wire.line('wakes');
    this.#process?.wake();
  }

  // ---- the end ----

  finish(properly: boolean): void {
    this.#isLeaving = true;
    const core = this.#process?.core;
    if (properly) core?.close();
    else core?.abandon();
  }

  knows(condition: (member: number) => boolean): boolean {
    return this.#addresses.some((address) => typeof address === 'number' && condition(address));
  }

  get isAtRest(): boolean {
    return this.#process === null;
  }

  demandNothingMissed(): void {
    this.#process?.promises.watches.demandNothingMissed(this.#process.wire.lastZxid);
  }
}

/** One server at least, and perhaps addresses where nobody is. */
function drawAddresses(prng: Prng): AddressKind[] {
  const others = Array.from({ length: prng.pick([0, 0, 1, 2]) }, () =>
    prng.pick(['refusing', 'server', 'silent'] as const),
  );
  return prng.shuffle(['server' as const, ...others]);
}

/** All members of the ensemble, or some of them. */
function drawMembers(prng: Prng, members: readonly number[]): AddressKind[] {
  const shuffled = prng.shuffle([...members]);
  return prng.chance(0.7) ? shuffled : shuffled.slice(0, prng.between(2, shuffled.length));
}

type Mood = (client: CoreClient, process: CoreProcess) => void;

const MOOD_CHANCE = 0.01;
const KILL_CHANCE = 0.001;
const CANCELLED_OF = 20;
const cancel: Mood = (client, process) => client.cancelOne(process);
/** By weight. */
const MOODS: readonly Mood[] = [
  cancel,
  cancel,
  cancel,
  cancel,
  cancel,
  cancel,
  (client, process) => client.authenticate(process),
  (client, process) => client.moveTo(process),
  (client, process) => client.setServers(process),
  (client, process) => client.close(process),
  (client, process) => client.abandon(process),
];
