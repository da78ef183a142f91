/**
 * Submission: a write gets the next zxid, is prepared into the log batch, and enters the window, where its commit will find
 * who asked. Clients' writes, the server's own (expiry, containers) and session txns all come through here.
 */

import { ByteReader } from '@zoots/base';
import { counterOf, ERROR, type Id, OP } from '@zoots/protocol';
import type { LogBatch, TxnLog } from '@zoots/storage';
import type { Connection } from '../session/connection.js';
import type { Requester } from '../session/requester.js';
import type { Session, SessionTable } from '../session/session-table.js';
import type { Window } from './commit.js';
import type { FlowControl } from './flow-control.js';
import { type Preparer, SERVER_ITSELF } from './prepare.js';

const NO_BYTES = new Uint8Array(0);

/** The log is another one after the database was brought into another state. */
export interface LogHolder {
  readonly log: TxnLog;
}

/** A leader tells its learners what was prepared. */
export interface Proposer {
  onPrepared(zxid: number, batch: LogBatch): void;
  /** The last zxid of the epoch is given: nothing more can be ordered. */
  onSpent(): void;
}

/** The owner of sessions whose clients are connected to this server. */
const THIS_SERVER = {};
/** Never given: the counter would run over into the epoch. */
const COUNTER_MAX = 0xffffffff;

/** The turn's time. */
export interface TurnTime {
  readonly nowMs: number;
  readonly wallMs: number;
}

export class Submission {
  readonly #preparer: Preparer;
  readonly #database: LogHolder;
  readonly #window: Window;
  readonly #flow: FlowControl;
  readonly #time: TurnTime;
  readonly #sessions: SessionTable;
  readonly #reader = new ByteReader();
  /** Set while this server leads an ensemble. */
  proposer: Proposer | null = null;
  /** Servers may have local sessions, and the one with this id is this server; null: nobody has. */
  takesLocalSessionsBut: number | null = null;
  readonly #sessionBody = new Uint8Array(4);
  readonly #sessionView = new DataView(this.#sessionBody.buffer);
  /** Zxid of the last txn prepared. */
  preparedZxid = 0;

  constructor(
    preparer: Preparer,
    database: LogHolder,
    window: Window,
    flow: FlowControl,
    host: TurnTime & { readonly sessions: SessionTable },
  ) {
    this.#sessions = host.sessions;
    this.#preparer = preparer;
    this.#database = database;
    this.#window = window;
    this.#flow = flow;
    this.#time = host;
  }

  /** A client's request; its body is `bytes` from `start` to `end`. */
  clientWrite(connection: Connection, op: number, xid: number, bytes: Uint8Array, start: number, end: number): void {
    const session = connection.session as Session;
    const refusal = this.#claim(session, THIS_SERVER) ? ERROR.ok : ERROR.sessionMoved;
    this.#submit(op, requesterOf(session, connection), xid, connection, session, bytes, start, end, refusal);
  }

  /** Who sends the first request of a session owns it, until another server revalidates it. */
  #claim(session: Session, owner: object): boolean {
    if (this.proposer === null) return true;
    session.owner ??= owner;
    return session.owner === owner;
  }

  /** The session is resumed on this server. */
  own(session: Session): void {
    if (this.proposer !== null) session.owner = THIS_SERVER;
  }

  /**
   * A client of a learner asks. Exactly one txn comes of it, an error txn if need be: the learner waits for it, and Apache's
   * learners let nobody else pass meanwhile.
   */
  remote(
    owner: object,
    high: number,
    low: number,
    cxid: number,
    op: number,
    identities: readonly Id[],
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const known = this.#sessions.get(high, low);
    const session = op === OP.createSession ? this.#newcomer(high, low, bytes, start, end) : (known ?? null);
    let refusal: number = ERROR.ok;
    if (op === OP.createSession) (session as Session).owner = owner;
    else if (op === OP.closeSession) {
      if (session !== null) this.#sessions.markClosing(session);
    } else if (session === null) refusal = this.#mayBeLocal(high) ? ERROR.ok : ERROR.sessionExpired;
    else if (session.isClosing) refusal = ERROR.sessionExpired;
    else if (!this.#claim(session, owner)) refusal = ERROR.sessionMoved;
    const requester: Requester = { sessionHigh: high, sessionLow: low, identities, session, isInternal: false };
    this.#submit(op, requester, cxid, null, session, bytes, start, end, refusal);
  }

  /** Local sessions of other servers are unknown here. */
  #mayBeLocal(high: number): boolean {
    return this.takesLocalSessionsBut !== null && high >>> 24 !== this.takesLocalSessionsBut;
  }

  #newcomer(high: number, low: number, bytes: Uint8Array, start: number, end: number): Session {
    const timeoutMs = this.#reader.reset(bytes, start, end).int32();
    const known = this.#sessions.get(high, low);
    return known ?? this.#sessions.add(high, low, timeoutMs, this.#time.nowMs);
  }

  createSession(connection: Connection, session: Session): void {
    this.#sessionView.setInt32(0, session.timeoutMs);
    const requester = requesterOf(session, connection);
    this.#claim(session, THIS_SERVER);
    this.#submit(OP.createSession, requester, 0, connection, session, this.#sessionBody, 0, 4);
  }

  /** The session's time is up. */
  expireSession(session: Session): void {
    this.#submit(OP.closeSession, requesterOf(session, null), 0, null, session, NO_BYTES, 0, 0);
  }

  ownWrite(op: number, bytes: Uint8Array, start: number, end: number): void {
    this.#submit(op, SERVER_ITSELF, 0, null, null, bytes, start, end);
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
    refusal: number = ERROR.ok,
  ): void {
    if (this.proposer !== null && counterOf(this.preparedZxid + 1) === COUNTER_MAX) {
      this.proposer.onSpent();
      return;
    }
    const zxid = ++this.preparedZxid;
    const { nowMs, wallMs } = this.#time;
    const { batch } = this.#database.log;
    this.#preparer.prepare(batch, op, requester, xid, zxid, wallMs, bytes, start, end, refusal);
    const { create2Parts, znode, parent, contentCrc } = this.#preparer;
    const frameBytes = end - start;
    this.#flow.enter(frameBytes);
    this.#window.push({
      zxid,
      op,
      xid,
      connection,
      session,
      receivedMs: nowMs,
      frameBytes,
      znode,
      parent,
      contentCrc,
      create2Parts: create2Parts.length === 0 ? null : new Set(create2Parts),
    });
    if (session !== null) session.writesSubmitted++;
    if (connection !== null) connection.pendingWrites++;
    this.proposer?.onPrepared(zxid, batch);
  }
}

/** Made once per connection. */
function requesterOf(session: Session, connection: Connection | null): Requester {
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
