/**
 * Fills the generated parts of docs/operations.md from the tables of the code (settings, words, zkCli), puts the
 * examples into the pages of docs/client (example-docs.ts), and writes the API reference from the docstrings (api-docs.ts).
 *
 *   node scripts/dist/docs.js           writes the files
 *   node scripts/dist/docs.js --check   exit code 1 if one is stale
 *
 * A part stands between `<!-- generated: NAME -->` and `<!-- end -->`; everything else is written by hand.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMMAND_WORDS } from '@zoots/protocol';
import { type ConfigChapter, type ConfigRow, configChapters, configFamilies } from '@zoots/server';
import { apiFile, apiPackages, apiPage } from './api-docs.js';
import { examplePages, withExamples } from './example-docs.js';
import { commandTable } from './zkcli-docs.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const file = join(root, 'docs', 'operations.md');

/** What each word answers with. A word without a text here fails the generation. */
const wordTexts: Readonly<Record<string, string>> = {
  conf: 'the configuration in force',
  cons: 'a line for each connection, with its session, latencies and last operation',
  crst: 'sets the counters of all connections to zero',
  dirs: 'bytes of snapshots and of transaction logs',
  dump: 'sessions by when they expire, and their ephemeral znodes',
  envi: 'version and environment',
  gtmk: 'the trace mask (kept, without a meaning here)',
  hash: 'the digest log: tree digests at every 128th zxid',
  isro: '`rw`, or `ro` for a server in read-only mode',
  mntr: 'counters as `zk_name<TAB>value` lines, for monitoring',
  role: 'which role this server has in its ensemble, who leads, and why; how far learners are behind (not a word of Apache)',
  ruok: '`imok` from a server that runs',
  srst: 'sets the counters of the server to zero',
  srvr: 'version, latencies, counters, zxid, mode, znodes',
  stat: 'as srvr, with a line for each connection',
  stmk: 'sets the trace mask to the eight bytes that follow',
  wchc: 'watches by session',
  wchp: 'watches by path',
  wchs: 'how many watches there are',
};

type Part = () => string[];

const parts: Readonly<Record<string, Part>> = {
  'settings in effect': () => configChapters.flatMap((chapter) => settingsTable(chapter, 'effective')),
  'settings for later': () => configChapters.flatMap((chapter) => settingsTable(chapter, 'later')),
  'settings without a meaning here': () => [
    ...nameList('Of the Java server, accepted silently', 'jvm'),
    ...nameList('Of clients, accepted silently', 'client'),
  ],
  'families of keys': () => [
    '| keys | meaning | |',
    '|---|---|---|',
    ...configFamilies.map(({ pattern, doc, kind }) => {
      return `| \`${cell(pattern.source)}\` | ${doc} | ${kind === 'later' ? 'for later' : 'in effect'} |`;
    }),
  ],
  'commands of zkCli': commandTable,
  'four letter words': () => ['| word | answer |', '|---|---|', ...[...COMMAND_WORDS].sort().map(wordRow)],
};

function settingsTable({ title, rows }: ConfigChapter, kind: ConfigRow['kind']): string[] {
  const chosen = Object.entries(rows).filter(([, row]) => row.kind === kind);
  if (chosen.length === 0) return [];
  const lines = chosen.map(([key, row]) => {
    return `| \`${key}\` | ${propertyOf(key, row)} | ${defaultOf(row)} | ${cell(row.doc)}${boundsOf(row)} |`;
  });
  return [`### ${title}`, '', '| zoo.cfg key | `-D` property | default | meaning |', '|---|---|---|---|', ...lines, ''];
}

function propertyOf(key: string, row: ConfigRow): string {
  if (row.more.property !== undefined) return `\`${row.more.property}\``;
  return row.sort === 'property' ? `\`zookeeper.${key}\`` : '';
}

function defaultOf({ default: value, unit, type }: ConfigRow): string {
  if (value === null || value === '') return '';
  const text = type === 'yes unless no' || type === 'no unless yes' ? (value === true ? 'yes' : 'no') : String(value);
  return cell(unit === '' ? text : `${text} ${unit}`);
}

function boundsOf({ more: { min, max, floor, aliases } }: ConfigRow): string {
  const bounds = [
    ...(min === undefined ? [] : [`at least ${min}`]),
    ...(max === undefined ? [] : [`at most ${max}`]),
    ...(floor === undefined ? [] : [`lower values are raised to ${floor}`]),
    ...(aliases === undefined || aliases.length === 0 ? [] : [`also \`${aliases.join('`, `')}\``]),
  ];
  return bounds.length === 0 ? '' : ` (${bounds.join('; ')})`;
}

/** A bar would end the cell. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function nameList(title: string, kind: ConfigRow['kind']): string[] {
  const names = configChapters.flatMap(({ rows }) =>
    Object.entries(rows).flatMap(([key, row]) => (row.kind === kind ? [`\`${key}\``] : [])),
  );
  return [`${title}: ${names.join(', ')}.`, ''];
}

function wordRow(word: string): string {
  const text = wordTexts[word];
  if (text === undefined) throw new Error(`scripts/docs.ts: say in wordTexts what the word ${word} answers with`);
  return `| \`${word}\` | ${text} |`;
}

/** The text with its generated parts as they should be. */
export function withParts(text: string): string {
  const used = new Set<string>();
  const filled = text.replace(
    /(<!-- generated: (.*?) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, start: string, name: string, end: string) => {
      const part = parts[name];
      if (part === undefined) throw new Error(`${file}: there is no part "${name}" in scripts/docs.ts`);
      used.add(name);
      return `${start}${part().join('\n').trimEnd()}\n${end}`;
    },
  );
  const missing = Object.keys(parts).filter((name) => !used.has(name));
  if (missing.length > 0) throw new Error(`${file}: these parts are missing: ${missing.join(', ')}`);
  return filled;
}

/** The generated files, and what each should hold. */
function generated(): Map<string, string> {
  const files = new Map([[file, withParts(readFileSync(file, 'utf8'))]]);
  for (const page of examplePages()) files.set(page, withExamples(readFileSync(page, 'utf8')));
  for (const name of apiPackages) files.set(apiFile(name), apiPage(name));
  return files;
}

/** Those that are not what they should be, relative to the checkout. */
export function staleFiles(): string[] {
  const stale = [...generated()].filter(([path, text]) => !existsSync(path) || readFileSync(path, 'utf8') !== text);
  return stale.map(([path]) => relative(root, path));
}

function main(words: readonly string[]): number {
  if (!words.includes('--check')) {
    for (const [path, text] of generated()) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    return 0;
  }
  const stale = staleFiles();
  for (const path of stale) console.error(`${path} is stale: run npm run docs`);
  return stale.length === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.slice(2));
