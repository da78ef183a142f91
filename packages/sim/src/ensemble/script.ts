/**
 * An ensemble without chance, for stories: n members with given rules that do nothing by themselves, clients that do what they are told, and
 * no faults but those the story makes. All checkers are on (Zab's invariants after every event, every answer against the agreed history), so a
 * story asserts only what it is about. Machines are fast and even: a sync takes 0.2 ms, a packet 0.1 ms.
 *
 *   const world = new ScriptedEnsemble({ members: 3, observers: 0, rules: { committedLogCount: 5 }, core: { snapCount: 10 }, clients: 2 });
 *   world.start();                                 // all; or start(1, 2)
 *   const leader = world.awaitLeader();            // and all that run are in step with it
 *   const client = world.client(1, leader.id);     // connected to that member; its session lasts
 *   world.write(client, '/a', 'x');                // create or set; waits for the answer, returns its zxid
 *
 * Packets between servers: `hold(match)` stops the first packet that matches and all that follows on its stream, until `release()`.
 * `world.packets` lists every packet that left, with names as in docs/zab.md (`PROPOSAL`, `NEWLEADER`, …).
 *
 *   const commits = world.hold(({ name, to }) => name === 'COMMIT' && to === 2);
 *   world.until('server 2 acknowledges', () => world.sent('ACK', 2, leader.id) > 3);
 *   commits.release();
 *
 * Links: `cut(1, 2)`, `cutOneWay(1, 2)`, `heal(1, 2)`, `isolate(1)`, `healAll()`. A cut loses nothing and breaks no connection; `breakStreams(1, 2)`
 * does. Lives: `kill`, `powerCut`, `stop`, `start`, `wipe`, `pause`, `wake`. A process that ends by itself stays down; `downs` says why.
 * Disks: `crashAt(id, 'write', /log\./, 3)` kills the process (or cuts its power) when the third such operation is about to be carried out;
 * `failAt(…)` lets that operation fail instead; `slowDisk(id, ms)` makes syncs take so long.
 * Looking: `tree(id)` is all of a member's znodes as lines, `zxid(id)`, `logged(id)`, `digest(id)`, `role(id)`, `epochs(id)`.
 * Ends: `settle()` lets all that run come in step and demands equal trees, equal to what was agreed on.
 */
import { decodeUtf8 } from '@zoots/base';
import type { CoreConfig, EnsembleRules, Peer, Server } from '@zoots/core';
import { type EnsembleMember, ERROR, OP } from '@zoots/protocol';
import type { DiskErrorCode } from '@zoots/storage';
import { CALM_CORE, CALM_RULES } from '../calm-core.js';
import { compareState } from '../checkers/tree-state.js';
import type { Answer, RawClient } from '../raw-client.js';
import { makeRequest, type Request } from '../request.js';
import type { DiskManner, DiskOperation } from '../sim-disk.js';
import type { NetworkManner } from '../sim-network.js';
import type { Member, MemberOptions } from './member.js';
import type { HoldRule, SeenPacket } from './packet-gate.js';
import { EnsembleWorld } from './world.js';

export interface ScriptSettings {
  /** Participants get the ids 1, 2, …; observers the ones behind them. */
  readonly members?: number;
  readonly observers?: number;
  readonly clients?: number;
  readonly rules?: Partial<EnsembleRules>;
  readonly core?: Partial<CoreConfig>;
  /** For people: called with each line of the trace. */
  readonly sink?: ((line: string) => void) | null;
}

/** A packet is held back until this is released. */
export interface Hold {
  /** How many packets were stopped by it. */
  readonly count: number;
  release(): void;
}

const BOUND_MS = 60_000;
const CALM_DISK: DiskManner = {
  opMinUs: 2,
  opMaxUs: 5,
  syncMinUs: 200,
  syncMaxUs: 200,
  slowSyncChance: 0,
  slowSyncMaxUs: 0,
  syncErrorChance: 0,
  writeErrorChance: 0,
  readErrorChance: 0,
  metadataErrorChance: 0,
  isFull: false,
  keepsFailedPages: false,
  liesAboutSync: false,
  liesAboutDirectories: false,
  acksBeforeSync: false,
};

export class ScriptedEnsemble {
  readonly world: EnsembleWorld;
  /** Every packet on a quorum port that left, in order. */
  readonly packets: SeenPacket[] = [];
  /** Processes that ended, by themselves or by the story, and why. */
  readonly downs: { readonly id: number; readonly problem: string | null }[] = [];

  constructor(settings: ScriptSettings = {}) {
    const { members = 3, observers = 0, clients = 0 } = settings;
    const configured = Array.from({ length: members + observers }, (_, i): EnsembleMember => {
      const address = { host: `10.1.0.${i + 1}`, quorumPort: 2888, electionPort: 3888 };
      return { id: i + 1, addresses: [address], role: i < members ? 'participant' : 'observer', client: null };
    });
    const configuration = { members: configured, groups: new Map(), weights: new Map(), version: 0 };
    const rules = { ...CALM_RULES, configuration, ...settings.rules };
    this.world = new EnsembleWorld(
      {
        seed: 1,
        configuration,
        members: configured.map((member) => machineOf(member, { ...CALM_CORE, ...settings.core }, rules)),
        clientCount: clients,
        coreClientShare: 0,
        habits: QUIET_HABITS,
        clientNetwork: calmNetwork(),
        serverNetwork: calmNetwork(),
        halfCloseChance: 0,
      },
      { sink: settings.sink ?? null },
    );
    this.world.packetRules.onPacket = (packet) => this.packets.push(packet);
    this.world.events = {
      onDown: ({ id }, problem) => this.downs.push({ id, problem }),
      onUp: () => {},
    };
    for (const client of this.world.clients) (client as RawClient).isScripted = true;
  }

  // ---- time ----

  run(ms: number): void {
    this.world.passUs(ms * 1000);
  }

  /** Lets time go by until it is so; throws if it does not come within the bound of simulated time. */
  until(what: string, condition: () => boolean, boundMs = BOUND_MS): void {
    // Finer than a millisecond: a story may want to act between two packets.
    const limitUs = this.world.simulator.nowUs + boundMs * 1000;
    while (!condition()) {
      if (this.world.simulator.nowUs >= limitUs)
        throw new Error(`waited ${boundMs} ms until ${what}: ${this.describe()}`);
      this.world.passUs(20);
    }
  }

  describe(): string {
    return this.world.members.map(({ id, host }) => `server ${id} ${host.state}, ${this.role(id)}`).join('; ');
  }

  // ---- lives ----

  start(...ids: number[]): void {
    const chosen = ids.length === 0 ? this.world.memberIds : ids;
    for (const id of chosen) this.member(id).start();
  }

  kill(id: number): void {
    this.member(id).host.kill();
  }

  powerCut(id: number, isTorn = false): void {
    this.member(id).powerCut(isTorn);
  }

  /** In order; it is down when the log is closed. */
  stop(id: number): void {
    this.member(id).host.stop();
    this.until(`server ${id} has stopped`, () => this.member(id).host.state === 'down');
  }

  wipe(id: number): void {
    this.member(id).wipe();
  }

  /** Stands still, as by SIGSTOP, until {@link wake}. */
  pause(id: number): void {
    this.member(id).host.pause();
  }

  wake(id: number): void {
    this.member(id).host.wake();
  }

  get running(): readonly Member[] {
    return this.world.members.filter(({ host }) => host.state !== 'down');
  }

  // ---- links and packets ----

  cut(one: number, other: number): void {
    this.world.network.setCutBoth(one, other, true);
  }

  cutOneWay(from: number, to: number): void {
    this.world.network.setCut(from, to, true);
  }

  heal(one: number, other: number): void {
    this.world.network.setCutBoth(one, other, false);
  }

  isolate(id: number): void {
    for (const other of this.world.memberIds) if (other !== id) this.cut(id, other);
  }

  healAll(): void {
    this.world.network.healAll();
  }

  /** Connections of the quorum port between these two end, for both; what was on its way is lost. */
  breakStreams(one: number, other: number): void {
    for (const link of [...this.world.network.links]) {
      const isBetween = (link.from === one && link.to === other) || (link.from === other && link.to === one);
      if (isBetween && link.port === 'quorum') this.world.network.break(link, true, true);
    }
  }

  hold(match: HoldRule): Hold {
    const { packetRules, members } = this.world;
    const stopped = new Set<SeenPacket>();
    const rule: HoldRule = (packet) => {
      if (!match(packet)) return false;
      stopped.add(packet);
      return true;
    };
    packetRules.holds.add(rule);
    return {
      get count() {
        return stopped.size;
      },
      release: () => {
        packetRules.holds.delete(rule);
        for (const { net } of members) net.releasePackets();
      },
    };
  }

  /** How many packets of this name went from one to the other. */
  sent(name: string, from?: number, to?: number): number {
    return this.packets.filter(
      (one) => one.name === name && (from === undefined || one.from === from) && (to === undefined || one.to === to),
    ).length;
  }

  // ---- disks ----

  /** Ends the process when the `count`th operation of this kind from now on, on such a path, is about to be carried out. */
  crashAt(id: number, operation: DiskOperation, path: RegExp, count = 1, how: 'kill' | 'powerCut' = 'powerCut'): void {
    const { disk } = this.member(id);
    const isIt = countdown(operation, path, count);
    disk.onOperation = (name, at) => {
      if (!isIt(name, at)) return;
      disk.onOperation = () => {};
      if (how === 'kill') this.kill(id);
      else this.powerCut(id);
    };
  }

  failAt(id: number, operation: DiskOperation, path: RegExp, count = 1, code: DiskErrorCode = 'io'): void {
    const { disk } = this.member(id);
    const isIt = countdown(operation, path, count);
    disk.faultOf = (name, at) => {
      if (!isIt(name, at)) return null;
      disk.faultOf = () => null;
      return code;
    };
  }

  slowDisk(id: number, syncMs: number): void {
    const { manner } = this.member(id).disk;
    manner.syncMinUs = syncMs * 1000;
    manner.syncMaxUs = syncMs * 1000;
  }

  /** Files on a member's disk, as its page cache has them. */
  files(id: number): string[] {
    return [...this.member(id).disk.image.names.keys()].sort();
  }

  // ---- members ----

  member(id: number): Member {
    return this.world.member(id);
  }

  server(id: number): Server {
    const { server } = this.member(id);
    if (server === null) throw new Error(`server ${id} is down`);
    return server;
  }

  peer(id: number): Peer {
    return this.server(id).peer as Peer;
  }

  role(id: number): string {
    return this.member(id).server?.peer?.status.role ?? 'down';
  }

  epochs(id: number): { readonly accepted: number; readonly current: number } {
    return this.peer(id).epochs;
  }

  zxid(id: number): number {
    return this.server(id).tree.lastProcessedZxid;
  }

  digest(id: number): string {
    const { high, low } = this.server(id).tree.digest;
    return `${(high >>> 0).toString(16)}.${(low >>> 0).toString(16)}`;
  }

  /** `path data` of every znode but those of the system, sorted; an ephemeral has its session behind it. */
  tree(id: number): string[] {
    const { store } = this.server(id).tree;
    const lines: string[] = [];
    for (let at = 0; at < store.idEnd; at++) {
      if (!store.isPresent(at)) continue;
      const start = store.pathStart(at);
      const path = decodeUtf8(store.pathChunk(at), start, start + store.pathLength(at));
      if (path === '/' || path.startsWith('/zookeeper')) continue;
      const length = store.dataLength(at);
      const from = length > 0 ? store.dataStart(at) : 0;
      lines.push(`${path} ${length > 0 ? decodeUtf8(store.dataChunk(at), from, from + length) : ''}`.trim());
    }
    return lines.sort();
  }

  // ---- leading ----

  get leader(): Member | null {
    return this.world.leader;
  }

  /** Until one leads and all others that run are in step with it. */
  awaitLeader(boundMs = BOUND_MS): Member {
    this.until('all that run are in step with a leader', () => this.#isLed(), boundMs);
    return this.world.leader as Member;
  }

  #isLed(): boolean {
    const { leader, history } = this.world;
    if (leader === null || history.stateOf(leader.id).epoch !== history.epoch) return false;
    return this.running.every((member) => member.isInStep && history.stateOf(member.id).epoch === history.epoch);
  }

  /** All that run come in step, and their trees are what was agreed on. */
  settle(boundMs = BOUND_MS): void {
    const { oracle } = this.world;
    const hasAll = (): boolean =>
      this.running.every(({ id }) => oracle.lastTxn(this.zxid(id)) === oracle.model.lastZxid);
    this.until('all that run have everything', () => this.#isLed() && hasAll(), boundMs);
    for (const { id } of this.running) compareState(this.server(id), oracle.model, `on server ${id}`);
  }

  // ---- clients ----

  /** Connected to this member, now or when it serves; with its session, if it has one. */
  client(number: number, home: number): RawClient {
    const client = this.world.clients[number - 1] as RawClient;
    const isNew = client.home === null;
    if (client.home === home && client.isConnected) return client;
    client.home = home;
    if (isNew) client.start(0);
    else client.drop(true);
    this.until(`client ${number} is connected to server ${home}`, () => client.isConnected);
    return client;
  }

  /** Asks, and waits for the answer. */
  call(client: RawClient, request: Request): Answer {
    const before = client.answers.length;
    client.ask(request);
    this.until('the answer comes', () => client.answers.some((answer, i) => i >= before && answer.request === request));
    return client.answers.find(({ request: asked }) => asked === request) as Answer;
  }

  /** Sets the znode, or creates it; its zxid. */
  write(client: RawClient, path: string, data: string): number {
    const made = this.call(client, makeRequest(OP.create, { path, data }));
    if (made.code === ERROR.ok) return made.zxid;
    const changed = this.call(client, makeRequest(OP.setData, { path, data }));
    if (changed.code !== ERROR.ok) throw new Error(`${path} cannot be written: ${made.code}, ${changed.code}`);
    return changed.zxid;
  }
}

/** True for the `count`th operation of this kind on such a path. */
function countdown(
  operation: DiskOperation,
  path: RegExp,
  count: number,
): (name: DiskOperation, at: string) => boolean {
  let left = count;
  return (name, at) => name === operation && path.test(at) && --left === 0;
}

function calmNetwork(): NetworkManner {
  return { delayMinUs: 100, delayMaxUs: 100, chunking: 'whole', kernelBytes: 65_536, stallChance: 0, stallMaxUs: 0 };
}

function machineOf(
  { id, role }: EnsembleMember,
  core: CoreConfig,
  rules: Omit<EnsembleRules, 'serverId'>,
): MemberOptions {
  return {
    id,
    isObserver: role === 'observer',
    disk: CALM_DISK,
    driftPpm: 0,
    turnMaxUs: 10,
    withheldTurnChance: 0,
    withheldTurnMaxUs: 0,
    wallSkewMs: 0,
    core: { ...core, sessionServerId: id, ensemble: { ...rules, serverId: id } },
  };
}

const QUIET_HABITS = {
  gapMinUs: 1_000_000,
  gapMaxUs: 1_000_000,
  pipelineMax: 1,
  burstMax: 1,
  weights: [],
  names: ['a'],
  depthMax: 1,
  dataBytesMax: 1,
  largeDataChance: 0,
  aclChance: 0,
  watchChance: 0,
  malformedChance: 0,
  usersMax: 0,
  hasQuotas: false,
  hasTtl: false,
  hasConfigPath: false,
  unknownOpChance: 0,
};
