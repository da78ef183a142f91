/** How a command of zkCli fails: a line on standard error and an exit code, both Apache's. */
import {
  AuthenticationError,
  ClientClosedError,
  ConnectionLossError,
  RequestTimeoutError,
  ServerError,
  SessionLostError,
  TransactionError,
  ZooKeeperError,
} from '@zoots/client';
import { ERROR, errorName } from '@zoots/protocol';

export const EXIT_FAILED = 1;
export const EXIT_BAD_CONFIGURATION = 2;
export const EXIT_NO_COMMAND = 127;

/** The message goes to standard error as it is. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT_FAILED) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** What zkCli says itself about some answers; behind it stands the path. */
const OWN_TEXTS: Readonly<Record<number, string>> = {
  [ERROR.noNode]: 'Node does not exist: ',
  [ERROR.noChildrenForEphemerals]: 'Ephemerals cannot have children: ',
  [ERROR.nodeExists]: 'Node already exists: ',
  [ERROR.notEmpty]: 'Node not empty: ',
  [ERROR.notReadOnly]: 'Not a read-only call: ',
  [ERROR.invalidAcl]: 'Acl is not valid : ',
  [ERROR.noAuth]: 'Insufficient permission : ',
  [ERROR.badArguments]: 'Arguments are not valid : ',
  [ERROR.badVersion]: 'version No is not valid : ',
  [ERROR.quotaExceeded]: 'Quota has exceeded : ',
};

const RECONFIG_TEXTS: Readonly<Record<number, string>> = {
  [ERROR.reconfigInProgress]: 'Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)',
  [ERROR.newConfigNoQuorum]:
    'No quorum of new config is connected and up-to-date with the leader of last commmitted config - try invoking reconfiguration after new servers are connected and synced',
};

/** Where the text of an exception is not the name of its code. */
const EXCEPTION_TEXTS: Readonly<Record<number, string>> = {
  [ERROR.notEmpty]: 'Directory not empty',
  [ERROR.sessionExpired]: 'Session expired',
  [ERROR.sessionMoved]: 'Session moved',
  [ERROR.notReadOnly]: 'Not a read-only call',
  [ERROR.ephemeralOnLocalSession]: 'Ephemeral node on local session',
  [ERROR.noWatcher]: 'No such watcher',
  [ERROR.reconfigDisabled]: 'Reconfig is disabled',
  [ERROR.sessionClosedRequireSaslAuth]: 'Session closed because client failed to authenticate',
  [ERROR.quotaExceeded]: 'Quota has exceeded',
  [ERROR.throttledOp]: 'Op throttled due to high load',
};

/** `KeeperErrorCode = NoNode for /a` */
export function exceptionText(code: number, path: string | null): string {
  const text = EXCEPTION_TEXTS[code] ?? errorName(code);
  return `KeeperErrorCode = ${text}${path === null || path === '' ? '' : ` for ${path}`}`;
}

/** What to print for an answer, with the path that was asked for; null where the call has none. */
export function answerText(code: number, path: string | null): string {
  const own = OWN_TEXTS[code];
  if (own !== undefined) return `${own}${path}`;
  return RECONFIG_TEXTS[code] ?? exceptionText(code, path);
}

/**
 * Any failure of a call to the server, as zkCli tells it. Anything else is a fault of this program and is rethrown.
 */
export function cliErrorOf(error: unknown, path: string | null): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof TransactionError) return cliErrorOf(error.cause, path);
  if (error instanceof ServerError) return new CliError(answerText(error.errorCode, path));
  const place = path === null || path === '' ? '' : ` for ${path}`;
  if (error instanceof ConnectionLossError) return new CliError(`KeeperErrorCode = ConnectionLoss${place}`);
  if (error instanceof SessionLostError || error instanceof ClientClosedError) {
    return new CliError(`KeeperErrorCode = Session expired${place}`);
  }
  if (error instanceof RequestTimeoutError) return new CliError(`KeeperErrorCode = RequestTimeout${place}`);
  if (error instanceof AuthenticationError) return new CliError('KeeperErrorCode = AuthFailed');
  if (error instanceof ZooKeeperError) return new CliError(error.message);
  throw error;
}
