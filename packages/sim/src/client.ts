/**
 * What the run knows of a simulated client, of either kind:
 *
 * - core-client.ts: an application over the real session core of @zoots/client, in a process that pauses and dies;
 * - raw-client.ts: speaks the wire format by itself, with habits that no decent client has.
 */
import type { ReplyOracle } from './reply-oracle.js';
import type { Endpoint, Link } from './sim-network.js';
import type { Simulator } from './simulator.js';
import type { Trace } from './trace.js';

export interface ClientWorld {
  readonly simulator: Simulator;
  readonly trace: Trace;
  readonly oracle: ReplyOracle;
  /** Myids of the servers that clients know; empty: the only one. */
  readonly members: readonly number[];
  /** A connection to a server's port; the other side may refuse it at once. */
  connect(client: Endpoint, address: string, member: number): Link;
}

export interface Client {
  readonly number: number;
  /** Stops asking for much (the run ends). */
  isQuiet: boolean;
  /** Answers received while the run heals. */
  progressCount: number;
  readonly isConnected: boolean;
  /** Among the servers that it turns to there is one of which this is true. Only in ensembles. */
  knows(condition: (member: number) => boolean): boolean;
  /** Requests that have not ended. */
  readonly outstandingCount: number;
  start(delayUs: number): void;
  /** Hears and says nothing for a while, as a process that is stopped. Its kernel goes on taking bytes. */
  pause(durationUs: number): void;
  wake(): void;
  /** The run ends: close the session properly, or vanish and let it expire. */
  finish(properly: boolean): void;
  /** Nothing is left of it: no request, no connection, no timer. */
  readonly isAtRest: boolean;
  /** All is well and answered: nothing that it watches has changed without a word. */
  demandNothingMissed(): void;
  /** The server has expired this session. Its clock runs this much too fast, its turns take so long at most. */
  onServerExpired(high: number, low: number, driftPpm: number, turnMaxUs: number): void;
}
