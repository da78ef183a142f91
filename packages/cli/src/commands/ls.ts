/** `zoots ls`: the children of a znode, or everything below it. */
import { type Invocation, type ModernCommand, runModern } from '../modern/invocation.js';
import { tableLines } from '../modern/output.js';
import { EXIT } from '../modern/problem.js';
import { localTimeText, sizeText } from '../modern/quantities.js';
import { readTree, type TreeNode } from '../modern/tree-reader.js';
import { ownerOf, statJson } from '../modern/znode-facts.js';
import { styledName } from '../modern/znode-style.js';

/** Lines of a long listing that share their column widths, so that a listing of millions needs no more memory. */
const TABLE_ROWS_MAX = 10_000;

export const command: ModernCommand = {
  name: 'ls',
  operands: { min: 0, max: 1 },
  options: [
    { long: 'long', short: 'l', text: 'size, children, version, time of the last change, and owning session of each' },
    { long: 'recursive', short: 'R', text: 'everything below PATH, as full paths' },
  ],
  notes: `PATH is / if it is left out. JSON: {"name", "path"} per child, with --long also "stat".

  zoots ls -l /brokers/ids`,

  async run(invocation) {
    const { line, out } = invocation;
    const client = await invocation.connect();
    const path = line.operands[0] ?? '/';
    const isRecursive = line.has('recursive');
    if (!line.has('long') && !isRecursive) {
      const prefix = path === '/' ? '' : path;
      for (const name of (await client.children(path)).sort()) {
        if (out.isJson) out.json({ name, path: `${prefix}/${name}` });
        else out.line(name);
      }
      return EXIT.ok;
    }
    const depthMax = isRecursive ? Number.POSITIVE_INFINITY : 1;
    await listNodes(invocation, readTree(client, path, { depthMax }));
    return EXIT.ok;
  },
};

async function listNodes({ line, out }: Invocation, nodes: AsyncIterable<TreeNode>): Promise<void> {
  const isLong = line.has('long');
  let rows: string[][] = [];
  const flushRows = (): void => {
    for (const row of tableLines(rows, [true, true, true, false, false, false])) out.line(row);
    rows = [];
  };
  for await (const node of nodes) {
    if (node.depth === 0) continue;
    if (out.isJson) out.json(nodeJson(node, isLong));
    else {
      const name = styledName(out, line.has('recursive') ? node.path : node.name, node.stat);
      if (isLong) rows.push(longRow(node, name));
      else out.line(name);
    }
    if (rows.length >= TABLE_ROWS_MAX) flushRows();
    await out.ready();
  }
  flushRows();
}

function nodeJson({ name, path, stat }: TreeNode, isLong: boolean): unknown {
  return isLong ? { name, path, stat: statJson(stat) } : { name, path };
}

function longRow({ stat }: TreeNode, name: string): string[] {
  if (stat === null) return ['?', '?', '?', '(not permitted)', '-', name];
  return [
    sizeText(stat.dataLength),
    String(stat.numChildren),
    `v${stat.version}`,
    localTimeText(stat.mtime),
    ownerOf(stat) ?? '-',
    name,
  ];
}

export const run = (words: readonly string[]): Promise<number> => runModern(command, words);
