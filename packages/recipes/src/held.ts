/**
 * What you hold: a lock, a permit of a semaphore, a leadership. It has a fencing token, a signal for its loss, and `release()`.
 *
 *     await using held = await lock.acquire();
 *     await fetch(url, { method: 'PUT', headers: { 'x-fence': String(held.token) }, signal: held.signal });
 *
 * Suspended or lost: when the connection breaks (the client is `suspended`), the session lives on at the servers for up to its
 * timeout, and so does what you hold; most connections come back within that time. When they do not, the client takes the
 * session for gone no later than the servers may (`lost`), and the signal is aborted. So by default a broken connection changes
 * nothing, and `suspendedIsLost: true` aborts already then: choose it if somebody could delete the znode while you cannot
 * be told, or if clocks on this machine cannot be relied upon.
 *
 * The signal comes in time only if this process gets to run: a long pause (a stopped process, a virtual machine that moves)
 * can outlast the session, and the code after it runs before any timer does. That is what the fencing token is for: let the
 * resource that you guard refuse every token that is lower than the highest it has seen.
 */
import { setMaxListeners } from 'node:events';
import type { Namespace, Session } from '@zoots/client';
import { type LossReason, LostError } from './lock-errors.js';
import { whenGone } from './node-ends.js';
import type { Place } from './sequential-queue.js';

export interface Hold extends AsyncDisposable {
  /** Path of the znode that stands for it. */
  readonly path: string;
  /**
   * Fencing token: the zxid at which the znode was created (czxid). Who gets the same lock later has a higher one, also after
   * the session, the lock's path or the server were made anew.
   */
  readonly token: number;
  /** Aborted as soon as it is held no more, for whatever reason; its `reason` is a {@link LostError} that says why. */
  readonly signal: AbortSignal;
  readonly isHeld: boolean;
  /**
   * Gives it up; the signal is aborted first. Over broken connections it goes on until the znode is gone or its session ended.
   * Does nothing the second time. Rejects only if the server refuses to delete the znode (an ACL).
   */
  release(): Promise<void>;
}

export interface HoldOptions {
  /** Take it for lost as soon as the connection breaks, and not only when the session may be over. Default false. */
  readonly suspendedIsLost?: boolean | undefined;
}

/** For the signal of something held: everything that is done under it may listen, and Node shall not call that a leak. */
export function lossController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

export class Held implements Hold {
  readonly path: string;
  readonly token: number;
  readonly signal: AbortSignal;
  readonly #place: Place;
  readonly #controller = lossController();
  readonly #unwatch: () => void;
  #released: Promise<void> | null = null;

  /** @internal `token` is not the znode's own where it continues what another znode began. */
  constructor(place: Place, options: HoldOptions, token = place.czxid) {
    this.path = place.path;
    this.token = token;
    this.signal = this.#controller.signal;
    this.#place = place;
    this.#unwatch = watchLoss(place.queue.namespace, place.session, place.path, options, (reason, cause) =>
      this.#end(reason, cause),
    );
    if (this.signal.aborted) this.#unwatch();
  }

  get isHeld(): boolean {
    return !this.signal.aborted;
  }

  /** @internal Its place in the queue, for recipes that build on it. */
  get place(): Place {
    return this.#place;
  }

  #end(reason: LossReason, cause?: unknown): void {
    if (this.signal.aborted) return;
    this.#unwatch?.();
    this.#controller.abort(new LostError(this.path, reason, cause));
  }

  release(): Promise<void> {
    this.#end('released');
    this.#released ??= this.#place.leave();
    return this.#released;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

/** Calls `lost` when the session ends, the znode goes, or (if wanted) the connection breaks. Returns how to call that off. */
export function watchLoss(
  namespace: Namespace,
  session: Session,
  path: string,
  { suspendedIsLost = false }: HoldOptions,
  lost: (reason: LossReason, cause?: unknown) => void,
): () => void {
  const { client } = namespace;
  const onSession = (): void => lost('session', session.signal.reason);
  const onState = (): void => {
    if (client.state !== 'connected') lost('suspended');
  };
  // An error here (an ACL without the right to read) leaves the session as the only sign; it was readable or nobody could wait.
  const unwatch = whenGone(namespace, path, (error) => {
    if (error === null) lost(session.signal.aborted ? 'session' : 'deleted');
  });
  session.signal.addEventListener('abort', onSession);
  if (suspendedIsLost) client.on('state', onState);
  if (session.signal.aborted) onSession();
  else if (suspendedIsLost) onState();
  return () => {
    unwatch();
    session.signal.removeEventListener('abort', onSession);
    if (suspendedIsLost) client.off('state', onState);
  };
}
