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
import { ByteReader, type ByteWriter, logLevels } from '@zoots/base';
import { type ConnectRequest, formatZxid, OP, type OpRow, writeConnectResponse } from '@zoots/protocol';
import {
  type DiskError,
  describeRecoveryError,
  type LogBatch,
  type RecoveryResult,
  recover,
  TxnLog,
} from '@zoots/storage';
import { Expiry } from './expiry.js';
import {
  FRAMES_PER_TURN_MAX,
  OUT_BYTES_MAX,
  REQUEST_BYTES_IN_FLIGHT_MAX,
  REQUESTS_PER_CONNECTION_MAX,
  SNAPSHOT_POLL_MS,
} from './limits.js';
import { Loader } from './loader.js';
import type { CoreConfig, Ports } from './ports.js';
import { AclChecker } from './request/acl-check.js';
import { Applier } from './request/apply.js';
import { Authenticator } from './request/auth.js';
import { Committer, type InFlight } from './request/commit.js';
import { Intake } from './request/intake.js';
import { Overlay } from './request/outstanding.js';
import { Preparer, SERVER_ITSELF } from './request/prepare.js';
import { writeNotification } from './request/reply.js';
import { Connection, type ParkedRequest, WriterPool } from './session/connection.js';
import { ConnectionThrottle } from './session/connection-throttle.js';
import { sessionPassword } from './session/password.js';
import type { Requester } from './session/requester.js';
import { type Session, SessionTable } from './session/session-table.js';
import { Snapshotter } from './snapshotter.js';
import { Statistics } from './statistics.js';
import { Tree } from './tree/tree.js';
import { F } from './tree/znode-store.js';
import { WatchTable } from './watch/watch-table.js';

/**
 * - `starting`: recovery and, on an empty disk, the first snapshot. Connections are refused.
 * - `serving`.
 * - `stopped`: asked to stop; what is durable is committed, nothing more is taken.
 * - `failed`: the disk or a damaged record; nothing more is acknowledged.
 */
export type ServerState = 'starting' | 'serving' | 'stopped' | 'failed';

/** Exit codes of Apache's that the core can cause. */
export const EXIT_DATA = 10;
const EXIT_UNEXPECTED = 1;

const NO_PASSWORD = new Uint8Array(16);
const BYTES_NONE = new Uint8Array(0);

export class Server {
  readonly config: CoreConfig;
  readonly tree: Tree;
  readonly sessions: SessionTable;
  readonly watches: WatchTable;
  readonly statistics = new Statistics();
  readonly aclChecker: AclChecker;
  state: ServerState = 'starting';
  /** Open connections, by number. */
  readonly connections = new Map<number, Connection>();

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
  readonly #loader: Loader;
  readonly snapshotter: Snapshotter;
  readonly #expiry: Expiry;
  readonly #log: TxnLog;
  readonly connectionThrottle: ConnectionThrottle;
  readonly #pool = new WriterPool();
  #flushStartedMs = 0;
  /** For headers and reads; every chunk's DataView is made once. */
  readonly reader = new ByteReader();

  /** Zxid of the last txn prepared. */
  #preparedZxid = 0;
  #inFlightCount = 0;
  #inFlightBytes = 0;
  #largeInFlightBytes = 0;
  #connectionCount = 0;
  readonly #perAddress = new Map<string, number>();
  #dirty: Connection[] = [];
  /** Connections that must not be read until requests in flight are fewer. */
  readonly #paused = new Set<Connection>();
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
    this.watches = new WatchTable(this.tree.store, (connection, type, path, acl, zxid) =>
      this.#notify(connection, type, path, acl, zxid),
    );
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
    this.#committer = new Committer(this.tree, this.#applier, this);
    this.#authenticator = new Authenticator(config, ports.hashes);
    this.#intake = new Intake(this, this, this.#authenticator);
    this.#loader = new Loader(this.tree, this.sessions, this.#applier, ports.logger);
    this.snapshotter = new Snapshotter(config, { ...ports, tree: this.tree, sessions: this.sessions });
    this.connectionThrottle = new ConnectionThrottle(config.connectionThrottle, ports.prng, this.nowMs);
    this.#expiry = new Expiry(config, this.tree, this.sessions, this);
    this.#log = new TxnLog(
      ports.disk,
      {
        directory: `${config.dataLogDir}/version-2`,
        preallocateBytes: config.preAllocBytes,
        sizeLimitBytes: config.txnLogSizeLimitBytes,
        forceSync: config.forceSync,
      },
      { onDurable: (batch) => this.#onDurable(batch), onFailed: (error) => this.#onDiskFailed(error) },
    );
  }

  // ---- life ----

  /** Reads the database and, when `done` comes without an error text, serves. The directories must exist. */
  start(done: (problem: string | null) => void): void {
    const { config } = this;
    this.openTurn();
    this.#loader.nowMs = this.nowMs;
    recover(
      this.#ports.disk,
      {
        snapshotDirectory: `${config.dataDir}/version-2`,
        logDirectory: `${config.dataLogDir}/version-2`,
        trustEmptySnapshot: config.trustEmptySnapshot,
        autocreateDatabase: config.dbAutocreate,
        allowGaps: config.allowLogGaps === true,
        gzip: this.#ports.gzip,
      },
      this.#loader,
      (error, result) => {
        if (error !== null || result === null) {
          this.state = 'failed';
          done(error === null ? 'recovery ended without a result' : describeRecoveryError(error));
        } else this.#onRecovered(result, done);
      },
    );
  }

  #onRecovered(result: RecoveryResult, done: (problem: string | null) => void): void {
    this.openTurn();
    this.#loader.finish();
    this.#loader.dropOrphans();
    this.#overlay.reset();
    this.#preparedZxid = Math.max(this.tree.lastProcessedZxid, 0);
    this.sessions.touchAll(this.nowMs);
    this.snapshotter.onRecovered(result.txnCount);
    for (const repair of result.repairs) this.#ports.logger.log(logLevels.warn, 'repaired', { what: repair });
    this.#ports.logger.log(logLevels.info, 'database loaded', {
      snapshot: result.snapshotName,
      txnCount: result.txnCount,
      zxid: formatZxid(this.tree.lastProcessedZxid),
      znodeCount: this.tree.nodeCount,
      sessionCount: this.sessions.count,
    });
    if (result.snapshotName !== null) {
      this.#serve();
      done(null);
      return;
    }
    // Logs without a snapshot are not a database for Apache, and not for us: the first one is durable before anything
    // can be acknowledged.
    this.snapshotter.start(null, (error) => {
      if (error === null) this.#serve();
      else this.state = 'failed';
      done(error === null ? null : `the first snapshot cannot be written: ${error.message}`);
    });
  }

  #serve(): void {
    this.openTurn();
    this.state = 'serving';
    this.#expiry.start();
  }

  /** Takes nothing more; `done` comes when everything prepared is durable and the log is closed. */
  stop(done: () => void): void {
    this.openTurn();
    if (this.state === 'serving') this.state = 'stopped';
    this.snapshotter.stop();
    this.#onStopped = done;
    this.#finishStop();
  }

  #finishStop(): void {
    if (this.#onStopped === null || this.#log.isFlushing) return;
    if (this.state !== 'failed' && this.#log.flush()) return;
    const done = this.#onStopped;
    this.#onStopped = null;
    this.#log.close(() => done());
  }

  #onDiskFailed(error: DiskError): void {
    this.openTurn();
    this.#fail(`the transaction log cannot be written: ${error.message}`, EXIT_DATA);
  }

  #fail(reason: string, exitCode: number): void {
    if (this.state === 'failed') return;
    this.state = 'failed';
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

  /** Due work in bounded slices, then the log batch. Returns true if another turn is wanted at once. */
  endTurn(): boolean {
    this.#isTurnOpen = true;
    if (this.state === 'serving') {
      this.#expiry.run();
      this.#resumePaused();
      this.#processBacklog();
    }
    if (this.state !== 'failed') {
      this.snapshotter.step();
      if (this.#log.flush()) this.#flushStartedMs = this.nowMs;
    }
    this.#isTurnOpen = false;
    return this.#backlog.length > 0 || this.snapshotter.hasWork;
  }

  #processBacklog(): void {
    const backlog = this.#backlog;
    if (backlog.length === 0) return;
    this.#backlog = [];
    for (const connection of backlog) {
      connection.isBacklogged = false;
      this.#process(connection);
    }
  }

  /** When time alone gives the server something to do; the shell then calls {@link tick}. */
  get deadlineMs(): number {
    const deadlineMs = this.state === 'serving' ? this.#expiry.deadlineMs : Number.POSITIVE_INFINITY;
    // A snapshot that waits for the disk is looked after by time: its writer has nobody to tell.
    return this.snapshotter.isRunning ? Math.min(deadlineMs, this.nowMs + SNAPSHOT_POLL_MS) : deadlineMs;
  }

  tick(): void {
    this.openTurn();
  }

  /** Connections with something to send, to close, to pause or to resume. */
  takeDirty(): Connection[] {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const connection of dirty) connection.isDirty = false;
    return dirty;
  }

  #markDirty(connection: Connection): void {
    if (connection.isDirty) return;
    connection.isDirty = true;
    this.#dirty.push(connection);
  }

  outOf(connection: Connection): ByteWriter {
    this.#markDirty(connection);
    connection.packetsSent++;
    this.statistics.packetsSent++;
    connection.out ??= this.#pool.take();
    return connection.out;
  }

  /** The shell has sent what was in this writer. */
  recycle(writer: ByteWriter): void {
    this.#pool.give(writer);
  }

  // ---- connections ----

  /** Null: refused (not serving, or a limit of connections). */
  accept(remoteAddress: string, remotePort: number, isSecure: boolean): Connection | null {
    this.openTurn();
    const { maxClientCnxns, maxCnxns } = this.config;
    const fromAddress = this.#perAddress.get(remoteAddress) ?? 0;
    if (maxCnxns > 0 && this.connections.size >= maxCnxns) return this.#refuse(remoteAddress, 'maxCnxns', maxCnxns);
    if (maxClientCnxns > 0 && fromAddress >= maxClientCnxns) {
      return this.#refuse(remoteAddress, 'maxClientCnxns', maxClientCnxns);
    }
    const number = ++this.#connectionCount;
    const connection = new Connection(number, remoteAddress, remotePort, isSecure, this.nowMs, this.wallMs);
    this.connections.set(number, connection);
    this.#perAddress.set(remoteAddress, fromAddress + 1);
    this.#expiry.onAccepted(connection);
    return connection;
  }

  #refuse(remoteAddress: string, limit: string, value: number): null {
    this.statistics.connectionsRejected++;
    this.#ports.logger.log(logLevels.warn, 'connection refused', { remoteAddress, limit, value });
    return null;
  }

  /** Bytes arrived. They belong to the caller again when this returns. */
  onClientChunk(connection: Connection, bytes: Uint8Array, start: number, end: number): void {
    this.openTurn();
    if (connection.state === 'closed') return;
    this.statistics.bytesReceived += end - start;
    connection.chunkMs = this.nowMs;
    connection.frames.push(bytes, start, end);
    this.#process(connection);
  }

  #process(connection: Connection): void {
    if (!this.#intake.process(connection, FRAMES_PER_TURN_MAX) || connection.isBacklogged) return;
    connection.isBacklogged = true;
    this.#backlog.push(connection);
  }

  /** The socket is gone. */
  onClientClosed(connection: Connection): void {
    this.openTurn();
    this.#forget(connection);
  }

  /** The kernel took what was unsent: a connection paused for that may go on. */
  onDrained(connection: Connection): void {
    this.openTurn();
    if (connection.isPaused) this.#paused.add(connection);
  }

  close(connection: Connection): void {
    if (connection.state === 'closed') return;
    this.#forget(connection);
    connection.closeAfterFlush = true;
    this.#markDirty(connection);
  }

  #forget(connection: Connection): void {
    if (!this.connections.delete(connection.number)) return;
    connection.state = 'closed';
    const left = (this.#perAddress.get(connection.remoteAddress) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(connection.remoteAddress, left);
    else this.#perAddress.delete(connection.remoteAddress);
    this.#expiry.onSettled(connection);
    this.#paused.delete(connection);
    this.watches.removeConnection(connection);
    this.#dropParked(connection);
    if (connection.session?.connection === connection) connection.session.connection = null;
  }

  #dropParked(connection: Connection): void {
    for (let i = connection.parkedStart; i < connection.parked.length; i++) {
      this.#leaveFlight((connection.parked[i] as ParkedRequest).frame.length);
    }
    connection.parked.length = 0;
    connection.parkedStart = 0;
  }

  // ---- flow control ----

  get frameBytesMax(): number {
    return this.config.juteMaxBytes;
  }

  get outstandingRequests(): number {
    return this.#inFlightCount;
  }

  mayProceed(connection: Connection): boolean {
    const own = connection.pendingWrites + connection.parkedCount;
    const crowded =
      this.#inFlightCount > this.config.globalOutstandingLimit || this.#inFlightBytes > REQUEST_BYTES_IN_FLIGHT_MAX;
    const isThrottled = this.config.throttle.requestsMax > 0 && this.#inFlightCount >= this.config.throttle.requestsMax;
    const outBytes = connection.unsentBytes + (connection.out?.length ?? 0);
    const mustWait =
      (crowded && own > 0) || isThrottled || own >= REQUESTS_PER_CONNECTION_MAX || outBytes > OUT_BYTES_MAX;
    if (!mustWait) return true;
    connection.isPaused = true;
    this.#paused.add(connection);
    this.#markDirty(connection);
    return false;
  }

  #resumePaused(): void {
    if (this.#paused.size === 0) return;
    for (const connection of [...this.#paused]) {
      this.#paused.delete(connection);
      connection.isPaused = false;
      this.#markDirty(connection);
      this.#process(connection);
    }
  }

  isThrottled(connection: Connection, row: OpRow): boolean {
    const waitMaxMs = this.config.throttle.throttledOpWaitTimeMs;
    if (waitMaxMs <= 0 || row.code === OP.ping || row.code === OP.closeSession) return false;
    return this.nowMs - connection.chunkMs > waitMaxMs;
  }

  #enterFlight(byteCount: number): void {
    this.#inFlightCount++;
    this.#inFlightBytes += byteCount;
  }

  #leaveFlight(byteCount: number): void {
    this.#inFlightCount--;
    this.#inFlightBytes -= byteCount;
    if (this.#isLarge(byteCount)) this.#largeInFlightBytes -= byteCount;
  }

  #isLarge(byteCount: number): boolean {
    const threshold = this.config.largeRequest.thresholdBytes;
    return threshold >= 0 && byteCount > threshold;
  }

  /** Large requests in flight have a bound of their own; false: the connection was closed. */
  #admitLarge(connection: Connection, byteCount: number): boolean {
    if (!this.#isLarge(byteCount)) return true;
    if (this.#largeInFlightBytes + byteCount > this.config.largeRequest.bytesMax) {
      this.statistics.largeRequestsRejected++;
      this.close(connection);
      return false;
    }
    this.#largeInFlightBytes += byteCount;
    return true;
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
    connection.hasReadOnlyByte = request.hasReadOnly;
    if (this.state !== 'serving' || request.lastZxidSeen > this.tree.lastProcessedZxid) {
      this.#ports.logger.log(logLevels.info, 'connect request refused', {
        reason: this.state === 'serving' ? 'the client has seen a zxid that this server has not' : 'not serving',
        remoteAddress: connection.remoteAddress,
        lastZxidSeen: formatZxid(request.lastZxidSeen),
        zxid: formatZxid(this.tree.lastProcessedZxid),
      });
      this.close(connection);
      return;
    }
    const isRenewal = request.sessionHigh !== 0 || request.sessionLow !== 0;
    if (!this.connectionThrottle.admits(this.nowMs, isRenewal)) {
      this.statistics.connectionsThrottled++;
      this.close(connection);
      return;
    }
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.config;
    const timeoutMs = Math.min(Math.max(request.timeoutMs, minSessionTimeoutMs), maxSessionTimeoutMs);
    connection.state = 'opening';
    if (isRenewal) this.#resumeSession(connection, request, timeoutMs);
    else this.#createSession(connection, timeoutMs);
  }

  #createSession(connection: Connection, timeoutMs: number): void {
    const session = this.sessions.create(timeoutMs, this.nowMs);
    connection.session = session;
    session.connection = connection;
    const body = new Uint8Array(4);
    new DataView(body.buffer).setInt32(0, timeoutMs);
    this.#submit(OP.createSession, this.#requesterOf(session, connection), 0, connection, session, body, 0, 4);
  }

  /** The connection that has the session now is closed first, even if the password turns out wrong: as Apache does. */
  #resumeSession(connection: Connection, request: ConnectRequest, timeoutMs: number): void {
    const session = this.sessions.get(request.sessionHigh, request.sessionLow);
    const isValid =
      session !== undefined &&
      equalBytes(request.password ?? BYTES_NONE, sessionPassword(request.sessionHigh, request.sessionLow));
    if (session?.connection != null) this.close(session.connection);
    if (session === undefined || !isValid || session.isClosing || !session.isApplied) {
      this.#answerConnect(connection, null, 0);
      this.close(connection);
      return;
    }
    session.timeoutMs = timeoutMs;
    this.sessions.touch(session, this.nowMs);
    session.connection = connection;
    connection.session = session;
    connection.state = 'open';
    this.#answerConnect(connection, session, timeoutMs);
  }

  #answerConnect(connection: Connection, session: Session | null, timeoutMs: number): void {
    const high = session?.high ?? 0;
    const low = session?.low ?? 0;
    const password = session === null ? NO_PASSWORD : sessionPassword(high, low);
    const out = this.outOf(connection);
    writeConnectResponse(out, timeoutMs, high, low, password, connection.hasReadOnlyByte, false);
  }

  touch(connection: Connection): boolean {
    this.statistics.packetsReceived++;
    const session = connection.session;
    return session !== null && this.sessions.touch(session, this.nowMs);
  }

  prepareWrite(connection: Connection, op: number, xid: number, bytes: Uint8Array, start: number, end: number): void {
    const session = connection.session as Session;
    if (!this.#admitLarge(connection, end - start)) return;
    if (op === OP.closeSession) this.sessions.markClosing(session);
    const requester = this.#requesterOf(session, connection);
    this.#submit(op, requester, xid, connection, session, bytes, start, end);
  }

  #requesterOf(session: Session, connection: Connection | null): Requester {
    if (connection?.requester != null) return connection.requester;
    const requester: Requester = {
      sessionHigh: session.high,
      sessionLow: session.low,
      identities: connection?.identities ?? [],
      session,
      isInternal: connection === null,
    };
    if (connection !== null) connection.requester = requester;
    return requester;
  }

  #submit(
    op: number,
    requester: Requester,
    xid: number,
    connection: Connection | null,
    session: Session | null,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const zxid = this.#preparedZxid + 1;
    this.#preparedZxid = zxid;
    this.#preparer.prepare(this.#log.batch, op, requester, xid, zxid, this.wallMs, bytes, start, end);
    const frameBytes = end - start;
    this.#enterFlight(frameBytes);
    this.#committer.window.push({ zxid, op, xid, connection, session, receivedMs: this.nowMs, frameBytes });
    if (connection === null) return;
    connection.pendingWrites++;
    connection.lastWriteZxid = zxid;
  }

  submitCloseSession(session: Session): void {
    this.#ports.logger.log(logLevels.info, 'session expired', { timeoutMs: session.timeoutMs });
    this.statistics.sessionsExpired++;
    const requester = this.#requesterOf(session, null);
    this.#submit(OP.closeSession, requester, 0, null, session, BYTES_NONE, 0, 0);
  }

  submitInternal(op: number, bytes: Uint8Array, start: number, end: number): void {
    this.#submit(op, SERVER_ITSELF, 0, null, null, bytes, start, end);
  }

  /** Keeps a copy of the frame until the session's latest write is applied. */
  park(connection: Connection, bytes: Uint8Array, start: number, end: number): void {
    this.#enterFlight(end - start);
    connection.parked.push({
      frame: bytes.slice(start, end),
      afterZxid: connection.lastWriteZxid,
      receivedMs: this.nowMs,
    });
  }

  #serveParked(connection: Connection, zxid: number): void {
    const { parked } = connection;
    while (connection.parkedStart < parked.length) {
      const request = parked[connection.parkedStart] as ParkedRequest;
      if (request.afterZxid > zxid) return;
      connection.parkedStart++;
      this.#leaveFlight(request.frame.length);
      if (connection.state === 'open') {
        this.#intake.serve(connection, request.frame, 0, request.frame.length, request.receivedMs);
      }
    }
    parked.length = 0;
    connection.parkedStart = 0;
  }

  lastZxid(): number {
    return this.tree.lastProcessedZxid;
  }

  onServed(connection: Connection, row: OpRow, xid: number, receivedMs: number): void {
    this.statistics.onAnswered(connection, row.shortName, xid, this.tree.lastProcessedZxid, this.nowMs, receivedMs);
  }

  #notify(connection: Connection, type: number, path: number, acl: number, zxid: number): void {
    if (connection.state !== 'open') return;
    const acls = this.tree.acls.listOf(acl);
    // An event tells that the znode exists and changed: only to who may read it.
    if (acls !== null && !this.aclChecker.permits(acls, 1, connection.identities)) return;
    writeNotification(this.outOf(connection), zxid, type, this.tree.store, path);
  }

  // ---- commit ----

  #onDurable(batch: LogBatch): void {
    this.openTurn();
    if (this.state === 'failed') return;
    this.#noteSync(this.nowMs - this.#flushStartedMs);
    this.#applier.nowMs = this.nowMs;
    this.#committer.commitBatch(batch);
    this.snapshotter.onCommitted(batch.recordCount, batch.writer.length, this.#log);
    this.#log.recycle(batch);
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

  onCommitted(zxid: number): void {
    this.statistics.onCommitted(zxid, this.tree.digest);
  }

  onUndecodable(zxid: number, problem: string): void {
    this.#fail(`txn ${formatZxid(zxid)} cannot be applied: ${problem}`, EXIT_UNEXPECTED);
  }

  onSessionCreated(entry: InFlight): void {
    this.#leaveFlight(entry.frameBytes);
    const connection = entry.connection as Connection;
    connection.pendingWrites--;
    if (connection.state !== 'opening') return;
    connection.state = 'open';
    this.#answerConnect(connection, entry.session, (entry.session as Session).timeoutMs);
    this.statistics.onAnswered(connection, 'SESS', 0, entry.zxid, this.nowMs, entry.receivedMs);
    this.#process(connection);
  }

  onAnswered(entry: InFlight, connection: Connection): void {
    const shortName = SHORT_NAMES.get(entry.op) ?? 'NA';
    this.statistics.onAnswered(connection, shortName, entry.xid, entry.zxid, this.nowMs, entry.receivedMs);
  }

  onSettled(entry: InFlight): void {
    this.#leaveFlight(entry.frameBytes);
    const connection = entry.connection;
    if (connection === null) return;
    connection.pendingWrites--;
    this.#serveParked(connection, entry.zxid);
  }

  onSessionClosed(session: Session | null): void {
    if (session?.connection != null) this.close(session.connection);
  }

  /** Sizes that must be zero when nothing is in flight; the simulator checks them. */
  get queueSizes(): Readonly<Record<string, number>> {
    return {
      window: this.#committer.window.length,
      overlay: this.#overlay.size,
      inFlight: this.#inFlightCount,
      inFlightBytes: this.#inFlightBytes,
      batchRecords: this.#log.batch.recordCount,
      backlog: this.#backlog.length,
      paused: this.#paused.size,
    };
  }

  /** The owner of an ephemeral, for tools. */
  ownerOf(id: number): readonly [number, number] {
    return [this.tree.store.get(id, F.owner), this.tree.store.get(id, F.owner + 1)];
  }
}

const SHORT_NAMES: ReadonlyMap<number, string> = new Map(
  (
    [
      [OP.create, 'CREA'],
      [OP.create2, 'CREA'],
      [OP.createContainer, 'CREA'],
      [OP.createTTL, 'CREA'],
      [OP.delete, 'DELE'],
      [OP.deleteContainer, 'DELE'],
      [OP.setData, 'SETD'],
      [OP.setACL, 'SETA'],
      [OP.multi, 'MULT'],
      [OP.reconfig, 'RECO'],
      [OP.closeSession, 'CLOS'],
    ] as const
  ).map(([op, name]) => [op as number, name]),
);

function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}
