/**
 * Submission: a write gets the next zxid, is prepared into the log batch, and enters the window, where its commit will find
 * who asked. Clients' writes, the server's own (expiry, containers) and session txns all come through here.
 */
import { OP } from '@zoots/protocol';
import type { TxnLog } from '@zoots/storage';
import type { Connection } from '../session/connection.js';
import type { Requester } from '../session/requester.js';
import type { Session } from '../session/session-table.js';
import type { Window } from './commit.js';
import type { FlowControl } from './flow-control.js';
import { type Preparer, SERVER_ITSELF } from './prepare.js';

const NO_BYTES = new Uint8Array(0);

/** The log is another one after the database was brought into another state. */
export interface LogHolder {
  readonly log: TxnLog;
}

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
  readonly #sessionBody = new Uint8Array(4);
  readonly #sessionView = new DataView(this.#sessionBody.buffer);
  /** Zxid of the last txn prepared. */
  preparedZxid = 0;

  constructor(preparer: Preparer, database: LogHolder, window: Window, flow: FlowControl, time: TurnTime) {
    this.#preparer = preparer;
    this.#database = database;
    this.#window = window;
    this.#flow = flow;
    this.#time = time;
  }

  /** A client's request; its body is `bytes` from `start` to `end`. */
  clientWrite(connection: Connection, op: number, xid: number, bytes: Uint8Array, start: number, end: number): void {
    const session = connection.session as Session;
    this.#submit(op, requesterOf(session, connection), xid, connection, session, bytes, start, end);
  }

  createSession(connection: Connection, session: Session): void {
    this.#sessionView.setInt32(0, session.timeoutMs);
    const requester = requesterOf(session, connection);
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
  ): void {
    const zxid = ++this.preparedZxid;
    const { nowMs, wallMs } = this.#time;
    this.#preparer.prepare(this.#database.log.batch, op, requester, xid, zxid, wallMs, bytes, start, end);
    const { create2Parts } = this.#preparer;
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
      create2Parts: create2Parts.length === 0 ? null : new Set(create2Parts),
    });
    if (session !== null) session.writesSubmitted++;
    if (connection !== null) connection.pendingWrites++;
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
