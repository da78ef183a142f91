/**
 * ConnectRequest and ConnectResponse: the only messages without a request or reply header.
 *
 *   ConnectRequest   int protocolVersion, long lastZxidSeen, int timeOut, long sessionId, buffer passwd, [boolean readOnly]
 *   ConnectResponse  int protocolVersion (0), int timeOut, long sessionId, buffer passwd (16 bytes), [boolean readOnly]
 *
 * Clients up to 3.3, and several others, leave the last byte out; the response then leaves it out too.
 */
import { type ByteReader, type ByteWriter, isSafePair, pairToNumber } from '@zoots/base';

export const PASSWORD_BYTES = 16;

export interface ConnectRequest {
  /** A safe integer; Number.MAX_SAFE_INTEGER stands for everything larger. */
  readonly lastZxidSeen: number;
  readonly timeoutMs: number;
  readonly sessionHigh: number;
  readonly sessionLow: number;
  readonly password: Uint8Array | null;
  readonly readOnly: boolean;
  readonly hasReadOnly: boolean;
}

/** Writes the whole frame, its length included. */
export function writeConnectRequest(writer: ByteWriter, request: ConnectRequest): void {
  const lengthAt = writer.length;
  writer.int32(0);
  writer.int32(0);
  writer.long(request.lastZxidSeen);
  writer.int32(request.timeoutMs);
  writer.longPair(request.sessionHigh, request.sessionLow);
  writer.buffer(request.password);
  if (request.hasReadOnly) writer.bool(request.readOnly);
  writer.setInt32At(lengthAt, writer.length - lengthAt - 4);
}

/** Null if the frame is too short or its password length lies. Bytes behind the record are ignored. */
export function readConnectRequest(reader: ByteReader): ConnectRequest | null {
  reader.int32();
  const zxidHigh = reader.int32();
  const zxidLow = reader.int32();
  const timeoutMs = reader.int32();
  const sessionHigh = reader.int32();
  const sessionLow = reader.int32();
  const password = reader.buffer();
  if (reader.failed) return null;
  const hasReadOnly = reader.remaining > 0;
  const readOnly = hasReadOnly && reader.bool();
  const lastZxidSeen = isSafePair(zxidHigh, zxidLow)
    ? pairToNumber(zxidHigh, zxidLow)
    : zxidHigh < 0
      ? Number.MIN_SAFE_INTEGER
      : Number.MAX_SAFE_INTEGER;
  return { lastZxidSeen, timeoutMs, sessionHigh, sessionLow, password, readOnly, hasReadOnly };
}

export interface ConnectResponse {
  /** As negotiated; 0 or less means that the session does not exist (any more). */
  readonly timeoutMs: number;
  readonly sessionHigh: number;
  readonly sessionLow: number;
  readonly password: Uint8Array;
  /** The server is read-only; false where a server leaves the byte out. */
  readonly isReadOnlyServer: boolean;
}

/** Null if the frame is too short or its password length lies. */
export function readConnectResponse(reader: ByteReader): ConnectResponse | null {
  reader.int32();
  const timeoutMs = reader.int32();
  const sessionHigh = reader.int32();
  const sessionLow = reader.int32();
  const password = reader.buffer() ?? new Uint8Array(PASSWORD_BYTES);
  if (reader.failed) return null;
  const isReadOnlyServer = reader.remaining > 0 && reader.bool();
  return { timeoutMs, sessionHigh, sessionLow, password, isReadOnlyServer };
}

/** Writes the whole frame, its length included. */
export function writeConnectResponse(
  writer: ByteWriter,
  timeoutMs: number,
  sessionHigh: number,
  sessionLow: number,
  password: Uint8Array,
  hasReadOnly: boolean,
  isReadOnlyServer: boolean,
): void {
  writer.int32(hasReadOnly ? 37 : 36);
  writer.int32(0);
  writer.int32(timeoutMs);
  writer.longPair(sessionHigh, sessionLow);
  writer.buffer(password);
  if (hasReadOnly) writer.bool(isReadOnlyServer);
}
