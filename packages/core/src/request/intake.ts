/**
 * Intake: bytes of a connection become requests, and each goes its way: answered now, parked behind the session's own writes,
 * or prepared. The op table says which.
 *
 * Nothing a client sends may stop the server: a frame that makes no sense is answered with a code or closes its connection.
 */
import type { ByteReader, ByteWriter } from '@zoots/base';
import {
  type ConnectRequest,
  commandWordOf,
  ERROR,
  OP,
  type OpRow,
  opRow,
  readConnectRequest,
  XID,
} from '@zoots/protocol';
import type { Connection } from '../session/connection.js';
import type { Authenticator } from './auth.js';
import { READ, type ReadContext } from './read.js';
import { beginReply, endReply, failReply, writeBareReply } from './reply.js';
import { SESSION_OPS } from './session-ops.js';

const REQUEST_HEADER_BYTES = 8;
const UNKNOWN_OP_ZXID = -1;

/** What intake needs of the server. */
export interface IntakeHost {
  readonly nowMs: number;
  readonly frameBytesMax: number;
  readonly reader: ByteReader;
  outOf(connection: Connection): ByteWriter;
  /** May the connection's next frame be handled now? If not, it is paused. */
  mayProceed(connection: Connection): boolean;
  onConnectRequest(connection: Connection, request: ConnectRequest): void;
  onCommandWord(connection: Connection, word: string, bytes: Uint8Array, start: number, end: number): void;
  /** False: the session is gone or closing, its requests are dropped. */
  touch(connection: Connection): boolean;
  prepareWrite(connection: Connection, op: number, xid: number, bytes: Uint8Array, start: number, end: number): void;
  /** True if a leader has to answer the sync first; it is served then. */
  mustSync(connection: Connection, xid: number, bytes: Uint8Array, start: number, end: number): boolean;
  /** Must the request wait for a write of its session? */
  mustWait(connection: Connection): boolean;
  park(connection: Connection, bytes: Uint8Array, start: number, end: number): void;
  /** Why this server does not take the write now: a code, or 0. */
  refusalOf(connection: Connection, op: number, bytes: Uint8Array, start: number, end: number): number;
  /** True if the request waited so long that it must be answered THROTTLEDOP. */
  isThrottled(connection: Connection, row: OpRow): boolean;
  onServed(connection: Connection, row: OpRow, xid: number, receivedMs: number): void;
  close(connection: Connection): void;
  lastZxid(): number;
}

export class Intake {
  readonly #host: IntakeHost;
  readonly #context: ReadContext;
  readonly #authenticator: Authenticator;

  constructor(host: IntakeHost, context: ReadContext, authenticator: Authenticator) {
    this.#host = host;
    this.#context = context;
    this.#authenticator = authenticator;
  }

  /** Handles up to `framesMax` frames of what the connection has; true if more are left for another turn. */
  process(connection: Connection, framesMax: number): boolean {
    const frames = connection.frames;
    for (let count = 0; count < framesMax; count++) {
      if (connection.state === 'closed') return false;
      if (connection.state === 'opening' || !this.#host.mayProceed(connection)) {
        frames.keepRest();
        return false;
      }
      const result = frames.next(this.#host.frameBytesMax);
      if (result === 'more') return false;
      if (result === 'bad-length') this.#onBadLength(connection);
      else this.#onFrame(connection, frames.bytes, frames.start, frames.end);
    }
    frames.keepRest();
    return connection.state !== 'closed' && frames.carriedBytes > 0;
  }

  #onBadLength(connection: Connection): void {
    const word = connection.state === 'new' ? commandWordOf(connection.frames.lengthField) : undefined;
    if (word === undefined) {
      this.#host.close(connection);
      return;
    }
    const rest = connection.frames.rest();
    this.#host.onCommandWord(connection, word, rest.bytes, rest.start, rest.end);
  }

  #onFrame(connection: Connection, bytes: Uint8Array, start: number, end: number): void {
    connection.packetsReceived++;
    if (connection.state === 'new') {
      const request = readConnectRequest(this.#host.reader.reset(bytes, start, end));
      if (request === null) this.#host.close(connection);
      else this.#host.onConnectRequest(connection, request);
      return;
    }
    if (end - start < REQUEST_HEADER_BYTES) {
      this.#host.close(connection);
      return;
    }
    this.#onRequest(connection, bytes, start, end);
  }

  #onRequest(connection: Connection, bytes: Uint8Array, start: number, end: number): void {
    const host = this.#host;
    const reader = host.reader.reset(bytes, start, end);
    const xid = reader.int32();
    const op = reader.int32();
    const row = opRow(op);
    if (row?.flow === 'immediate') {
      this.#onImmediate(connection, row, xid, reader);
      return;
    }
    if (!this.#authenticator.isAdmitted(connection)) {
      writeBareReply(host.outOf(connection), xid, 0, ERROR.sessionClosedRequireSaslAuth);
      host.close(connection);
      return;
    }
    if (!host.touch(connection)) return;
    if (row === undefined) {
      writeBareReply(host.outOf(connection), xid, UNKNOWN_OP_ZXID, ERROR.unimplemented);
      host.close(connection);
      return;
    }
    const isTaken = row.flow === 'write' && !host.isThrottled(connection, row) && !this.#mustQueue(connection, op);
    if (isTaken && host.refusalOf(connection, op, bytes, reader.offset, end) === ERROR.ok) {
      host.prepareWrite(connection, op, xid, bytes, start + REQUEST_HEADER_BYTES, end);
    } else if (op === OP.sync && host.mustSync(connection, xid, bytes, start, end)) return;
    else if (host.mustWait(connection)) host.park(connection, bytes, start, end);
    else this.serve(connection, bytes, start, end, host.nowMs);
  }

  #onImmediate(connection: Connection, row: OpRow, xid: number, reader: ByteReader): void {
    const host = this.#host;
    const out = (): ByteWriter => host.outOf(connection);
    const accepted =
      row.code === OP.sasl
        ? this.#authenticator.sasl(xid, reader, out)
        : this.#authenticator.auth(connection, xid, reader, out);
    if (!accepted) host.close(connection);
  }

  /** Answers a read or session request from the tree as it is. The frame was checked when it came. */
  serve(connection: Connection, bytes: Uint8Array, start: number, end: number, receivedMs: number): void {
    const host = this.#host;
    const reader = host.reader.reset(bytes, start, end);
    const xid = reader.int32();
    const op = reader.int32();
    const row = opRow(op) as OpRow;
    if (isLocalClose(connection, op)) {
      host.prepareWrite(connection, op, xid, bytes, start + REQUEST_HEADER_BYTES, end);
      return;
    }
    const refusal = this.#refusalOf(connection, row, bytes, start + REQUEST_HEADER_BYTES, end);
    if (refusal !== ERROR.ok) writeBareReply(host.outOf(connection), xid, host.lastZxid(), refusal);
    else if (row.flow === 'read') this.#serveRead(connection, op, xid, reader);
    else this.#serveSessionOp(connection, op, xid, reader);
    host.onServed(connection, row, xid, receivedMs);
  }

  /** The end of a local session makes no txn that would come behind the writes before it. */
  #mustQueue(connection: Connection, op: number): boolean {
    return isLocalClose(connection, op) && this.#host.mustWait(connection);
  }

  /** Writes that come here are those that were not taken on. */
  #refusalOf(connection: Connection, row: OpRow, bytes: Uint8Array, start: number, end: number): number {
    const host = this.#host;
    const refusal = host.refusalOf(connection, row.code, bytes, start, end);
    if (refusal !== ERROR.ok) return refusal;
    return row.flow === 'write' || host.isThrottled(connection, row) ? ERROR.throttledOp : ERROR.ok;
  }

  #serveRead(connection: Connection, op: number, xid: number, reader: ByteReader): void {
    const out = this.#host.outOf(connection);
    const frame = beginReply(out, xid, this.#host.lastZxid());
    const loanBytesBefore = connection.loanBytes;
    const read = READ.get(op) as NonNullable<ReturnType<typeof READ.get>>;
    const code = read(this.#context, connection, reader, out);
    if (code === ERROR.ok) endReply(out, frame, connection.loanBytes - loanBytesBefore);
    else failReply(out, frame, code);
  }

  #serveSessionOp(connection: Connection, op: number, xid: number, reader: ByteReader): void {
    const out = this.#host.outOf(connection);
    const row = SESSION_OPS.get(op) as NonNullable<ReturnType<typeof SESSION_OPS.get>>;
    if (!row.hasBody) {
      const code = row.run(this.#context, connection, reader, out);
      writeBareReply(out, op === OP.ping ? XID.ping : xid, this.#host.lastZxid(), code);
      return;
    }
    const frame = beginReply(out, xid, this.#host.lastZxid());
    const code = row.run(this.#context, connection, reader, out);
    if (code === ERROR.ok) endReply(out, frame);
    else failReply(out, frame, code);
  }
}

function isLocalClose({ session }: Connection, op: number): boolean {
  return op === OP.closeSession && session?.isLocal === true;
}
