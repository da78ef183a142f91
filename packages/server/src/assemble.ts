/**
 * The only place where real things meet the core: clock, hashes, disk, sockets, timers. The clock and the disk can be given, for
 * servers inside other programs.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type Logger, Prng } from '@zoots/base';
import { type Clock, type Connection, type Hashes, type Ports, Server } from '@zoots/core';
import type { Disk } from '@zoots/storage';
import { FourLetterWords } from './admin/four-letter-words.js';
import { startAutoPurge } from './auto-purge.js';
import type { ServerConfig } from './config/server-config.js';
import { NodeDisk } from './disk/node-disk.js';
import { nodeGzip } from './disk/node-gzip.js';
import { exitCodes } from './exit-codes.js';
import { bindFailure } from './net/bind-failure.js';
import { ClientListener, type ListenOptions } from './net/client-listener.js';
import { EnsembleLinks } from './net/ensemble-links.js';
import { type RunningServer, StartupError } from './running-server.js';
import { Turn } from './turn.js';

export const machineClock: Clock = {
  nowMs: () => Math.floor(performance.now()),
  wallMs: () => Date.now(),
};

const hashes: Hashes = {
  digest: (algorithm, bytes) => createHash(algorithm).update(bytes).digest(),
};

/** What a server runs on. */
export interface Machine {
  readonly clock: Clock;
  readonly disk: Disk;
}

/** A running server and its parts, for who runs it in the same process. */
export interface AssembledServer extends RunningServer {
  readonly server: Server;
  readonly listener: ClientListener;
  /** Null: a stand-alone server. */
  readonly links: EnsembleLinks | null;
  readonly turn: Turn;
}

/**
 * Starts a server, on this machine's clock and disk unless others are given. Resolves when clients are served; in an ensemble when
 * the ports are bound and the election runs. Rejects with a {@link StartupError}.
 */
export async function startServer(
  config: ServerConfig,
  logger: Logger,
  machine: Partial<Machine> = {},
): Promise<AssembledServer> {
  const { clock = machineClock, disk = new NodeDisk() } = machine;
  let listener: ClientListener | null = null;
  let words: FourLetterWords | null = null;
  let onFailed: (error: Error) => void = () => {};
  const failed = new Promise<Error>((resolve) => {
    onFailed = resolve;
  });
  const links = config.ensemble === null ? null : new EnsembleLinks(config.ensemble, config.tickTimeMs, logger);
  const turn = new Turn(
    (connection: Connection) => listener?.flush(connection),
    (streams) => links?.flush(streams),
    clock,
  );
  const ports: Ports = {
    clock,
    hashes,
    disk,
    gzip: nodeGzip,
    logger,
    prng: new Prng(randomBytes(4).readUInt32BE()),
    quorumNet: links?.net ?? null,
    shell: {
      onTurnOpened: turn.schedule,
      onCommandWord: (connection, word, argument) => words?.answer(connection, word, argument),
      onFatal: (reason, exitCode) => onFailed(new StartupError(reason, exitCode)),
    },
  };
  const server = new Server(config, ports);
  turn.attach(server);
  if (server.peer !== null) links?.attach(server.peer);
  if (config.clientPort === null) {
    throw new StartupError('no clientPort is configured: set clientPort in zoo.cfg', exitCodes.badConfiguration);
  }
  // Ports are bound before the database is touched: a port in use leaves no trace on disk. Until the database is loaded (in an
  // ensemble: until there is a leader), clients are closed and four letter words say that nothing is served yet, as in Apache.
  const options: ListenOptions = {
    port: config.clientPort,
    host: config.clientPortAddress,
    backlog: config.clientPortListenBacklog,
    keepAlive: config.clientTcpKeepAlive,
  };
  listener = new ClientListener(server, options);
  const clientPort = await listen(listener, options);
  words = new FourLetterWords({ server, config, clientPort, startedMs: clock.nowMs() });
  try {
    await links?.bind();
    await loadDatabase(server);
  } catch (error) {
    turn.stop();
    await Promise.all([listener.close(), links?.close()]);
    throw error;
  }
  links?.open();
  const stopPurging = startAutoPurge(config, ports.disk, logger);
  const stopAll = (): Promise<void> => {
    stopPurging();
    return stop(server, listener as ClientListener, links, turn);
  };
  return { clientPort, failed, stop: stopAll, server, listener, links, turn };
}

function loadDatabase(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.start((problem) => {
      if (problem === null) resolve();
      else reject(new StartupError(problem, exitCodes.dataDirectory));
    });
  });
}

async function listen(listener: ClientListener, options: ListenOptions): Promise<number> {
  try {
    return await listener.listen(options);
  } catch (error) {
    throw new StartupError(bindFailure('client', options.host, options.port, error as Error), 1, { cause: error });
  }
}

async function stop(server: Server, listener: ClientListener, links: EnsembleLinks | null, turn: Turn): Promise<void> {
  await new Promise<void>((resolve) => server.stop(resolve));
  turn.stop();
  await Promise.all([listener.close(), links?.close()]);
}
