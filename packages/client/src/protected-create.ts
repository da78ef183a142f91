/**
 * A create that finds its znode again.
 *
 * When the connection breaks before the answer to a create of a sequential znode, nobody knows whether it is there, or under
 * which name; an ephemeral one would then block a lock's queue for as long as the session lives. So its name gets a prefix that is
 * used once, `_c_<uuid>-` (Curator's convention, which other tools know), and after a break the children of the parent tell.
 */
import { randomUUID } from 'node:crypto';
import { ConnectionLossError, NoNodeError, RequestAbortedError, RequestTimeoutError } from './errors.js';
import type { Namespace } from './namespace.js';
import { childOf, nameOf, parentOf } from './paths.js';
import type { CallOptions, CreatedNode, Data, NodeOptions } from './types.js';

export function protectedName(name: string): string {
  return `_c_${randomUUID()}-${name}`;
}

type CreateOnce = (path: string, data: Data, options: NodeOptions & CallOptions) => Promise<CreatedNode>;

/** `create` makes the znode, once per call. */
export async function createProtected(
  namespace: Namespace,
  create: CreateOnce,
  path: string,
  data: Data,
  options: NodeOptions & CallOptions,
): Promise<CreatedNode> {
  const parent = parentOf(path);
  const name = protectedName(nameOf(path));
  for (;;) {
    try {
      return await create(childOf(parent, name), data, options);
    } catch (error) {
      if (!isUnknown(error)) throw error;
      const found = await find(namespace, parent, name, options);
      if (found !== null) return found;
    }
  }
}

/**
 * Aborted and timed-out calls are their caller's decision, so they are not made again; their znode may come to be, and
 * is looked for by who cares (see {@link removeProtected}).
 */
function isUnknown(error: unknown): boolean {
  return error instanceof ConnectionLossError && error.outcome === 'unknown';
}

async function find(
  namespace: Namespace,
  parent: string,
  name: string,
  { signal, timeoutMs }: CallOptions,
): Promise<CreatedNode | null> {
  const limits = { signal, timeoutMs };
  // The create may have been committed and not be known to this server yet.
  await namespace.sync(parent, limits);
  const children = await namespace.children(parent, limits);
  const found = children.find((child) => child.startsWith(name));
  if (found === undefined) return null;
  const path = childOf(parent, found);
  const stat = await namespace.exists(path, limits);
  return stat === null ? null : { path, stat };
}

/** True if a create that failed so may still have made its znode. */
export function mayHaveCreated(error: unknown): boolean {
  return (
    (error instanceof RequestAbortedError ||
      error instanceof RequestTimeoutError ||
      error instanceof ConnectionLossError) &&
    error.outcome === 'unknown'
  );
}

/** Deletes the znode of a protected name, wherever its create got to. */
export async function removeProtected(namespace: Namespace, parent: string, name: string): Promise<void> {
  await namespace.sync(parent);
  for (const child of await namespace.children(parent)) {
    if (!child.startsWith(name)) continue;
    try {
      await namespace.delete(childOf(parent, child));
    } catch (error) {
      if (!(error instanceof NoNodeError)) throw error;
    }
  }
}
