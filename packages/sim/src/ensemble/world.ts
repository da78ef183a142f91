/**
 * A simulated ensemble and its clients: members, the network between them, the agreed history, and all checkers. It only builds and
 * connects; run-ensemble.ts and script.ts make things happen in it.
 */
import { Prng } from '@zoots/base';
import type { Server } from '@zoots/core';
import type { EnsembleConfiguration } from '@zoots/protocol';
import type { Client, ClientWorld } from '../client.js';
import { CoreClient } from '../core-client.js';
import { RawClient } from '../raw-client.js';
import { type Endpoint, Link, type NetworkManner } from '../sim-network.js';
import { Simulator } from '../simulator.js';
import { Trace, type TraceSink } from '../trace.js';
import { type Habits, Workload } from '../workload.js';
import { ZabInvariants } from './checkers/zab-invariants.js';
import { EnsembleOracle } from './ensemble-oracle.js';
import { History } from './history.js';
import { Member, type MemberOptions, type MemberWorld } from './member.js';
import type { PacketRules } from './packet-gate.js';
import { QuorumNetwork } from './quorum-network.js';
import { type QuorumRule, quorumRule } from './quorum-rule.js';

export interface WorldOptions {
  readonly seed: number;
  readonly configuration: EnsembleConfiguration;
  readonly members: readonly MemberOptions[];
  readonly clientCount: number;
  /** How many of the clients run the real session core. */
  readonly coreClientShare: number;
  readonly habits: Habits;
  /** Between clients and servers, and between servers. */
  readonly clientNetwork: NetworkManner;
  readonly serverNetwork: NetworkManner;
  readonly halfCloseChance: number;
}

export interface WorldSettings {
  readonly sink?: TraceSink | null;
  readonly recentLines?: number;
}

/** Told of the lives of processes. */
export interface WorldEvents {
  onDown(member: Member, problem: string | null): void;
  onUp(member: Member): void;
}

const LINKS_KEPT = 64;

export class EnsembleWorld implements MemberWorld {
  readonly options: WorldOptions;
  readonly simulator = new Simulator();
  readonly trace: Trace;
  readonly network: QuorumNetwork;
  readonly history: History;
  readonly oracle: EnsembleOracle;
  readonly invariants: ZabInvariants;
  readonly rule: QuorumRule;
  readonly members: readonly Member[];
  readonly memberIds: readonly number[];
  readonly clients: Client[] = [];
  readonly clientLinks = new Set<Link>();
  readonly packetRules: PacketRules = { holds: new Set(), onPacket: null };
  events: WorldEvents = { onDown: () => {}, onUp: () => {} };
  /** Patches every server that is made. */
  patchServer: (server: Server, member: Member) => void = () => {};
  readonly #clientPrng: Prng;
  #linkCount = 0;

  constructor(options: WorldOptions, settings: WorldSettings = {}) {
    this.options = options;
    const prng = new Prng(options.seed);
    const { simulator } = this;
    this.trace = new Trace(settings.sink ?? null, settings.recentLines ?? 0);
    this.trace.nowUs = () => simulator.nowUs;
    this.network = new QuorumNetwork(simulator, prng.fork('servers'), options.serverNetwork);
    this.#clientPrng = prng.fork('clients');
    this.history = new History(this.trace);
    this.memberIds = options.members.map(({ id }) => id);
    this.rule = quorumRule(options.configuration);
    const core = (options.members[0] as MemberOptions).core;
    this.oracle = new EnsembleOracle(core, this.trace, this.history);
    this.oracle.nowUs = () => simulator.nowUs;
    this.invariants = new ZabInvariants({ isQuorum: (ids) => this.rule.isQuorum(ids) });
    this.history.checkers.push(this.invariants, this.oracle);
    this.history.proposalListeners.push(this.oracle);
    this.members = options.members.map((one) => new Member(one, this, prng.fork(`server ${one.id}`)));
    this.#makeClients(prng.fork('work'));
  }

  member(id: number): Member {
    const member = this.members.find((one) => one.id === id);
    if (member === undefined) throw new Error(`there is no server ${id}`);
    return member;
  }

  get participants(): readonly Member[] {
    return this.members.filter((member) => !member.isObserver);
  }

  /** The one that a quorum has established in the newest epoch, if it lives. */
  get leader(): Member | null {
    const leading = this.members.filter((member) => member.isLeading);
    const epochOf = (member: Member): number => this.history.stateOf(member.id).epoch;
    return leading.sort((left, right) => epochOf(right) - epochOf(left))[0] ?? null;
  }

  // ---- what members tell ----

  onDown(member: Member, problem: string | null): void {
    this.events.onDown(member, problem);
  }

  onUp(member: Member): void {
    this.events.onUp(member);
  }

  onServerMade(member: Member, server: Server): void {
    this.patchServer(server, member);
  }

  // ---- clients ----

  #makeClients(prng: Prng): void {
    const { clientCount, habits, coreClientShare, halfCloseChance } = this.options;
    const { simulator, trace, oracle, memberIds } = this;
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = (this.members[0] as Member).core;
    const world: ClientWorld = { simulator, trace, oracle, members: memberIds, connect: this.#connect };
    for (let number = 1; number <= clientCount; number++) {
      const workload = new Workload(habits, prng.fork('work'), oracle.model, `v${number}`);
      const longestMs = prng.chance(0.7) ? minSessionTimeoutMs * 3 : maxSessionTimeoutMs;
      const timeoutMs = prng.between(minSessionTimeoutMs, longestMs);
      const own = prng.fork('client');
      const client = prng.chance(coreClientShare)
        ? new CoreClient(number, world, own, workload, timeoutMs)
        : new RawClient(number, world, own, workload, timeoutMs, halfCloseChance);
      this.clients.push(client);
    }
  }

  readonly #connect = (client: Endpoint, address: string, id: number): Link => {
    const link = new Link(++this.#linkCount, this.simulator, this.#clientPrng, this.options.clientNetwork);
    this.clientLinks.add(link);
    if (this.clientLinks.size > LINKS_KEPT) this.#sweepLinks();
    this.member(id).host.accept(link, client, address);
    return link;
  };

  #sweepLinks(): void {
    for (const link of this.clientLinks) if (link.up.isBroken && link.down.isBroken) this.clientLinks.delete(link);
  }

  startClients(prng: Prng): void {
    for (const client of this.clients) client.start(prng.below(50_000));
  }

  // ---- time ----

  passUs(us: number): void {
    this.simulator.runUntil(this.simulator.nowUs + us);
  }

  /** Lets time go by until the condition holds; false if the bound is reached first. */
  runUntil(condition: () => boolean, boundMs: number): boolean {
    const limitUs = this.simulator.nowUs + boundMs * 1000;
    while (!condition()) {
      if (this.simulator.nowUs >= limitUs) return false;
      // Conditions are looked at once a simulated millisecond.
      this.simulator.runUntil(Math.min(limitUs, this.simulator.nowUs + 1_000));
    }
    return true;
  }
}
