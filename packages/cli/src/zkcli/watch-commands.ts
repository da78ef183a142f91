/** The commands of zkCli about watches, identities and the ensemble: addWatch, removewatches, addauth, reconfig, close. */
import type { WatchKind } from '@zoots/client';
import { type CommandContext, type CommandRow, NO_OPTIONS, usageOf } from './command.js';
import { rejectOn } from './connection.js';
import { CliError } from './errors.js';
import { parseInt64 } from './numbers.js';
import type { OptionTable, ParsedWords } from './options.js';
import { checkedPath } from './path-rules.js';
import { statText } from './stat-text.js';

const WATCH_MODES: Readonly<Record<string, 'persistent' | 'recursive'>> = {
  PERSISTENT: 'persistent',
  PERSISTENT_RECURSIVE: 'recursive',
};

/** The first that is given counts. */
const REMOVE_KINDS: readonly (readonly [string, WatchKind, string])[] = [
  ['c', 'children', 'child watcher type'],
  ['d', 'data', 'data watcher type'],
  ['p', 'persistent', 'persistent watcher type'],
  ['r', 'recursive', 'persistent recursive watcher type'],
  ['a', 'any', 'any watcher type'],
];

const RECONFIG_OPTIONS: OptionTable = {
  rows: [
    { name: 's', text: 'stats' },
    { name: 'v', hasValue: true, text: 'required current config version' },
    { name: 'file', hasValue: true, text: 'path of config file to parse for membership' },
    { name: 'members', hasValue: true, text: 'comma-separated list of config strings for non-incremental reconfig' },
    { name: 'add', hasValue: true, text: 'comma-separated list of config strings for new servers' },
    { name: 'remove', hasValue: true, text: 'comma-separated list of server IDs to remove' },
  ],
};

export const watchCommands: Readonly<Record<string, CommandRow>> = {
  addWatch: {
    usage:
      '[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is PERSISTENT_RECURSIVE',
    options: { rows: [{ name: 'm', hasValue: true, text: '' }] },
    wordsMin: 2,
    wordsMax: 2,
    run: async ({ connection }, parsed) => {
      const mode = WATCH_MODES[(parsed.value('m') ?? 'PERSISTENT_RECURSIVE').toUpperCase()];
      if (mode === undefined) throw new CliError(usageOf('addWatch', watchCommands.addWatch as CommandRow));
      await connection.addWatch(checkedPath(parsed.words[1] as string), mode);
    },
  },
  removewatches: {
    usage: 'path [-c|-d|-a] [-l]',
    options: {
      rows: [
        ...REMOVE_KINDS.map(([name, , text]) => ({ name, text })),
        { name: 'l', text: 'remove locally when there is no server connection' },
      ],
    },
    wordsMin: 2,
    run: async ({ connection }, parsed) => {
      const kind = REMOVE_KINDS.find(([name]) => parsed.has(name))?.[1] ?? 'any';
      await connection.removeWatches(checkedPath(parsed.words[1] as string), kind, parsed.has('l'));
    },
  },
  addauth: {
    usage: 'scheme auth',
    options: NO_OPTIONS,
    wordsMin: 2,
    run: async ({ connection }, { words }) => {
      const [, scheme, auth = ''] = words as [string, string, string | undefined];
      await connection.call(null, (client, { signal }) =>
        Promise.race([client.addAuth(scheme, auth), rejectOn(signal)]),
      );
    },
  },
  close: { usage: '', options: null, wordsMin: 1, run: ({ connection }) => connection.close() },
  reconfig: {
    usage:
      '[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]',
    options: RECONFIG_OPTIONS,
    wordsMin: 1,
    run: reconfig,
  },
};

async function reconfig({ connection, output }: CommandContext, parsed: ParsedWords): Promise<void> {
  const isWhole = parsed.has('file') || parsed.has('members');
  const isIncremental = parsed.has('add') || parsed.has('remove');
  if (!isWhole && !isIncremental) throw new CliError(usageOf('reconfig', watchCommands.reconfig as CommandRow));
  const fromConfig = parsed.has('v') ? parseInt64(parsed.value('v') as string, 16) : -1n;
  if (fromConfig === null) throw new CliError('-v must be followed by a long (configuration version)');
  if (isWhole && isIncremental) {
    throw new CliError(
      "Can't use -file or -members together with -add or -remove (mixing incremental and non-incremental modes is not allowed)",
    );
  }
  if (parsed.has('file') && parsed.has('members')) {
    throw new CliError("Can't use -file and -members together (conflicting non-incremental modes)");
  }
  const file = parsed.value('file');
  const members = file === undefined ? parsed.value('members')?.toLowerCase() : await membersOfFile(file);
  const joining = parsed.value('add')?.toLowerCase();
  const leaving = parsed.value('remove')?.split(',').map(serverId);
  const { text, stat } = await connection.call('', (client, options) =>
    client.reconfig({ joining, leaving, members, fromConfig }, options),
  );
  output.line(`Committed new configuration:\n${text}`);
  if (parsed.has('s')) output.line(statText(stat));
}

function serverId(word: string): number {
  const id = parseInt64(word.trim());
  if (id === null) throw new CliError(`-remove takes server ids, which are numbers: "${word}"`);
  return Number(id);
}

/** The lines of a configuration file that make up the ensemble. */
async function membersOfFile(file: string): Promise<string> {
  const { parseProperties } = await import('@zoots/server');
  const { readFileSync } = await import('node:fs');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? `${file} (No such file or directory)` : message;
    throw new CliError(`Error processing ${file}${reason}`);
  }
  const lines = parseProperties(text).filter(({ key }) => /^(?:server|group|weight)\./.test(key));
  if (lines.length === 0) throw new CliError(`Error processing ${file}: it has no server.N lines`);
  return lines.map(({ key, value }) => `${key}=${value}`).join('\n');
}
