/**
 * One request as the session core sees it: it can write itself, and it is told how it ended, exactly once.
 *
 * A subclass is the caller's side: the client's promises, the simulator's oracle. The fields below `write` belong to the core.
 */
import type { ByteReader, ByteWriter } from '@zoots/base';
import type { WatchAsk } from './watch-registry.js';

/** Why a request ended without an answer. */
export type FailureReason =
  | 'connection-loss'
  | 'session-lost'
  | 'closed'
  | 'auth-failed'
  /** The session core's waiting line is full. */
  | 'overloaded'
  /** The request has more bytes than a server takes; it was not sent. */
  | 'request-too-large'
  /** The reply has more bytes than this client takes. */
  | 'reply-too-large';

/** Whether a server may have seen the request. */
export type FailureOutcome = 'not-sent' | 'unknown';

/** `abandoned`: sent, and nobody waits for the answer any more. */
export type RequestStage = 'new' | 'waiting' | 'sent' | 'abandoned' | 'done';

export abstract class SessionRequest {
  /** Of the OP table. */
  abstract readonly op: number;
  /** Asks for nothing that lasts, so that it may be sent again when the connection was lost before the answer. */
  abstract readonly isRepeatable: boolean;
  /** What the server's consent registers, or null. */
  abstract readonly watch: WatchAsk | null;

  /** Writes the body, behind the header. May be called again, for another connection. */
  abstract write(writer: ByteWriter): void;
  /** `reader` stands behind the header, and is valid during the call only. */
  abstract onReply(errorCode: number, zxid: number, reader: ByteReader): void;
  abstract onFailed(reason: FailureReason, outcome: FailureOutcome): void;

  /** The server answered after the caller gave up. What it did is done all the same; what it said is nobody's. */
  onLateReply(_errorCode: number): void {}

  stage: RequestStage = 'new';
  xid = 0;
  frameBytes = 0;
}
