/**
 * Parking: a read that comes behind a write of the same session waits until that write is applied and answered. The frame is
 * copied and served then, so that every session sees its own writes, and its answers in the order of its requests.
 */
import type { Connection, ParkedRequest } from '../session/connection.js';
import type { Session } from '../session/session-table.js';
import type { FlowControl } from './flow-control.js';

/** Answers a request from the tree as it is. */
export type ServeParked = (connection: Connection, frame: Uint8Array, receivedMs: number) => void;

export class Parking {
  readonly #flow: FlowControl;
  readonly #serve: ServeParked;

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
    this.#flow.enter(end - start);
    connection.parked.push({
      frame: bytes.slice(start, end),
      afterWrites: (connection.session as Session).writesSubmitted,
      receivedMs,
    });
  }

  /** A write is applied and answered: what waited behind it may run. Null: nobody of this server asked. */
  settle(connection: Connection | null, session: Session | null, frameBytes: number): void {
    this.#flow.leave(frameBytes);
    if (connection !== null) connection.pendingWrites--;
    if (session === null) return;
    session.writesSettled++;
    // The session may have moved to another connection meanwhile: what waits there waits for this write, too.
    if (session.connection !== null) this.#serveUpTo(session.connection, session.writesSettled);
  }

  #serveUpTo(connection: Connection, settledCount: number): void {
    const { parked } = connection;
    // Nearly always. Setting the length of an array takes 33 ns even when it is 0.
    if (parked.length === 0) return;
    while (connection.parkedStart < parked.length) {
      const request = parked[connection.parkedStart] as ParkedRequest;
      if (request.afterWrites > settledCount) return;
      connection.parkedStart++;
      this.#flow.leave(request.frame.length);
      if (connection.state === 'open') this.#serve(connection, request.frame, request.receivedMs);
    }
    parked.length = 0;
    connection.parkedStart = 0;
  }

  /** The connection is gone. */
  drop(connection: Connection): void {
    for (let i = connection.parkedStart; i < connection.parked.length; i++) {
      this.#flow.leave((connection.parked[i] as ParkedRequest).frame.length);
    }
    connection.parked.length = 0;
    connection.parkedStart = 0;
  }
}
