/** The commands of zkCli that read: ls, get, stat and the like. */
import { ServerError } from '@zoots/client';
import { aclEntryText } from './acl-text.js';
import { type CommandContext, type CommandRow, NO_OPTIONS, type Output } from './command.js';
import { noNode } from './connection.js';
import { dataForms } from './data-text.js';
import { type OptionTable, optionLines, type ParsedWords } from './options.js';
import { checkedPath } from './path-rules.js';
import { statText } from './stat-text.js';
import { visitSubtree } from './subtree.js';

const SYNC_TIMEOUT_MS = 30_000;

const LS_OPTIONS: OptionTable = {
  rows: [
    { name: '?', text: 'help' },
    { name: 's', text: 'stat' },
    { name: 'w', text: 'watch' },
    { name: 'R', text: 'recurse' },
  ],
};

const GET_OPTIONS: OptionTable = {
  rows: [
    { name: 's', text: 'Print znode stats additionally' },
    { name: 'w', text: 'Watch for changes on the znode' },
    { name: 'b', text: 'Output data in base64 format' },
    { name: 'x', text: 'Output data in hexdump format' },
  ],
};

const CONFIG_OPTIONS: OptionTable = {
  rows: [
    { name: 's', text: 'stats' },
    { name: 'w', text: 'watch' },
    { name: 'c', text: 'client connection string' },
  ],
};

export const readCommands: Readonly<Record<string, CommandRow>> = {
  ls: {
    usage: '[-s] [-w] [-R] path',
    options: LS_OPTIONS,
    wordsMin: 2,
    before: (output, parsed) => {
      if (parsed.has('?')) output.text(`usage: ls [options] path\n${optionLines(LS_OPTIONS)}`);
      warnOfWatchWord(output, parsed, "'ls path [watch]'", "'ls [-w] path'");
    },
    run: (context, parsed) => {
      const isWatched = wantsWatch(parsed);
      const path = checkedPath(parsed.words[1] as string);
      if (parsed.has('R')) return listSubtree(context, path, isWatched);
      return listChildren(context, path, isWatched, parsed.has('s'));
    },
  },
  ls2: {
    usage: 'path [watch]',
    options: NO_OPTIONS,
    wordsMin: 2,
    isHidden: true,
    run: (context, parsed) => {
      context.output.error("'ls2' has been deprecated. Please use 'ls [-s] path' instead.");
      return listChildren(context, checkedPath(parsed.words[1] as string), parsed.words.length > 2, true);
    },
  },
  get: {
    usage: '[-s] [-w] [-b] [-x] path',
    options: GET_OPTIONS,
    listsOptions: true,
    wordsMin: 2,
    before: (output, parsed) => warnOfWatchWord(output, parsed, "'get path [watch]'", "'get [-s] [-w] path'"),
    run: async ({ connection, output }, parsed) => {
      const path = checkedPath(parsed.words[1] as string);
      const { data, stat } = await connection.read(path, wantsWatch(parsed) ? 'data' : null, (client, options) =>
        client.get(path, options),
      );
      const form = parsed.has('x') ? 'x' : parsed.has('b') ? 'b' : '';
      output.line(dataForms[form](data ?? Buffer.from('null')));
      if (parsed.has('s')) output.line(statText(stat));
    },
  },
  stat: {
    usage: '[-w] path',
    options: { rows: [{ name: 'w', text: 'watch' }] },
    wordsMin: 2,
    before: (output, parsed) => warnOfWatchWord(output, parsed, "'stat path [watch]'", "'stat [-w] path'"),
    run: async ({ connection, output }, parsed) => {
      const path = checkedPath(parsed.words[1] as string);
      const stat = await connection.read(path, wantsWatch(parsed) ? 'data' : null, (client, options) =>
        client.exists(path, options),
      );
      if (stat === null) throw noNode(path);
      output.line(statText(stat));
    },
  },
  getAcl: {
    usage: '[-s] path',
    options: { rows: [{ name: 's', text: 'stats' }] },
    wordsMin: 2,
    run: async ({ connection, output }, parsed) => {
      const path = checkedPath(parsed.words[1] as string);
      const { acl, stat } = await connection.call(path, (client, options) => client.getAcl(path, options));
      for (const entry of acl) output.line(aclEntryText(entry));
      if (parsed.has('s')) output.line(statText(stat));
    },
  },
  getEphemerals: {
    usage: 'path',
    options: NO_OPTIONS,
    wordsMin: 1,
    run: async ({ connection, output }, { words }) => {
      const prefix = words[1] ?? '/';
      const paths = await connection.call(prefix, (client, options) => client.ephemerals(prefix, options));
      output.line(`[${paths.join(', ')}]`);
    },
  },
  getAllChildrenNumber: {
    usage: 'path',
    options: NO_OPTIONS,
    wordsMin: 2,
    run: async ({ connection, output }, { words }) => {
      const path = checkedPath(words[1] as string);
      const count = await connection.call(path, (client, options) => client.countDescendants(path, options));
      output.line(String(count));
    },
  },
  sync: {
    usage: 'path',
    options: NO_OPTIONS,
    wordsMin: 2,
    run: async ({ connection, output }, { words }) => {
      const path = checkedPath(words[1] as string);
      const failure = await connection.call(path, (client, options) =>
        client.sync(path, { ...options, timeoutMs: SYNC_TIMEOUT_MS }).then(
          () => 0,
          (error: unknown) => {
            if (error instanceof ServerError) return error.errorCode;
            throw error;
          },
        ),
      );
      output.line(failure === 0 ? 'Sync is OK' : `Sync has failed. rc=${failure}`);
    },
  },
  config: {
    usage: '[-c] [-w] [-s]',
    options: CONFIG_OPTIONS,
    wordsMin: 1,
    run: async ({ connection, output }, parsed) => {
      const path = '/zookeeper/config';
      const { text, stat } = await connection.read(path, parsed.has('w') ? 'data' : null, (client, options) =>
        client.config(options),
      );
      output.line(parsed.has('c') ? (await import('./config-text.js')).clientConfigText(text) : text);
      if (parsed.has('s')) output.line(statText(stat));
    },
  },
  whoami: {
    usage: '',
    options: null,
    wordsMin: 1,
    run: async ({ connection, output }) => {
      const identities = await connection.call(null, (client, options) => client.whoAmI(options));
      output.line('Auth scheme: User');
      for (const { scheme, user } of identities) output.line(`${scheme}: ${user}`);
    },
  },
  version: {
    usage: '',
    options: NO_OPTIONS,
    wordsMin: 1,
    wordsMax: 1,
    run: async ({ output }) => {
      output.line(`ZooKeeper CLI version: ${(await import('@zoots/server')).fullVersion}`);
    },
  },
};

/** Up to 3.4 a word behind the path asked for a watch, whatever word. */
function wantsWatch(parsed: ParsedWords): boolean {
  return parsed.has('w') || parsed.words.length > 2;
}

function warnOfWatchWord(output: Output, parsed: ParsedWords, old: string, instead: string): void {
  if (parsed.words.length > 2) output.error(`${old} has been deprecated. Please use ${instead} instead.`);
}

async function listChildren(
  { connection, output }: CommandContext,
  path: string,
  isWatched: boolean,
  withStat: boolean,
): Promise<void> {
  const { children, stat } = await connection.read(path, isWatched ? 'children' : null, (client, options) =>
    client.childrenWithStat(path, options),
  );
  output.line(`[${children.sort().join(', ')}]`);
  if (withStat) output.line(statText(stat));
}

async function listSubtree({ connection, output }: CommandContext, path: string, isWatched: boolean): Promise<void> {
  await visitSubtree(connection, path, isWatched, async (paths) => output.line(paths.join('\n')));
}
