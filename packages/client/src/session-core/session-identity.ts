/** Who a session is to a server: what the handshake says of it, and how long the handshake may take. */
import type { ByteWriter } from '@zoots/base';
import { PASSWORD_BYTES, writeConnectRequest } from '@zoots/protocol';
import {
  CONNECT_TIMEOUT_MS_MAX,
  type EstablishedSession,
  type SessionIdentity,
  type SessionOptions,
} from './session-ports.js';

/** Asks for a new session. */
export const NO_IDENTITY: SessionIdentity = { high: 0, low: 0, password: new Uint8Array(PASSWORD_BYTES) };

/** Writes the first frame of a connection. A server that has not seen `lastZxid` yet refuses. */
export function writeIdentity(
  out: ByteWriter,
  { sessionTimeoutMs, readOnly }: SessionOptions,
  { high, low, password }: SessionIdentity,
  lastZxid: number,
): void {
  writeConnectRequest(out, {
    lastZxidSeen: lastZxid,
    timeoutMs: sessionTimeoutMs,
    sessionHigh: high,
    sessionLow: low,
    password,
    readOnly,
    hasReadOnly: true,
  });
}

/** All servers should have had their chance before the session is over. */
export function connectTimeoutMs(
  options: SessionOptions,
  session: EstablishedSession | null,
  serverCount: number,
): number {
  const timeoutMs = session?.timeoutMs ?? options.sessionTimeoutMs;
  return options.connectTimeoutMs ?? Math.min(CONNECT_TIMEOUT_MS_MAX, timeoutMs / serverCount);
}
