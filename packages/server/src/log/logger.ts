/**
 * The Logger port on pino: one readable line per event for people, or one JSON object per line on request.
 *
 * pino and pino-pretty are loaded when the first logger is made, not with this module, so that commands that log nothing
 * start fast. Lines are written synchronously: no worker thread, nothing lost when the process dies, and a log that is
 * read after a crash ends with the reason for it. A log that cannot be written (disk full, closed pipe) never stops the
 * server.
 */
import { type LogFields, type Logger, type LogLevelName, logLevelOf, logLevelOff, logLevels } from '@zoots/base';

export type LogFormat = 'text' | 'json';

export interface LoggerOptions {
  readonly format: LogFormat;
  /** Events below are dropped; see `logLevels` of @zoots/base. */
  readonly level: number;
  /** File descriptor to write to. */
  readonly fd: number;
  readonly colorize: boolean;
}

export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const { pino } = await import('pino');
  const destination = pino.destination({ dest: options.fd, sync: true });
  destination.on('error', () => {});
  const sink = options.format === 'json' ? destination : await textSink(destination, options.colorize);
  const level = options.level >= logLevelOff ? 'silent' : labelOf(options.level);
  const target = pino(options.format === 'json' ? { level } : { level, base: null }, sink);
  return {
    level: options.level,
    log(eventLevel: number, event: string, fields?: LogFields): void {
      if (eventLevel < options.level) return;
      target[labelOf(eventLevel)](fields ?? {}, event);
    },
  };
}

interface Sink {
  write(line: string): void;
}

/** Lines for people: `2026-11-21T13:11:00.123 INFO: serving clients  port=2181`. */
async function textSink(destination: Sink, colorize: boolean): Promise<Sink> {
  const { prettyFactory } = (await import('pino-pretty')).default;
  const format = prettyFactory({
    colorize,
    hideObject: true,
    translateTime: "SYS:yyyy-mm-dd'T'HH:MM:ss.l",
    customPrettifiers: { time: (time) => String(time) },
    messageFormat: (record, messageKey) => lineOf(String(record[messageKey]), record),
  });
  return { write: (line) => destination.write(format(line)) };
}

const keysOfPino = new Set(['level', 'time', 'msg', 'pid', 'hostname']);

function lineOf(event: string, record: Readonly<Record<string, unknown>>): string {
  let line = event;
  for (const [name, value] of Object.entries(record)) {
    if (!keysOfPino.has(name)) line += `  ${name}=${readable(value)}`;
  }
  return line;
}

/** Bare where it is unambiguous, quoted and escaped where it holds a quote or a line end. */
function readable(value: unknown): string {
  const text = String(value);
  return /["\\\p{Cc}]/u.test(text) || text === '' ? JSON.stringify(text) : text;
}

const labels = Object.keys(logLevels) as LogLevelName[];

/** The label of the nearest level that is not above the number. */
function labelOf(level: number): LogLevelName {
  let label = labels[0] as LogLevelName;
  for (const candidate of labels) if (logLevels[candidate] <= level) label = candidate;
  return label;
}

export interface LogSources {
  /** `--log-format`, `--log-level`; undefined where absent. */
  readonly format: string | undefined;
  readonly level: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What a wrong word on the command line or in the environment says; the caller prints it. */
export class LogOptionError extends Error {
  override readonly name = 'LogOptionError';
}

/** Options from the command line, then ZOOTS_LOG_FORMAT and ZOOTS_LOG_LEVEL, then text at level info. */
export function logOptionsOf(sources: LogSources): { format: LogFormat; level: number } {
  const format = sources.format ?? (sources.environment.ZOOTS_LOG_FORMAT || 'text');
  if (format !== 'text' && format !== 'json')
    throw new LogOptionError(`log format "${format}" is neither text nor json`);
  const levelName = sources.level ?? (sources.environment.ZOOTS_LOG_LEVEL || 'info');
  const level = logLevelOf(levelName);
  if (level === undefined) {
    throw new LogOptionError(`log level "${levelName}" is not one of ${labels.join(', ')}, off`);
  }
  return { format, level };
}
