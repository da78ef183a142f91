/** Whole subtrees: going through them, deleting them, making the way to them. */
import { ConnectionLossError, NodeExistsError, NoNodeError, NotEmptyError } from './errors.js';
import type { Namespace } from './namespace.js';
import { childOf, parentOf } from './paths.js';
import type { CallOptions, NodeOptions } from './types.js';

/** Lists of children asked for ahead, at most. */
const AHEAD_MAX = 128;
/** Deletes in flight, at most. */
const DELETES_MAX = 256;

/** Makes the znode and its missing parents; existing ones stay as they are. */
export async function ensurePath(
  namespace: Namespace,
  path: string,
  options: NodeOptions & CallOptions,
): Promise<void> {
  try {
    await namespace.create(path, null, options);
  } catch (error) {
    if (error instanceof NodeExistsError) return;
    // Whether it was made or not: asking again gives the same end.
    if (error instanceof ConnectionLossError) return ensurePath(namespace, path, options);
    if (!(error instanceof NoNodeError) || path === '/') throw error;
    await ensurePath(namespace, parentOf(path), options);
    await ensurePath(namespace, path, options);
  }
}

interface Entry {
  readonly path: string;
  /** Its children, if they have been asked for. */
  listing: Promise<string[] | null> | null;
}

/** Depth first, parents before children, siblings sorted. What vanishes meanwhile is left out. */
export async function* descendants(namespace: Namespace, path: string, options: CallOptions): AsyncGenerator<string> {
  let aheadCount = 0;
  const list = (entry: Entry): Promise<string[] | null> => {
    entry.listing ??= namespace.children(entry.path, options).catch(nullIfMissing);
    return entry.listing;
  };
  const stack: Entry[] = [{ path, listing: null }];
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    if (entry.listing !== null) aheadCount--;
    const names = await list(entry);
    if (names === null) continue;
    yield entry.path;
    for (const name of names.sort().reverse()) stack.push({ path: childOf(entry.path, name), listing: null });
    for (let i = stack.length - 1; i >= 0 && aheadCount < AHEAD_MAX && stack.length - i <= AHEAD_MAX; i--) {
      const next = stack[i] as Entry;
      if (next.listing !== null) continue;
      aheadCount++;
      // Somebody who stops early awaits none of these.
      list(next).catch(() => {});
    }
  }
}

function nullIfMissing(error: unknown): null {
  if (error instanceof NoNodeError) return null;
  throw error;
}

/** Deletes children before parents; what others add meanwhile goes too. Returns how many znodes were deleted. */
export async function deleteRecursive(namespace: Namespace, path: string, options: CallOptions): Promise<number> {
  let count = 0;
  for (;;) {
    const paths: string[] = [];
    for await (const one of descendants(namespace, path, options)) paths.push(one);
    if (paths.length === 0) return count;
    const isDone = await deleteAll(namespace, paths.reverse(), options, () => {
      count++;
    });
    if (isDone) return count;
  }
}

/** Children stand before their parents, and a session's requests are served in order, so they may all be in flight. */
async function deleteAll(
  namespace: Namespace,
  paths: readonly string[],
  options: CallOptions,
  onDeleted: () => void,
): Promise<boolean> {
  let isDone = true;
  for (let i = 0; i < paths.length; i += DELETES_MAX) {
    const batch = paths.slice(i, i + DELETES_MAX).map(async (path) => {
      try {
        await namespace.delete(path, options);
        onDeleted();
      } catch (error) {
        if (error instanceof NotEmptyError) isDone = false;
        else if (!(error instanceof NoNodeError)) throw error;
      }
    });
    await allOrFirstError(batch);
  }
  return isDone;
}

/** Waits for all, so that nothing goes on behind the caller's back, then throws the first error if there was one. */
async function allOrFirstError(promises: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) if (result.status === 'rejected') throw result.reason;
}
