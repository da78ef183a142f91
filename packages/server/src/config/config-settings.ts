/**
 * Settings as they were written, and typed access to their values. What `config-load.ts` collects and
 * `config-build.ts` reads.
 */
import { type LogFields, logLevels } from '@zoots/base';
import { exitCodes } from '../exit-codes.js';
import { StartupError } from '../running-server.js';
import type { ConfigRow } from './config-row.js';
import { configTable, type TypedKey, typedKeys, type ValueOfKey } from './config-table.js';
import { readValue } from './config-values.js';

/** A configuration that cannot be used: exit code 2, and a message that begins with file and line. */
export class ConfigError extends StartupError {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, exitCodes.badConfiguration, options);
  }
}

/** Something to log once a logger exists. */
export interface ConfigNotice {
  readonly level: number;
  readonly event: string;
  readonly fields: LogFields;
}

/** One setting: its text, and where it stands, for messages. */
export interface Setting {
  readonly key: string;
  readonly text: string;
  readonly place: string;
}

/** What `buildServerConfig` gets. */
export interface CollectedSettings {
  readonly configFile: string | null;
  /** By key of the table, or by its own name for a member of a family. */
  readonly settings: ReadonlyMap<string, Setting>;
  readonly notices: ConfigNotice[];
  readonly workingDirectory: string;
}

/** Typed access to the settings: the default where nothing is set, a notice or an error where the text is wrong. */
export class Values {
  readonly #collected: CollectedSettings;

  constructor(collected: CollectedSettings) {
    this.#collected = collected;
    this.#checkRest();
  }

  /** A key whose text was wrong and ignored is reported once, not at each read. */
  readonly #read = new Map<string, unknown>();

  get<K extends TypedKey>(key: K): ValueOfKey<K> {
    if (!this.#read.has(key)) this.#read.set(key, this.#readRow(key, typedKeys[key]));
    return this.#read.get(key) as ValueOfKey<K>;
  }

  /** Null if it is not set. */
  text(key: string): string | null {
    return this.#collected.settings.get(key)?.text ?? null;
  }

  /** Where a setting stands, for messages: file, line and key. */
  placeOf(key: string): string {
    return this.#collected.settings.get(key)?.place ?? `${this.fileName}: ${key}`;
  }

  get fileName(): string {
    return this.#collected.configFile ?? 'configuration';
  }

  get workingDirectory(): string {
    return this.#collected.workingDirectory;
  }

  get keys(): Iterable<string> {
    return this.#collected.settings.keys();
  }

  warn(event: string, fields: Record<string, string | number> = {}): void {
    this.#collected.notices.push({ level: logLevels.warn, event, fields });
  }

  #readRow(key: string, row: ConfigRow<unknown>): unknown {
    const setting = this.#collected.settings.get(key);
    if (setting === undefined) return row.default;
    const read = readValue(row, setting.text);
    if ('error' in read) throw new ConfigError(`${setting.place}: ${read.error}`);
    if (read.warning !== null) this.warn('configuration value', { place: setting.place, problem: read.warning });
    return read.value;
  }

  /** File keys are checked even where nothing reads them yet: Apache would refuse them too. */
  #checkRest(): void {
    for (const key of this.keys) {
      const row = configTable[key];
      if (row?.sort === 'file key' && !(key in typedKeys)) this.#readRow(key, row);
    }
    for (const key of Object.keys(typedKeys) as TypedKey[]) {
      if (this.text(key) !== null && typedKeys[key].kind !== 'later') this.get(key);
      else if (this.text(key) !== null && typedKeys[key].sort === 'file key') this.get(key);
    }
  }
}
