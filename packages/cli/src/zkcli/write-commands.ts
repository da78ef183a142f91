/** The commands of zkCli that write: create, set, delete and the like. */
import { type Acl, type CreateMode, OPEN_ACL } from '@zoots/client';
import { ERROR } from '@zoots/protocol';
import { parseAcl } from './acl-text.js';
import type { CommandContext, CommandRow, Output } from './command.js';
import { answerText, CliError, exceptionText } from './errors.js';
import { parseInt32, parseInt64 } from './numbers.js';
import type { OptionTable, ParsedWords } from './options.js';
import { checkedPath } from './path-rules.js';
import { statText } from './stat-text.js';
import { listSubtree, visitSubtree } from './subtree.js';

const TTL_MS_MAX = 2n ** 40n - 1n;
const BATCH_DEFAULT = 1000;
/** Batches of `deleteall` that are on their way at once. */
const BATCHES_IN_FLIGHT_MAX = 10;

const CREATE_OPTIONS: OptionTable = {
  rows: [
    { name: 'e', text: 'ephemeral' },
    { name: 's', text: 'sequential' },
    { name: 'c', text: 'container' },
    { name: 't', hasValue: true, text: 'ttl' },
  ],
};

const SET_OPTIONS: OptionTable = {
  rows: [
    { name: 's', text: 'Print znode stats additionally' },
    { name: 'v', hasValue: true, text: 'Set with an expected version' },
    { name: 'b', text: 'Supply data in base64 format' },
  ],
};

const SET_ACL_OPTIONS: OptionTable = {
  rows: [
    { name: 's', text: 'stats' },
    { name: 'v', hasValue: true, text: 'version' },
    { name: 'R', text: 'recursive' },
  ],
};

const DELETE_ALL_OPTIONS: OptionTable = { rows: [{ name: 'b', hasValue: true, text: 'batch size' }] };

export const writeCommands: Readonly<Record<string, CommandRow>> = {
  create: { usage: '[-s] [-e] [-c] [-t ttl] path [data] [acl]', options: CREATE_OPTIONS, wordsMin: 2, run: create },
  set: { usage: 'path data [-s] [-v version] [-b]', options: SET_OPTIONS, listsOptions: true, wordsMin: 3, run: set },
  delete: {
    usage: '[-v version] path',
    options: { rows: [{ name: 'v', hasValue: true, text: 'version' }] },
    wordsMin: 2,
    before: (output, { words }) => {
      if (words.length > 2) {
        output.error("'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.");
      }
    },
    run: async ({ connection }, parsed) => {
      const path = checkedPath(parsed.words[1] as string);
      const version = versionOf(parsed, parsed.words[2]);
      await connection.call(path, (client, options) => client.delete(path, { ...options, version }));
    },
  },
  deleteall: {
    usage: 'path [-b batch size]',
    options: DELETE_ALL_OPTIONS,
    wordsMin: 2,
    run: async (context, parsed) => {
      const batch = parsed.has('b') ? parseInt32(parsed.value('b') as string) : BATCH_DEFAULT;
      if (batch === null) throw new CliError('-b argument must be an int value');
      await deleteSubtree(context, checkedPath(parsed.words[1] as string), batch);
    },
  },
  rmr: {
    usage: 'path',
    options: DELETE_ALL_OPTIONS,
    wordsMin: 2,
    isHidden: true,
    run: async (context, { words }) => {
      context.output.error("The command 'rmr' has been deprecated. Please use 'deleteall' instead.");
      await deleteSubtree(context, checkedPath(words[1] as string), BATCH_DEFAULT);
    },
  },
  setAcl: { usage: '[-s] [-v version] [-R] path acl', options: SET_ACL_OPTIONS, wordsMin: 3, run: setAcl },
};

// ---- create ----

async function create({ connection, output }: CommandContext, parsed: ParsedWords): Promise<void> {
  const { mode, ttlMs } = createMode(parsed);
  const [, word, data = null, aclText] = parsed.words;
  const acl = aclText === undefined ? OPEN_ACL : readAcl(aclText, output);
  const path = checkedPath(word as string, parsed.has('s'));
  if (acl.length === 0) throw createRefused(output, null);
  const name = await connection.call(path, (client, options) =>
    client.create(path, data, { ...options, mode, ttlMs, acl }).catch((error: { readonly errorCode?: number }) => {
      if (error.errorCode === ERROR.invalidAcl) throw createRefused(output, path);
      if (error.errorCode === ERROR.ephemeralOnLocalSession) {
        output.error('Unable to create ephemeral node on a local session');
      }
      throw error;
    }),
  );
  output.error(`Created ${name}`);
}

/** An ACL that is refused is told twice. */
function createRefused(output: Output, path: string | null): CliError {
  output.error(exceptionText(ERROR.invalidAcl, path));
  return new CliError(answerText(ERROR.invalidAcl, path));
}

function createMode(parsed: ParsedWords): { readonly mode: CreateMode; readonly ttlMs: number | undefined } {
  const [isEphemeral, isSequential, isContainer, hasTtl] = ['e', 's', 'c', 't'].map((name) => parsed.has(name));
  if (isContainer && (isEphemeral || isSequential)) {
    throw new CliError('-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.');
  }
  const ttlMs = hasTtl ? parseInt64(parsed.value('t') as string) : 0n;
  if (ttlMs === null) throw new CliError('-t argument must be a long value');
  if (hasTtl && isEphemeral) throw new CliError('TTLs cannot be used with Ephemeral znodes');
  if (hasTtl && isContainer) throw new CliError('TTLs cannot be used with Container znodes');
  if (hasTtl && (ttlMs <= 0n || ttlMs > TTL_MS_MAX)) {
    throw new CliError(`ttl must be positive and cannot be larger than: ${TTL_MS_MAX}`);
  }
  if (isContainer) return { mode: 'container', ttlMs: undefined };
  const kind = isEphemeral ? 'ephemeral' : 'persistent';
  const base = isSequential ? (`${kind}-sequential` as const) : kind;
  if (!hasTtl) return { mode: base, ttlMs: undefined };
  return { mode: `${base}-with-ttl` as CreateMode, ttlMs: Number(ttlMs) };
}

function readAcl(text: string, output: Output): readonly Acl[] {
  const { acl, problems } = parseAcl(text);
  for (const problem of problems) output.error(problem);
  return acl;
}

// ---- set, setAcl ----

async function set({ connection, output }: CommandContext, parsed: ParsedWords): Promise<void> {
  const [, word, text, versionWord] = parsed.words as [string, string, string, string | undefined];
  const data = parsed.has('b') ? decodeBase64(text) : text;
  const version = versionOf(parsed, versionWord);
  const path = checkedPath(word);
  const stat = await connection.call(path, (client, options) => client.set(path, data, { ...options, version }));
  if (parsed.has('s')) output.line(statText(stat));
}

function decodeBase64(text: string): Buffer {
  const isBase64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}(?:==)?|[A-Za-z\d+/]{3}=?)?$/.test(text);
  if (!isBase64) throw new CliError('-b argument must be base64 data');
  return Buffer.from(text, 'base64');
}

/** The version of `-v`, or of the word behind all others, as 3.4 had it (decision 0012). */
function versionOf(parsed: ParsedWords, word: string | undefined): number {
  const text = parsed.value('v') ?? word;
  if (text === undefined) return -1;
  const version = parseInt32(text);
  if (version !== null) return version;
  if (parsed.has('v')) throw new CliError('-v argument must be an int value');
  throw new CliError(`"${text}" is not a version: data with blanks in it must stand in quotes`);
}

async function setAcl({ connection, output }: CommandContext, parsed: ParsedWords): Promise<void> {
  const [, word, text] = parsed.words as [string, string, string];
  const acl = readAcl(text, output);
  const version = versionOf(parsed, undefined);
  const path = checkedPath(word);
  if (parsed.has('R')) {
    await visitSubtree(connection, path, false, (paths) => setAclOfAll({ connection, output }, paths, acl, version));
    return;
  }
  if (acl.length === 0) throw new CliError(answerText(ERROR.invalidAcl, null));
  const stat = await connection.call(path, (client, options) => client.setAcl(path, acl, { ...options, version }));
  if (parsed.has('s')) output.line(statText(stat));
}

/** What is refused is told, and the others are changed all the same. */
async function setAclOfAll(
  { connection, output }: CommandContext,
  paths: readonly string[],
  acl: readonly Acl[],
  version: number,
): Promise<void> {
  for (const path of paths) {
    if (acl.length === 0) {
      output.text(exceptionText(ERROR.invalidAcl, null));
      continue;
    }
    await connection.call(path, (client, options) =>
      client.setAcl(path, acl, { ...options, version }).catch((error: { readonly errorCode?: number }) => {
        if (error.errorCode === undefined) throw error;
        output.text(exceptionText(error.errorCode, path));
      }),
    );
  }
}

// ---- deleteall ----

/** Leaves first, in transactions of so many; one by one for a batch of 0. */
async function deleteSubtree({ connection, output }: CommandContext, path: string, batch: number): Promise<void> {
  const paths = (await listSubtree(connection, path)).reverse();
  if (batch <= 0) {
    for (const each of paths) await connection.call(each, (client, options) => client.delete(each, options));
    return;
  }
  let isComplete = true;
  const inFlight = new Set<Promise<void>>();
  for (let at = 0; at < paths.length && isComplete; at += batch) {
    const part = paths.slice(at, at + batch);
    const done: Promise<void> = deleteTogether(connection, part)
      .catch(() => {
        isComplete = false;
      })
      .finally(() => inFlight.delete(done));
    inFlight.add(done);
    if (inFlight.size >= BATCHES_IN_FLIGHT_MAX) await Promise.race(inFlight);
  }
  await Promise.all(inFlight);
  if (!isComplete) output.error('Failed to delete some node(s) in the subtree!');
}

async function deleteTogether(connection: CommandContext['connection'], paths: readonly string[]): Promise<void> {
  await connection.call(null, (client, options) => {
    const transaction = client.transaction();
    for (const path of paths) transaction.delete(path);
    return transaction.commit(options);
  });
}
