/**
 * `zoots server`: a server in the foreground, until SIGTERM, SIGINT or a failure ends it.
 *
 *     zoots server [-Dname=value …] [--log-format text|json] [--log-level LEVEL] [CFG | port dataDir [tickTime] [maxcnxns]]
 *
 * Words of a Java command line that mean nothing here (`-Xmx1g`, `-server`) are skipped, so that flags can be handed on
 * as they are. Environment: SERVER_JVMFLAGS and JVMFLAGS (their -D words), ZOOTS_LOG_FORMAT, ZOOTS_LOG_LEVEL, and from
 * zkServer.sh ZOOTS_READY_FD (gets a line when clients are served, or a member of an ensemble has started) and ZOOTS_DAEMON (ignore SIGHUP).
 */
import { closeSync, writeSync } from 'node:fs';
import { type LogFields, logLevels } from '@zoots/base';
import {
  apacheVersion,
  type ConfigSources,
  createLogger,
  exitCodes,
  LogOptionError,
  loadServerConfig,
  logOptionsOf,
  operateServer,
  type PropertyWord,
  parsePropertyWord,
  type RunningServer,
  type ServerConfig,
  StartupError,
  zootsVersion,
} from '@zoots/server';
import { startServer } from '@zoots/server/assemble';
import { checkoutDirectory, defaultConfigFile } from '../checkout.js';
import { welcome } from '../welcome.js';

interface ServerWords {
  readonly properties: readonly PropertyWord[];
  readonly words: readonly string[];
  readonly logFormat: string | undefined;
  readonly logLevel: string | undefined;
}

class UsageError extends Error {
  override readonly name = 'UsageError';
}

export async function run(commandWords: readonly string[]): Promise<number> {
  const environment = process.env;
  try {
    const parsed = parseServerWords(commandWords);
    const logOptions = logOptionsOf({ format: parsed.logFormat, level: parsed.logLevel, environment });
    const loaded = loadServerConfig(sourcesOf(parsed));
    const { config, notices } = loaded;
    process.title = `zoots: QuorumPeerMain ${parsed.words.join(' ') || config.configFile || config.dataDir}`;
    const logger = await createLogger({ ...logOptions, fd: 1, colorize: process.stdout.isTTY === true });
    for (const { level, event, fields } of notices) logger.log(level, event, fields);
    const isForPeople = logOptions.format === 'text' && (loaded.isBuiltIn || process.stdout.isTTY === true);
    const onServing = (server: RunningServer): void => {
      logger.log(logLevels.info, ...startOf(config, server.clientPort));
      announceReady(environment.ZOOTS_READY_FD, config.ensemble === null ? 'serving' : 'started');
      if (isForPeople) console.log(welcome(loaded, server.clientPort));
    };
    const version = `${zootsVersion} (ZooKeeper ${apacheVersion})`;
    logger.log(logLevels.info, 'starting', { version, node: process.version, processId: process.pid });
    // Timers and sockets of a server that did not end cleanly must not keep the process: it has its exit code now.
    process.exit(
      await operateServer({ config, logger, startServer, onServing, isDaemon: environment.ZOOTS_DAEMON === '1' }),
    );
  } catch (error) {
    return refuse(error);
  }
}

/** A member of an ensemble serves only when there is a leader, and says so then. */
function startOf(config: ServerConfig, clientPort: number): [event: string, fields: LogFields] {
  const { configFile, dataDir, dataLogDir, ensemble } = config;
  const place = { dataDir, dataLogDir, configFile };
  if (ensemble === null) return ['serving clients', { port: clientPort, ...place }];
  const { members } = ensemble.configuration;
  const own = members.find(({ id }) => id === ensemble.serverId);
  const { quorumPort = 0, electionPort = 0 } = own?.addresses[0] ?? {};
  const ports = { clientPort, quorumPort, electionPort };
  const fields = { serverId: ensemble.serverId, members: members.map(({ id }) => id).join(','), ...ports, ...place };
  return ['started; clients are served when there is a leader', fields];
}

/** One line on stderr for what the user can mend; bugs go up. */
function refuse(error: unknown): number {
  if (error instanceof UsageError || error instanceof LogOptionError) {
    console.error(`zoots server: ${error.message}`);
    return exitCodes.badConfiguration;
  }
  if (error instanceof StartupError) {
    console.error(`zoots: ${error.message}`);
    return error.exitCode;
  }
  throw error;
}

function parseServerWords(commandWords: readonly string[]): ServerWords {
  const properties: PropertyWord[] = [];
  const words: string[] = [];
  const options: Record<string, string | undefined> = {};
  for (let i = 0; i < commandWords.length; i++) {
    const word = commandWords[i] as string;
    const property = parsePropertyWord(word);
    const option = /^--(log-format|log-level)(?:=(.*))?$/.exec(word);
    if (property !== null) properties.push(property);
    else if (option !== null) options[option[1] as string] = option[2] ?? commandWords[++i];
    else if (isForJava(word)) continue;
    else if (word.startsWith('-')) throw new UsageError(`unknown option ${word}`);
    else words.push(word);
  }
  return { properties, words, logFormat: options['log-format'], logLevel: options['log-level'] };
}

function isForJava(word: string): boolean {
  return /^-(X|ea$|da$|server$|client$|verbose)/.test(word);
}

function sourcesOf(parsed: ServerWords): ConfigSources {
  return {
    words: parsed.words,
    properties: parsed.properties,
    environment: process.env,
    workingDirectory: process.cwd(),
    defaults: {
      configFile: defaultConfigFile(process.env),
      dataDir: `${checkoutDirectory}/data`,
      clientPort: 2181,
    },
  };
}

/** `serving`, or `started` where only the ensemble can tell when clients are served. */
function announceReady(fd: string | undefined, word: 'serving' | 'started'): void {
  if (fd === undefined || !/^\d+$/.test(fd)) return;
  try {
    writeSync(Number(fd), `${word}\n`);
    closeSync(Number(fd));
  } catch {
    // Whoever waited is gone; the server is up all the same.
  }
}
