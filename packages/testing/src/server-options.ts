/** What {@link startServer} and {@link startCluster} take, and the configuration that comes of it. */
import { type Logger, type LogLevelName, type LogRecord, logLevels, nullLogger } from '@zoots/base';
import { ConfigError, createLogger, type ServerConfig, serverConfigOf } from '@zoots/server';

export interface ServerOptions {
  /** Default 0: any free port; {@link TestServer.port} says which. */
  readonly port?: number | undefined;
  /**
   * - `memory`, the default: nothing is written, and everything is gone with the server.
   * - `temporary`: files in a directory of the system's temporary one, removed when the server is stopped. Nothing is synced.
   * - `{ directory }`: files that stay; the directory is made if it is missing. A running server holds it for itself.
   */
  readonly data?: 'memory' | 'temporary' | { readonly directory: string } | undefined;
  /**
   * - `real`, the default.
   * - `virtual`: time stands still for the server but for {@link TestServer.advance}. A session never expires because the
   *   machine was slow, and an hour passes at once.
   */
  readonly clock?: 'real' | 'virtual' | undefined;
  /**
   * Keys of zoo.cfg. The defaults are a server's own, but for these, which suit tests: listens on 127.0.0.1, tickTime 100 with
   * session timeouts from 200 ms to 40 s, no limit of connections, all four letter words, TTL znodes (extendedTypesEnabled).
   */
  readonly config?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** What the server logs: to stderr from this level on, or to a function. Default: nowhere. */
  readonly log?: LogLevelName | ((record: LogRecord) => void) | undefined;
}

export interface ClusterOptions {
  /** Members that get all updates and have no vote, the last ones by id. Default 0. */
  readonly observers?: number | undefined;
  /** As for a server alone; members have a directory each, in `{ directory }` by their ids. */
  readonly data?: ServerOptions['data'];
  /**
   * Keys of zoo.cfg for every member. The defaults are those of a server alone, and: elections that decide after 20 ms instead of
   * 200, initLimit 30 and syncLimit 10: three seconds and one with tickTime 100.
   */
  readonly config?: ServerOptions['config'];
  /** What members log: to stderr from this level on, each line with the member's id, or to a function. Default: nowhere. */
  readonly log?: LogLevelName | ((record: LogRecord, memberId: number) => void) | undefined;
}

const testDefaults: Readonly<Record<string, string>> = {
  clientPortAddress: '127.0.0.1',
  tickTime: '100',
  minSessionTimeout: '200',
  maxSessionTimeout: '40000',
  maxClientCnxns: '0',
  '4lw.commands.whitelist': '*',
  extendedTypesEnabled: 'true',
  // Everything that is due goes at once.
  'znode.container.maxPerMinute': '1000000000',
  // Files hold little, and room made ahead costs memory or time.
  preAllocSize: '64',
};

const clusterDefaults: Readonly<Record<string, string>> = {
  initLimit: '30',
  syncLimit: '10',
  'fastleader.minNotificationInterval': '20',
  leaderConnectDelayDuringRetryMs: '50',
};

/** Throws Error for a key that nobody knows, and for a value that is wrong. */
export function configOf(options: ServerOptions, dataDir: string): ServerConfig {
  const keys: Record<string, string> = { ...testDefaults, dataDir, clientPort: String(options.port ?? 0) };
  return checkedConfig(keys, options, null);
}

/** Of the member `myid`; `lines` are those of all members. Throws as {@link configOf} does. */
export function memberConfigOf(
  options: ClusterOptions,
  { myid, clientPort, lines }: { myid: number; clientPort: number; lines: Readonly<Record<string, string>> },
  dataDir: string,
): ServerConfig {
  const keys = { ...testDefaults, ...clusterDefaults, dataDir, clientPort: String(clientPort), ...lines };
  return checkedConfig(keys, options, myid);
}

function checkedConfig(
  keys: Record<string, string>,
  { data, config: wished }: Pick<ServerOptions, 'data' | 'config'>,
  myid: number | null,
): ServerConfig {
  if (typeof data !== 'object') keys.forceSync = 'no';
  for (const [key, value] of Object.entries(wished ?? {})) keys[key] = String(value);
  const { config, notices } = serverConfigOf(keys, myid);
  for (const { event, fields, level } of notices) {
    // A notice that names a place is about what somebody wrote: a server warns and goes on, but a test would test the wrong thing.
    if (level < logLevels.warn || fields.place === undefined) continue;
    throw new ConfigError(`${event}: ${Object.values(fields).join(', ')}`);
  }
  return config;
}

export async function loggerOf(log: ServerOptions['log']): Promise<Logger> {
  if (log === undefined) return nullLogger;
  if (typeof log === 'string') {
    return createLogger({ format: 'text', level: logLevels[log], fd: 2, colorize: process.stderr.isTTY });
  }
  return { level: logLevels.trace, log: (level, event, fields = {}) => log({ level, event, fields }) };
}

export async function memberLoggerOf(log: ClusterOptions['log'], memberId: number): Promise<Logger> {
  if (typeof log === 'function') return loggerOf((record) => log(record, memberId));
  const logger = await loggerOf(log);
  if (log === undefined) return logger;
  return { level: logger.level, log: (level, event, fields) => logger.log(level, event, { memberId, ...fields }) };
}
