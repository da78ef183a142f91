/** The command line of zkCli itself: options in front, then perhaps a command. */
import type { ConnectionSettings } from './connection.js';
import { CliError, EXIT_BAD_CONFIGURATION } from './errors.js';
import { parseInt32 } from './numbers.js';

export interface ShellArguments {
  readonly server: string;
  readonly timeoutWord: string;
  readonly readOnly: boolean;
  readonly waits: boolean;
  readonly configurationFile: string | null;
  /** The command and its words; empty for a shell. */
  readonly command: readonly string[];
  /** An option without its value: told, and otherwise ignored. */
  readonly problem: string | null;
}

const DEFAULTS: ShellArguments = {
  server: 'localhost:2181',
  timeoutWord: '30000',
  readOnly: false,
  waits: false,
  configurationFile: null,
  command: [],
  problem: null,
};

type Field = Partial<{ -readonly [K in keyof ShellArguments]: ShellArguments[K] }>;

const VALUE_OPTIONS: Readonly<Record<string, (value: string) => Field>> = {
  '-server': (server) => ({ server }),
  '-timeout': (timeoutWord) => ({ timeoutWord }),
  '-client-configuration': (configurationFile) => ({ configurationFile }),
};

const FLAGS: Readonly<Record<string, Field>> = {
  '-r': { readOnly: true },
  '-waitforconnection': { waits: true },
};

/** Options that do not exist are ignored, as Apache's zkCli ignores them; the first other word begins the command. */
export function parseArguments(words: readonly string[]): ShellArguments {
  let found = DEFAULTS;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    const take = Object.hasOwn(VALUE_OPTIONS, word) ? VALUE_OPTIONS[word] : undefined;
    if (take !== undefined) {
      const value = words[++at];
      if (value === undefined) return { ...found, problem: `Error: no argument found for option ${word}` };
      found = { ...found, ...take(value) };
    } else if (Object.hasOwn(FLAGS, word)) found = { ...found, ...FLAGS[word] };
    else if (!word.startsWith('-')) return { ...found, command: words.slice(at) };
  }
  return found;
}

/** What the connection needs to know. Fails with {@link CliError}. */
export async function connectionSettings(found: ShellArguments): Promise<ConnectionSettings> {
  const timeoutMs = parseInt32(found.timeoutWord);
  if (timeoutMs === null || timeoutMs <= 0) {
    throw new CliError(`-timeout takes milliseconds, not "${found.timeoutWord}"`);
  }
  const { configurationFile: file, readOnly, waits } = found;
  const jvmWords = [process.env.CLIENT_JVMFLAGS, process.env.JVMFLAGS].join(' ');
  if (file === null && !jvmWords.includes('-Dzookeeper.')) return { timeoutMs, readOnly, waits, more: {} };
  const { clientOptions, ConfigurationError } = await import('./client-configuration.js');
  try {
    return { timeoutMs, readOnly, waits, more: clientOptions(file, jvmWords) };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new CliError(error.message, EXIT_BAD_CONFIGURATION);
  }
}
