/**
 * `zoots snapshot-summary`, called by zkSnapshotRecursiveSummaryToolkit.sh: how many znodes and bytes lie below each node of
 * a snapshot, down to a depth. Lines and exit codes are those of Apache's SnapshotRecursiveSummary; leaves have no lines.
 */
import { childrenInOrder, loadSnapshot, SnapshotError, type SnapshotNode } from '../data-tools/snapshot-tree.js';
import { Output } from '../data-tools/terminal.js';

const usage = `USAGE:

SnapshotRecursiveSummary  <snapshot_file>  <starting_node>  <max_depth>

snapshot_file:    the snapshot
starting_node:    the path to begin at
max_depth:        how many levels below it have lines of their own: 0 all, 1 its children, and so on;
                  what lies deeper is counted all the same`;

export async function run(words: readonly string[]): Promise<number> {
  const [file, start, depth] = words;
  if (words.length !== 3 || file === undefined || start === undefined || !/^[-+]?\d+$/.test(depth ?? '')) {
    console.error(usage);
    return 2;
  }
  try {
    const tree = await loadSnapshot(file, { keepsData: false });
    const node = tree.nodeAt(start);
    if (node === undefined) throw new SnapshotError(`${file} has no node ${start}`);
    print(node, start, Number(depth));
    return 0;
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    console.error(error.message);
    return 1;
  }
}

interface Sum {
  nodes: number;
  bytes: number;
}

interface Visit {
  readonly path: string;
  readonly node: SnapshotNode;
  readonly level: number;
  readonly sum: Sum;
  readonly parent: Visit | null;
}

/** Parents have their lines before their children, but their sums after them: visits first, sums backwards, then lines. */
function print(start: SnapshotNode, startPath: string, depthMax: number): void {
  const visits = visitsBelow(start, startPath);
  for (let i = visits.length - 1; i >= 0; i--) {
    const { sum, parent } = visits[i] as Visit;
    if (parent === null) continue;
    parent.sum.nodes += sum.nodes;
    parent.sum.bytes += sum.bytes;
  }
  const out = new Output();
  for (const { path, node, level, sum } of visits) {
    if (node.children.length === 0 || (depthMax !== 0 && level > depthMax)) continue;
    const indent = '--'.repeat(level);
    out.line(`${indent} ${path}`);
    out.line(`${indent}   children: ${sum.nodes - 1}`);
    out.line(`${indent}   data: ${sum.bytes}`);
  }
  out.line('');
  out.flush();
}

/** In the order in which Apache's tool prints them. Without recursion: a tree may be thousands deep. */
function visitsBelow(start: SnapshotNode, startPath: string): Visit[] {
  const visits: Visit[] = [];
  const pending: Visit[] = [visitOf(start, startPath, null)];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    visits.push(next);
    const prefix = next.path === '/' ? '/' : `${next.path}/`;
    for (const child of childrenInOrder(next.node).reverse()) pending.push(visitOf(child, prefix + child.name, next));
  }
  return visits;
}

function visitOf(node: SnapshotNode, path: string, parent: Visit | null): Visit {
  const level = parent === null ? 0 : parent.level + 1;
  return { path, node, level, sum: { nodes: 1, bytes: node.dataBytes }, parent };
}
