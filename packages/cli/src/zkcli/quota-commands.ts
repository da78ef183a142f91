/**
 * The commands of zkCli about quotas. A quota is a pair of znodes below /zookeeper/quota and the path it is for: one with the limits,
 * which these commands write, and one with the usage, which the server keeps.
 */
import { NodeExistsError, NoNodeError } from '@zoots/client';
import { type CommandContext, type CommandRow, NO_OPTIONS } from './command.js';
import type { Connection } from './connection.js';
import { CliError } from './errors.js';
import { parseInt32, parseInt64 } from './numbers.js';
import type { OptionTable, ParsedWords } from './options.js';
import { checkedPath } from './path-rules.js';
import { parseQuota, type QuotaField, type QuotaNumbers, quotaOf, quotaText } from './quota-text.js';
import { visitSubtree } from './subtree.js';

const QUOTA_ROOT = '/zookeeper/quota';
const LIMITS = 'zookeeper_limits';
const USAGE = 'zookeeper_stats';

interface LimitRow {
  readonly name: string;
  readonly text: string;
  readonly field: QuotaField;
  readonly isCount: boolean;
}

const LIMIT_ROWS: readonly LimitRow[] = [
  { name: 'n', text: 'num soft quota', field: 'count', isCount: true },
  { name: 'b', text: 'bytes soft quota', field: 'bytes', isCount: false },
  { name: 'N', text: 'num hard quota', field: 'countHardLimit', isCount: true },
  { name: 'B', text: 'bytes hard quota', field: 'byteHardLimit', isCount: false },
];

const SET_OPTIONS: OptionTable = {
  rows: LIMIT_ROWS.map(({ name, text }) => ({ name, text, hasValue: true })),
  choice: 'required',
};
const DELETE_OPTIONS: OptionTable = { rows: LIMIT_ROWS.map(({ name, text }) => ({ name, text })), choice: 'optional' };

export const quotaCommands: Readonly<Record<string, CommandRow>> = {
  setquota: { usage: '-n|-b|-N|-B val path', options: SET_OPTIONS, wordsMin: 2, run: setQuota },
  listquota: { usage: 'path', options: NO_OPTIONS, wordsMin: 2, run: listQuota },
  delquota: { usage: '[-n|-b|-N|-B] path', options: DELETE_OPTIONS, wordsMin: 2, run: deleteQuota },
};

// ---- setquota ----

async function setQuota(context: CommandContext, parsed: ParsedWords): Promise<void> {
  const { connection, output } = context;
  const path = parsed.words[1] as string;
  if (path.startsWith(QUOTA_ROOT)) {
    output.error(`cannot set a quota under the path: ${QUOTA_ROOT}`);
    return;
  }
  const row = LIMIT_ROWS.find(({ name }) => parsed.has(name)) as LimitRow;
  const value = readLimit(row, parsed.value(row.name) as string);
  if (typeof value === 'string') {
    output.error(value);
    return;
  }
  const stat = await connection.call(path, (client, options) => client.exists(checkedPath(path), options));
  if (stat === null) throw new CliError(`${path} does not exist.`);
  await refuseNearQuotas(connection, path);
  await makeParents(connection, path);
  await writeLimit(context, path, row.field, value);
}

/** The limit, or what is wrong with it. */
function readLimit({ isCount }: LimitRow, word: string): bigint | string {
  const value = isCount ? parseInt32(word) : parseInt64(word);
  if (value === null) return 'NumberFormatException happens when parsing the option value';
  if (isCount && value <= 0) return 'the num quota must be greater than zero';
  if (!isCount && value < 0) return 'the bytes quota must be greater than or equal to zero';
  return BigInt(value);
}

/** A quota must not lie within another one. */
async function refuseNearQuotas(connection: Connection, path: string): Promise<void> {
  const own = checkedPath(QUOTA_ROOT + path);
  const limits = `/${LIMITS}`;
  await ignoreMissing(
    visitSubtree(connection, own, false, async (paths) => {
      const inner = paths.find((each) => each.endsWith(limits) && each !== own + limits);
      if (inner === undefined) return;
      const child = inner.slice(QUOTA_ROOT.length, -limits.length);
      throw new CliError(`${path} has a child ${child} which has a quota`);
    }),
  );
  const names = path.split('/').slice(1);
  for (let depth = 1; depth < names.length; depth++) {
    const parent = `/${names.slice(0, depth).join('/')}`;
    const limitsPath = `${QUOTA_ROOT}${parent}${limits}`;
    const isThere = await connection.call(limitsPath, (client, options) => client.exists(limitsPath, options));
    if (isThere !== null) throw new CliError(`${path} has a parent ${parent} which has a quota`);
  }
}

/** A walk that begins at a znode that is not there finds nothing. */
async function ignoreMissing(walk: Promise<void>): Promise<void> {
  await walk.catch((error: unknown) => {
    if (!(error instanceof CliError && error.message.startsWith('Node does not exist: '))) throw error;
  });
}

async function makeParents(connection: Connection, path: string): Promise<void> {
  const names = path.split('/').slice(1);
  for (let depth = 0; depth <= names.length; depth++) {
    const znode = [QUOTA_ROOT, ...names.slice(0, depth)].join('/');
    await connection.call(znode, (client, options) =>
      client.create(znode, null, options).catch((error: unknown) => {
        if (!(error instanceof NodeExistsError)) throw error;
      }),
    );
  }
}

async function writeLimit({ connection, output }: CommandContext, path: string, field: QuotaField, value: bigint) {
  const limitsPath = `${QUOTA_ROOT}${path}/${LIMITS}`;
  const usagePath = `${QUOTA_ROOT}${path}/${USAGE}`;
  const old = await readQuota(connection, limitsPath);
  const limits: QuotaNumbers = old ?? new Map(LIMIT_ROWS.map((row) => [row.field, -1n]));
  limits.set(field, value);
  if (old === null) {
    const usage = quotaText(
      new Map([
        ['count', 0n],
        ['bytes', 0n],
      ]),
    );
    await connection.call(limitsPath, (client, options) => client.create(limitsPath, quotaText(limits), options));
    await connection.call(usagePath, (client, options) => client.create(usagePath, usage, options));
  }
  warnOfUsage(output, limits, (await readQuota(connection, usagePath)) ?? new Map());
  if (old === null) return;
  await connection.call(limitsPath, (client, options) => client.set(limitsPath, quotaText(limits), options));
}

function warnOfUsage(output: CommandContext['output'], limits: QuotaNumbers, usage: QuotaNumbers): void {
  for (const [word, field, hard] of [
    ['count', 'count', 'countHardLimit'],
    ['bytes', 'bytes', 'byteHardLimit'],
  ] as const) {
    const used = quotaOf(usage, field);
    const isAbove = [quotaOf(limits, field), quotaOf(limits, hard)].some((limit) => limit > -1n && limit < used);
    if (isAbove) output.line(`[Warning]: the ${word} quota you create is less than the existing ${word}:${used}`);
  }
}

// ---- listquota ----

async function listQuota({ connection, output }: CommandContext, { words }: ParsedWords): Promise<void> {
  const path = words[1] as string;
  const limitsPath = `${QUOTA_ROOT}${path}/${LIMITS}`;
  output.error(`absolute path is ${limitsPath}`);
  const limits = await readQuota(connection, checkedPath(limitsPath));
  const usage = limits === null ? null : await readQuota(connection, `${QUOTA_ROOT}${path}/${USAGE}`);
  if (limits === null || usage === null) {
    output.error(`quota for ${path} does not exist.`);
    return;
  }
  output.line(`Output quota for ${path} ${quotaText(limits)}`);
  output.line(`Output stat for ${path} ${quotaText(usage)}`);
}

// ---- delquota ----

async function deleteQuota({ connection, output }: CommandContext, parsed: ParsedWords): Promise<void> {
  const path = parsed.words[1] as string;
  const limitsPath = checkedPath(`${QUOTA_ROOT}${path}/${LIMITS}`);
  const limits = await readQuota(connection, limitsPath);
  if (limits === null) {
    output.line(`Quota does not exist for ${path}`);
    return;
  }
  const row = LIMIT_ROWS.find(({ name }) => parsed.has(name));
  if (row === undefined) {
    await deleteQuotaZnodes(connection, QUOTA_ROOT + path);
    return;
  }
  limits.set(row.field, -1n);
  await connection.call(limitsPath, (client, options) => client.set(limitsPath, quotaText(limits), options));
}

/** The quota's own znodes, and the parents that nothing else needs. */
async function deleteQuotaZnodes(connection: Connection, quotaPath: string): Promise<void> {
  const childrenOf = (path: string) => connection.call(path, (client, options) => client.children(path, options));
  const remove = (path: string) => connection.call(path, (client, options) => client.delete(path, options));
  for (const child of await childrenOf(quotaPath)) await remove(`${quotaPath}/${child}`);
  for (let at = quotaPath; at !== QUOTA_ROOT && (await childrenOf(at)).length === 0; ) {
    await remove(at);
    at = at.slice(0, at.lastIndexOf('/'));
  }
}

/** Null if there is no such znode. */
async function readQuota(connection: Connection, path: string): Promise<QuotaNumbers | null> {
  const data = await connection.call(path, (client, options) =>
    client.get(path, options).then(
      (node) => node.data,
      (error: unknown) => {
        if (error instanceof NoNodeError) return null;
        throw error;
      },
    ),
  );
  return data === null ? null : parseQuota(data.toString('utf8'));
}
