/**
 * What a program can listen to with node:diagnostics_channel. Nothing is made or measured while nobody listens.
 *
 * - tracing channel `zoots:operation`: {@link OperationTrace} for each call (start, error, asyncStart, asyncEnd).
 * - `zoots:connect`: {@link ConnectTrace}, connections that come up and end.
 * - `zoots:session`: {@link SessionTrace}, changes of state.
 * - `zoots:watch`: {@link WatchTrace}, each event as it arrives.
 */
import { channel, tracingChannel } from 'node:diagnostics_channel';
import type { ServerAddress, SessionState } from './types.js';

export interface OperationTrace {
  readonly operation: string;
  readonly path: string;
  /** Set before `asyncStart`. */
  error?: unknown;
}

export interface ConnectTrace {
  readonly server: ServerAddress;
  readonly event: 'connected' | 'disconnected';
  readonly reason: string | null;
}

export interface SessionTrace {
  readonly state: SessionState;
  readonly previous: SessionState;
  readonly session: bigint | null;
}

export interface WatchTrace {
  /** A number of the protocol's event table. */
  readonly type: number;
  readonly path: string;
  readonly zxid: number;
}

export const operationChannel = tracingChannel<'zoots:operation', OperationTrace>('zoots:operation');
export const connectChannel = channel('zoots:connect');
export const sessionChannel = channel('zoots:session');
export const watchChannel = channel('zoots:watch');
