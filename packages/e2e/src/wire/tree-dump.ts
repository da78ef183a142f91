/**
 * Everything a server shows of its tree, one line per node: path, data, all stat fields, ACL.
 *
 * Two servers hold the same tree exactly when the lines are equal. Needs a session that may read everything
 * (super); the walk is breadth first with many requests in flight.
 */
import { WireReader } from './bytes.js';
import { bodies, Op, readAcls, readStat, readStrings, type Stat } from './records.js';
import type { WireSession } from './session.js';

export interface TreeNode {
  readonly path: string;
  readonly data: Buffer | null;
  readonly stat: Stat;
  readonly acl: string;
}

const inFlightMax = 64;

async function readNode(session: WireSession, path: string): Promise<{ node: TreeNode; children: string[] }> {
  const [data, acl, children] = await Promise.all([
    session.request(Op.getData, bodies.pathWatch(path, false)),
    session.request(Op.getACL, bodies.path(path)),
    session.request(Op.getChildren2, bodies.pathWatch(path, false)),
  ]);
  for (const reply of [data, acl, children]) {
    if (reply.err !== 0) throw new Error(`tree dump: ${path} answered ${reply.err}`);
  }
  const dataReader = new WireReader(data.body);
  const bytes = dataReader.buffer();
  const acls = readAcls(new WireReader(acl.body)) ?? [];
  return {
    node: {
      path,
      data: bytes === null ? null : Buffer.from(bytes),
      stat: readStat(dataReader),
      acl: acls.map((entry) => `${entry.perms}:${entry.scheme}:${entry.id}`).join(','),
    },
    children: (readStrings(new WireReader(children.body)) ?? []).map((name) => name ?? ''),
  };
}

/** All nodes below `/` (included), sorted by path. */
export async function dumpTree(session: WireSession): Promise<TreeNode[]> {
  const nodes: TreeNode[] = [];
  let level = ['/'];
  while (level.length > 0) {
    const next: string[] = [];
    for (let at = 0; at < level.length; at += inFlightMax) {
      const batch = level.slice(at, at + inFlightMax);
      for (const { node, children } of await Promise.all(batch.map((path) => readNode(session, path)))) {
        nodes.push(node);
        for (const name of children) next.push(node.path === '/' ? `/${name}` : `${node.path}/${name}`);
      }
    }
    level = next;
  }
  return nodes.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** `times: false` leaves ctime and mtime out, for servers that ran side by side. */
export function treeLines(nodes: readonly TreeNode[], { times = true } = {}): string[] {
  return nodes.map(({ path, data, stat, acl }) => {
    const { ctime, mtime, ...rest } = stat;
    const fields: Record<string, bigint | number> = times ? { ...rest, ctime, mtime } : rest;
    const text = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
    return `${path} data=${data === null ? 'null' : JSON.stringify(data.toString('latin1'))} ${text.join(' ')} acl=${acl}`;
  });
}

/** The first differences between two dumps, readable; empty when they are equal. */
export function treeDifferences(left: readonly string[], right: readonly string[], max = 10): string[] {
  const rightLines = new Set(right);
  const leftLines = new Set(left);
  const differences = [
    ...left.filter((line) => !rightLines.has(line)).map((line) => `- ${line}`),
    ...right.filter((line) => !leftLines.has(line)).map((line) => `+ ${line}`),
  ].sort((a, b) => (a.slice(2) < b.slice(2) ? -1 : 1));
  if (differences.length > max) return [...differences.slice(0, max), `… ${differences.length - max} more`];
  return differences;
}
