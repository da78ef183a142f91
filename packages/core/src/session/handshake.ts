/**
 * The handshake: a connect request becomes a new session (a txn) or resumes one, or the connection is closed.
 *
 * Refused without an answer, so that the client tries another server: while not serving, when the client has seen a zxid that
 * this server has not, when too many connect at once. Refused with zeros: a session that is unknown, closing, or whose
 * password is wrong. Source: ZooKeeper's processConnectRequest.
 */
import { type ByteWriter, type Logger, logLevels, type Prng } from '@zoots/base';
import { type ConnectRequest, formatZxid, writeConnectResponse } from '@zoots/protocol';
import type { CoreConfig } from '../ports.js';
import type { Statistics } from '../statistics.js';
import type { Connection } from './connection.js';
import { ConnectionThrottle } from './connection-throttle.js';
import { sessionPassword } from './password.js';
import type { Session, SessionTable } from './session-table.js';

const NO_PASSWORD = new Uint8Array(16);
const BYTES_NONE = new Uint8Array(0);

export interface HandshakeHost {
  readonly nowMs: number;
  readonly isServing: boolean;
  outOf(connection: Connection): ByteWriter;
  lastZxid(): number;
  close(connection: Connection): void;
}

/** Where sessions come from and live: here, or at a leader. */
export interface SessionOrigin {
  /** Without a leader: reads only, for clients that accept that. */
  readonly isReadOnly: boolean;
  /** New sessions are known to this server alone. */
  readonly makesLocalSessions: boolean;
  /** {@link Handshake.onCreated} follows. */
  createSession(connection: Connection, session: Session): void;
  /** Whether the session lives is for the leader to say: {@link Handshake.onRevalidated} follows. Null: it is for this server. */
  readonly askLeader: ((session: Session, timeoutMs: number) => void) | null;
  /** The session goes on at this server. */
  onResumed(session: Session): void;
}

interface AskedAbout {
  readonly connection: Connection;
  readonly session: Session;
  readonly timeoutMs: number;
}

const NOWHERE: SessionOrigin = {
  isReadOnly: false,
  makesLocalSessions: false,
  createSession: () => {},
  askLeader: null,
  onResumed: () => {},
};

export class Handshake {
  readonly #config: CoreConfig;
  readonly #sessions: SessionTable;
  readonly #statistics: Statistics;
  readonly #logger: Logger;
  readonly #host: HandshakeHost;
  readonly throttle: ConnectionThrottle;
  /** Set before the first request comes. */
  origin: SessionOrigin = NOWHERE;
  /** Sessions that the leader was asked about, in the order of the questions. */
  #asked: AskedAbout[] = [];

  constructor(
    config: CoreConfig,
    sessions: SessionTable,
    statistics: Statistics,
    logger: Logger,
    prng: Prng,
    host: HandshakeHost,
  ) {
    this.#config = config;
    this.#sessions = sessions;
    this.#statistics = statistics;
    this.#logger = logger;
    this.#host = host;
    this.throttle = new ConnectionThrottle(config.connectionThrottle, prng, host.nowMs);
  }

  onRequest(connection: Connection, request: ConnectRequest): void {
    const host = this.#host;
    connection.hasReadOnlyByte = request.hasReadOnly;
    const isUnfit = this.origin.isReadOnly && !request.readOnly;
    if (!host.isServing || isUnfit || request.lastZxidSeen > host.lastZxid()) {
      this.#logRefusal(connection, request);
      host.close(connection);
      return;
    }
    const isRenewal = request.sessionHigh !== 0 || request.sessionLow !== 0;
    if (!this.throttle.admits(host.nowMs, isRenewal)) {
      this.#statistics.connectionsThrottled++;
      host.close(connection);
      return;
    }
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#config;
    const timeoutMs = Math.min(Math.max(request.timeoutMs, minSessionTimeoutMs), maxSessionTimeoutMs);
    if (isRenewal) this.#resume(connection, request, timeoutMs);
    else this.#create(connection, timeoutMs);
  }

  #logRefusal(connection: Connection, request: ConnectRequest): void {
    // Clients come again and again while nobody is served.
    const level = this.#host.isServing ? logLevels.info : logLevels.debug;
    this.#logger.log(level, 'connect request refused', {
      reason: this.#reasonOf(request),
      remoteAddress: connection.remoteAddress,
      lastZxidSeen: formatZxid(request.lastZxidSeen),
      zxid: formatZxid(this.#host.lastZxid()),
    });
  }

  #reasonOf(request: ConnectRequest): string {
    if (!this.#host.isServing) return 'not serving';
    if (this.origin.isReadOnly && !request.readOnly) return 'read-only, and the client asks for more';
    return 'the client has seen a zxid that this server has not';
  }

  /** The answer comes when the createSession is applied; until then the connection's frames wait. */
  #create(connection: Connection, timeoutMs: number): void {
    const { nowMs } = this.#host;
    const { makesLocalSessions } = this.origin;
    const session = makesLocalSessions
      ? this.#sessions.createLocal(timeoutMs, nowMs)
      : this.#sessions.create(timeoutMs, nowMs);
    connection.state = 'opening';
    connection.session = session;
    session.connection = connection;
    if (makesLocalSessions) {
      this.onCreated(connection, session);
      return;
    }
    this.origin.createSession(connection, session);
  }

  onCreated(connection: Connection, session: Session): void {
    connection.state = 'open';
    this.#answer(connection, session, session.timeoutMs);
  }

  /** The connection that has the session now is closed first, even if the password turns out wrong: as Apache does. */
  #resume(connection: Connection, request: ConnectRequest, timeoutMs: number): void {
    const session = this.#sessions.get(request.sessionHigh, request.sessionLow);
    const { isReadOnly, askLeader } = this.origin;
    // Whether a global session lives is not known without a leader: another server may know.
    if (isReadOnly && session?.isApplied === true) {
      this.#host.close(connection);
      return;
    }
    if (session?.connection != null) this.#host.close(session.connection);
    const expected = sessionPassword(request.sessionHigh, request.sessionLow);
    const isKnown = equalBytes(request.password ?? BYTES_NONE, expected);
    if (isKnown && askLeader !== null && session?.isLocal !== true) {
      this.#ask(connection, request, timeoutMs, askLeader);
      return;
    }
    const lives = session !== undefined && !session.isClosing && (session.isApplied || session.isLocal);
    if (isKnown && lives) this.#goOn(connection, session, timeoutMs);
    else this.#refuse(connection);
  }

  /** This server may not have heard of the session yet; the leader has. */
  #ask(
    connection: Connection,
    { sessionHigh, sessionLow }: ConnectRequest,
    timeoutMs: number,
    ask: (session: Session, timeoutMs: number) => void,
  ): void {
    const known = this.#sessions.get(sessionHigh, sessionLow);
    const session = known ?? this.#sessions.add(sessionHigh, sessionLow, timeoutMs, this.#host.nowMs);
    connection.state = 'opening';
    connection.session = session;
    this.#asked.push({ connection, session, timeoutMs });
    ask(session, timeoutMs);
  }

  /** The leader has answered the oldest question about this session: the connection that goes on with it. */
  onRevalidated(high: number, low: number, isValid: boolean): Connection | null {
    const at = this.#asked.findIndex(({ session }) => session.high === high && session.low === low);
    if (at < 0) return null;
    const { connection, session, timeoutMs } = this.#asked.splice(at, 1)[0] as AskedAbout;
    if (!isValid && !session.isApplied && session.connection === null) this.#sessions.remove(session);
    if (connection.state !== 'opening') return null;
    if (isValid) {
      this.#goOn(connection, session, timeoutMs);
      return connection;
    }
    connection.session = null;
    this.#refuse(connection);
    return null;
  }

  /** There is no leader any more to answer. */
  forgetAsked(): void {
    this.#asked = [];
  }

  #refuse(connection: Connection): void {
    this.#answer(connection, null, 0);
    this.#host.close(connection);
  }

  #goOn(connection: Connection, session: Session, timeoutMs: number): void {
    // Two may have asked before the leader answered the first.
    if (session.connection !== null) this.#host.close(session.connection);
    session.timeoutMs = timeoutMs;
    this.#sessions.touch(session, this.#host.nowMs);
    session.connection = connection;
    connection.session = session;
    connection.state = 'open';
    this.origin.onResumed(session);
    this.#answer(connection, session, timeoutMs);
  }

  #answer(connection: Connection, session: Session | null, timeoutMs: number): void {
    const high = session?.high ?? 0;
    const low = session?.low ?? 0;
    const password = session === null ? NO_PASSWORD : sessionPassword(high, low);
    const out = this.#host.outOf(connection);
    writeConnectResponse(out, timeoutMs, high, low, password, connection.hasReadOnlyByte, this.origin.isReadOnly);
  }
}

function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}
