/**
 * Membership: the server's place in its ensemble, as far as clients feel it. One question is answered here: who orders this write?
 * This server (it stands alone, or leads), or its leader (the request is forwarded). And when the role changes, what was in
 * flight under the old one is dropped, and the parts are set for the new one.
 *
 * Which role it is, and how it came to it, is zab/peer.ts's business.
 */
import type { ByteWriter } from '@zoots/base';
import { ERROR, makeZxid, OP, opRow } from '@zoots/protocol';
import type { LogBatch } from '@zoots/storage';
import type { Database } from './database.js';
import type { Expiry } from './expiry.js';
import type { CoreConfig, Ports } from './ports.js';
import type { Applier } from './request/apply.js';
import { type Committer, NOBODY_WAITS } from './request/commit.js';
import { asksForEphemeral } from './request/ephemeral-requests.js';
import type { FlowControl } from './request/flow-control.js';
import { Forwarder, type PendingSync } from './request/forwarder.js';
import type { Overlay } from './request/outstanding.js';
import { create2PartsOf } from './request/prepare-multi.js';
import { writeBareReply } from './request/reply.js';
import type { Proposer, Submission } from './request/submission.js';
import type { Connection } from './session/connection.js';
import type { Handshake, SessionOrigin } from './session/handshake.js';
import type { Session, SessionTable } from './session/session-table.js';
import type { Tree } from './tree/tree.js';
import type { CommittedLog } from './zab/committed-log.js';
import type { MemberHost } from './zab/member.js';
import { Peer } from './zab/peer.js';
import type { PeerStream } from './zab/peer-stream.js';

export interface MembershipParts {
  readonly config: CoreConfig;
  readonly ports: Ports;
  readonly tree: Tree;
  readonly sessions: SessionTable;
  readonly database: Database;
  readonly applier: Applier;
  readonly committer: Committer;
  readonly committedLog: CommittedLog | null;
  readonly submission: Submission;
  readonly overlay: Overlay;
  readonly flow: FlowControl;
  readonly handshake: Handshake;
  readonly expiry: Expiry;
}

/** What membership asks of the server. */
export interface MembershipHost {
  readonly nowMs: number;
  readonly wallMs: number;
  openTurn(): void;
  /** Clients may come. */
  serve(): void;
  /** Clients are disconnected, and none may come. */
  stopServing(): void;
  fail(reason: string, exitCode: number): void;
  /** A leader has everything that was before the sync: answer it, and let go on what waits behind it. */
  onSyncDone(sync: PendingSync): void;
  outOf(connection: Connection): ByteWriter;
  onSessionClosed(session: Session): void;
  /** The session has come to this connection. */
  process(connection: Connection): void;
}

export class Membership implements MemberHost, Proposer, SessionOrigin {
  /** Null: the server stands alone. */
  readonly peer: Peer | null;
  readonly #parts: MembershipParts;
  readonly #host: MembershipHost;
  readonly #forwarder: Forwarder;
  /** On a learner: sessions heard of since the leader was told last. */
  readonly #touched = new Set<Session>();
  /** Writes of clients are ordered elsewhere. */
  #isLearner = false;

  constructor(parts: MembershipParts, host: MembershipHost) {
    this.#parts = parts;
    this.#host = host;
    const { config, ports, committedLog, applier, sessions, flow } = parts;
    this.#forwarder = new Forwarder(applier, sessions, flow, host);
    parts.handshake.origin = this;
    const rules = config.ensemble ?? null;
    const net = ports.quorumNet ?? null;
    this.peer =
      rules === null || net === null || committedLog === null
        ? null
        : new Peer({ ...parts, committedLog, rules, net, touched: this.#touched, host: this });
  }

  get nowMs(): number {
    return this.#host.nowMs;
  }

  get wallMs(): number {
    return this.#host.wallMs;
  }

  // ---- who orders this write? ----

  /** Without a leader: reads only. */
  get isReadOnly(): boolean {
    return this.peer?.role === 'read-only';
  }

  get makesLocalSessions(): boolean {
    return this.isReadOnly || this.#parts.config.ensemble?.localSessionsEnabled === true;
  }

  /** Why the write (or sync) is not taken now: a code, or 0. The body is `bytes` from `start` to `end`. */
  refusalOf(connection: Connection, op: number, bytes: Uint8Array, start: number, end: number): number {
    if (this.peer === null) return ERROR.ok;
    const isLocal = connection.session?.isLocal === true;
    if (this.isReadOnly && isWriteOrSync(op)) return isLocal && op === OP.closeSession ? ERROR.ok : ERROR.notReadOnly;
    if (!isLocal || this.#parts.config.ensemble?.localSessionsUpgradingEnabled === true) return ERROR.ok;
    return asksForEphemeral(op, bytes, start, end) ? ERROR.ephemeralOnLocalSession : ERROR.ok;
  }

  write(connection: Connection, op: number, xid: number, bytes: Uint8Array, start: number, end: number): void {
    const session = connection.session as Session;
    if (op === OP.closeSession) this.#parts.sessions.markClosing(session);
    if (op === OP.closeSession && session.isLocal) {
      writeBareReply(this.#host.outOf(connection), xid, this.#parts.tree.lastProcessedZxid, ERROR.ok);
      this.#endLocal(session);
      return;
    }
    if (session.isLocal && asksForEphemeral(op, bytes, start, end)) {
      this.#parts.sessions.makeGlobal(session);
      this.createSession(connection, session);
    }
    if (!this.#isLearner) {
      this.#parts.submission.clientWrite(connection, op, xid, bytes, start, end);
      return;
    }
    const create2Parts = op === OP.multi ? create2PartsOf(bytes, start, end) : null;
    this.#forwarder.forward(connection, op, xid, bytes, start, end, create2Parts);
  }

  /** Its time is up. */
  expireSession(session: Session): void {
    if (session.isLocal) this.#endLocal(session);
    else this.#parts.submission.expireSession(session);
  }

  /** No txn made it, and none closes it. */
  #endLocal(session: Session): void {
    this.#parts.sessions.remove(session);
    this.#host.onSessionClosed(session);
  }

  createSession(connection: Connection, session: Session): void {
    if (this.#isLearner) this.#forwarder.createSession(connection, session);
    else this.#parts.submission.createSession(connection, session);
  }

  /** True if a leader has to answer first. */
  sync(sync: PendingSync, xid: number): void {
    if (this.#isLearner) this.#forwarder.sync(sync, xid);
    else this.peer?.sync(() => this.#host.onSyncDone(sync));
  }

  get askLeader(): ((session: Session, timeoutMs: number) => void) | null {
    return this.#isLearner ? (session, timeoutMs) => this.peer?.askToRevalidate(session, timeoutMs) : null;
  }

  onResumed(session: Session): void {
    if (this.#isLearner) this.onTouched(session);
    else this.#parts.submission.own(session);
  }

  /** The session was heard of. */
  onTouched(session: Session): void {
    if (this.#isLearner && !session.isLocal) this.#touched.add(session);
  }

  onSessionClosed(session: Session): void {
    this.#forwarder.forget(session);
  }

  /** Requests that wait for a leader. */
  get forwardedCount(): number {
    return this.#forwarder.pendingCount;
  }

  get syncCount(): number {
    return this.#forwarder.syncs.length + (this.peer?.pendingSyncCount ?? 0);
  }

  // ---- what the leader says ----

  commitUpTo(zxid: number): void {
    this.#parts.applier.nowMs = this.nowMs;
    this.#parts.database.pipeline.commitUpTo(zxid);
  }

  onSynced(): void {
    const sync = this.#forwarder.syncs.shift();
    if (sync !== undefined) this.#host.onSyncDone(sync);
  }

  onRevalidated(high: number, low: number, isValid: boolean): void {
    const connection = this.#parts.handshake.onRevalidated(high, low, isValid);
    if (connection !== null) this.#host.process(connection);
  }

  // ---- leading ----

  onPrepared(zxid: number, { writer, entryStart, entryEnd }: LogBatch): void {
    this.peer?.onProposed(zxid, writer.bytes, entryStart, entryEnd);
  }

  onSpent(): void {
    this.peer?.resign('the epoch has no zxids left');
  }

  // ---- roles ----

  /** The log is on disk up to here: alone, that commits it. */
  onDurable(zxid: number): void {
    if (this.peer === null) this.commitUpTo(zxid);
    else this.peer.onDurable(zxid);
  }

  /** The database is open. */
  start(done: (problem: string | null) => void): void {
    this.#parts.committer.source = NOBODY_WAITS;
    this.peer?.start(done);
  }

  serveAsLeader(epoch: number): void {
    const { config, tree, sessions, submission, committer, expiry } = this.#parts;
    const zxid = makeZxid(epoch, 0);
    tree.lastProcessedZxid = zxid;
    submission.preparedZxid = zxid;
    submission.proposer = this;
    committer.source = committer.window;
    this.#isLearner = false;
    sessions.judgeGlobal(true);
    submission.takesLocalSessionsBut = config.ensemble?.localSessionsEnabled === true ? config.sessionServerId : null;
    expiry.isJudging = true;
    this.#host.serve();
  }

  serveAsLearner(stream: PeerStream): void {
    this.#parts.committer.source = this.#forwarder;
    this.#forwarder.stream = stream;
    this.#isLearner = true;
    this.#parts.expiry.isJudging = false;
    this.#parts.sessions.judgeGlobal(false);
    this.#host.serve();
  }

  serveReadOnly(): void {
    this.#parts.expiry.isJudging = false;
    this.#parts.sessions.judgeGlobal(false);
    this.#host.serve();
  }

  withdraw(): void {
    const { submission, committer, handshake, flow, overlay } = this.#parts;
    this.#host.stopServing();
    submission.proposer = null;
    committer.source = NOBODY_WAITS;
    committer.window.clear();
    this.#forwarder.drop();
    handshake.forgetAsked();
    flow.reset();
    overlay.reset();
    this.#isLearner = false;
  }

  onWithdrawn(): void {
    this.#parts.sessions.dropInFlight();
    this.#parts.overlay.reset();
  }

  openTurn(): void {
    this.#host.openTurn();
  }

  fail(reason: string, exitCode: number): void {
    this.#host.fail(reason, exitCode);
  }
}

function isWriteOrSync(op: number): boolean {
  return op === OP.sync || opRow(op)?.flow === 'write';
}
