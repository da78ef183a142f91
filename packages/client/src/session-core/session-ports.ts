/** What the session core needs from the world, and what it tells it. The client's shell is one implementation, the simulator's client the other. */
import type { ByteWriter, Prng } from '@zoots/base';

/**
 * - `connecting`: no session yet.
 * - `connected`, `read-only`: a server answers; a read-only one takes no writes.
 * - `suspended`: the connection is lost, the session may live.
 * - `lost`: the session is gone, or must be assumed gone; so it stays until there is another one.
 * - `closed`, `auth-failed`: for good.
 */
export type SessionState = 'connecting' | 'connected' | 'read-only' | 'suspended' | 'lost' | 'closed' | 'auth-failed';

/** An identity: scheme and what its provider expects, for `digest` "user:password" as bytes. */
export interface AuthInfo {
  readonly scheme: string;
  readonly auth: string | Uint8Array;
}

export interface SessionIdentity {
  readonly high: number;
  readonly low: number;
  readonly password: Uint8Array;
}

export interface EstablishedSession extends SessionIdentity {
  /** As negotiated. */
  readonly timeoutMs: number;
}

/** Why a session is over. */
export type SessionEnd =
  /** A server said that it does not exist. */
  | 'expired'
  /** No server answered for as long as it may live. */
  | 'unreachable'
  /** A server opened another one in its place. */
  | 'replaced'
  | 'closed'
  | 'auth-failed';

export interface SessionPorts {
  /** Milliseconds of a clock that never goes back. */
  nowMs(): number;
  readonly prng: Prng;
  /** Dials the server of this number; ends in `onConnected` or `onDisconnected`. */
  connect(server: number): void;
  /** Gives the connection, or the attempt, up. No input of it may come afterwards. */
  disconnect(): void;
  /** Takes a filled writer for sending and gives an empty one back. */
  write(filled: ByteWriter): ByteWriter;
  /** Something waits for `flush()`: call it once, soon. */
  onDirty(): void;
  /** `deadlineMs` is earlier than it was. */
  onDeadline(): void;
  onState(state: SessionState, previous: SessionState): void;
  /** A session that was not there before. */
  onSession(session: EstablishedSession): void;
  onSessionEnd(end: SessionEnd): void;
  /** Each event that arrives, before its watchers hear it. */
  onEvent(type: number, path: string, zxid: number): void;
  /** For logs and diagnostics: why a connection ended. */
  onConnectionEnd(reason: string): void;
}

export interface SessionOptions {
  /** How many servers there are; they are known by number, from 0. */
  readonly serverCount: number;
  readonly sessionTimeoutMs: number;
  /** Null: the session timeout by the number of servers, at most {@link CONNECT_TIMEOUT_MS_MAX}. */
  readonly connectTimeoutMs: number | null;
  readonly readOnly: boolean;
  readonly auth: readonly AuthInfo[];
  readonly session: SessionIdentity | null;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  readonly newSession: boolean;
  readonly inFlightMax: number;
  readonly waitingMax: number;
  readonly failWhenSuspended: boolean;
  readonly requestBytesMax: number;
  readonly replyBytesMax: number;
  /** Bytes of paths in one setWatches frame; left out, SET_WATCHES_BYTES_MAX. */
  readonly setWatchesBytesMax?: number;
}

export const CONNECT_TIMEOUT_MS_MAX = 10_000;
/** How long `close` waits for the answer of a server that may hang. */
export const CLOSE_TIMEOUT_MS = 5_000;
/** Bytes of requests in flight; one request may always go. */
export const IN_FLIGHT_BYTES_MAX = 16 * 1024 * 1024;
