/**
 * Server: the whole state of one server and its inputs. Start reading here.
 *
 *   onClientChunk ─► request/intake ─► reads: request/read, request/session-ops ─► reply
 *                                 └─► writes: request/prepare ─► log batch
 *   endTurn ─► log.flush (one batch in flight) ─► onDurable ─► request/commit ─► request/apply ─► watches, replies, parked reads
 *
 * Deterministic: no clock, dice, timer or file but through the ports. Inputs never throw for what a client did.
 *
 * Two rules carry safety: nothing is acknowledged before its txn is durable (only `onDurable` leads to replies of writes),
 * and no reply leaves before its txn is applied (replies are written by commit, after apply).
 *
 * A turn: the first input reads the clock; the shell calls {@link Server.endTurn} once the inputs at hand are in, and then
 * sends what the connections in {@link Server.takeDirty} have. See server/turn.ts for the order and its reasons.
 */
import { ByteReader, type ByteWriter, logLevels, pairToHex } from '@zoots/base';
import { type ConnectRequest, formatZxid, type OpRow, opRow } from '@zoots/protocol';
import type { DiskError, LogBatch } from '@zoots/storage';
import { Database } from './database.js';
import { Expiry } from './expiry.js';
import { FRAMES_PER_TURN_MAX, SNAPSHOT_POLL_MS } from './limits.js';
import { Membership } from './membership.js';
import type { CoreConfig, Ports } from './ports.js';
import { AclChecker } from './request/acl-check.js';
import { Applier } from './request/apply.js';
import { Authenticator } from './request/auth.js';
import { Committer } from './request/commit.js';
import { FlowControl } from './request/flow-control.js';
import type { PendingSync } from './request/forwarder.js';
import { Intake } from './request/intake.js';
import { Notifier } from './request/notifier.js';
import { Overlay } from './request/outstanding.js';
import { Parking } from './request/parking.js';
import { Preparer } from './request/prepare.js';
import { Submission } from './request/submission.js';
import { type Connection, WriterPool } from './session/connection.js';
import { ConnectionRegistry } from './session/connection-registry.js';
import { Handshake } from './session/handshake.js';
import { Outbox } from './session/outbox.js';
import { type InFlight, type Session, SessionTable } from './session/session-table.js';
import type { Snapshotter } from './snapshotter.js';
import { Statistics } from './statistics.js';
import { Tree } from './tree/tree.js';
import { WatchTable } from './watch/watch-table.js';
import { CommittedLog } from './zab/committed-log.js';
import type { Peer } from './zab/peer.js';
import type { Role } from './zab/peer-contract.js';

/**
 * - `starting`: recovery and, on an empty disk, the first snapshot. Connections are refused.
 * - `looking`: a member of an ensemble without a leader. Connections are refused.
 * - `serving`.
 * - `stopped`: asked to stop; what is durable is committed, nothing more is taken.
 * - `failed`: the disk or a damaged record; nothing more is acknowledged.
 */
export type ServerState = 'starting' | 'looking' | 'serving' | 'stopped' | 'failed';

/** Exit codes of Apache's that the core can cause. */
export const EXIT_DATA = 10;
const EXIT_UNEXPECTED = 1;
/** From the turn in which a batch leaves for the log to the one in which it is durable: answers may wait for as long as this. */
const NEAR_SYNC_MS = 10;

export class Server {
  readonly config: CoreConfig;
  readonly tree: Tree;
  readonly sessions: SessionTable;
  readonly watches: WatchTable;
  readonly statistics = new Statistics();
  readonly aclChecker: AclChecker;
  state: ServerState = 'starting';

  // The turn's time.
  nowMs = 0;
  wallMs = 0;
  #isTurnOpen = false;

  readonly #ports: Ports;
  readonly #overlay: Overlay;
  readonly #preparer: Preparer;
  readonly #applier: Applier;
  readonly #committer: Committer;
  readonly #intake: Intake;
  readonly #authenticator: Authenticator;
  readonly #expiry: Expiry;
  readonly #database: Database;
  readonly #registry: ConnectionRegistry;
  readonly #flow: FlowControl;
  readonly #parking: Parking;
  readonly #handshake: Handshake;
  readonly #submission: Submission;
  readonly #membership: Membership;
  readonly #pool = new WriterPool();
  #flushStartedMs = 0;
  #lastSyncMs = 0;
  /** For headers and reads; every chunk's DataView is made once. */
  readonly reader = new ByteReader();

  readonly #outbox = new Outbox();
  /** Connections whose frames did not all fit in their turn. */
  #backlog: Connection[] = [];
  #onStopped: (() => void) | null = null;

  constructor(config: CoreConfig, ports: Ports) {
    this.config = config;
    this.#ports = ports;
    this.nowMs = ports.clock.nowMs();
    this.wallMs = ports.clock.wallMs();
    this.tree = new Tree({
      hashSeed: ports.prng.uint32() | 0,
      digestEnabled: config.digestEnabled,
      extendedTypesEnabled: config.extendedTypesEnabled,
      emulate353TtlNodes: config.emulate353TtlNodes,
    });
    this.sessions = new SessionTable(config.sessionServerId, config.tickTimeMs, this.wallMs);
    this.watches = new WatchTable(this.tree.store, new Notifier(this).notify);
    this.aclChecker = new AclChecker(config);
    this.#overlay = new Overlay(this.tree);
    this.#preparer = new Preparer(this.tree, this.#overlay, this.aclChecker, {
      digestEnabled: config.digestEnabled,
      extendedTypesEnabled: config.extendedTypesEnabled,
      enforceQuota: config.enforceQuota,
      reconfigEnabled: config.reconfigEnabled,
      entryBytesMax: config.juteMaxBytes + config.juteExtraBytes,
    });
    this.#applier = new Applier(this.tree, this.sessions, this.watches);
    this.#applier.onTouched = (id) => this.#overlay.release(id, this.#applier.header.zxid);
    this.#applier.onDigestMismatch = (zxid) => this.#onDigestMismatch(zxid);
    this.#committer = new Committer(this.tree, this.sessions, this.#applier, this);
    this.#authenticator = new Authenticator(config, ports.hashes);
    this.#intake = new Intake(this, this, this.#authenticator);
    this.#registry = new ConnectionRegistry(config, this.statistics, ports.logger);
    this.#flow = new FlowControl(config);
    this.#parking = new Parking(this.#flow, (connection, bytes, start, end, receivedMs) =>
      this.#intake.serve(connection, bytes, start, end, receivedMs),
    );
    this.#handshake = new Handshake(config, this.sessions, this.statistics, ports.logger, ports.prng, this);
    this.#expiry = new Expiry(config, this.tree, this.sessions, this);
    const rules = config.ensemble ?? null;
    const committedLog = rules === null ? null : new CommittedLog(rules.committedLogCount);
    this.#database = new Database(config, ports, {
      tree: this.tree,
      sessions: this.sessions,
      applier: this.#applier,
      committedLog,
      commit: this.#committer.commit,
      onDurable: (batch) => this.#onDurable(batch),
      onFailed: (error) => this.#onDiskFailed(error),
      openTurn: () => this.openTurn(),
    });
    this.#submission = new Submission(this.#preparer, this.#database, this.#committer.window, this.#flow, this);
    const { tree, sessions } = this;
    this.#membership = new Membership(
      {
        ...{ config, ports, tree, sessions, committedLog },
        database: this.#database,
        applier: this.#applier,
        committer: this.#committer,
        submission: this.#submission,
        ...{ overlay: this.#overlay, flow: this.#flow },
        handshake: this.#handshake,
        expiry: this.#expiry,
      },
      this,
    );
  }

  /** The ensemble's side of this server; null if it stands alone. */
  get peer(): Peer | null {
    return this.#membership.peer;
  }

  get role(): Role {
    return this.peer?.role ?? 'standalone';
  }

  get snapshotter(): Snapshotter {
    return this.#database.snapshotter;
  }

  // ---- life ----

  /**
   * Reads the database and, when `done` comes without an error text, serves; a member of an ensemble looks for a leader then.
   * The directories must exist.
   */
  start(done: (problem: string | null) => void): void {
    this.openTurn();
    this.#database.open(this.nowMs, (problem) => {
      this.openTurn();
      this.#overlay.reset();
      this.#submission.preparedZxid = Math.max(this.tree.lastProcessedZxid, 0);
      if (problem !== null) this.state = 'failed';
      else if (this.peer === null) this.serve();
      else {
        this.state = 'looking';
        this.#membership.start(done);
        return;
      }
      done(problem);
    });
  }

  serve(): void {
    this.openTurn();
    this.state = 'serving';
    // Not before: the first snapshot may have taken longer than a session's timeout.
    this.sessions.touchAll(this.nowMs);
    this.#expiry.start();
  }

  /** Takes nothing more; `done` comes when everything prepared is durable and the log is closed. */
  stop(done: () => void): void {
    this.openTurn();
    if (this.state !== 'failed') this.state = 'stopped';
    this.peer?.stop();
    this.#database.snapshotter.stop();
    this.#onStopped = done;
    this.#finishStop();
  }

  #finishStop(): void {
    if (this.#onStopped === null || this.#database.log.isFlushing) return;
    if (this.state !== 'failed' && this.#database.flush()) return;
    const done = this.#onStopped;
    this.#onStopped = null;
    this.#database.close(done);
  }

  #onDiskFailed(error: DiskError): void {
    this.openTurn();
    this.fail(`the transaction log cannot be written: ${error.message}`, EXIT_DATA);
  }

  stopServing(): void {
    if (this.state === 'serving') this.state = 'looking';
    for (const connection of [...this.#registry.open.values()]) this.close(connection);
    this.#backlog = [];
  }

  fail(reason: string, exitCode: number): void {
    if (this.state === 'failed') return;
    this.state = 'failed';
    // A quorum may have what this server's disk has not; the answer is somebody else's to give.
    this.peer?.stop();
    this.#ports.logger.log(logLevels.error, 'server failed', { reason });
    this.#ports.shell.onFatal(reason, exitCode);
    this.#finishStop();
  }

  #onDigestMismatch(zxid: number): void {
    this.statistics.digestMismatches++;
    this.#ports.logger.log(logLevels.error, 'digest mismatch', { zxid: formatZxid(zxid) });
  }

  // ---- the turn ----

  openTurn(): void {
    if (this.#isTurnOpen) return;
    this.#isTurnOpen = true;
    this.nowMs = this.#ports.clock.nowMs();
    this.wallMs = this.#ports.clock.wallMs();
    this.#ports.shell.onTurnOpened();
  }

  /** Due work in bounded slices, then the log batch; `onLogLeaves` comes before it leaves. Returns true if another turn is wanted at once. */
  endTurn(onLogLeaves?: () => void): boolean {
    this.#isTurnOpen = true;
    if (this.state === 'serving') {
      this.#expiry.run();
      this.#resumePaused();
      this.#processBacklog();
    }
    if (this.state !== 'failed') {
      this.peer?.endTurn();
      this.#database.snapshotter.step();
      if (this.#database.mayFlush) onLogLeaves?.();
      if (this.#database.flush()) this.#flushStartedMs = this.nowMs;
    }
    this.#isTurnOpen = false;
    return this.#backlog.length > 0 || this.#database.snapshotter.hasWork || this.peer?.hasWork === true;
  }

  #processBacklog(): void {
    const backlog = this.#backlog;
    if (backlog.length === 0) return;
    this.#backlog = [];
    for (const connection of backlog) {
      connection.isBacklogged = false;
      this.process(connection);
    }
  }

  /** When time alone gives the server something to do; the shell then calls {@link tick}. */
  get deadlineMs(): number {
    const servingMs = this.state === 'serving' ? this.#expiry.deadlineMs : Number.POSITIVE_INFINITY;
    const deadlineMs = Math.min(servingMs, this.peer?.deadlineMs ?? Number.POSITIVE_INFINITY);
    // A snapshot that waits for the disk is looked after by time: its writer has nobody to tell.
    return this.#database.snapshotter.isRunning ? Math.min(deadlineMs, this.nowMs + SNAPSHOT_POLL_MS) : deadlineMs;
  }

  tick(): void {
    this.openTurn();
  }

  /** Connections with something to send, to close, to pause or to resume. With others to ask, a write takes many turns. */
  takeDirty(): Connection[] {
    return this.#outbox.take(this.peer === null && this.#lastSyncMs <= NEAR_SYNC_MS);
  }

  outOf(connection: Connection): ByteWriter {
    this.#willSend(connection);
    const out = this.#pool.toAppendTo(connection.out);
    connection.out = out;
    return out;
  }

  share(connection: Connection, packet: ByteWriter): void {
    this.#willSend(connection);
    connection.out = packet;
  }

  #willSend(connection: Connection): void {
    this.#outbox.mark(connection);
    connection.packetsSent++;
    this.statistics.packetsSent++;
  }

  /** The shell has sent what was in this writer. */
  recycle(writer: ByteWriter): void {
    this.#pool.give(writer);
  }

  // ---- connections ----

  /** Open connections by number, oldest first. */
  get connections(): ReadonlyMap<number, Connection> {
    return this.#registry.open;
  }

  get isServing(): boolean {
    const mayServe = this.role !== 'leading' || this.config.ensemble?.leaderServes !== false;
    return this.state === 'serving' && mayServe;
  }

  /** Share of connect requests that the connection throttle drops (0 .. 1). */
  get dropProbability(): number {
    return this.#handshake.throttle.dropProbability;
  }

  /** Null: refused by a limit of connections. */
  accept(remoteAddress: string, remotePort: number, isSecure: boolean): Connection | null {
    this.openTurn();
    const connection = this.#registry.accept(remoteAddress, remotePort, isSecure, this.nowMs, this.wallMs);
    if (connection !== null) this.#expiry.onAccepted(connection);
    return connection;
  }

  /** Bytes arrived. They belong to the caller again when this returns. */
  onClientChunk(connection: Connection, bytes: Uint8Array, start: number, end: number): void {
    this.openTurn();
    if (connection.state === 'closed') return;
    this.statistics.bytesReceived += end - start;
    connection.chunkMs = this.nowMs;
    connection.frames.push(bytes, start, end);
    this.process(connection);
  }

  process(connection: Connection): void {
    const framesMax = this.config.framesPerTurnMax ?? FRAMES_PER_TURN_MAX;
    if (!this.#intake.process(connection, framesMax) || connection.isBacklogged) return;
    connection.isBacklogged = true;
    this.#backlog.push(connection);
  }

  /** The socket is gone. */
  onClientClosed(connection: Connection): void {
    this.openTurn();
    this.#forget(connection);
  }

  /** The kernel took what was unsent: a connection paused for that may go on. */
  onDrained(_connection: Connection): void {
    this.openTurn();
  }

  close(connection: Connection): void {
    if (connection.state === 'closed') return;
    this.#forget(connection);
    connection.closeAfterFlush = true;
    this.#outbox.mark(connection);
  }

  #forget(connection: Connection): void {
    if (!this.#registry.remove(connection)) return;
    connection.state = 'closed';
    this.#expiry.onSettled(connection);
    this.#flow.forget(connection);
    this.watches.removeConnection(connection);
    this.#parking.drop(connection);
    if (connection.session?.connection === connection) connection.session.connection = null;
  }

  // ---- flow control ----

  get frameBytesMax(): number {
    return this.config.juteMaxBytes;
  }

  mustWait(connection: Connection): boolean {
    return this.#parking.mustWait(connection);
  }

  get outstandingRequests(): number {
    return this.#flow.count;
  }

  mayProceed(connection: Connection): boolean {
    if (!this.#flow.pausesNow(connection)) return true;
    this.#outbox.mark(connection);
    return false;
  }

  #resumePaused(): void {
    if (this.#flow.pausedCount === 0) return;
    const served: Connection[] = [];
    for (const connection of this.#flow.takeResumable()) {
      const packetsBefore = connection.packetsReceived;
      this.#outbox.mark(connection);
      this.process(connection);
      if (connection.packetsReceived !== packetsBefore) served.push(connection);
    }
    // Who had a turn waits behind those that had none: the first in line would otherwise take every place for ever.
    for (const connection of served) this.#flow.moveBehind(connection);
  }

  isThrottled(connection: Connection, row: OpRow): boolean {
    return this.#flow.isThrottled(connection, row.code, this.nowMs);
  }

  // ---- requests ----

  onCommandWord(connection: Connection, word: string, bytes: Uint8Array, start: number, end: number): void {
    this.#expiry.onSettled(connection);
    connection.state = 'opening';
    this.statistics.packetsReceived++;
    connection.packetsReceived++;
    this.#ports.shell.onCommandWord(connection, word, bytes.slice(start, end));
    this.close(connection);
  }

  onConnectRequest(connection: Connection, request: ConnectRequest): void {
    this.#expiry.onSettled(connection);
    this.#handshake.onRequest(connection, request);
  }

  touch(connection: Connection): boolean {
    this.statistics.packetsReceived++;
    const session = connection.session;
    if (session === null || !this.sessions.touch(session, this.nowMs)) return false;
    this.#membership.onTouched(session);
    return true;
  }

  prepareWrite(connection: Connection, op: number, xid: number, bytes: Uint8Array, start: number, end: number): void {
    if (!this.#flow.admits(end - start)) {
      this.statistics.largeRequestsRejected++;
      this.close(connection);
      return;
    }
    this.#membership.write(connection, op, xid, bytes, start, end);
  }

  /** In an ensemble a leader says when it has everything that was before the sync. */
  mustSync(connection: Connection, xid: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.peer === null || this.#membership.isReadOnly) return false;
    const session = connection.session as Session;
    const frame = bytes.slice(start, end);
    session.writesSubmitted++;
    connection.pendingWrites++;
    this.#flow.enter(frame.length);
    this.#membership.sync({ connection, session, frame, receivedMs: this.nowMs }, xid);
    return true;
  }

  onSyncDone({ connection, session, frame, receivedMs }: PendingSync): void {
    if (connection.state === 'open') this.#intake.serve(connection, frame, 0, frame.length, receivedMs);
    this.#parking.settle(connection, session, frame.length);
  }

  refusalOf(connection: Connection, op: number, bytes: Uint8Array, start: number, end: number): number {
    return this.#membership.refusalOf(connection, op, bytes, start, end);
  }

  submitCloseSession(session: Session): void {
    this.#ports.logger.log(logLevels.info, 'session expired', {
      sessionId: `0x${pairToHex(session.high, session.low)}`,
      timeoutMs: session.timeoutMs,
    });
    this.statistics.sessionsExpired++;
    this.#membership.expireSession(session);
  }

  submitInternal(op: number, bytes: Uint8Array, start: number, end: number): void {
    this.#submission.ownWrite(op, bytes, start, end);
  }

  park(connection: Connection, bytes: Uint8Array, start: number, end: number): void {
    this.#parking.park(connection, bytes, start, end, this.nowMs);
  }

  lastZxid(): number {
    return this.tree.lastProcessedZxid;
  }

  onServed(connection: Connection, row: OpRow, xid: number, receivedMs: number): void {
    this.statistics.onAnswered(connection, row.shortName, xid, this.tree.lastProcessedZxid, this.nowMs, receivedMs);
  }

  // ---- commit ----

  #onDurable(batch: LogBatch): void {
    this.openTurn();
    if (this.state === 'failed') return;
    this.#lastSyncMs = this.nowMs - this.#flushStartedMs;
    this.#noteSync(this.#lastSyncMs);
    // What was committed before it was durable here is done with now, and the batch is empty behind that.
    const { lastZxid } = batch;
    this.#database.pipeline.onDurable(batch);
    this.#membership.onDurable(lastZxid);
    this.#finishStop();
  }

  #noteSync(tookMs: number): void {
    this.statistics.onSynced(tookMs);
    if (tookMs <= this.config.fsyncWarningThresholdMs) return;
    this.#ports.logger.log(logLevels.warn, 'slow sync of the transaction log', {
      tookMs,
      thresholdMs: this.config.fsyncWarningThresholdMs,
    });
  }

  onCommitted(zxid: number, bytes: Uint8Array, start: number, end: number): void {
    this.statistics.onCommitted(zxid, this.tree.digest);
    this.peer?.observer?.onApplied?.(zxid, bytes, start, end);
  }

  onUndecodable(zxid: number, problem: string): void {
    this.fail(`txn ${formatZxid(zxid)} cannot be applied: ${problem}`, EXIT_UNEXPECTED);
  }

  onSessionCreated(entry: InFlight): void {
    this.#flow.leave(entry.frameBytes);
    const { connection } = entry;
    (entry.session as Session).writesSettled++;
    // A learner's client.
    if (connection === null) return;
    connection.pendingWrites--;
    if (connection.state !== 'opening') return;
    this.#handshake.onCreated(connection, entry.session as Session);
    this.statistics.onAnswered(connection, 'SESS', 0, this.lastZxid(), this.nowMs, entry.receivedMs);
    this.process(connection);
  }

  onAnswered(entry: InFlight, connection: Connection): void {
    const shortName = opRow(entry.op)?.shortName ?? 'NA';
    this.statistics.onAnswered(connection, shortName, entry.xid, this.lastZxid(), this.nowMs, entry.receivedMs);
  }

  onSettled(entry: InFlight): void {
    this.#parking.settle(entry.connection, entry.session, entry.frameBytes);
  }

  onSessionClosed(session: Session | null): void {
    if (session === null) return;
    this.#membership.onSessionClosed(session);
    if (session.connection !== null) this.close(session.connection);
  }

  /** Sizes that must be zero when nothing is in flight; the simulator checks them. */
  get queueSizes(): Readonly<Record<string, number>> {
    return {
      window: this.#committer.window.length,
      forwarded: this.#membership.forwardedCount,
      syncs: this.#membership.syncCount,
      overlay: this.#overlay.size,
      inFlight: this.#flow.count,
      inFlightBytes: this.#flow.bytes,
      batchRecords: this.#database.log.batch.recordCount,
      backlog: this.#backlog.length,
      paused: this.#flow.pausedCount,
    };
  }
}
