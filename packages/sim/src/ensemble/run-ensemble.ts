/**
 * One seed of an ensemble, in phases. Chaos: clients work, faults happen, every safety checker is on. Heal: faults stop, a quorum comes back
 * and must elect and answer within a bound that is stated in ticks; then the rest comes, and all must be equal. Leave: clients go, nothing
 * may be left of them anywhere. At last the lights go out everywhere, and the same state must come back.
 */
import { Prng } from '@zoots/base';
import type { Server } from '@zoots/core';
import { compareState } from '../checkers/tree-state.js';
import { fail } from '../checkers/violation.js';
import { NOTE, type TraceSink } from '../trace.js';
import type { Member } from './member.js';
import type { EnsembleMutant } from './mutant-ensemble.js';
import { Nemesis } from './nemesis.js';
import { drawEnsemble, type EnsembleOptions } from './swarm.js';
import { EnsembleWorld } from './world.js';

export interface EnsembleResult {
  readonly seed: number;
  /** Null: passed. */
  readonly failure: Error | null;
  /** Over the whole trace and the final state: equal for equal seeds. */
  readonly number: number;
  readonly simulatedMs: number;
  readonly events: number;
  readonly replies: number;
  readonly txns: number;
  readonly servers: string;
  readonly epochs: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly recent: readonly string[];
}

export interface EnsembleSettings {
  readonly sink?: TraceSink | null;
  readonly recentLines?: number;
  readonly mutant?: EnsembleMutant | null;
  readonly adjust?: (options: EnsembleOptions) => EnsembleOptions;
}

/** Progress that each client must make when all is well again. */
const PROGRESS_REPLIES = 5;
const CLIENT_REST_MS_MAX = 60_000;
/** An answer takes no longer than this in a calm world, whatever the ticks are. */
const CALM_MS = 5_000;
/** How long everything goes on without a fault, at most. */
const CALM_TICKS = 10;

export function runEnsembleSeed(seed: number, settings: EnsembleSettings = {}): EnsembleResult {
  const run = new EnsembleRun(seed, settings);
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

export class EnsembleRun {
  readonly options: EnsembleOptions;
  readonly world: EnsembleWorld;
  readonly nemesis: Nemesis;
  readonly #prng: Prng;

  constructor(seed: number, settings: EnsembleSettings) {
    const prng = new Prng(seed ^ 0x5eed);
    const drawn = drawEnsemble(seed, prng.fork('options'));
    this.options = settings.adjust?.(drawn) ?? drawn;
    this.world = new EnsembleWorld(this.options, settings);
    this.#prng = prng.fork('run');
    this.nemesis = new Nemesis(this.world, this.options, prng.fork('faults'));
    this.world.events = this.nemesis;
    const { mutant } = settings;
    if (mutant?.onServer !== undefined) this.world.patchServer = mutant.onServer;
    if (mutant?.disk !== undefined)
      for (const member of this.world.members) Object.assign(member.disk.manner, mutant.disk);
    this.world.network.dialTimeoutMs = Math.min(5_000, this.options.tickTimeMs * this.options.syncLimit);
  }

  go(): void {
    this.world.trace.line(`servers: ${describeServers(this.options)}; ${describeLimits(this.options)}`);
    for (const member of this.world.members) member.start();
    this.world.startClients(this.#prng);
    this.nemesis.start();
    this.#chaos();
    this.#heal();
    this.#demandProgress();
    this.#demandEqual('after healing');
    this.#leave();
    this.#demandSilence();
    this.#blackout();
  }

  // ---- phases ----

  #chaos(): void {
    const { simulator, oracle } = this.world;
    const endUs = this.options.chaosMs * 1000;
    while (simulator.nowUs < endUs && oracle.replyCount < this.options.repliesMax) {
      simulator.runUntil(Math.min(endUs, simulator.nowUs + 1_000));
    }
  }

  /** A quorum is enough; the rest may be away a while longer. */
  #heal(): void {
    const { world } = this;
    world.trace.line('---- heal ----');
    const absent = this.#drawAbsent();
    this.nemesis.heal(absent);
    for (const client of world.clients) {
      client.isQuiet = true;
      client.wake();
    }
    this.#await('a leader that a quorum follows', this.leaderMs, () => this.#isLed(absent));
    world.trace.line(`---- led; away: ${[...absent].map(({ id }) => id)} ----`);
    if (absent.size === 0) return;
    this.#await('requests to be answered by a quorum alone', this.answerMs, () => this.#isAnswered(absent));
    for (const member of absent) this.nemesis.startNow(member);
  }

  #drawAbsent(): ReadonlySet<Member> {
    const { world, nemesis } = this;
    nemesis.atlas.update();
    const absent = new Set<Member>();
    if (nemesis.atlas.wiped.size > 0 || !this.#prng.chance(0.5)) return absent;
    for (const member of this.#prng.shuffle([...world.members])) {
      const rest = world.members.filter((other) => other !== member && !absent.has(other));
      if (world.rule.isQuorum(new Set(rest.map(({ id }) => id)))) absent.add(member);
    }
    return absent;
  }

  /** Until somebody leads: an election, and what a candidate may waste before it gives up, some times over. */
  get leaderMs(): number {
    const { tickTimeMs, initLimit, syncLimit } = this.options;
    return tickTimeMs * (4 * initLimit + 2 * syncLimit) + 4 * CALM_MS;
  }

  /** Until clients have found a server, with their sessions or with new ones, and all that was asked is answered. */
  get answerMs(): number {
    return this.leaderMs + 60 * this.options.tickTimeMs + 10 * CALM_MS;
  }

  /** All that are not away serve in the newest epoch. */
  #isLed(absent: ReadonlySet<Member>): boolean {
    const { members, history, leader } = this.world;
    if (leader === null) return false;
    return members.every(
      (member) => absent.has(member) || (member.isInStep && history.stateOf(member.id).epoch === history.epoch),
    );
  }

  /** A client may know two servers only: both are away, or one is, and the other leads and does nothing else. */
  #isAnswered(absent: ReadonlySet<Member>): boolean {
    const { clients, leader, members } = this.world;
    const serving = members.filter(
      (member) => !absent.has(member) && (member !== leader || leader.server?.config.ensemble?.leaderServes === true),
    );
    const ids = new Set(serving.map(({ id }) => id));
    return clients.every(
      (client) => !client.knows((id) => ids.has(id)) || (client.outstandingCount <= 1 && client.progressCount > 0),
    );
  }

  #await(what: string, boundMs: number, condition: () => boolean): void {
    if (this.world.runUntil(condition, boundMs)) return;
    const states = this.world.members.map(
      ({ id, host, peer }) => `${id} ${host.state} ${peer?.status.role}: ${peer?.status.why}`,
    );
    fail('progress', `waited ${boundMs} ms of simulated time for ${what}\n    ${states.join('\n    ')}`);
  }

  #demandProgress(): void {
    const { world } = this;
    this.#await('all servers to serve', this.leaderMs, () => this.#isLed(new Set()));
    world.oracle.touchSlackMs = 2 * this.options.tickTimeMs + 200;
    world.oracle.calmSinceUs = world.simulator.nowUs + 2_000 * this.options.tickTimeMs;
    this.#await('everything asked to be answered', this.answerMs, () =>
      world.clients.every((client) => client.outstandingCount <= 1),
    );
    for (const client of world.clients) client.progressCount = 0;
    this.#await('every client to make progress', this.answerMs, () =>
      world.clients.every((client) => client.progressCount >= PROGRESS_REPLIES && client.isConnected),
    );
    // Longer than most sessions' timeouts: those that are heard of live on.
    world.passUs(1000 * Math.min(CALM_TICKS * this.options.tickTimeMs, CALM_MS));
  }

  /** Everything is applied everywhere, and all trees are what was agreed on. */
  #demandEqual(when: string): void {
    const { world } = this;
    const isEven = (): boolean =>
      this.#isLed(new Set()) &&
      world.members.every(
        ({ id }) => world.oracle.lastTxn(world.history.stateOf(id).zxid) === world.oracle.model.lastZxid,
      );
    this.#await(`all servers to have everything ${when}`, this.leaderMs, isEven);
    for (const { id, server } of world.members) {
      compareState(server as Server, world.oracle.model, `${when}, on server ${id}`);
    }
    for (const client of world.clients) client.demandNothingMissed();
  }

  #leave(): void {
    const { world } = this;
    world.trace.line('---- leave ----');
    world.clients.forEach((client, index) => {
      client.finish(index % 2 === 0);
    });
    const { maxSessionTimeoutMs, tickTimeMs } = (world.members[0] as Member).core;
    const sessionCount = (): number =>
      world.members.reduce((sum, { server }) => sum + (server?.sessions.count ?? 1), 0);
    this.#await('every session to end', 3 * (maxSessionTimeoutMs + tickTimeMs) + CALM_MS, () => sessionCount() === 0);
    this.#await('every client to be at rest', CLIENT_REST_MS_MAX, () =>
      world.clients.every((client) => client.isAtRest),
    );
  }

  #demandSilence(): void {
    const { world } = this;
    const servers = (): Server[] => world.members.map(({ server }) => server as Server);
    this.#await('snapshots and connections to end', 20_000, () =>
      servers().every((server) => !server.snapshotter.isRunning && server.connections.size === 0),
    );
    const full = (): string[] =>
      world.members.flatMap(({ id, server }) =>
        Object.entries((server as Server).queueSizes).flatMap(([name, size]) =>
          size === 0 ? [] : [`${name} of server ${id} is ${size}`],
        ),
      );
    // The leader's own removals may still be under way; what leaks stays.
    for (let i = 0; i < 100 && full().length > 0; i++) world.passUs(50_000);
    if (full().length > 0) fail('queues', `${full().join(', ')} when nothing is in flight`);
    for (const { id, server } of world.members) {
      const { watches, tree } = server as Server;
      if (watches.dataCount + watches.childCount !== 0) fail('queues', `server ${id} has watches without connections`);
      if (tree.ephemerals.count !== 0) fail('ephemerals', `server ${id} has ephemerals without sessions`);
    }
    this.#demandEqual('at the end');
    this.#noteFinal();
  }

  #blackout(): void {
    const { world } = this;
    world.trace.line('---- the lights go out ----');
    for (const member of world.members) member.powerCut(true);
    for (const member of world.members) this.nemesis.startNow(member);
    this.#await('all servers to serve after a power cut', this.leaderMs, () => this.#isLed(new Set()));
    this.#demandEqual('after a power cut');
    this.#noteFinal();
  }

  #noteFinal(): void {
    for (const { server } of this.world.members) {
      const { digest, lastProcessedZxid, nodeCount } = (server as Server).tree;
      this.world.trace.note(NOTE.final, lastProcessedZxid, nodeCount);
      this.world.trace.note(NOTE.final, digest.high, digest.low);
    }
  }

  result(failure: Error | null): EnsembleResult {
    const { world, options, nemesis } = this;
    return {
      seed: options.seed,
      failure,
      number: world.trace.number,
      simulatedMs: Math.floor(world.simulator.nowUs / 1000),
      events: world.simulator.eventCount,
      replies: world.oracle.replyCount,
      txns: world.oracle.txnCount,
      servers: describeServers(options),
      epochs: world.history.epoch,
      faults: nemesis.counts,
      recent: world.trace.recent(),
    };
  }
}

function describeServers({ configuration }: EnsembleOptions): string {
  const observers = configuration.members.filter(({ role }) => role === 'observer').length;
  const groups = configuration.groups.size > 0 ? 'g' : '';
  return `${configuration.members.length - observers}${groups}${observers > 0 ? `+${observers}` : ''}`;
}

function describeLimits({ tickTimeMs, initLimit, syncLimit, members }: EnsembleOptions): string {
  const { ensemble, snapCount } = (members[0] as EnsembleOptions['members'][number]).core;
  return `tick ${tickTimeMs} ms, initLimit ${initLimit}, syncLimit ${syncLimit}, snapCount ${snapCount}, ${JSON.stringify({ ...ensemble, configuration: undefined })}`;
}
