/**
 * For tests: an ensemble of real servers in one process. Disks are in memory, the network is stage-network.ts, time stands still until
 * {@link TestEnsemble.advance}. Nothing is left to chance: the same test takes the same steps every time.
 *
 *   settle    carries bytes, disk operations and turns until nothing moves at this instant
 *   advance   moves the clock from deadline to deadline, and settles at each
 */
import { type LogRecord, logLevels, Prng, RecordingLogger } from '@zoots/base';
import { counterOf, type EnsembleConfiguration, formatZxid } from '@zoots/protocol';
import { MemoryDisk } from '@zoots/storage';
import type { CoreConfig, Ports } from '../ports.js';
import { Server } from '../server.js';
import { type Connection, forEachPart } from '../session/connection.js';
import type { Peer } from '../zab/peer.js';
import { type ConnectOptions, TestClient } from './stage-client.js';
import { configOf, configurationOf, type TestOptions, VERSION_DIR } from './stage-config.js';
import { TestNetwork } from './stage-network.js';
import { dataAt, hasPath, stateOf } from './stage-tree.js';

const WALL_START_MS = 1_700_000_000_000;
/** Of one {@link TestEnsemble.settle}: beyond it something goes in circles. */
const STEPS_MAX = 200_000;
const ADVANCE_STEP_MS_MAX = 50;

export class TestMember {
  readonly id: number;
  readonly ensemble: TestEnsemble;
  /** Survives the process. */
  disk = new MemoryDisk();
  server: Server | null = null;
  config: CoreConfig;
  readonly log = new RecordingLogger(logLevels.info);
  /** Operations on the disk wait. */
  isDiskHeld = false;
  /** The process stands still: no turn, no bytes. */
  fatal: string | null = null;
  startProblem: string | null = null;
  isStarted = false;
  mustTurn = false;
  readonly clients = new Map<Connection, TestClient>();

  constructor(ensemble: TestEnsemble, id: number, config: CoreConfig) {
    this.ensemble = ensemble;
    this.id = id;
    this.config = config;
  }

  get peer(): Peer | null {
    return this.isStarted ? (this.server?.peer ?? null) : null;
  }

  get live(): Server {
    if (this.server === null) throw new Error(`server ${this.id} is down`);
    return this.server;
  }

  get role(): string {
    return this.server?.role ?? 'down';
  }

  get isServing(): boolean {
    return this.server?.state === 'serving' && this.role !== 'read-only';
  }

  start(): void {
    this.fatal = null;
    this.startProblem = null;
    this.disk.makeDirectory(VERSION_DIR, () => {});
    this.disk.run();
    const server = new Server(this.config, this.#ports());
    this.server = server;
    this.isStarted = false;
    server.start((problem) => {
      if (this.server !== server) return;
      this.startProblem = problem;
      this.isStarted = problem === null;
    });
  }

  #ports(): Ports {
    const { ensemble } = this;
    return {
      clock: { nowMs: () => ensemble.nowMs, wallMs: () => WALL_START_MS + ensemble.nowMs },
      hashes: { digest: () => new Uint8Array(20) },
      disk: this.disk,
      gzip: null,
      logger: this.log,
      shell: {
        onTurnOpened: () => {
          this.mustTurn = true;
        },
        onCommandWord: () => {},
        onFatal: (reason) => {
          this.fatal = reason;
        },
      },
      prng: ensemble.prng.fork(`server ${this.id}`),
      quorumNet: ensemble.network.portOf(this.id),
    };
  }

  /** kill -9; what the disk was asked for is lost, what it did is not. */
  kill(): void {
    this.server = null;
    this.isStarted = false;
    this.mustTurn = false;
    this.isDiskHeld = false;
    this.ensemble.network.drop(this.id);
    for (const client of this.clients.values()) client.isClosed = true;
    this.clients.clear();
    this.disk = copyOf(this.disk);
  }

  restart(): void {
    this.kill();
    this.start();
  }

  /** Everything on its disk is lost; only of one that is down. */
  wipe(): void {
    this.disk = new MemoryDisk();
  }

  /** One turn, if there is reason for one; false if not. */
  turn(): boolean {
    const { server } = this;
    if (server === null || !this.mustTurn) return false;
    this.mustTurn = false;
    if (server.endTurn(() => this.ensemble.network.flush(this.id))) this.mustTurn = true;
    for (const connection of server.takeDirty()) this.#flush(server, connection);
    this.ensemble.network.flush(this.id);
    return true;
  }

  #flush(server: Server, connection: Connection): void {
    const client = this.clients.get(connection);
    const { out } = connection;
    const loans = connection.takeLoans();
    connection.out = null;
    if (out !== null) {
      forEachPart(out, loans ?? [], (bytes, start, end) => client?.onBytes(bytes.slice(start, end)));
      server.recycle(out);
    }
    const isDone = connection.state === 'closed' || (connection.pendingWrites === 0 && connection.parkedCount === 0);
    if (!connection.closeAfterFlush || !isDone) return;
    this.clients.delete(connection);
    if (client !== undefined) client.isClosed = true;
    server.onClientClosed(connection);
  }

  // ---- clients ----

  open(): TestClient {
    const connection = this.live.accept('10.2.0.1', 1000, false);
    const client = new TestClient(this, connection);
    if (connection !== null) this.clients.set(connection, client);
    return client;
  }

  onClientBytes(connection: Connection, bytes: Uint8Array): void {
    this.live.onClientChunk(connection, bytes, 0, bytes.length);
    bytes.fill(0xee);
  }

  onClientGone(connection: Connection): void {
    this.clients.delete(connection);
    this.server?.onClientClosed(connection);
  }

  /** Events of the log at this level or above. */
  logged(level: number): readonly LogRecord[] {
    return this.log.atLeast(level);
  }

  has(path: string): boolean {
    return hasPath(this.live, path);
  }

  data(path: string): string | null {
    return dataAt(this.live, path);
  }

  /** Nothing is in flight, the digests of all txns were right, and nothing went wrong. */
  check(): void {
    if (this.fatal !== null) throw new Error(`server ${this.id} failed: ${this.fatal}`);
    for (const { event, fields } of this.logged(logLevels.error)) {
      throw new Error(`server ${this.id}: ${event} ${JSON.stringify(fields)}`);
    }
    for (const [name, size] of Object.entries(this.live.queueSizes)) {
      if (size !== 0) throw new Error(`server ${this.id} has ${size} in ${name}`);
    }
  }

  get zxid(): number {
    return this.live.tree.lastProcessedZxid;
  }
}

function differenceOf(left: readonly string[], right: readonly string[]): string | null {
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    if (left[i] !== right[i]) return `${left[i] ?? 'nothing'} | ${right[i] ?? 'nothing'}`;
  }
  return null;
}

/** A disk with the same files and nothing on its way. */
function copyOf(disk: MemoryDisk): MemoryDisk {
  const copy = new MemoryDisk();
  for (const path of disk.paths()) copy.put(path, disk.get(path) as Uint8Array);
  return copy;
}

export class TestEnsemble {
  nowMs = 10_000;
  readonly prng: Prng;
  readonly network: TestNetwork;
  readonly members: readonly TestMember[];
  readonly configuration: EnsembleConfiguration;

  constructor(options: TestOptions = {}) {
    this.prng = new Prng(options.seed ?? 1);
    const chunks = this.prng.fork('chunks');
    const { chunkBytesMax } = options;
    this.network = new TestNetwork(() => (chunkBytesMax === undefined ? 65_536 : chunks.between(1, chunkBytesMax)));
    this.configuration = configurationOf(options);
    this.members = this.configuration.members.map(
      ({ id }) => new TestMember(this, id, configOf(id, this.configuration, options)),
    );
    for (const member of this.members) this.network.add(member);
  }

  member(id: number): TestMember {
    const found = this.members.find((member) => member.id === id);
    if (found === undefined) throw new Error(`there is no server ${id}`);
    return found;
  }

  /** Starts all (or these) and waits until they serve. */
  start(ids: readonly number[] = this.members.map(({ id }) => id)): this {
    for (const id of ids) this.member(id).start();
    this.until(`servers ${ids.join(', ')} serve`, () => ids.every((id) => this.member(id).isServing));
    return this;
  }

  get leader(): TestMember {
    const found = this.members.filter(({ role, isServing }) => role === 'leading' && isServing);
    if (found.length !== 1) throw new Error(`${found.length} servers lead: ${this.describe()}`);
    return found[0] as TestMember;
  }

  get followers(): readonly TestMember[] {
    return this.members.filter(({ role, isServing }) => role === 'following' && isServing);
  }

  /** Servers that serve have the same znodes, stats and sessions, nothing is in flight, and none has failed. */
  check(ids: readonly number[] = this.members.filter(({ isServing }) => isServing).map(({ id }) => id)): this {
    const states = ids.map((id) => stateOf(this.member(id).live));
    const [first = []] = states;
    states.forEach((state, i) => {
      const difference = differenceOf(first, state);
      if (difference !== null) throw new Error(`servers ${ids[0]} and ${ids[i]} differ: ${difference}`);
    });
    const zxids = new Set(ids.map((id) => this.member(id).zxid).filter((zxid) => counterOf(zxid) !== 0));
    if (zxids.size > 1) throw new Error(`servers ${ids} are at ${[...zxids].map(formatZxid).join(', ')}`);
    for (const id of ids) this.member(id).check();
    return this;
  }

  describe(): string {
    return this.members
      .map(({ id, role, server }) => `${id} ${role} (${server?.state}): ${server?.peer?.status.why}`)
      .join('; ');
  }

  // ---- time ----

  /** Until nothing moves at this instant. */
  settle(): this {
    for (let steps = 0; this.step(); steps++) {
      if (steps > STEPS_MAX) throw new Error(`no end of it: ${this.describe()}`);
    }
    return this;
  }

  /** A turn, a disk operation and a delivery, of those that are due; false if none is. */
  step(): boolean {
    let moved = false;
    for (const member of this.members) {
      if (member.turn()) moved = true;
      if (!member.isDiskHeld && member.disk.step()) moved = true;
    }
    if (this.network.deliver()) moved = true;
    return moved;
  }

  advance(ms: number): this {
    const endMs = this.nowMs + ms;
    this.settle();
    while (this.nowMs < endMs) {
      this.#passTime(endMs);
      this.settle();
    }
    return this;
  }

  /** To the next deadline. */
  #passTime(endMs: number): void {
    let nextMs = Math.min(endMs, this.nowMs + ADVANCE_STEP_MS_MAX);
    for (const { server } of this.members) {
      if (server !== null) nextMs = Math.min(nextMs, Math.max(this.nowMs + 1, Math.ceil(server.deadlineMs)));
    }
    this.nowMs = nextMs;
    for (const { server } of this.members) if (server !== null && server.deadlineMs <= nextMs) server.tick();
  }

  /** Step by step, and no step further. Returns how many it took. */
  stepUntil(isTrue: () => boolean, limitMs = 20_000): number {
    const endMs = this.nowMs + limitMs;
    let count = 0;
    for (; !isTrue(); count++) {
      if (this.nowMs >= endMs) throw new Error(`after ${limitMs} ms: ${this.describe()}`);
      if (!this.step()) this.#passTime(endMs);
    }
    return count;
  }

  /** Fails if it does not come true in time. */
  until(what: string, isTrue: () => boolean, limitMs = 20_000): this {
    const endMs = this.nowMs + limitMs;
    this.settle();
    while (!isTrue()) {
      if (this.nowMs >= endMs) throw new Error(`after ${limitMs} ms it is not true that ${what}: ${this.describe()}`);
      this.advance(1);
    }
    return this;
  }

  // ---- clients ----

  /** A client with a session on that server. */
  client(member: TestMember, options: ConnectOptions = {}): TestClient {
    const client = this.attempt(member, options);
    if (!client.isConnected) throw new Error(`no session on server ${member.id}: ${this.describe()}`);
    return client;
  }

  /** A client that asked for a session, whatever came of it. */
  attempt(member: TestMember, options: ConnectOptions = {}): TestClient {
    const client = member.open();
    client.connect(options);
    this.settle();
    return client;
  }
}
