/**
 * Parking: a read that comes behind a write of the same session waits until that write is applied and answered. The frame is
 * copied and served then, so that every session sees its own writes, and its answers in the order of its requests.
 */
import { ByteWriter } from '@zoots/base';
import type { Connection } from '../session/connection.js';
import type { Session } from '../session/session-table.js';
import type { FlowControl } from './flow-control.js';

/** Answers a request from the tree as it is. */
export type ServeParked = (
  connection: Connection,
  bytes: Uint8Array,
  start: number,
  end: number,
  receivedMs: number,
) => void;

/** Of a parked request: so many writes of the session must be settled before it, when it came, where its frame ends. */
const NUMBERS = 3;
const END = 2;
/** So many numbers of requests that are served may stand before those that wait. */
const SPENT_NUMBERS_MAX = 256 * NUMBERS;
/** Larger buffers are not kept. */
const POOLED_BYTES_MAX = 64 * 1024;
const POOLED_LOTS_MAX = 1024;

/**
 * The requests of one connection that wait, oldest first: their frames back to back in one buffer, so that a waiting request
 * makes no object. An array of its own for each, with a DataView to read it, was a sixth of the core's work for 70 % reads.
 */
export class ParkingLot {
  readonly #frames = new ByteWriter(1024);
  readonly #numbers: number[] = [];
  #head = 0;
  #headFrame = 0;

  get length(): number {
    return (this.#numbers.length - this.#head) / NUMBERS;
  }

  get bytes(): Uint8Array {
    return this.#frames.bytes;
  }

  /** Of the oldest. */
  get afterWrites(): number {
    return this.#numbers[this.#head] as number;
  }

  get receivedMs(): number {
    return this.#numbers[this.#head + 1] as number;
  }

  get start(): number {
    return this.#headFrame;
  }

  get end(): number {
    return this.#numbers[this.#head + END] as number;
  }

  push(bytes: Uint8Array, start: number, end: number, afterWrites: number, receivedMs: number): void {
    if (this.#head > SPENT_NUMBERS_MAX && this.#head * 2 > this.#numbers.length) this.#closeUp();
    this.#frames.raw(bytes, start, end);
    this.#numbers.push(afterWrites, receivedMs, this.#frames.length);
  }

  /** Forgets the oldest. Its bytes stay as they are until the next {@link push}. */
  shift(): void {
    this.#headFrame = this.end;
    this.#head += NUMBERS;
    if (this.#head === this.#numbers.length) this.clear();
  }

  /** A busy session may always have something that waits: what is spent goes even so. */
  #closeUp(): void {
    const frames = this.#frames;
    const spentBytes = this.#headFrame;
    frames.bytes.copyWithin(0, spentBytes, frames.length);
    frames.length -= spentBytes;
    this.#numbers.splice(0, this.#head);
    for (let at = END; at < this.#numbers.length; at += NUMBERS)
      this.#numbers[at] = (this.#numbers[at] as number) - spentBytes;
    this.#head = 0;
    this.#headFrame = 0;
  }

  clear(): void {
    this.#frames.clear();
    this.#numbers.length = 0;
    this.#head = 0;
    this.#headFrame = 0;
  }
}

export class Parking {
  readonly #flow: FlowControl;
  readonly #serve: ServeParked;
  /** Without requests. A connection has one only while something of it waits. */
  readonly #freeLots: ParkingLot[] = [];

  constructor(flow: FlowControl, serve: ServeParked) {
    this.#flow = flow;
    this.#serve = serve;
  }

  /** Has the session a write in flight that this request must wait for? */
  mustWait({ session }: Connection): boolean {
    return session !== null && session.writesSettled < session.writesSubmitted;
  }

  /** Keeps a copy of the frame until the session's latest write is applied. */
  park(connection: Connection, bytes: Uint8Array, start: number, end: number, receivedMs: number): void {
    this.#flow.park(end - start);
    connection.parked ??= this.#freeLots.pop() ?? new ParkingLot();
    connection.parked.push(bytes, start, end, (connection.session as Session).writesSubmitted, receivedMs);
  }

  /** A write is applied and answered: what waited behind it may run. Null: nobody of this server asked. */
  settle(connection: Connection | null, session: Session | null, frameBytes: number): void {
    this.#flow.leave(frameBytes);
    if (connection !== null) {
      connection.pendingWrites--;
      connection.isWriteAnswered = true;
    }
    if (session === null) return;
    session.writesSettled++;
    // The session may have moved to another connection meanwhile: what waits there waits for this write, too.
    const waiting = session.connection;
    if (waiting !== null && waiting.parked !== null) this.#serveUpTo(waiting, waiting.parked, session.writesSettled);
  }

  #serveUpTo(connection: Connection, lot: ParkingLot, settledCount: number): void {
    while (lot.length > 0 && lot.afterWrites <= settledCount) {
      const { bytes, start, end, receivedMs } = lot;
      lot.shift();
      this.#flow.unpark(end - start);
      if (connection.state === 'open') this.#serve(connection, bytes, start, end, receivedMs);
    }
    // A request that closed its connection has dropped the rest.
    if (lot.length === 0 && connection.parked === lot) this.#free(connection, lot);
  }

  #free(connection: Connection, lot: ParkingLot): void {
    connection.parked = null;
    if (lot.bytes.length <= POOLED_BYTES_MAX && this.#freeLots.length < POOLED_LOTS_MAX) this.#freeLots.push(lot);
  }

  /** The connection is gone. */
  drop(connection: Connection): void {
    const lot = connection.parked;
    if (lot === null) return;
    while (lot.length > 0) {
      this.#flow.unpark(lot.end - lot.start);
      lot.shift();
    }
    this.#free(connection, lot);
  }
}
