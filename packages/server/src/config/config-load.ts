/**
 * zoo.cfg, `-D` words and the environment to a ServerConfig.
 *
 * Order of precedence, as Apache has it: a key of zoo.cfg wins over a `-D` word of the command line, that over JVMFLAGS,
 * that over SERVER_JVMFLAGS; the last of several equal ones wins. A key of zoo.cfg that its parser does not know is the
 * property `zookeeper.` and the key.
 *
 * This file collects the settings and looks their names up; `config-build.ts` turns them into values and checks them.
 * What is worth a log line is returned as notices, because no logger exists yet.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type LogFields, logLevels } from '@zoots/base';
import { buildServerConfig } from './config-build.js';
import { type CollectedSettings, ConfigError, type ConfigNotice, type Setting } from './config-settings.js';
import { type Known, lookUpFileKey, lookUpProperty, nearestFileKey, nearestProperty } from './config-table.js';
import { PropertiesSyntaxError, type PropertyEntry, parseProperties } from './properties-file.js';
import type { ServerConfig } from './server-config.js';

export interface ConfigSources {
  /** What stands behind the options: nothing, a file, or `port dataDir [tickTime] [maxClientCnxns]`. */
  readonly words: readonly string[];
  /** The `-Dname=value` words of the command line, in order. */
  readonly properties: readonly PropertyWord[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  /** What to run with when there are no words: this file if it exists, else the other fields. */
  readonly defaults: { readonly configFile: string; readonly dataDir: string; readonly clientPort: number };
}

export interface PropertyWord {
  readonly name: string;
  readonly value: string;
}

export interface LoadedConfig {
  readonly config: ServerConfig;
  readonly notices: readonly ConfigNotice[];
  /** True when there was neither a file nor `port dataDir`. */
  readonly isBuiltIn: boolean;
}

/** Throws {@link ConfigError}. */
export function loadServerConfig(sources: ConfigSources): LoadedConfig {
  const collector = new SettingsCollector();
  for (const variable of ['SERVER_JVMFLAGS', 'JVMFLAGS']) {
    for (const word of propertyWordsOf(sources.environment[variable] ?? '')) {
      collector.addProperty(word, `${variable}: -D${word.name}`);
    }
  }
  for (const word of sources.properties) collector.addProperty(word, `-D${word.name}`);
  const configFile = addWords(collector, sources);
  collector.noteLaterKeys();
  const collected: CollectedSettings = {
    configFile: configFile === null ? null : resolve(sources.workingDirectory, configFile),
    settings: collector.settings,
    notices: collector.notices,
    workingDirectory: sources.workingDirectory,
  };
  const config = buildServerConfig(collected);
  return { config, notices: collected.notices, isBuiltIn: configFile === null && sources.words.length === 0 };
}

/**
 * A configuration from keys of zoo.cfg and their values, for programs that have no file; with `myid` also without that one.
 * Throws {@link ConfigError}.
 */
export function serverConfigOf(
  keys: Readonly<Record<string, string>>,
  myid: number | null = null,
): Omit<LoadedConfig, 'isBuiltIn'> {
  const collector = new SettingsCollector();
  for (const [key, value] of Object.entries(keys)) collector.addFileEntry({ key, value, line: 0 }, 'configuration');
  collector.noteLaterKeys();
  const { settings, notices } = collector;
  const workingDirectory = process.cwd();
  return { config: buildServerConfig({ configFile: null, settings, notices, workingDirectory }, myid), notices };
}

/** Adds what the words of the command line say; the file that was read, or null. */
function addWords(collector: SettingsCollector, sources: ConfigSources): string | null {
  const { words, defaults, workingDirectory } = sources;
  if (words.length > 4) {
    throw new ConfigError(
      `too many arguments (${words.join(' ')}): expected CFG or port dataDir [tickTime] [maxcnxns]`,
    );
  }
  if (words.length >= 2) {
    const keys = ['clientPort', 'dataDir', 'tickTime', 'maxClientCnxns'];
    words.forEach((text, index) => {
      const key = keys[index] as string;
      collector.settings.set(key, { key, text, place: `argument ${index + 1} (${key})` });
    });
    return null;
  }
  const file = words[0] ?? (existsSync(defaults.configFile) ? defaults.configFile : null);
  if (file === null) {
    const builtIn = { dataDir: defaults.dataDir, clientPort: String(defaults.clientPort), tickTime: '2000' };
    for (const [key, text] of Object.entries(builtIn)) collector.settings.set(key, { key, text, place: 'built in' });
    return null;
  }
  for (const entry of readConfigFile(file, workingDirectory)) collector.addFileEntry(entry, `${file}:${entry.line}`);
  collector.readDynamicFile(workingDirectory);
  return file;
}

function readConfigFile(file: string, workingDirectory: string): PropertyEntry[] {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(resolve(workingDirectory, file));
  } catch (cause) {
    const sample = join(dirname(resolve(workingDirectory, file)), 'zoo_sample.cfg');
    const remedy = existsSync(sample) ? `; to start from the sample: cp ${sample} ${file}` : '';
    throw new ConfigError(`cannot read the configuration ${file}: ${reasonOf(cause)}${remedy}`, { cause });
  }
  try {
    return parseProperties(decodeText(bytes));
  } catch (cause) {
    if (cause instanceof PropertiesSyntaxError)
      throw new ConfigError(`${file}:${cause.line}: ${cause.message}`, { cause });
    throw cause;
  }
}

/** UTF-8 where it is that, else ISO 8859-1, which is what Java takes every .properties file for. */
function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('latin1').decode(bytes);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is not a directory',
};

function reasonOf(error: unknown): string {
  const code = (error as { code?: string }).code ?? '';
  return reasons[code] ?? (error as Error).message;
}

/** The `-Dname=value` words in a variable like JVMFLAGS; every other word is the virtual machine's. Simple quotes count. */
export function propertyWordsOf(flags: string): PropertyWord[] {
  const words = flags.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? [];
  const result: PropertyWord[] = [];
  for (const word of words) {
    const plain = word.replace(/"([^"]*)"|'([^']*)'/g, (_, double, single) => double ?? single);
    const property = parsePropertyWord(plain);
    if (property !== null) result.push(property);
  }
  return result;
}

/** `-Dname=value`, or `-Dname` for an empty value; null for any other word. */
export function parsePropertyWord(word: string): PropertyWord | null {
  const match = /^-D([^=]+)(?:=(.*))?$/s.exec(word);
  return match === null ? null : { name: match[1] as string, value: (match[2] ?? '').trim() };
}

class SettingsCollector {
  readonly settings = new Map<string, Setting>();
  readonly notices: ConfigNotice[] = [];
  readonly #laterKeys = new Set<string>();

  addProperty(word: PropertyWord, place: string): void {
    const known = lookUpProperty(word.name);
    if (known !== null) {
      this.#add(known, word.value, place);
      return;
    }
    const meant = nearestProperty(word.name);
    const isFileKey = lookUpFileKey(word.name) !== null;
    // Java has thousands of properties of its own: only what looks like ZooKeeper's is worth a line.
    if (isFileKey) this.#warn('a key of zoo.cfg is not a property: ignored', { place });
    else if (word.name.startsWith('zookeeper.') || meant !== null) this.#warnUnknown(place, word.name, meant);
  }

  addFileEntry(entry: PropertyEntry, place: string): void {
    const { key, value } = entry;
    if (key.startsWith('server.') && !/^server\.-?\d+$/.test(key)) {
      throw new ConfigError(`${place}: "${key}" is not server. and a number`);
    }
    const known = lookUpFileKey(key);
    if (known === null) this.#warnUnknown(`${place}: ${key}`, key, nearestFileKey(key));
    else this.#add(known, value, `${place}: ${key}`);
  }

  /** The server., group and weight lines of dynamicConfigFile, which may stand nowhere else then. */
  readDynamicFile(workingDirectory: string): void {
    const file = this.settings.get('dynamicConfigFile')?.text;
    if (file === undefined) return;
    for (const setting of this.settings.values()) {
      if (!isMembershipKey(setting.key)) continue;
      throw new ConfigError(`${setting.place}: must stand in the dynamicConfigFile ${file}`);
    }
    for (const entry of readConfigFile(file, workingDirectory)) {
      const place = `${file}:${entry.line}`;
      if (!isMembershipKey(entry.key)) {
        throw new ConfigError(`${place}: only server., group and weight lines may stand here, not ${entry.key}`);
      }
      this.addFileEntry(entry, place);
    }
  }

  noteLaterKeys(): void {
    if (this.#laterKeys.size === 0) return;
    const keys = [...this.#laterKeys].sort().join(', ');
    this.notices.push({
      level: logLevels.info,
      event: 'these keys are for a later version and have no effect yet',
      fields: { keys },
    });
  }

  #add(known: Known, text: string, place: string): void {
    const kind = known.row?.kind ?? known.family?.kind;
    if (kind === 'later') this.#laterKeys.add(known.key);
    this.settings.set(known.key, { key: known.key, text, place });
  }

  #warn(event: string, fields: LogFields): void {
    this.notices.push({ level: logLevels.warn, event, fields });
  }

  #warnUnknown(place: string, name: string, meant: string | null): void {
    const fields: LogFields = meant === null || meant === name ? { place } : { place, meant };
    this.#warn('unknown configuration key: ignored', fields);
  }
}

function isMembershipKey(key: string): boolean {
  return key.startsWith('server.') || key.startsWith('group') || key.startsWith('weight');
}
