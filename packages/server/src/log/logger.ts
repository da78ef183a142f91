/**
 * The Logger port: one readable line per event for people, or one JSON object per line on request.
 *
 * JSON is pino's, and lines in colour are pino-pretty's; each is loaded when such a logger is made. Plain lines need neither (see
 * text-lines.ts). Lines are written synchronously: no worker thread, nothing lost when the process dies, and a log that is
 * read after a crash ends with the reason for it. A log that cannot be written (disk full, closed pipe) never stops the
 * server.
 */
import { type LogFields, type Logger, type LogLevelName, logLevelOf, logLevelOff, logLevels } from '@zoots/base';
import { lineOf, writePlainLine } from './text-lines.js';

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
  return options.format === 'text' && !options.colorize ? plainLogger(options) : pinoLogger(options);
}

function plainLogger({ level, fd }: LoggerOptions): Logger {
  return {
    level,
    log(eventLevel: number, event: string, fields?: LogFields): void {
      if (eventLevel >= level) writePlainLine(fd, labelOf(eventLevel), event, fields ?? {});
    },
  };
}

async function pinoLogger(options: LoggerOptions): Promise<Logger> {
  const { pino } = await import('pino');
  const destination = pino.destination({ dest: options.fd, sync: true });
  destination.on('error', () => {});
  const sink = options.format === 'json' ? destination : await colorSink(destination);
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

/** The plain lines, with colours. */
async function colorSink(destination: Sink): Promise<Sink> {
  const { prettyFactory } = (await import('pino-pretty')).default;
  const format = prettyFactory({
    colorize: true,
    hideObject: true,
    translateTime: "SYS:yyyy-mm-dd'T'HH:MM:ss.l",
    customPrettifiers: { time: (time) => String(time) },
    messageFormat: (record, messageKey) => lineOf(String(record[messageKey]), record),
  });
  return { write: (line) => destination.write(format(line)) };
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
