/**
 * The contract between what starts a server (`assemble.ts`) and what operates it (`operate.ts`: signals, locks, exit
 * codes).
 */
import type { Logger } from '@zoots/base';
import type { ServerConfig } from './config/server-config.js';
import { exitCodes } from './exit-codes.js';

/** Why a server cannot start or cannot go on: one line for people, and the process's exit code. */
export class StartupError extends Error {
  override readonly name = 'StartupError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.unexpected, options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

export interface RunningServer {
  /** The port that is really bound (the configured one may be 0); -1 if none. */
  readonly clientPort: number;
  /** Ends a running server: everything acknowledged is durable, sessions stay. Resolves when its files are closed. */
  stop(): Promise<void>;
  /** Resolves when the server must die (a failed sync …); a {@link StartupError} says the exit code, others mean 1. */
  readonly failed: Promise<Error>;
}

/** Rejects with a {@link StartupError} when it cannot start. */
export type StartServer = (config: ServerConfig, logger: Logger) => Promise<RunningServer>;
