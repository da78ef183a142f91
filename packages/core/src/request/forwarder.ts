/**
 * Forwarder: on a learner, a write goes to the leader and comes back as a txn like any other server's. Who waits for it is found by
 * session and cxid, and must be the session's oldest; not the oldest of all, so that a leader that leaves one out stalls one session.
 *
 *   REQUEST: long sessionId, int cxid, int op, the request's body; and the client's identities
 *
 * A sync makes no txn. The leader answers syncs in the order in which they came, behind the commits of what was before them.
 * Source: ZooKeeper's Learner.request and CommitProcessor; reference, quorum protocol sections 4 and 8.
 */
import { ByteWriter } from '@zoots/base';
import { OP, PACKET } from '@zoots/protocol';
import type { Connection } from '../session/connection.js';
import type { InFlight, Session, SessionTable } from '../session/session-table.js';
import { NONE } from '../tree/znode-store.js';
import type { PeerStream } from '../zab/peer-stream.js';
import type { Applier } from './apply.js';
import type { InFlightSource } from './commit.js';
import type { FlowControl } from './flow-control.js';
import type { TurnTime } from './submission.js';

/** In front of a request's body: int xid, int op. */
const REQUEST_HEADER_BYTES = 8;

/** A sync that the leader has to answer. */
export interface PendingSync {
  readonly connection: Connection;
  readonly session: Session;
  /** The request, for its answer. */
  readonly frame: Uint8Array;
  readonly receivedMs: number;
}

export class Forwarder implements InFlightSource {
  readonly #applier: Applier;
  readonly #sessions: SessionTable;
  readonly #flow: FlowControl;
  readonly #time: TurnTime;
  readonly #data = new ByteWriter(1024);
  /** Waits for the leader's answer, oldest first. */
  syncs: PendingSync[] = [];
  /** To the leader; null while there is none. */
  stream: PeerStream | null = null;
  /** Requests on their way. */
  pendingCount = 0;

  constructor(applier: Applier, sessions: SessionTable, flow: FlowControl, time: TurnTime) {
    this.#applier = applier;
    this.#sessions = sessions;
    this.#flow = flow;
    this.#time = time;
  }

  /** A client's write; its body is `bytes` from `start` to `end`. */
  forward(
    connection: Connection,
    op: number,
    xid: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    create2Parts: ReadonlySet<number> | null,
  ): void {
    const session = connection.session as Session;
    this.#send(session, xid, op, connection, bytes, start, end);
    this.#flow.enter(end - start);
    session.forwarded.push({
      zxid: -1,
      op,
      xid,
      connection,
      session,
      receivedMs: this.#time.nowMs,
      frameBytes: end - start,
      znode: NONE,
      parent: NONE,
      contentCrc: 0,
      create2Parts,
    });
    session.writesSubmitted++;
    connection.pendingWrites++;
    this.pendingCount++;
  }

  createSession(connection: Connection, session: Session): void {
    const body = new Uint8Array(4);
    new DataView(body.buffer).setInt32(0, session.timeoutMs);
    this.forward(connection, OP.createSession, 0, body, 0, 4, null);
  }

  sync(pending: PendingSync, xid: number): void {
    const { connection, session, frame } = pending;
    this.#send(session, xid, OP.sync, connection, frame, REQUEST_HEADER_BYTES, frame.length);
    this.syncs.push(pending);
  }

  #send(
    session: Session,
    xid: number,
    op: number,
    connection: Connection,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const data = this.#data;
    data.clear();
    data.int32(session.high);
    data.int32(session.low);
    data.int32(xid);
    data.int32(op);
    data.raw(bytes, start, end);
    const identities = op === OP.createSession ? null : connection.identities;
    this.stream?.send(PACKET.request, -1, data.bytes, 0, data.length, identities);
  }

  /** Who waits for the entry; null if it was asked for elsewhere. */
  take(bytes: Uint8Array, start: number, end: number): InFlight | null {
    if (!this.#applier.peek(bytes, start, end)) return null;
    const { sessionHigh, sessionLow, cxid, type } = this.#applier.header;
    const session = this.#sessions.get(sessionHigh, sessionLow);
    if (session === undefined || session.forwarded.length === 0) return null;
    const at = placeOf(session.forwarded, cxid, type);
    if (at < 0) return null;
    for (let i = 0; i < at; i++) this.#letGo(session.forwarded[i] as InFlight);
    this.pendingCount--;
    return session.forwarded.splice(0, at + 1)[at] as InFlight;
  }

  /** No answer will come: nobody waits for it any more. */
  #letGo({ connection, session, frameBytes }: InFlight): void {
    this.#flow.leave(frameBytes);
    if (session !== null) session.writesSettled++;
    if (connection !== null) connection.pendingWrites--;
    this.pendingCount--;
  }

  /** The session is over before its requests came back: what comes of them finds nobody. */
  forget(session: Session): void {
    for (const entry of session.forwarded) this.#letGo(entry);
    session.forwarded = [];
  }

  /** The role ended. */
  drop(): void {
    // The flow control is reset as a whole: a session that is closed while the role is wound up must not leave it again.
    for (const session of this.#sessions.all()) session.forwarded = [];
    this.syncs = [];
    this.stream = null;
    this.pendingCount = 0;
  }
}

/**
 * Answers come in the order of the requests, so that only the oldest is waited for; what a closed connection asked may be left out. Looking
 * any further would be wrong: clients begin to count anew with each connection (kazoo does), and what the session asked elsewhere before it
 * came here may have the number of a request that is on its way.
 */
function placeOf(forwarded: readonly InFlight[], cxid: number, type: number): number {
  for (let at = 0; at < forwarded.length; at++) {
    const { xid, op, connection } = forwarded[at] as InFlight;
    if (xid === cxid && isAnswerTo(op, type)) return at;
    if (connection?.state !== 'closed') return -1;
  }
  return -1;
}

/** The server's own requests for a session have cxid 0, as clients' first ones may. */
function isAnswerTo(op: number, type: number): boolean {
  if (type === OP.error) return true;
  return isAboutSession(op) || isAboutSession(type) ? op === type : true;
}

function isAboutSession(op: number): boolean {
  return op === OP.createSession || op === OP.closeSession;
}
