/**
 * The machine the server runs on: drives one Server as the shell does (turns, sockets, one timer), and can kill it, cut its
 * power, stop it in order, damage its files, and start it again on what is left.
 *
 * A turn: the first input opens it; endTurn follows a little later, or much later if the run withholds it, with whatever
 * inputs came meanwhile; then everything that is dirty is sent. Compare server/turn.ts and server/net/client-listener.ts.
 */
import { createHash } from 'node:crypto';
import { ByteWriter, type LogFields, logLevelOff, logLevels, type Prng } from '@zoots/base';
import { type Connection, forEachPart, type QuorumNet, Server } from '@zoots/core';
import { FrameReader, OP } from '@zoots/protocol';
import { purge } from '@zoots/storage';
import { fail } from './checkers/violation.js';
import { SimClock } from './sim-clock.js';
import type { SimDisk } from './sim-disk.js';
import type { Gate } from './sim-gate.js';
import { simGzip } from './sim-gzip.js';
import type { Endpoint, Link } from './sim-network.js';
import type { Simulator } from './simulator.js';
import { type HostOptions, VERSION_DIR } from './swarm.js';
import { NOTE, type Trace } from './trace.js';

/** - `down`: no process. `starting`: recovery. `up`: serving. `stopping`: asked to stop in order. */
export type HostState = 'down' | 'starting' | 'up' | 'stopping';

const TURN_MIN_US = 5;
const DISK_BYTES_MAX = 32 * 1024 * 1024;
const FRAME_BYTES_MAX = 64 * 1024 * 1024;

export interface HostEvents {
  /** The process is gone, by its own decision or ours; `problem` if it could not start or could not go on. */
  onDown(problem: string | null): void;
  onUp(): void;
}

/** Who looks on: what the server logs about snapshots, and what it tells its clients. */
export interface HostWatcher {
  /** The snapshot that the server was loaded from. */
  loadedSnapshotZxid: number;
  onSnapshotStarted(zxid: number): void;
  /** `name` null: it failed. */
  onSnapshotEnded(name: string | null): void;
  /** The server has recovered. */
  onServing(server: Server): void;
  onServerGone(): void;
  /** A request of the session came at this time of the server's clock; `isTaken` if it was surely looked at. */
  onHeard(high: number, low: number, nowMs: number, isTaken: boolean): void;
  /** A session is promised to a client. */
  onSessionTold(high: number, low: number): void;
  /** Whole frames with a reply header each are about to leave. */
  onTold(bytes: Uint8Array, start: number, end: number): void;
}

/** The ports between servers, of a host that is a member of an ensemble. */
export interface QuorumSide {
  readonly net: QuorumNet;
  onServerMade(server: Server): void;
  /** The end of a turn: sends what the streams have. */
  flush(server: Server): void;
  /** The process is gone; `isSilent`: its machine, too, so that nobody is told. */
  onGone(isSilent: boolean): void;
}

interface Socket {
  readonly link: Link;
  readonly connection: Connection;
  /** Follows the requests, to know when the session was heard of. */
  readonly frames: FrameReader;
  isFirstFrame: boolean;
  isFirstReply: boolean;
}

export class Host {
  state: HostState = 'down';
  server: Server | null = null;
  readonly clock: SimClock;
  readonly disk: SimDisk;
  turnCount = 0;
  readonly #simulator: Simulator;
  readonly #prng: Prng;
  readonly #trace: Trace;
  readonly #options: HostOptions;
  readonly #oracle: HostWatcher;
  readonly #events: HostEvents;
  readonly #sockets = new Map<Connection, Socket>();
  /** Number of the process; what an earlier one scheduled does nothing. */
  #generation = 0;
  #isTurnScheduled = false;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #timerNumber = 0;
  /** Turns are not withheld while the run heals. */
  isCalm = false;
  /** Patches the server's collaborators: planted bugs. */
  onServerMade: (server: Server) => void = () => {};
  /** Of a member of an ensemble. */
  quorum: QuorumSide | null = null;
  /** The whole process stands still (SIGSTOP); its kernel and its disk go on. */
  readonly gate: Gate;
  /** Where its lines in the trace come from. */
  readonly #name: string;

  constructor(
    options: HostOptions,
    simulator: Simulator,
    prng: Prng,
    trace: Trace,
    disk: SimDisk,
    oracle: HostWatcher,
    events: HostEvents,
    name = 'server',
  ) {
    this.#name = name;
    this.gate = disk.gate;
    this.#options = options;
    this.#simulator = simulator;
    this.#prng = prng;
    this.#trace = trace;
    this.disk = disk;
    this.#oracle = oracle;
    this.#events = events;
    this.clock = new SimClock(simulator, options.driftPpm, 1_700_000_000_000 + prng.below(1_000_000_000));
    for (const directory of [options.core.dataDir, options.core.dataLogDir]) {
      disk.addDirectory(directory);
      disk.addDirectory(`${directory}/${VERSION_DIR}`);
    }
  }

  // ---- life ----

  start(): void {
    this.#generation++;
    this.state = 'starting';
    this.#isTurnScheduled = false;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    this.clock.reboot(this.#prng.below(1_000_000));
    this.#trace.note(NOTE.boot, this.#generation, 0);
    this.#trace.line(`${this.#name} starts`);
    const generation = this.#generation;
    const server = new Server(this.#options.core, {
      clock: this.clock,
      hashes: { digest: (algorithm, bytes) => createHash(algorithm).update(bytes).digest() },
      disk: this.disk,
      gzip: simGzip,
      logger: { level: this.#trace.isVerbose ? logLevels.debug : logLevels.info, log: this.#log },
      prng: this.#prng.fork('server'),
      shell: {
        onTurnOpened: () => this.#scheduleTurn(),
        onCommandWord: () => {},
        onFatal: (reason) => this.#later(0, () => this.#onFatal(reason)),
      },
      quorumNet: this.quorum?.net ?? null,
    });
    this.server = server;
    this.quorum?.onServerMade(server);
    this.onServerMade(server);
    server.start((problem) => {
      if (generation !== this.#generation) return;
      if (problem !== null) this.#later(0, () => this.#die(problem));
      else this.#onServing(server);
    });
  }

  readonly #log = (level: number, event: string, fields?: LogFields): void => {
    if (this.#trace.isVerbose) this.#trace.line(`${this.#name}: ${event} ${JSON.stringify(fields ?? {})}`);
    if (event === 'database loaded') this.#oracle.loadedSnapshotZxid = snapshotZxid(fields?.snapshot);
    else if (event === 'snapshot started') this.#oracle.onSnapshotStarted(snapshotZxid(fields?.file));
    else if (event === 'snapshot written') this.#onSnapshotWritten(String(fields?.file));
    else if (event === 'snapshot failed') this.#oracle.onSnapshotEnded(null);
    // Damage is reported at error level; everything else at that level is a surprise, and a fault must explain it.
    if (level < logLevels.error || level >= logLevelOff) return;
    if (event === 'server failed' && this.disk.errorCount > 0) return;
    fail('log level', `the server logged an error: ${event} ${JSON.stringify(fields ?? {})}`);
  };

  #onSnapshotWritten(name: string): void {
    this.#oracle.onSnapshotEnded(name);
    // The disk is our memory: it must not grow without end.
    if (this.disk.image.totalBytes > DISK_BYTES_MAX) this.#later(0, () => this.purge());
  }

  #onServing(server: Server): void {
    this.state = 'up';
    this.#trace.line(`${this.#name} is up at ${server.tree.lastProcessedZxid}`);
    this.#oracle.onServing(server);
    this.#events.onUp();
  }

  #onFatal(reason: string): void {
    if (this.disk.errorCount === 0) fail('fatal', `the server gave up without a fault: ${reason}`);
    this.#die(reason);
  }

  /** The process ends by itself. */
  #die(problem: string | null): void {
    this.#trace.line(`${this.#name} ends: ${problem ?? 'in order'}`);
    this.#drop();
    this.disk.kill();
    this.#events.onDown(problem);
  }

  kill(): void {
    this.#trace.line(`fault: kill ${this.#name}`);
    this.#drop();
    this.disk.kill();
    this.#events.onDown(null);
  }

  powerCut(isTorn: boolean): void {
    this.#trace.line(`fault: power cut, ${this.#name}${isTorn ? ', torn' : ''}`);
    this.#drop(true);
    this.disk.powerCut(isTorn);
    this.#events.onDown(null);
  }

  /** SIGTERM. */
  stop(): void {
    const server = this.server;
    if (this.state !== 'up' || server === null) return;
    this.#trace.line(`fault: ${this.#name} stopped in order`);
    this.state = 'stopping';
    const generation = this.#generation;
    server.stop(() => {
      if (generation === this.#generation) this.#later(0, () => this.#die(null));
    });
  }

  #drop(isSilent = false): void {
    this.#generation++;
    this.gate.open();
    this.state = 'down';
    this.server = null;
    this.#oracle.onServerGone();
    const sockets = [...this.#sockets.values()];
    this.#sockets.clear();
    for (const { link } of sockets) link.reset(true, false);
    this.quorum?.onGone(isSilent);
  }

  #later(delayUs: number, run: () => void): void {
    const generation = this.#generation;
    this.#simulator.after(delayUs, () =>
      this.gate.pass(() => {
        if (generation === this.#generation) run();
      }),
    );
  }

  // ---- moods ----

  /** Stands still until {@link wake}, as a process that is stopped. */
  pause(): void {
    if (this.gate.isClosed) return;
    this.gate.close();
    for (const { link } of this.#sockets.values()) link.up.pause();
  }

  wake(): void {
    if (!this.gate.isClosed) return;
    this.gate.open();
    for (const { link, connection } of this.#sockets.values()) if (!connection.isPaused) link.up.resume();
  }

  // ---- turns ----

  #scheduleTurn(): void {
    if (this.#isTurnScheduled) return;
    this.#isTurnScheduled = true;
    const { withheldTurnChance, withheldTurnMaxUs } = this.#options;
    const isWithheld = !this.isCalm && withheldTurnChance > 0 && this.#prng.chance(withheldTurnChance);
    this.#later(
      isWithheld ? this.#prng.below(withheldTurnMaxUs) : this.#prng.between(TURN_MIN_US, this.#options.turnMaxUs),
      () => this.#endTurn(),
    );
  }

  #endTurn(): void {
    this.#isTurnScheduled = false;
    const server = this.server;
    if (server === null) return;
    this.turnCount++;
    const again = server.endTurn(() => this.quorum?.flush(server));
    const dirty = server.takeDirty();
    this.#trace.note(NOTE.turn, dirty.length, server.tree.lastProcessedZxid);
    for (const connection of dirty) this.#flush(server, connection);
    this.quorum?.flush(server);
    if (again) this.#scheduleTurn();
    this.#arm(server.deadlineMs);
  }

  #arm(deadlineMs: number): void {
    if (deadlineMs === this.#timerDueMs) return;
    this.#timerDueMs = deadlineMs;
    const number = ++this.#timerNumber;
    if (deadlineMs === Number.POSITIVE_INFINITY) return;
    const dueUs = Math.max(this.clock.whenUs(deadlineMs), this.#simulator.nowUs + 1_000);
    this.#later(dueUs - this.#simulator.nowUs, () => {
      if (number !== this.#timerNumber) return;
      this.#timerDueMs = Number.POSITIVE_INFINITY;
      this.server?.tick();
    });
  }

  // ---- sockets ----

  /** A connection from a client arrives. The kernel takes it also while the process stands still. */
  accept(link: Link, client: Endpoint, address: string): void {
    const isUp = this.server !== null && this.state === 'up';
    if (isUp && this.gate.isClosed) link.up.pause();
    if (!isUp || !this.gate.isClosed) this.#accept(link, client, address);
    else this.gate.pass(() => this.#acceptLate(link, client, address));
  }

  #acceptLate(link: Link, client: Endpoint, address: string): void {
    if (link.up.isBroken) return;
    this.#accept(link, client, address);
    link.up.resume();
  }

  #accept(link: Link, client: Endpoint, address: string): void {
    const server = this.server;
    if (server === null || this.state !== 'up') {
      link.detach();
      this.#simulator.after(this.#prng.between(10, 1_000), () => client.onReset());
      return;
    }
    const connection = server.accept(address, link.number & 0xffff, false);
    this.#trace.note(NOTE.connection, link.number, connection === null ? 0 : 1);
    if (connection === null) {
      link.detach();
      this.#simulator.after(this.#prng.between(10, 1_000), () => client.onReset());
      return;
    }
    const socket: Socket = { link, connection, frames: new FrameReader(), isFirstFrame: true, isFirstReply: true };
    this.#sockets.set(connection, socket);
    link.attach(client, {
      onBytes: (bytes, start, end) => this.#onBytes(socket, bytes, start, end),
      onEnd: () => this.gate.pass(() => this.#onEnd(socket)),
      onReset: () => this.gate.pass(() => this.#onReset(socket)),
      onDrained: () => this.gate.pass(() => this.#onDrained(socket)),
    });
  }

  #onBytes(socket: Socket, bytes: Uint8Array, start: number, end: number): void {
    const server = this.server as Server;
    const { connection } = socket;
    this.#trace.bytes(NOTE.toServer, bytes, start, end);
    const isRenewal = hasRenewingFrame(socket, bytes, start, end);
    server.onClientChunk(connection, bytes, start, end);
    if (isRenewal) this.#noteActivity(server, connection);
    // The buffer is ours again: whoever kept a reference reads rubbish.
    bytes.fill(0xee, start, end);
  }

  #noteActivity(server: Server, connection: Connection): void {
    const { session } = connection;
    if (session === null || session.isClosing) return;
    // A connection that must wait may not have had its frames looked at.
    const isTaken = !connection.isPaused && !connection.isBacklogged && connection.state === 'open';
    this.#oracle.onHeard(session.high, session.low, server.nowMs, isTaken);
  }

  #onEnd(socket: Socket): void {
    const server = this.server as Server;
    const { connection, link } = socket;
    if (connection.state === 'open' && (connection.pendingWrites > 0 || connection.parkedCount > 0)) {
      connection.closeAfterFlush = true;
      return;
    }
    server.onClientClosed(connection);
    if (connection.out === null || connection.out.length === 0) link.down.end();
    else connection.closeAfterFlush = true;
  }

  #onReset(socket: Socket): void {
    if (!this.#sockets.delete(socket.connection)) return;
    this.server?.onClientClosed(socket.connection);
  }

  #onDrained(socket: Socket): void {
    socket.connection.unsentBytes = socket.link.down.unsentBytes;
    this.server?.onDrained(socket.connection);
  }

  #flush(server: Server, connection: Connection): void {
    const socket = this.#sockets.get(connection);
    const out = wholeOut(connection);
    connection.out = null;
    if (socket === undefined) {
      if (out !== null) server.recycle(out);
      return;
    }
    if (out !== null) this.#send(server, socket, out);
    const { link } = socket;
    const isFinished =
      connection.closeAfterFlush &&
      (connection.state === 'closed' || (connection.pendingWrites === 0 && connection.parkedCount === 0));
    if (isFinished) {
      this.#sockets.delete(connection);
      server.onClientClosed(connection);
      link.down.end();
      link.up.break();
      link.up.reader = null;
    } else if (connection.isPaused !== link.up.isPaused) {
      if (connection.isPaused) link.up.pause();
      else link.up.resume();
    }
  }

  #send(server: Server, socket: Socket, out: ByteWriter): void {
    const { link, connection } = socket;
    let start = 0;
    if (socket.isFirstReply && out.length > 0) {
      socket.isFirstReply = false;
      const view = new DataView(out.bytes.buffer);
      this.#oracle.onSessionTold(view.getInt32(12), view.getInt32(16));
      start = 4 + view.getInt32(0);
    }
    this.#oracle.onTold(out.bytes, start, out.length);
    link.down.write(out.bytes, 0, out.length);
    connection.unsentBytes = link.down.unsentBytes;
    // The bytes were copied; a writer that is still used by somebody shows.
    if (!out.isShared) out.bytes.fill(0xdd, 0, out.length);
    server.recycle(out);
  }

  get openSockets(): readonly Link[] {
    return [...this.#sockets.values()].map((socket) => socket.link);
  }

  // ---- housekeeping ----

  /** What autopurge does. */
  purge(): void {
    if (this.state !== 'up') return;
    const { dataDir, dataLogDir } = this.#options.core;
    const options = {
      snapshotDirectory: `${dataDir}/${VERSION_DIR}`,
      logDirectory: `${dataLogDir}/${VERSION_DIR}`,
      keepCount: 3,
    };
    purge(this.disk, options, (error, removed) => {
      if (removed.length > 0)
        this.#trace.line(`purged ${removed.length} files${error === null ? '' : `, then ${error.message}`}`);
    });
  }
}

/** Whole frames renew the session, all but auth. */
function hasRenewingFrame(socket: Socket, bytes: Uint8Array, start: number, end: number): boolean {
  const { frames } = socket;
  frames.push(bytes, start, end);
  let isRenewal = false;
  while (frames.next(FRAME_BYTES_MAX) === 'frame') {
    const view = new DataView(frames.bytes.buffer, frames.bytes.byteOffset, frames.bytes.byteLength);
    // The connect request renews the session that it resumes.
    if (socket.isFirstFrame) isRenewal = true;
    else if (frames.end - frames.start >= 8 && view.getInt32(frames.start + 4) !== OP.auth) isRenewal = true;
    socket.isFirstFrame = false;
  }
  return isRenewal;
}

/** The zxid in a snapshot's name; 0 without a snapshot. */
function snapshotZxid(name: unknown): number {
  return typeof name === 'string' ? Number.parseInt(name.split('.')[1] as string, 16) : 0;
}

/** What the connection has to send, loans copied in. */
function wholeOut(connection: Connection): ByteWriter | null {
  const { out } = connection;
  const loans = connection.takeLoans();
  if (out === null || loans === null) return out;
  const whole = new ByteWriter();
  forEachPart(out, loans, (bytes, start, end) => whole.raw(bytes, start, end));
  return whole;
}
