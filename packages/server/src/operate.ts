/**
 * The life of a server process from configuration to exit code: directories, lock, start, signals, end.
 *
 *     locking → starting → serving → stopping → (exit code)
 *
 * A signal while starting ends the process at once: nothing has been acknowledged yet, and recovery can be repeated. A
 * second Ctrl-C ends it at once, too.
 */
import { type Logger, logLevels } from '@zoots/base';
import type { ServerConfig } from './config/server-config.js';
import { openDataDirectories } from './data-directories.js';
import type { DataDirectoryLock } from './data-directory-lock.js';
import { exitCodes } from './exit-codes.js';
import { type RunningServer, type StartServer, StartupError } from './running-server.js';
import { keepYoungGenerationSmall } from './young-generation.js';

export interface OperateOptions {
  readonly config: ServerConfig;
  readonly logger: Logger;
  readonly startServer: StartServer;
  /** Called once when clients are served. */
  readonly onServing: (server: RunningServer) => void;
  /** A daemon outlives its terminal: SIGHUP is ignored. Otherwise it stops the server, as SIGTERM and SIGINT do. */
  readonly isDaemon: boolean;
}

/** Runs a server until a signal or a failure ends it. Resolves with the exit code; never rejects. */
export async function operateServer(options: OperateOptions): Promise<number> {
  const { logger } = options;
  keepYoungGenerationSmall();
  const signal = awaitSignal(logger, options.isDaemon);
  // A bug anywhere, a failed assertion included: stop before it can reach the disk.
  process.on('uncaughtException', (error) => process.exit(report(error, 'server failed', logger)));
  let lock: DataDirectoryLock | null = null;
  try {
    lock = await openDataDirectories(options.config);
    for (const file of lock.removed) logger.log(logLevels.info, 'removed the lock of a server that is gone', { file });
    const server = await Promise.race([options.startServer(options.config, logger), signal]);
    if (typeof server === 'string') {
      logger.log(logLevels.info, 'stopped before it served', { signal: server });
      return exitCodes.ok;
    }
    options.onServing(server);
    return await serve(server, signal, logger);
  } catch (error) {
    return report(error, 'server did not start', logger);
  } finally {
    lock?.release();
  }
}

async function serve(server: RunningServer, signal: Promise<string>, logger: Logger): Promise<number> {
  const end = await Promise.race([signal, server.failed]);
  if (typeof end !== 'string') return report(end, 'server failed', logger);
  logger.log(logLevels.info, 'stopping', { signal: end });
  try {
    await server.stop();
  } catch (error) {
    return report(error, 'server did not stop cleanly', logger);
  }
  logger.log(logLevels.info, 'stopped');
  return exitCodes.ok;
}

/** The reason comes last, so that the last line of a log says why. Stacks are for bugs, and for level debug. */
function report(error: unknown, event: string, logger: Logger): number {
  const isExpected = error instanceof StartupError;
  const stack = error instanceof Error ? error.stack : undefined;
  if (stack !== undefined) logger.log(isExpected ? logLevels.debug : logLevels.fatal, 'stack', { stack });
  const reason = error instanceof Error ? error.message : String(error);
  logger.log(logLevels.fatal, event, { reason });
  return isExpected ? error.exitCode : exitCodes.unexpected;
}

function awaitSignal(logger: Logger, isDaemon: boolean): Promise<string> {
  return new Promise((resolve) => {
    let count = 0;
    const onSignal = (name: NodeJS.Signals): void => {
      if (++count > 1 && name === 'SIGINT') {
        logger.log(logLevels.warn, 'second signal: ending at once', { signal: name });
        process.exit(exitCodes.unexpected);
      }
      resolve(name);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
    // Node resets the SIG_IGN that nohup leaves, so a daemon must ignore the signal itself.
    process.on('SIGHUP', isDaemon ? () => {} : onSignal);
  });
}
