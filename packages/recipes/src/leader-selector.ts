/**
 * One leader among many, as a piece of work: a function that runs while this process leads, here or there, one at a time.
 * If you rather ask "do I lead?" at many places, see `leader-latch.ts`.
 *
 *     const selector = new LeaderSelector(zk, '/app/leader', async (leadership, stop) => {
 *       while (!stop.aborted) await sweep({ fence: leadership.token, signal: stop });
 *     });
 *     await selector.run({ signal: shutdown });
 *
 * Guarantees: those of SimpleLock, which it is made of. The next leader begins only after the function has returned, unless the
 * leadership was lost: then it must stop by itself. A process that lost it queues again only after its function has returned.
 *
 * Failures: `stop` is aborted when the leadership is lost and when `run` is to end; what the function throws after that is taken
 * for its way of stopping. What it throws before that ends the leadership, and `run` rejects with it. `run` rejects with what
 * the server refuses, too.
 *
 * Znodes: those of SimpleLock; the same as Curator's LeaderSelector, and with `convention: 'kazoo'` as kazoo's Election.
 */
import type { Namespace } from '@zoots/client';
import type { Held } from './held.js';
import type { Contender, LockOptions } from './queue-lock.js';
import { SimpleLock } from './simple-lock.js';

export interface LeaderSelectorOptions extends LockOptions {
  /** Queue again after a term, until `run` is to end. With false, `run` ends after one term. Default true. */
  readonly requeue?: boolean | undefined;
}

/** Leads until it has nothing to do any more, or `stop` is aborted. */
export type Lead = (leadership: Held, stop: AbortSignal) => void | Promise<void>;

export class LeaderSelector {
  readonly path: string;
  readonly #lock: SimpleLock;
  readonly #lead: Lead;
  readonly #requeue: boolean;
  #leadership: Held | null = null;

  constructor(namespace: Namespace, path: string, lead: Lead, options: LeaderSelectorOptions = {}) {
    this.path = path;
    this.#lock = new SimpleLock(namespace, path, options);
    this.#lead = lead;
    this.#requeue = options.requeue ?? true;
  }

  get isLeader(): boolean {
    return this.#leadership?.isHeld ?? false;
  }

  /** Takes part until `signal` is aborted (then it resolves), or for one term without `requeue`. */
  async run({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    do {
      let leadership: Held;
      try {
        leadership = await this.#lock.acquire({ signal });
      } catch (error) {
        if (signal?.aborted) return;
        throw error;
      }
      await this.#term(leadership, signal);
    } while (this.#requeue && !signal?.aborted);
  }

  async #term(leadership: Held, signal: AbortSignal | undefined): Promise<void> {
    const stopping = new AbortController();
    const stop = (): void => stopping.abort(leadership.isHeld ? signal?.reason : leadership.signal.reason);
    leadership.signal.addEventListener('abort', stop);
    signal?.addEventListener('abort', stop);
    if (!leadership.isHeld || signal?.aborted) stop();
    this.#leadership = leadership;
    try {
      await this.#lead(leadership, stopping.signal);
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#leadership = null;
      await leadership.release();
    }
  }

  /** All who take part, the leader first. */
  participants(): Promise<Contender[]> {
    return this.#lock.contenders();
  }
}
