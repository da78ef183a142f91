/**
 * `zoots snapshot`, called by zkSnapShotToolkit.sh: prints a snapshot, as text or as JSON that ncdu reads. Options, lines
 * and exit codes are those of Apache's SnapshotFormatter; children come in the order in which it prints them.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  childrenInOrder,
  loadSnapshot,
  SnapshotError,
  type SnapshotNode,
  type SnapshotTree,
  zxidOfName,
} from '../data-tools/snapshot-tree.js';
import { Output } from '../data-tools/terminal.js';
import { dateText, hex, wideHex } from '../data-tools/text-forms.js';

const usage = `USAGE: SnapshotFormatter [-d|-json] snapshot_file
       -d      print the data of each znode, in base64
       -json   print names and sizes as JSON, for ncdu`;

/** The first of these numbers is the root's; ncdu takes nodes of the same number for the same file. */
const FIRST_INODE = 1001;

export async function run(words: readonly string[]): Promise<number> {
  const options = new Set(words.slice(0, -1));
  const path = words.at(-1);
  const isMisused = path === undefined || path === '-d' || path === '-json';
  if (isMisused || [...options].some((option) => option !== '-d' && option !== '-json')) {
    console.error(usage);
    return 2;
  }
  const problem =
    unreadable(path) ??
    (options.size === 2 ? 'Cannot specify both data dump (-d) and json mode (-json) in same call' : null);
  if (problem !== null) {
    console.error(problem);
    return 2;
  }
  try {
    const tree = await loadSnapshot(path, { keepsData: options.has('-d') });
    if (options.has('-json')) printJson(tree);
    else printText(tree, options.has('-d'), zxidOfName(path));
    return 0;
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    console.error(error.message);
    return 1;
  }
}

/** Why the file cannot be read; null if it can. */
function unreadable(path: string): string | null {
  const file = resolve(path);
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) return `File '${file}' does not exist.`;
  try {
    accessSync(file, constants.R_OK);
  } catch {
    return `Read permission is denied on the file '${file}'`;
  }
  return stats.isDirectory() ? `'${file}' is a directory. it must be a file.` : null;
}

function printText(tree: SnapshotTree, hasData: boolean, nameZxid: number): void {
  const out = new Output();
  // Apache's tree holds the root under two names, and counts it twice.
  out.line(`ZNode Details (count=${tree.nodeCount + 1}):`);
  let lastZxid = BigInt(nameZxid);
  walk(tree, (path, node) => {
    const { mzxid, pzxid } = printNode(out, tree, path, node, hasData);
    if (mzxid > lastZxid) lastZxid = mzxid;
    if (pzxid > lastZxid) lastZxid = pzxid;
  });
  out.line('----');
  out.line('Session Details (sid, timeout, ephemeralCount):');
  for (const { id, timeoutMs } of tree.sessionsInOrder()) {
    out.line(`${wideHex(id)}, ${timeoutMs}, ${tree.ephemeralCount(id)}`);
  }
  out.line('----');
  out.line(`Last zxid: 0x${hex(lastZxid)}`);
  out.flush();
}

/** Every node, a parent before its children. Without recursion: a tree may be thousands deep. */
function walk(tree: SnapshotTree, onNode: (path: string, node: SnapshotNode) => void): void {
  const pending: { path: string; node: SnapshotNode }[] = [{ path: '/', node: tree.root }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    onNode(next.path, next.node);
    const prefix = next.path === '/' ? '/' : `${next.path}/`;
    for (const node of childrenInOrder(next.node).reverse()) pending.push({ path: prefix + node.name, node });
  }
}

function printNode(out: Output, tree: SnapshotTree, path: string, node: SnapshotNode, hasData: boolean) {
  const stat = tree.stat(node);
  out.line('----');
  out.line(path);
  out.line(`  cZxid = ${wideHex(stat.czxid)}`);
  out.line(`  ctime = ${dateText(stat.ctime)}`);
  out.line(`  mZxid = ${wideHex(stat.mzxid)}`);
  out.line(`  mtime = ${dateText(stat.mtime)}`);
  out.line(`  pZxid = ${wideHex(stat.pzxid)}`);
  out.line(`  cversion = ${stat.cversion}`);
  out.line(`  dataVersion = ${stat.version}`);
  out.line(`  aclVersion = ${stat.aversion}`);
  out.line(`  ephemeralOwner = ${wideHex(stat.ephemeralOwner)}`);
  if (hasData) out.line(`  data = ${Buffer.from(tree.data(node)).toString('base64')}`);
  else out.line(`  dataLength = ${node.dataBytes}`);
  return stat;
}

function printJson(tree: SnapshotTree): void {
  const out = new Output();
  const origin = { progname: 'SnapshotFormatter.java', progver: '0.01', timestamp: Date.now() };
  out.write(`[1,0,${JSON.stringify(origin)}`);
  let inode = FIRST_INODE;
  // A closing bracket waits below the children that it closes.
  const pending: (SnapshotNode | null)[] = [tree.root];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next === null) {
      out.write(']');
      continue;
    }
    const isParent = next.children.length > 0;
    out.write(`,${isParent ? '[' : ''}${nodeJson(next, inode++)}`);
    if (isParent) pending.push(null, ...childrenInOrder(next).reverse());
  }
  out.write(']');
  out.flush();
}

function nodeJson(node: SnapshotNode, inode: number): string {
  const { name, dataBytes } = node;
  return JSON.stringify({ name: name === '' ? '/' : name, asize: dataBytes, dsize: dataBytes, dev: 0, ino: inode });
}
