/**
 * How a modern command ends when it cannot do what it was asked: the exit code, a line that names the place, and a remedy.
 *
 *   0 done   1 refused, not found, different   2 wrong usage   3 no connection to a server
 */
import { UsageError } from './command-line.js';

export const EXIT = { ok: 0, refused: 1, usage: 2, noConnection: 3 } as const;

/** The command itself refuses (rm of /zookeeper, say). The message names the remedy. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** No server could be reached at all. */
export class NoServerError extends Error {
  override readonly name = 'NoServerError';
}

export interface Problem {
  readonly exitCode: number;
  /** Stable, for programs. */
  readonly code: string;
  readonly message: string;
  readonly path: string | null;
}

/** What the client's errors have; asked for by shape, so that help and refusals do not load the client. */
interface ClientError extends Error {
  readonly code: string;
  readonly path?: string;
}

const connectionCodes: ReadonlySet<string> = new Set([
  'ZK_CONNECTION_LOSS',
  'ZK_SESSION_LOST',
  'ZK_REQUEST_TIMEOUT',
  'ZK_CLOSED',
]);

const remediesOfAll: Readonly<Record<string, string>> = {
  ZK_NO_AUTH: 'present an identity that may, with --auth SCHEME:AUTH',
  ZK_AUTH_FAILED: 'the server refused what --auth presented',
};

/** Null for an error that is nobody's fault but ours: it is to be thrown on. */
export function problemOf(error: unknown, remedies: Readonly<Record<string, string>> = {}): Problem | null {
  if (!(error instanceof Error)) return null;
  if (error instanceof UsageError) return { ...plain(error), exitCode: EXIT.usage, code: 'USAGE' };
  if (error instanceof RefusedError) return { ...plain(error), exitCode: EXIT.refused, code: 'REFUSED' };
  if (error instanceof NoServerError) return { ...plain(error), exitCode: EXIT.noConnection, code: 'NO_CONNECTION' };
  const { code = '', path = null } = error as Partial<ClientError>;
  if (code.startsWith('ZK_')) {
    const remedy = remedies[code] ?? remediesOfAll[code];
    const message = remedy === undefined ? error.message : `${error.message}; ${remedy}`;
    return { exitCode: exitCodeOf(code), code, message, path };
  }
  if ('syscall' in error)
    return { message: fileMessage(error as NodeJS.ErrnoException), path: null, exitCode: EXIT.refused, code };
  return null;
}

function plain(error: Error): { message: string; path: null } {
  return { message: error.message, path: null };
}

function fileMessage({ code, path, message }: NodeJS.ErrnoException): string {
  return code === 'ENOENT' && path !== undefined ? `${path}: there is no such file` : message;
}

function exitCodeOf(code: string): number {
  if (connectionCodes.has(code)) return EXIT.noConnection;
  return code === 'ZK_ARGUMENT' ? EXIT.usage : EXIT.refused;
}
