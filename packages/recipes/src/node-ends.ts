/**
 * Tells who waits for it that a znode is gone.
 *
 * All waiters of one client for one path share one watch: somebody who tries for a lock every second, and each time in vain,
 * must not leave a watch behind each time. A watch whose waiters have all left stays until it fires, and serves the next one.
 */
import { type Namespace, NoNodeError, type WatchEvent, type ZooKeeper, ZooKeeperError } from '@zoots/client';

/** Called once: with null when the znode is gone, or with the error why it cannot be watched. */
export type EndListener = (error: Error | null) => void;

/** One for each client, by the path as the client sees it. */
const registries = new WeakMap<ZooKeeper, Map<string, Set<EndListener>>>();

/** Calls `listener` when the znode at `path` is gone, or at once if it is not there. Returns how to call that off. */
export function whenGone(namespace: Namespace, path: string, listener: EndListener): () => void {
  const { client } = namespace;
  const registry = registries.get(client) ?? new Map<string, Set<EndListener>>();
  registries.set(client, registry);
  const key = namespace.prefix + path;
  const known = registry.get(key);
  const listeners = known ?? new Set<EndListener>();
  listeners.add(listener);
  if (known === undefined) {
    registry.set(key, listeners);
    arm(namespace, path, registry, key);
  }
  return () => {
    listeners.delete(listener);
  };
}

/** The same as a promise; it stays pending after `signal` is aborted, and nothing refers to it any more. */
export function gone(namespace: Namespace, path: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = whenGone(namespace, path, (error) => {
      signal.removeEventListener('abort', cancel);
      if (error === null) resolve();
      else reject(error);
    });
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel);
  });
}

/** `get` and not `exists`: of a znode that is gone already it leaves no watch. */
function arm(namespace: Namespace, path: string, registry: Map<string, Set<EndListener>>, key: string): void {
  const end = (error: Error | null): void => {
    const listeners = registry.get(key) ?? [];
    registry.delete(key);
    for (const listener of listeners) listener(error);
  };
  const watch = (event: WatchEvent): void => {
    if (event.type === 'deleted') end(null);
    else if (registry.get(key)?.size === 0) registry.delete(key);
    else arm(namespace, path, registry, key);
  };
  namespace.get(path, { watch }).catch(async (error: unknown) => {
    if (error instanceof NoNodeError) return end(null);
    if (!(error instanceof ZooKeeperError && error.retryable)) return end(error as Error);
    await namespace.client.connected().then(() => arm(namespace, path, registry, key), end);
  });
}
