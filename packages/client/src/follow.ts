/** Reads that are repeated whenever their watch tells of a change, for as long as anybody listens. */
import type { ZooKeeper } from './client.js';
import { SessionLostError, ZooKeeperError } from './errors.js';
import type { SessionState } from './session-core/index.js';

/** Between attempts: an overloaded client refuses without asking anybody. */
const PAUSE_MS = 50;

/**
 * What `read` gives, now and after every change; it passes `onChange` on as the read's watch. Goes on through broken connections,
 * times without any server, and new sessions. Ends when the client is closed or the signal aborts. Throws what else `read` throws.
 */
export async function* follow<T>(
  client: ZooKeeper,
  read: (onChange: () => void) => Promise<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void> {
  const isOver = (): boolean => signal?.aborted === true || client.state === 'closed';
  while (!isOver()) {
    let onChange = (): void => {};
    const changed = new Promise<void>((resolve) => {
      onChange = resolve;
    });
    let current: T;
    try {
      current = await read(onChange);
    } catch (error) {
      if (isOver()) return;
      if (!isPassing(error)) throw error;
      await unlessOver(client, signal, new Promise((resolve) => setTimeout(resolve, PAUSE_MS)));
      await unlessOver(client, signal, client.connected({ signal }));
      continue;
    }
    yield current;
    await unlessOver(client, signal, changed);
  }
}

/** Whether the same read may succeed later. */
function isPassing(error: unknown): boolean {
  return error instanceof SessionLostError || (error instanceof ZooKeeperError && error.retryable);
}

/** Resolves with `promise`, or when the client ends or the signal aborts; rejects with it only before that. */
function unlessOver(client: ZooKeeper, signal: AbortSignal | undefined, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      client.off('state', onState);
      signal?.removeEventListener('abort', onEnd);
    };
    const onEnd = (): void => {
      leave();
      resolve();
    };
    const onState = (state: SessionState): void => {
      if (state === 'closed' || state === 'auth-failed') onEnd();
    };
    // Not a race with `client.ended`, which would keep a reaction for every change until the client ends.
    client.on('state', onState);
    signal?.addEventListener('abort', onEnd);
    onState(client.state);
    if (signal?.aborted === true) onEnd();
    promise.then(onEnd, (error: unknown) => {
      leave();
      reject(error);
    });
  });
}
