/**
 * One leader among many, as a state: take part, and know at any time whether it is you. For work with a beginning and an end
 * of its own, see `leader-selector.ts`.
 *
 *     await using latch = new LeaderLatch(zk, '/app/leader', { id: 'host-1' });
 *     latch.on('leader', (leadership) => scheduler.start(leadership.token, leadership.signal));
 *     await latch.start();
 *
 * or, one term of office after the other:
 *
 *     for await (const leadership of latch.terms()) await schedule(leadership);
 *
 * Guarantees: at most one session leads, as the servers see it; leaders follow each other in the order in which they began to
 * take part, and of their fencing tokens. While anybody takes part whose session lives, somebody leads: after a leader's
 * session was lost (its timeout, if it was killed), the next one is told. Who lost the leadership takes part again, at the end.
 *
 * Failures: those of SimpleLock. When the leadership is lost, its signal is aborted, `leadership` is null, and `follower` is
 * emitted with the reason, in this order. If taking part itself fails (an ACL that was changed), the latch ends: `leading()`
 * and `terms()` reject, and `error` is emitted, which without a listener ends the process, as errors of emitters do. When its
 * client is closed, the latch ends without `error`.
 *
 * Znodes: `<path>/_c_<uuid>-latch-<10 digits>`, ephemeral, with `id` as data: Curator's LeaderLatch. With `convention: 'kazoo'`
 * those of kazoo's Election.
 */
import { EventEmitter } from 'node:events';
import { ClientClosedError, type Namespace } from '@zoots/client';
import { Held, lossController } from './held.js';
import type { LostError } from './lock-errors.js';
import { type AcquireOptions, Patience, unlessAborted } from './patience.js';
import { type Contender, contendersOf, defaultId, type LockOptions } from './queue-lock.js';
import { exclusive, SequentialQueue } from './sequential-queue.js';

interface LeaderLatchEvents {
  /** It leads now. */
  leader: [leadership: Held];
  /** It does not lead any more; the error says why. */
  follower: [reason: LostError];
  error: [error: unknown];
}

type LatchState = 'new' | 'participating' | 'closed';

export class LeaderLatch extends EventEmitter<LeaderLatchEvents> implements AsyncDisposable {
  readonly path: string;
  readonly id: string;
  readonly #queue: SequentialQueue;
  readonly #options: LockOptions;
  /** Its reason is what `leading()` rejects with. */
  readonly #closing = lossController();
  #state: LatchState = 'new';
  #leadership: Held | null = null;
  #participation: Promise<void> = Promise.resolve();
  /** Who waits in `leading()`. */
  readonly #waiting = new Set<() => void>();

  constructor(namespace: Namespace, path: string, options: LockOptions = {}) {
    super();
    const { id = defaultId(), convention = 'curator', acl } = options;
    this.path = path;
    this.id = id;
    this.#options = options;
    this.#queue = new SequentialQueue(namespace, path, { role: 'latch', convention, id, acl });
  }

  /** Takes part from now on. Resolves when its znode is there; rejects if it cannot be, and then the latch is closed. */
  async start(): Promise<void> {
    if (this.#state !== 'new') return;
    this.#state = 'participating';
    let isJoined = false;
    await new Promise<void>((resolve, reject) => {
      const joined = (): void => {
        isJoined = true;
        resolve();
      };
      this.#participation = this.#participate(joined).catch((error: unknown) => {
        const isClosed = this.#closing.signal.aborted;
        this.#state = 'closed';
        this.#closing.abort(error);
        if (!isJoined) reject(error);
        else if (!isClosed && !(error instanceof ClientClosedError)) this.emit('error', error);
      });
    });
  }

  async #participate(joined: () => void): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const leadership = new Held(await this.#queue.acquire(exclusive, { signal }, joined), this.#options);
      if (leadership.isHeld) this.#lead(leadership);
      await aborted(leadership.signal);
      if (this.#leadership !== null) this.emit('follower', this.#unlead());
      await leadership.release();
    }
  }

  #lead(leadership: Held): void {
    this.#leadership = leadership;
    this.emit('leader', leadership);
    for (const wake of this.#waiting) wake();
  }

  #unlead(): LostError {
    const reason = (this.#leadership as Held).signal.reason as LostError;
    this.#leadership = null;
    return reason;
  }

  /** While it leads: the fencing token, the signal for its end, and `release()` to let the next one lead; else null. */
  get leadership(): Held | null {
    return this.#leadership?.isHeld ? this.#leadership : null;
  }

  get isLeader(): boolean {
    return this.leadership !== null;
  }

  /** The leadership, as soon as it is ours. Rejects if given up, and when the latch is closed or cannot take part. */
  async leading(options: AcquireOptions = {}): Promise<Held> {
    using patience = new Patience(this.path, options);
    void this.start().catch(() => undefined);
    for (;;) {
      patience.signal.throwIfAborted();
      if (this.leadership !== null) return this.leadership;
      await this.#change(patience.signal);
    }
  }

  /** Resolves when it leads. (A promise that all share would keep those who gave up for as long as it is pending.) */
  async #change(signal: AbortSignal): Promise<void> {
    let wake!: () => void;
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#waiting.add(wake);
    try {
      await unlessAborted(woken, signal, this.#closing.signal);
    } finally {
      this.#waiting.delete(wake);
    }
  }

  /** Each leadership of ours; ends when `signal` is aborted or the latch closed. Starts the latch. */
  async *terms({ signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<Held, void> {
    for (;;) {
      let leadership: Held;
      try {
        leadership = await this.leading({ signal });
      } catch (error) {
        if (signal?.aborted || this.#closing.signal.reason instanceof LatchClosed) return;
        throw error;
      }
      yield leadership;
      // Who is back early did all there is to do in this term.
      await unlessAborted(aborted(leadership.signal), ...(signal === undefined ? [] : [signal])).catch(() => undefined);
    }
  }

  /** All who take part, the leader first. Reads each znode: for people and tests, not for decisions. */
  participants(): Promise<Contender[]> {
    return contendersOf(this.#queue, exclusive);
  }

  /** Who leads, as the server that we are connected to sees it. */
  async leader(): Promise<Contender | null> {
    return (await this.participants())[0] ?? null;
  }

  /** Takes part no more; its znode is gone when this resolves, or goes with its session. */
  async close(): Promise<void> {
    this.#state = 'closed';
    this.#closing.abort(new LatchClosed());
    await this.#leadership?.release();
    await this.#participation;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

class LatchClosed extends Error {
  override readonly name = 'LatchClosed';
  override readonly message = 'the leader latch was closed';
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
