/**
 * The turn: everything the outside sees leaves here, in one order.
 *
 * Any input (bytes, a closed socket, a durable batch, a timer) marks the turn open; one setImmediate later, after every socket
 * that was readable in this round of the event loop has been read, `run` does, in this order:
 *
 *   1. `server.endTurn()`: due work in bounded slices (expiry, paused and backlogged connections, a slice of a snapshot), then
 *      the log batch, if none is in flight: one write and one fdatasync. While it is in flight the next batch fills, so a sync
 *      is shared by as many requests as came meanwhile (group commit) without any timer.
 *   2. clients are flushed: one write per connection that has something, whatever number of replies it is.
 *
 * Replies to writes are not in step 2 of the turn that received them: `onDurable` is an input of its own and opens a new turn.
 *
 * setImmediate rather than a microtask, because microtasks run after each socket's callback: 200 sockets readable together
 * would make 200 turns instead of one.
 */
import type { Connection, Server } from '@zoots/core';

export class Turn {
  #server: Server | null = null;
  readonly #flush: (connection: Connection) => void;
  #isScheduled = false;
  #timer: NodeJS.Timeout | null = null;
  #timerDueMs = Number.POSITIVE_INFINITY;
  readonly #nowMs: () => number;

  constructor(flush: (connection: Connection) => void, nowMs: () => number) {
    this.#flush = flush;
    this.#nowMs = nowMs;
  }

  attach(server: Server): void {
    this.#server = server;
  }

  readonly schedule = (): void => {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#run);
  };

  readonly #run = (): void => {
    this.#isScheduled = false;
    const server = this.#server;
    if (server === null) return;
    const again = server.endTurn();
    for (const connection of server.takeDirty()) this.#flush(connection);
    if (again) this.schedule();
    this.#arm(server.deadlineMs);
  };

  /** One timer, for the earliest thing that time alone brings about. */
  #arm(deadlineMs: number): void {
    if (deadlineMs === this.#timerDueMs) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#timerDueMs = deadlineMs;
    if (deadlineMs === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(this.#onTimer, Math.min(Math.max(deadlineMs - this.#nowMs(), 1), 60_000));
  }

  readonly #onTimer = (): void => {
    this.#timer = null;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    this.#server?.tick();
  };

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#timerDueMs = Number.NaN;
  }
}
