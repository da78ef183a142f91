/**
 * The Logger port: events with fields, not prose.
 *
 * An event is a short stable phrase (`session expired`), what varies goes into fields with names that carry units
 * (`timeoutMs`). A call below the level costs one comparison if the caller gates it:
 *
 *     if (logger.level <= logLevels.debug) logger.log(logLevels.debug, 'session expired', { sessionId });
 *
 * Implementations: `server/log/logger.ts` (lines for people or JSON), and here the one that drops everything and the
 * one that records for tests and the simulator, where an `error` fails a run.
 */

/** The numbers are those of pino and bunyan, so that JSON lines need no translation. */
export const logLevels = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 } as const;

export type LogLevelName = keyof typeof logLevels;

export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export interface Logger {
  /** Events below this level are dropped. */
  readonly level: number;
  log(level: number, event: string, fields?: LogFields): void;
}

/** Above every level. */
export const logLevelOff = 100;

/** The level of a name in any case; undefined for a name nobody knows. */
export function logLevelOf(name: string): number | undefined {
  const lower = name.toLowerCase();
  if (lower === 'off' || lower === 'silent') return logLevelOff;
  return Object.hasOwn(logLevels, lower) ? logLevels[lower as LogLevelName] : undefined;
}

export const nullLogger: Logger = Object.freeze({ level: logLevelOff, log(): void {} });

export interface LogRecord {
  readonly level: number;
  readonly event: string;
  readonly fields: LogFields;
}

/** Keeps what was logged, oldest first. */
export class RecordingLogger implements Logger {
  readonly records: LogRecord[] = [];
  readonly level: number;

  constructor(level: number = logLevels.trace) {
    this.level = level;
  }

  log(level: number, event: string, fields: LogFields = {}): void {
    if (level >= this.level) this.records.push({ level, event, fields });
  }

  /** Records at `level` or above. */
  atLeast(level: number): LogRecord[] {
    return this.records.filter((record) => record.level >= level);
  }

  events(): string[] {
    return this.records.map((record) => record.event);
  }
}
