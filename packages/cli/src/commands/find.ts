/** `zoots find`: the znodes of a subtree that meet all conditions. */
import { type CommandLine, UsageError } from '../modern/command-line.js';
import { globToRegExp } from '../modern/glob.js';
import { type ModernCommand, runModern } from '../modern/invocation.js';
import { EXIT } from '../modern/problem.js';
import { countText, parseCount, parseSize, parseTimeMs } from '../modern/quantities.js';
import { readTree, type TreeNode } from '../modern/tree-reader.js';
import { statJson } from '../modern/znode-facts.js';
import { styledName } from '../modern/znode-style.js';

type Condition = (node: TreeNode) => boolean;

/** What each option demands of a znode. `nowMs` is the time on this machine. */
const conditions: Readonly<Record<string, (text: string, nowMs: number) => Condition>> = {
  name: (text) => {
    const pattern = globToRegExp(text);
    return ({ name }) => pattern.test(name);
  },
  path: (text) => {
    const pattern = globToRegExp(text);
    return ({ path }) => pattern.test(path);
  },
  ephemeral: () => {
    return ({ stat }) => stat !== null && stat.ephemeralOwner !== 0n;
  },
  persistent: () => {
    return ({ stat }) => stat !== null && stat.ephemeralOwner === 0n;
  },
  owner: (text) => {
    const owner = parseSessionId(text);
    return ({ stat }) => stat !== null && BigInt.asUintN(64, stat.ephemeralOwner) === owner;
  },
  larger: (text) => {
    const bytes = parseSize('larger', text);
    return ({ stat }) => stat !== null && stat.dataLength > bytes;
  },
  smaller: (text) => {
    const bytes = parseSize('smaller', text);
    return ({ stat }) => stat !== null && stat.dataLength < bytes;
  },
  older: (text, nowMs) => {
    const ageMs = parseTimeMs('older', text);
    return ({ stat }) => stat !== null && stat.mtime < nowMs - ageMs;
  },
  newer: (text, nowMs) => {
    const ageMs = parseTimeMs('newer', text);
    return ({ stat }) => stat !== null && stat.mtime >= nowMs - ageMs;
  },
  'min-children': (text) => {
    const count = parseCount('min-children', text, 0);
    return ({ stat }) => stat !== null && stat.numChildren >= count;
  },
  empty: () => {
    return ({ stat }) => stat !== null && stat.dataLength === 0 && stat.numChildren === 0;
  },
};

function parseSessionId(text: string): bigint {
  if (!/^(0x)?[0-9a-f]{1,16}$/i.test(text)) {
    throw new UsageError(`--owner: "${text}" is no session id; they are written in hex, 0x100003a2b4c0001 say`);
  }
  return BigInt(text.startsWith('0x') ? text : `0x${text}`);
}

export const command: ModernCommand = {
  name: 'find',
  operands: { min: 0, max: 1 },
  options: [
    { long: 'name', short: 'n', value: 'GLOB', text: "the last component: 'lock-*', '{a,b}?'" },
    { long: 'path', value: 'GLOB', text: "the whole path: '/app/**/config' (** also crosses /)" },
    { long: 'ephemeral', short: 'e', text: 'ephemeral znodes' },
    { long: 'persistent', text: 'all others' },
    { long: 'owner', value: 'SESSION', text: 'ephemeral znodes of this session (hex)' },
    { long: 'larger', value: 'SIZE', text: 'more data than this: 512, 10k, 1m' },
    { long: 'smaller', value: 'SIZE', text: 'less data than this' },
    { long: 'older', value: 'TIME', text: 'data last changed longer ago than: 30m, 1d' },
    { long: 'newer', value: 'TIME', text: 'data changed since' },
    { long: 'min-children', value: 'N', text: 'at least so many children' },
    { long: 'empty', text: 'neither data nor children' },
    { long: 'depth', short: 'd', value: 'N', text: 'go so many levels deep' },
    { long: 'count', text: 'print only how many there are' },
  ],
  notes: `PATH is / if it is left out. Several conditions must hold at once. Ages are by this machine's clock. JSON: {"path",
"stat"} per znode; with --count {"count"}.

  zoots find /services --ephemeral --older 1d`,

  async run(invocation) {
    const { line, out } = invocation;
    const wanted = conditionsOf(line, Date.now());
    const depth = line.value('depth');
    const depthMax = depth === undefined ? Number.POSITIVE_INFINITY : parseCount('depth', depth, 0);
    const client = await invocation.connect();
    let count = 0;
    let deniedCount = 0;
    for await (const node of readTree(client, line.operands[0] ?? '/', { depthMax })) {
      if (node.isDenied) deniedCount++;
      if (!wanted.every((condition) => condition(node))) continue;
      count++;
      if (line.has('count')) continue;
      if (out.isJson) out.json({ path: node.path, stat: statJson(node.stat) });
      else out.line(styledName(out, node.path, node.stat));
      await out.ready();
    }
    if (line.has('count')) {
      if (out.isJson) out.json({ count });
      else out.line(String(count));
    }
    if (deniedCount > 0)
      out.note(`zoots find: the children of ${countText(deniedCount, 'znode')} may not be listed; see --auth`);
    return EXIT.ok;
  },
};

function conditionsOf(line: CommandLine, nowMs: number): Condition[] {
  return Object.entries(conditions).flatMap(([option, make]) => {
    return line.has(option) ? [make(line.value(option) as string, nowMs)] : [];
  });
}

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
