/**
 * Reads and deletes that go on over broken connections until their session ends. Only for calls that may be repeated: the
 * deletion of a znode whose name is unique is one of them, a create is not.
 */
import { type Namespace, type Session, SessionLostError, ZooKeeperError } from '@zoots/client';
import { unlessAborted } from './patience.js';

/** Between attempts that failed without a broken connection (an overloaded client or server). */
const pauseMs = 50;

/** Throws if the session has ended: what was made in it is gone, or will be. */
export function assertAlive(session: Session): void {
  if (!session.signal.aborted) return;
  throw new SessionLostError('the session ended', 'unknown', { cause: session.signal.reason });
}

/** Waits for a connection in the same session, after `error`; throws `error` if it is not of the passing kind. */
export async function reconnected(namespace: Namespace, session: Session, error: unknown): Promise<void> {
  assertAlive(session);
  if (!(error instanceof ZooKeeperError && error.retryable)) throw error;
  await unlessAborted(new Promise((resolve) => setTimeout(resolve, pauseMs)), session.signal).catch(() => undefined);
  assertAlive(session);
  await namespace.client.connected({ signal: session.signal }).catch((reason: unknown) => {
    assertAlive(session);
    throw reason;
  });
}

/** Repeats `call` until it is answered. Throws SessionLostError if the session ends first, and what the server refuses. */
export async function persevere<T>(namespace: Namespace, session: Session, call: () => Promise<T>): Promise<T> {
  for (;;) {
    assertAlive(session);
    try {
      return await call();
    } catch (error) {
      await reconnected(namespace, session, error);
    }
  }
}

/** Waits for what may never come. Throws the reason of `signal`, or SessionLostError if the session ends first. */
export async function whileAlive<T>(session: Session, promise: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await unlessAborted(promise, signal, session.signal);
  } catch (error) {
    if (!signal.aborted) assertAlive(session);
    throw error;
  }
}
