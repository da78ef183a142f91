/**
 * Reads a subtree, depth first, children sorted, with many requests in flight. The tree may change meanwhile: what is gone
 * when its turn comes is left out, and no two znodes are promised to be of the same moment.
 */
import type { Acl, Namespace, Stat } from '@zoots/client';

export interface TreeNode {
  /** As the namespace has it. */
  readonly path: string;
  /** The last component; empty for `/`. */
  readonly name: string;
  /** 0 for the tree's root. */
  readonly depth: number;
  /** The last of its parent's children. */
  readonly isLast: boolean;
  /** Null if the ACL denies everything: newer servers do not even tell a stat then. */
  readonly stat: Stat | null;
  /** Sorted; empty where the reading does not go deeper. */
  readonly children: readonly string[];
  /** Undefined if it was not asked for, or is denied. */
  readonly data: Buffer | null | undefined;
  readonly acl: readonly Acl[] | undefined;
  /** The ACL keeps this session from reading the data or the children that were asked for. */
  readonly isDenied: boolean;
}

export interface TreeWish {
  readonly data?: boolean;
  readonly acl?: boolean;
  /** Deepest level to read; 0 is the root alone. */
  readonly depthMax?: number;
  /** Leaves out what was created later than this zxid, with what is below: a copy into its own source would have no end. */
  readonly newestZxid?: number;
  /** Subtrees to leave out, by the path of their root. */
  isLeftOut?(path: string): boolean;
}

/** Siblings asked for before their turn. With data, so many of at most about 1 MB may be held on every level. */
const AHEAD_MAX = 128;
const AHEAD_WITH_DATA_MAX = 32;

interface Level {
  readonly parentPath: string;
  readonly names: readonly string[];
  readonly ahead: Promise<TreeNode | null>[];
  asked: number;
}

/** Throws the client's errors: NoNodeError if `root` does not exist. */
export async function* readTree(namespace: Namespace, root: string, wish: TreeWish = {}): AsyncGenerator<TreeNode> {
  const name = root.slice(root.lastIndexOf('/') + 1);
  const first = await readNode(namespace, { path: root, name, depth: 0, isLast: true }, wish);
  const aheadMax = wish.data === true ? AHEAD_WITH_DATA_MAX : AHEAD_MAX;
  yield first;
  const levels: Level[] = [levelBelow(first, wish)];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    while (level.asked < level.names.length && level.ahead.length < aheadMax) {
      level.ahead.push(askAhead(namespace, level, levels.length, wish));
    }
    const node = await level.ahead.shift();
    if (node === undefined) levels.pop();
    else if (node !== null && (node.stat?.czxid ?? 0) <= (wish.newestZxid ?? Number.POSITIVE_INFINITY)) {
      yield node;
      if (node.children.length > 0) levels.push(levelBelow(node, wish));
    }
  }
}

function levelBelow(node: TreeNode, wish: TreeWish): Level {
  const parentPath = node.path === '/' ? '' : node.path;
  const { isLeftOut } = wish;
  const names = isLeftOut ? node.children.filter((name) => !isLeftOut(`${parentPath}/${name}`)) : node.children;
  return { parentPath, names, ahead: [], asked: 0 };
}

/** Null if the znode is gone by then. */
function askAhead(namespace: Namespace, level: Level, depth: number, wish: TreeWish): Promise<TreeNode | null> {
  const name = level.names[level.asked++] as string;
  const place = { path: `${level.parentPath}/${name}`, name, depth, isLast: level.asked === level.names.length };
  const node = readNode(namespace, place, wish).catch((error) => {
    if (hasCode(error, 'ZK_NO_NODE')) return null;
    throw error;
  });
  // The reading may end before its turn comes; whoever awaits it still gets the error.
  node.catch(() => {});
  return node;
}

type Place = Pick<TreeNode, 'path' | 'name' | 'depth' | 'isLast'>;

async function readNode(namespace: Namespace, place: Place, wish: TreeWish): Promise<TreeNode> {
  const { path, depth } = place;
  const isDeepest = depth >= (wish.depthMax ?? Number.POSITIVE_INFINITY);
  let isDenied = false;
  const unlessDenied = async <T>(reading: Promise<T>): Promise<T | undefined> => {
    try {
      return await reading;
    } catch (error) {
      if (!hasCode(error, 'ZK_NO_AUTH')) throw error;
      isDenied = true;
      return undefined;
    }
  };
  const aclReading = wish.acl === true ? unlessDenied(namespace.getAcl(path)) : undefined;
  aclReading?.catch(() => {});
  const content = wish.data === true ? await unlessDenied(namespace.get(path)) : undefined;
  const hasChildren = !isDeepest && content?.stat.numChildren !== 0;
  const below = hasChildren ? await unlessDenied(namespace.childrenWithStat(path)) : undefined;
  const known = content?.stat ?? below?.stat;
  const stat = known ?? (await unlessDenied(statOf(namespace, path))) ?? null;
  const acl = (await aclReading)?.acl;
  return { ...place, stat, children: (below?.children ?? []).sort(), data: content?.data, acl, isDenied };
}

/** As exists, but a znode that is not there is an error. */
async function statOf(namespace: Namespace, path: string): Promise<Stat> {
  return (await namespace.exists(path)) ?? (await namespace.get(path)).stat;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as Error & { code?: string }).code === code;
}

/** Components of two paths, one after the other: the order in which {@link readTree} yields. */
export function comparePaths(a: string, b: string): number {
  if (a === b) return 0;
  const left = a.split('/');
  const right = b.split('/');
  for (let i = 0; i < left.length && i < right.length; i++) {
    const [l, r] = [left[i] as string, right[i] as string];
    if (l !== r) return l < r ? -1 : 1;
  }
  return left.length - right.length;
}
