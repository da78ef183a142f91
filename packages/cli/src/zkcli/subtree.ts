/** Walks over a subtree, asking for many znodes at once: in the order of Apache's `ls -R`, and level by level for `deleteall`. */
import { NoNodeError } from '@zoots/client';
import type { Connection } from './connection.js';

/** So many lists of children are asked for before the first is used. */
const AHEAD_MAX = 256;

/**
 * Calls `visit` with the path itself, then with all children of a znode (sorted by name) before those of the first child. What is
 * deleted meanwhile is left out. With `isWatched` a one-shot watch is left on every znode's children, and on the path's data.
 */
export async function visitSubtree(
  connection: Connection,
  path: string,
  isWatched: boolean,
  visit: (paths: readonly string[]) => Promise<void>,
): Promise<void> {
  await connection.read(path, isWatched ? 'data' : null, (client, options) => client.get(path, options));
  await visit([path]);
  const descend = async (children: readonly string[]): Promise<void> => {
    if (children.length > 0) await visit(children);
    for (let at = 0; at < children.length; at += AHEAD_MAX) {
      const lists = children.slice(at, at + AHEAD_MAX).map((child) => childPaths(connection, child, isWatched));
      // The first failure in this order is the one that is told; the others are nobody's.
      for (const list of lists) list.catch(() => {});
      for (const list of lists) await descend(await list);
    }
  };
  await descend(await childPaths(connection, path, isWatched));
}

/** Sorted; empty for a znode that is gone. */
async function childPaths(connection: Connection, path: string, isWatched: boolean): Promise<string[]> {
  const names = await connection.read(path, isWatched ? 'children' : null, (client, options) =>
    client.children(path, options).catch((error: unknown) => {
      if (error instanceof NoNodeError) return [];
      throw error;
    }),
  );
  return names.sort().map((name) => (path === '/' ? `/${name}` : `${path}/${name}`));
}

/** The path and everything below it, parents before their children. Fails with CliError. */
export async function listSubtree(connection: Connection, path: string): Promise<string[]> {
  const paths = [path];
  for (let at = 0; at < paths.length; ) {
    const parents = paths.slice(at, at + AHEAD_MAX);
    at += parents.length;
    const lists = parents.map(async (parent) => {
      const names = await connection.call(parent, (client, options) => client.children(parent, options));
      return names.map((name) => (parent === '/' ? `/${name}` : `${parent}/${name}`));
    });
    for (const list of await Promise.all(lists)) paths.push(...list);
  }
  return paths;
}
