/**
 * One run of one seed, in two phases. Chaos: clients work, faults happen, every safety checker is on. Then heal: faults
 * stop, the server comes up, every client must make progress within a bound; clients leave, their sessions end, every queue
 * must be empty, and what is on disk must lead to the same state once more, after a stop in order and after a power cut.
 */
import { Prng } from '@zoots/base';
import type { Server } from '@zoots/core';
import { compareState } from './checkers/tree-state.js';
import { fail } from './checkers/violation.js';
import type { Client, ClientWorld } from './client.js';
import { CoreClient } from './core-client.js';
import { FaultInjector } from './fault-injector.js';
import { Host } from './host.js';
import type { Mutant } from './mutant.js';
import { Oracle } from './oracle.js';
import { RawClient } from './raw-client.js';
import { SimDisk } from './sim-disk.js';
import { type Endpoint, Link } from './sim-network.js';
import { Simulator } from './simulator.js';
import { drawOptions, type RunOptions } from './swarm.js';
import { NOTE, Trace, type TraceSink } from './trace.js';
import { Workload } from './workload.js';

export interface RunResult {
  readonly seed: number;
  /** Null: passed. */
  readonly failure: Error | null;
  /** Over the whole trace and the final state: equal for equal seeds. */
  readonly number: number;
  readonly simulatedMs: number;
  readonly events: number;
  readonly replies: number;
  readonly txns: number;
  readonly starts: number;
  readonly faults: Readonly<Record<string, number>>;
  /** The last lines of the trace, if they were kept. */
  readonly recent: readonly string[];
}

export interface RunSettings {
  readonly sink?: TraceSink | null;
  readonly recentLines?: number;
  readonly mutant?: Mutant | null;
  readonly isCanary?: boolean;
  /** Changes what the seed drew: for scenarios. */
  readonly adjust?: (options: RunOptions) => RunOptions;
}

/**
 * Between two answers, not for all of them: a client that takes small replies only and has a thousand requests for large ones in
 * flight loses its connection to each of them, and after each finds the silent ones of its addresses first. One needed 344 s.
 */
const ANSWER_MS_MAX = 300_000;
/** Progress that each client must make when all is well again. */
const PROGRESS_REPLIES = 5;
/** Longer than a client waits for anything. */
const CLIENT_REST_MS_MAX = 30_000;

export function runSeed(seed: number, settings: RunSettings = {}): RunResult {
  const run = new Run(seed, settings);
  const undo = settings.mutant?.plant?.();
  let failure: Error | null = null;
  try {
    run.go();
  } catch (error) {
    failure = error as Error;
  } finally {
    undo?.();
  }
  return run.result(failure);
}

export class Run {
  readonly options: RunOptions;
  readonly simulator = new Simulator();
  readonly trace: Trace;
  readonly disk: SimDisk;
  readonly oracle: Oracle;
  readonly host: Host;
  readonly clients: Client[] = [];
  readonly links = new Set<Link>();
  readonly faults: FaultInjector;
  readonly #networkPrng: Prng;
  #linkCount = 0;

  constructor(seed: number, settings: RunSettings) {
    const prng = new Prng(seed);
    const drawn = drawOptions(seed, prng.fork('options'));
    this.options = settings.adjust?.(drawn) ?? drawn;
    const { options, simulator } = this;
    this.trace = new Trace(settings.sink ?? null, settings.recentLines ?? 0);
    this.trace.nowUs = () => simulator.nowUs;
    this.disk = new SimDisk(simulator, prng.fork('disk'), this.trace, { ...options.disk, ...settings.mutant?.disk });
    this.oracle = new Oracle(options, this.disk, this.trace);
    this.oracle.isCanary = settings.isCanary === true;
    this.disk.watcher = this.oracle;
    this.#networkPrng = prng.fork('network');
    this.faults = new FaultInjector(this, prng.fork('faults'));
    this.host = new Host(options, simulator, prng.fork('host'), this.trace, this.disk, this.oracle, this.faults);
    if (settings.mutant?.onServer !== undefined) this.host.onServerMade = settings.mutant.onServer;
    this.#makeClients(prng.fork('clients'));
  }

  #makeClients(prng: Prng): void {
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.options.core;
    for (let number = 1; number <= this.options.clientCount; number++) {
      const workload = new Workload(this.options.habits, prng.fork('work'), this.oracle.model, `v${number}`);
      const timeoutMs = prng.between(
        minSessionTimeoutMs,
        prng.chance(0.7) ? minSessionTimeoutMs * 3 : maxSessionTimeoutMs,
      );
      const client = this.#makeClient(number, prng, workload, timeoutMs);
      this.clients.push(client);
      client.start(prng.below(50_000));
    }
    this.oracle.onSessionExpired = (high, low) => {
      const turnMaxUs = Math.max(this.options.turnMaxUs, this.options.withheldTurnMaxUs);
      for (const client of this.clients) client.onServerExpired(high, low, this.options.driftPpm, turnMaxUs);
    };
  }

  #makeClient(number: number, prng: Prng, workload: Workload, timeoutMs: number): Client {
    const { simulator, trace, oracle } = this;
    const world: ClientWorld = { simulator, trace, oracle, members: [], connect: this.#connect };
    const isCore = prng.chance(this.options.coreClientShare);
    if (isCore) return new CoreClient(number, world, prng.fork('client'), workload, timeoutMs);
    const { halfCloseChance } = this.options.faults;
    return new RawClient(number, world, prng.fork('client'), workload, timeoutMs, halfCloseChance);
  }

  readonly #connect = (client: Endpoint, address: string): Link => {
    const { simulator, options } = this;
    const link = new Link(++this.#linkCount, simulator, this.#networkPrng, options.network);
    this.links.add(link);
    if (this.links.size > 64) this.#sweepLinks();
    this.host.accept(link, client, address);
    return link;
  };

  #sweepLinks(): void {
    for (const link of this.links) if (link.up.isBroken && link.down.isBroken) this.links.delete(link);
  }

  // ---- phases ----

  go(): void {
    this.host.start();
    this.faults.start();
    this.#chaos();
    this.#heal();
    this.#demandProgress();
    this.#leave();
    this.#demandSilence();
    this.#restart('a stop in order', () => this.host.stop());
    this.#restart('a power cut', () => this.#finalCut());
  }

  /** Until the time is up, or so much has been done that the rest would only take long. */
  #chaos(): void {
    const endUs = this.options.chaosMs * 1000;
    while (this.simulator.nowUs < endUs && this.oracle.replyCount < this.options.repliesMax) {
      this.simulator.runUntil(Math.min(endUs, this.simulator.nowUs + 1_000));
    }
  }

  #finalCut(): void {
    if (this.options.core.forceSync) this.host.powerCut(true);
    else this.host.kill();
  }

  #heal(): void {
    this.trace.line('---- heal ----');
    this.faults.stop();
    for (const client of this.clients) {
      client.isQuiet = true;
      client.wake();
    }
    const isUp = (): boolean => this.host.state === 'up';
    this.#await('the server to be up', 30_000, isUp);
  }

  /** Runs until the condition holds; a violation if that takes longer than the bound. */
  #await(what: string, boundMs: number, condition: () => boolean): void {
    const limitUs = this.simulator.nowUs + boundMs * 1000;
    while (!condition()) {
      if (this.simulator.nowUs >= limitUs) fail('progress', `waited ${boundMs} ms of simulated time for ${what}`);
      // Conditions are looked at once a simulated millisecond.
      this.simulator.runUntil(Math.min(limitUs, this.simulator.nowUs + 1000));
    }
  }

  /** Runs until everything asked is answered, but for the latest of each client; a violation if they stop becoming fewer. */
  #awaitAnswers(): void {
    let fewest = Number.POSITIVE_INFINITY;
    let limitUs = 0;
    for (;;) {
      const left = this.clients.reduce((sum, client) => sum + Math.max(0, client.outstandingCount - 1), 0);
      if (left === 0) return;
      if (left < fewest) {
        fewest = left;
        limitUs = this.simulator.nowUs + ANSWER_MS_MAX * 1000;
      } else if (this.simulator.nowUs >= limitUs) {
        fail('progress', `waited ${ANSWER_MS_MAX} ms of simulated time for the next of ${left} answers`);
      }
      this.simulator.runUntil(this.simulator.nowUs + 1000);
    }
  }

  #demandProgress(): void {
    this.#awaitAnswers();
    for (const client of this.clients) client.progressCount = 0;
    const { maxSessionTimeoutMs } = this.options.core;
    this.#await('every client to make progress', 10_000 + 4 * maxSessionTimeoutMs, () =>
      this.clients.every((client) => client.progressCount >= PROGRESS_REPLIES && client.isConnected),
    );
    const server = this.host.server as Server;
    compareState(server, this.oracle.model, 'after healing');
    for (const client of this.clients) client.demandNothingMissed();
  }

  #leave(): void {
    this.trace.line('---- leave ----');
    this.clients.forEach((client, index) => {
      client.finish(index % 2 === 0);
    });
    const { maxSessionTimeoutMs, tickTimeMs } = this.options.core;
    const boundMs = 2 * (maxSessionTimeoutMs + tickTimeMs) + this.options.expirySlackMs;
    const server = this.host.server as Server;
    this.#await('every session to end', boundMs, () => server.sessions.count === 0);
    this.#await('every client to be at rest', CLIENT_REST_MS_MAX, () =>
      this.clients.every((client) => client.isAtRest),
    );
  }

  /** Nothing is in flight: every queue is empty, nothing is left of the sessions. */
  #demandSilence(): void {
    const server = this.host.server as Server;
    const isIdle = (): boolean => !server.snapshotter.isRunning && server.connections.size === 0;
    this.#await('snapshots and connections to end', 20_000, isIdle);
    const full = (): string[] =>
      Object.entries(server.queueSizes).flatMap(([name, size]) => (size === 0 ? [] : [`${name} is ${size}`]));
    // The server's own removals may still be under way; what leaks stays.
    for (let i = 0; i < 100 && full().length > 0; i++) this.simulator.runUntil(this.simulator.nowUs + 50_000);
    if (full().length > 0) fail('queues', `${full().join(', ')} when nothing is in flight`);
    if (server.watches.dataCount + server.watches.childCount !== 0)
      fail('queues', 'watches are left without connections');
    if (server.tree.ephemerals.count !== 0) fail('ephemerals', 'ephemerals are left without sessions');
    compareState(server, this.oracle.model, 'at the end');
    this.#noteFinal(server);
  }

  #noteFinal(server: Server): void {
    const { digest, lastProcessedZxid, nodeCount } = server.tree;
    this.trace.note(NOTE.final, lastProcessedZxid, nodeCount);
    this.trace.note(NOTE.final, digest.high, digest.low);
  }

  #restart(how: string, bringDown: () => void): void {
    const zxid = (this.host.server as Server).tree.lastProcessedZxid;
    bringDown();
    this.#await(
      `the server to be up after ${how}`,
      30_000,
      () => this.host.state === 'up' && this.oracle.server !== null,
    );
    const server = this.host.server as Server;
    // Containers and outlived znodes may go meanwhile: the state is compared with the model, the zxid with its lower bound.
    if (server.tree.lastProcessedZxid < zxid) fail('durability', `${how} lost txns at rest`);
    compareState(server, this.oracle.model, `after ${how}`);
    this.#noteFinal(server);
  }

  result(failure: Error | null): RunResult {
    return {
      seed: this.options.seed,
      failure,
      number: this.trace.number,
      simulatedMs: Math.floor(this.simulator.nowUs / 1000),
      events: this.simulator.eventCount,
      replies: this.oracle.replyCount,
      txns: this.oracle.txnCount,
      starts: this.oracle.incarnation,
      faults: this.faults.counts,
      recent: this.trace.recent(),
    };
  }
}
