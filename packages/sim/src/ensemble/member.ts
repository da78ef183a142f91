/**
 * One member of the simulated ensemble: a machine with its own clock and disk, the production server on it, and its ports to the others.
 * A process that ends is started again on what is left after a while, by whoever owns the member.
 */
import { decodeUtf8, type Prng } from '@zoots/base';
import type { CoreConfig, Peer, Server } from '@zoots/core';
import { fail } from '../checkers/violation.js';
import { Host, type HostWatcher, type QuorumSide } from '../host.js';
import { type DiskManner, SimDisk } from '../sim-disk.js';
import type { Simulator } from '../simulator.js';
import { type HostOptions, VERSION_DIR } from '../swarm.js';
import type { Trace } from '../trace.js';
import type { EnsembleOracle } from './ensemble-oracle.js';
import type { History } from './history.js';
import type { PacketRules } from './packet-gate.js';
import type { QuorumNetwork } from './quorum-network.js';
import { type NetHost, SimQuorumNet } from './sim-quorum-net.js';

/** What one member draws for itself. */
export interface MemberOptions extends HostOptions {
  readonly id: number;
  readonly isObserver: boolean;
  readonly disk: DiskManner;
  /** How wrong its wall clock is at the beginning. */
  readonly wallSkewMs: number;
}

export interface MemberWorld {
  readonly simulator: Simulator;
  readonly trace: Trace;
  readonly network: QuorumNetwork;
  readonly history: History;
  readonly oracle: EnsembleOracle;
  readonly memberIds: readonly number[];
  readonly packetRules: PacketRules;
  /** The process of this member is gone; `problem`: it gave up, or could not start. */
  onDown(member: Member, problem: string | null): void;
  onUp(member: Member): void;
  /** Patches a server's collaborators: planted bugs. */
  onServerMade(member: Member, server: Server): void;
}

/** Ensembles of this size at most wait so long for each other; the disk is our memory. */
const PURGE_BYTES = 4 * 1024 * 1024;

export class Member implements HostWatcher, QuorumSide, NetHost {
  readonly id: number;
  readonly isObserver: boolean;
  readonly options: MemberOptions;
  readonly disk: SimDisk;
  readonly host: Host;
  readonly prng: Prng;
  loadedSnapshotZxid = 0;
  startCount = 0;
  net: SimQuorumNet;
  #isPowerLost = false;
  readonly #world: MemberWorld;

  constructor(options: MemberOptions, world: MemberWorld, prng: Prng) {
    this.id = options.id;
    this.isObserver = options.isObserver;
    this.options = options;
    this.#world = world;
    this.prng = prng.fork('net');
    const { simulator, trace } = world;
    this.disk = new SimDisk(simulator, prng.fork('disk'), trace, { ...options.disk });
    const events = {
      onDown: (problem: string | null) => world.onDown(this, problem),
      onUp: () => world.onUp(this),
    };
    const name = `server ${options.id}`;
    this.host = new Host(options, simulator, prng.fork('host'), trace, this.disk, this, events, name);
    this.host.clock.jump(options.wallSkewMs);
    this.host.quorum = this;
    this.net = new SimQuorumNet(this);
    world.network.register(this.id, { accept: (link) => this.net.accept(link) });
  }

  get core(): CoreConfig {
    return this.options.core;
  }

  get server(): Server | null {
    return this.host.server;
  }

  get isUp(): boolean {
    return this.host.state === 'up';
  }

  /** Of a process that other servers can talk to. */
  get peer(): Peer | null {
    const { state, server } = this.host;
    return state === 'up' || state === 'stopping' ? (server?.peer ?? null) : null;
  }

  /** It leads or follows in an established epoch. Whether it serves clients is another matter (leaderServes). */
  get isInStep(): boolean {
    return this.isUp && this.#world.history.stateOf(this.id).isEstablished;
  }

  get isLeading(): boolean {
    return this.isInStep && this.#world.history.stateOf(this.id).role === 'leading';
  }

  // ---- for the net ----

  get simulator(): Simulator {
    return this.#world.simulator;
  }

  get gate(): Host['gate'] {
    return this.host.gate;
  }

  get network(): QuorumNetwork {
    return this.#world.network;
  }

  get memberIds(): readonly number[] {
    return this.#world.memberIds;
  }

  get packetRules(): PacketRules {
    return this.#world.packetRules;
  }

  // ---- life ----

  start(): void {
    this.startCount++;
    this.net = new SimQuorumNet(this);
    this.host.start();
    this.network.onBack(this.id);
  }

  powerCut(isTorn: boolean): void {
    this.#isPowerLost = true;
    this.host.powerCut(isTorn);
    this.#isPowerLost = false;
  }

  /** Everything on its disk is gone; only of a member that is down. */
  wipe(): void {
    if (this.host.state !== 'down') fail('nemesis', `the disk of server ${this.id} is wiped while it runs`);
    this.disk.wipe();
    this.#world.history.onWiped(this.id);
  }

  onServerMade(server: Server): void {
    const { peer } = server;
    if (peer === null) fail('start', `server ${this.id} takes part in no ensemble`);
    peer.observer = this.#world.history.observerOf(this.id, server);
    this.#world.onServerMade(this, server);
  }

  flush(server: Server): void {
    if (server.peer !== null) this.net.flush(server.peer);
  }

  onGone(isSilent: boolean): void {
    this.net.drop();
    this.network.onGone(this.id, isSilent);
  }

  // ---- what its host sees ----

  onServing(server: Server): void {
    const accepted = this.#readEpoch('acceptedEpoch');
    const current = this.#readEpoch('currentEpoch');
    this.#world.history.onRecovered(this.id, server, accepted, current);
  }

  /** As the file says; 0 without one. */
  #readEpoch(name: string): number {
    const inode = this.disk.image.names.get(`${this.core.dataDir}/${VERSION_DIR}/${name}`);
    return inode === undefined ? 0 : Number.parseInt(decodeUtf8(inode.cached, 0, inode.cachedLength), 10) || 0;
  }

  onServerGone(): void {
    this.#world.history.onGone(this.id, this.#isPowerLost);
  }

  onHeard(high: number, low: number, nowMs: number, isTaken: boolean): void {
    this.#world.oracle.onHeard(high, low, nowMs, isTaken);
  }

  onSessionTold(high: number, low: number): void {
    this.#world.oracle.onSessionTold(high, low);
  }

  onTold(bytes: Uint8Array, start: number, end: number): void {
    this.#world.oracle.onTold(bytes, start, end);
  }

  onSnapshotStarted(): void {}

  onSnapshotEnded(): void {
    if (this.disk.image.totalBytes > PURGE_BYTES) this.host.purge();
  }
}
