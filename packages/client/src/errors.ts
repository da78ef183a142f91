/**
 * The errors of the client: a small tree with stable codes.
 *
 *   ZooKeeperError
 *   ├─ ServerError            the server said no; one class for each answer that callers decide on
 *   │    NoNodeError, NodeExistsError, BadVersionError, NotEmptyError, NoAuthError, …
 *   ├─ TransactionError       a transaction was refused as a whole
 *   ├─ ConnectionLossError    no answer came
 *   ├─ SessionLostError       the session is gone, and the call with it
 *   ├─ RequestTimeoutError    the call's time is up
 *   ├─ RequestAbortedError    the call's signal was aborted (its name is AbortError, as everywhere)
 *   ├─ TooLargeError          the request or its reply exceeds a limit
 *   ├─ OverloadedError        too many calls are waiting
 *   ├─ ClientClosedError      the client was closed
 *   ├─ AuthenticationError    the server refused the identity (addAuth)
 *   ├─ ProtocolError          bytes came that are no answer
 *   └─ ArgumentError          the call could never work; nothing was sent
 *
 * `outcome` answers the question that matters after a failed write: did it happen?
 */
import { ERROR, errorName } from '@zoots/protocol';

/**
 * - `refused`: a server decided against it, nothing was changed.
 * - `not-sent`: no server ever saw it.
 * - `unknown`: it was sent and not answered; it may have been done, or may be done yet. Never repeat such a write blindly.
 */
export type Outcome = 'refused' | 'not-sent' | 'unknown';

export interface ErrorFacts {
  /** The call: `create`, `get` … */
  readonly operation?: string | undefined;
  readonly path?: string | undefined;
  readonly cause?: unknown;
}

export class ZooKeeperError extends Error {
  override readonly name: string = 'ZooKeeperError';
  /** Stable, for programs: `ZK_NO_NODE`, `ZK_CONNECTION_LOSS` … */
  readonly code: string;
  readonly operation: string | undefined;
  readonly path: string | undefined;
  /** Whether the same call, made again after a pause, may succeed without anything being changed by somebody. */
  readonly retryable: boolean;
  readonly outcome: Outcome;

  constructor(message: string, code: string, retryable: boolean, outcome: Outcome, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.retryable = retryable;
    this.outcome = outcome;
    this.operation = facts.operation;
    this.path = facts.path;
  }
}

/** "get /a: the znode does not exist" */
function withPlace(text: string, { operation, path }: ErrorFacts): string {
  const place = [operation, path].filter((part) => part !== undefined).join(' ');
  return place === '' ? text : `${place}: ${text}`;
}

/** The server answered with an error code. */
export class ServerError extends ZooKeeperError {
  override readonly name: string = 'ServerError';
  /** The number in the reply, as in ZooKeeper's KeeperException.Code. */
  readonly errorCode: number;

  constructor(errorCode: number, facts: ErrorFacts = {}) {
    const row = ROWS.get(errorCode);
    const text = row?.text ?? `the server answered ${errorName(errorCode)}`;
    super(withPlace(text, facts), codeOf(errorCode), row?.retryable ?? false, 'refused', facts);
    this.errorCode = errorCode;
  }
}

export class NoNodeError extends ServerError {
  override readonly name = 'NoNodeError';
}
export class NodeExistsError extends ServerError {
  override readonly name = 'NodeExistsError';
}
export class BadVersionError extends ServerError {
  override readonly name = 'BadVersionError';
}
export class NotEmptyError extends ServerError {
  override readonly name = 'NotEmptyError';
}
export class NoChildrenForEphemeralsError extends ServerError {
  override readonly name = 'NoChildrenForEphemeralsError';
}
export class NoAuthError extends ServerError {
  override readonly name = 'NoAuthError';
}
export class InvalidAclError extends ServerError {
  override readonly name = 'InvalidAclError';
}
export class QuotaExceededError extends ServerError {
  override readonly name = 'QuotaExceededError';
}
export class NotReadOnlyError extends ServerError {
  override readonly name = 'NotReadOnlyError';
}
export class NoWatcherError extends ServerError {
  override readonly name = 'NoWatcherError';
}

interface Row {
  readonly text: string;
  readonly retryable?: boolean;
  readonly make?: new (errorCode: number, facts: ErrorFacts) => ServerError;
}

const ROWS: ReadonlyMap<number, Row> = new Map<number, Row>([
  [ERROR.noNode, { text: 'the znode does not exist', make: NoNodeError }],
  [ERROR.nodeExists, { text: 'the znode exists already', make: NodeExistsError }],
  [ERROR.badVersion, { text: 'the znode has another version', make: BadVersionError }],
  [ERROR.notEmpty, { text: 'the znode has children', make: NotEmptyError }],
  [
    ERROR.noChildrenForEphemerals,
    { text: 'an ephemeral znode cannot have children', make: NoChildrenForEphemeralsError },
  ],
  [ERROR.noAuth, { text: 'the ACL does not permit it', make: NoAuthError }],
  [ERROR.invalidAcl, { text: 'the ACL is not valid', make: InvalidAclError }],
  [ERROR.quotaExceeded, { text: 'a quota would be exceeded', make: QuotaExceededError }],
  [ERROR.notReadOnly, { text: 'the server is read-only', make: NotReadOnlyError, retryable: true }],
  [ERROR.noWatcher, { text: 'there is no such watch', make: NoWatcherError }],
  [ERROR.throttledOp, { text: 'the server is overloaded and left the request out', retryable: true }],
  [ERROR.reconfigInProgress, { text: 'another reconfiguration is in progress', retryable: true }],
  [
    ERROR.newConfigNoQuorum,
    { text: 'no quorum of the new configuration is connected and up to date', retryable: true },
  ],
  [ERROR.reconfigDisabled, { text: 'reconfiguration is disabled on the server (reconfigEnabled=true enables it)' }],
  [ERROR.badArguments, { text: 'the server does not accept the arguments' }],
  [ERROR.unimplemented, { text: 'the server does not know this operation' }],
]);

/** `ZK_NO_NODE` from -101. */
function codeOf(errorCode: number): string {
  const words = errorName(errorCode).replace(/[()]/g, '').replace('ACL', 'Acl');
  return `ZK${words.replace(/[A-Z]|-?\d+/g, (part) => `_${part.replace('-', '')}`)}`.toUpperCase();
}

/** The error for a code in a reply. */
export function serverError(errorCode: number, facts: ErrorFacts): ServerError {
  return new (ROWS.get(errorCode)?.make ?? ServerError)(errorCode, facts);
}

/** A transaction was refused: nothing of it was done. */
export class TransactionError extends ZooKeeperError {
  override readonly name = 'TransactionError';
  /** Which part was refused, from 0. */
  readonly failedIndex: number;
  /** Why that part was refused. */
  override readonly cause: ServerError;

  constructor(failedIndex: number, cause: ServerError) {
    const text = `transaction: part ${failedIndex}: ${cause.message}`;
    super(text, cause.code, cause.retryable, 'refused', { operation: 'transaction', path: cause.path, cause });
    this.failedIndex = failedIndex;
    this.cause = cause;
  }
}

/** The connection broke before the answer came, or there is none and calls are not to wait. */
export class ConnectionLossError extends ZooKeeperError {
  override readonly name = 'ConnectionLossError';

  constructor(outcome: Outcome, facts: ErrorFacts = {}) {
    const text =
      outcome === 'unknown'
        ? 'the connection was lost before the answer came; whether it was done is unknown'
        : 'there is no connection to a server';
    super(withPlace(text, facts), 'ZK_CONNECTION_LOSS', true, outcome, facts);
  }
}

/** The session expired, or must be assumed gone because no server could be reached for as long as it lives. */
export class SessionLostError extends ZooKeeperError {
  override readonly name = 'SessionLostError';

  constructor(text: string, outcome: Outcome, facts: ErrorFacts = {}) {
    super(withPlace(text, facts), 'ZK_SESSION_LOST', false, outcome, facts);
  }
}

export class RequestTimeoutError extends ZooKeeperError {
  override readonly name = 'RequestTimeoutError';

  constructor(timeoutMs: number, outcome: Outcome, facts: ErrorFacts = {}) {
    super(withPlace(`no answer within ${timeoutMs} ms`, facts), 'ZK_REQUEST_TIMEOUT', true, outcome, facts);
  }
}

/** `name` is `AbortError`, and `cause` the signal's reason. */
export class RequestAbortedError extends ZooKeeperError {
  override readonly name = 'AbortError';

  constructor(outcome: Outcome, facts: ErrorFacts = {}) {
    super(withPlace('the call was aborted', facts), 'ZK_ABORTED', false, outcome, facts);
  }
}

/** A request or a reply has more bytes than its limit; the message names limit and remedy. */
export class TooLargeError extends ZooKeeperError {
  override readonly name = 'TooLargeError';

  constructor(text: string, outcome: Outcome, facts: ErrorFacts = {}) {
    super(withPlace(text, facts), 'ZK_TOO_LARGE', false, outcome, facts);
  }
}

export class OverloadedError extends ZooKeeperError {
  override readonly name = 'OverloadedError';

  constructor(waitingMax: number, facts: ErrorFacts = {}) {
    const text = `${waitingMax} calls are waiting already: await some before you make more, or raise waitingMax`;
    super(withPlace(text, facts), 'ZK_OVERLOADED', true, 'not-sent', facts);
  }
}

export class ClientClosedError extends ZooKeeperError {
  override readonly name = 'ClientClosedError';

  constructor(outcome: Outcome, facts: ErrorFacts = {}) {
    super(withPlace('the client is closed', facts), 'ZK_CLOSED', false, outcome, facts);
  }
}

/** A server refused an identity; it ends the client, as no connection would be accepted with it. */
export class AuthenticationError extends ZooKeeperError {
  override readonly name = 'AuthenticationError';

  constructor(text: string, outcome: Outcome, facts: ErrorFacts = {}) {
    super(withPlace(text, facts), 'ZK_AUTH_FAILED', false, outcome, facts);
  }
}

export class ProtocolError extends ZooKeeperError {
  override readonly name = 'ProtocolError';

  constructor(text: string, outcome: Outcome, facts: ErrorFacts = {}) {
    super(withPlace(text, facts), 'ZK_PROTOCOL', false, outcome, facts);
  }
}

/** The call could never work (a bad path, a TTL without its mode …): nothing was sent. */
export class ArgumentError extends ZooKeeperError {
  override readonly name = 'ArgumentError';

  constructor(text: string, facts: ErrorFacts = {}) {
    super(withPlace(text, facts), 'ZK_ARGUMENT', false, 'not-sent', facts);
  }
}
