/**
 * A subtree as a sequence of records: what export writes, import and cp read, diff compares. A record holds what a znode is
 * (data, ACL, kind) and not what happened to it (zxids, times, versions). Paths are relative to the subtree's root, which
 * is `/`; a parent comes before its children, children in the order of their names.
 */
import type { Acl, Namespace, Stat } from '@zoots/client';
import { RefusedError } from './problem.js';
import { readTree, type TreeNode } from './tree-reader.js';
import { ownerOf } from './znode-facts.js';

/** A server tells its clients only which znodes are ephemeral; containers and TTL znodes are known from snapshots. */
export type Kind = 'persistent' | 'ephemeral' | 'container' | 'ttl';

export const kinds: readonly Kind[] = ['persistent', 'ephemeral', 'container', 'ttl'];

export interface TreeRecord {
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly acl: readonly Acl[];
  readonly kind: Kind;
  /** For the kind `ttl`. */
  readonly ttlMs: number | null;
  /** The session, for the kind `ephemeral`, as `0x…`. */
  readonly owner: string | null;
}

export interface RecordWish {
  readonly hasEphemerals: boolean;
  /** Without what was created after this zxid. */
  readonly newestZxid?: number;
  /** Without them, every record has the open ACL, and no right to read ACLs is needed. */
  readonly hasAcls: boolean;
}

export const openAcl: readonly Acl[] = [{ scheme: 'world', id: 'anyone', perms: 31 }];

export function isOpenAcl(acl: readonly Acl[]): boolean {
  return sameAcl(acl, openAcl);
}

export function sameAcl(a: readonly Acl[], b: readonly Acl[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ scheme, id, perms }, i) => scheme === b[i]?.scheme && id === b[i]?.id && perms === b[i]?.perms)
  );
}

/** Of a server. Of the root, all but /zookeeper. Rejects if a znode may not be read: what is missing would not be noticed. */
export async function* recordsOfServer(
  namespace: Namespace,
  root: string,
  wish: RecordWish,
): AsyncGenerator<TreeRecord> {
  const isLeftOut = (path: string): boolean => root === '/' && path === '/zookeeper';
  const { hasAcls: acl, newestZxid = Number.POSITIVE_INFINITY } = wish;
  for await (const node of readTree(namespace, root, { data: true, acl, newestZxid, isLeftOut })) {
    if (node.isDenied || node.stat === null) {
      throw new RefusedError(
        `${node.path}: the ACL does not let this session read all of it; present an identity that may, with --auth SCHEME:AUTH`,
      );
    }
    if (wish.hasEphemerals || node.stat.ephemeralOwner === 0n) yield recordOf(node, node.stat, root);
  }
}

function recordOf({ path, data, acl }: TreeNode, stat: Stat, root: string): TreeRecord {
  return {
    path: relativePath(path, root),
    data: data ?? null,
    acl: acl ?? openAcl,
    kind: stat.ephemeralOwner === 0n ? 'persistent' : 'ephemeral',
    ttlMs: null,
    owner: ownerOf(stat),
  };
}

export function relativePath(path: string, root: string): string {
  if (path === root) return '/';
  return root === '/' ? path : path.slice(root.length);
}

/** The other way: where a record's path lies below `root`. */
export function absolutePath(root: string, path: string): string {
  if (path === '/') return root;
  return root === '/' ? path : root + path;
}

/** Those of the subtree at `root`, relative to it. Rejects if there is none. */
export async function* subtreeOf(records: AsyncIterable<TreeRecord>, root: string, place: string) {
  let isFound = false;
  for await (const record of records) {
    if (record.path !== root && !record.path.startsWith(root === '/' ? '/' : `${root}/`)) continue;
    isFound = true;
    yield { ...record, path: relativePath(record.path, root) };
  }
  if (!isFound) throw new RefusedError(`${place} has no znode ${root}`);
}
