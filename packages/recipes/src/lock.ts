/**
 * A re-entrant lock: who has it may acquire it again, as often as wanted, and it is free when every hold was released.
 *
 *     const lock = new Lock(zk, '/app/locks/accounts');
 *     const owner = {};                                       // a request, a job: any object that stands for who acquires
 *     await lock.withLock(async (held) => {
 *       await lock.withLock(audit, { owner });                // does not wait: the same owner has it already
 *     }, { owner });
 *
 * Whose lock is it? A Java lock belongs to a thread, and Node has none. The async context (AsyncLocalStorage) comes closest, but
 * it is inherited by everything that is started within: both branches of a Promise.all, a timer, a task that nobody awaits would
 * own the lock together, and a lock that does not exclude them is none. So the owner is named explicitly, by the `owner`
 * option. Without it every acquire is an owner of its own, and waits for the others, as SimpleLock does.
 *
 * Owners belong to one Lock object: two Lock objects on the same path exclude each other, also for the same owner.
 *
 * Guarantees, failures and znodes: those of SimpleLock. All holds of an owner share one znode, one token and one fate: when the
 * lock is lost, the signals of all are aborted. An owner whose first acquire is under way shares it with the second one.
 */
import type { Namespace } from '@zoots/client';
import { type Held, type Hold, lossController } from './held.js';
import { LostError } from './lock-errors.js';
import { type AcquireOptions, Patience, unlessAborted } from './patience.js';
import { type Contender, type LockOptions, nullAtTimeout, runUnder } from './queue-lock.js';
import { SimpleLock } from './simple-lock.js';

export interface OwnedAcquireOptions extends AcquireOptions {
  /** Who acquires. The same object gets the lock again while it has it. Default: somebody new. */
  readonly owner?: object | undefined;
}

export class Lock {
  readonly path: string;
  readonly #lock: SimpleLock;
  readonly #owners = new WeakMap<object, Ownership>();

  constructor(namespace: Namespace, path: string, options: LockOptions = {}) {
    this.path = path;
    this.#lock = new SimpleLock(namespace, path, options);
  }

  /** As SimpleLock's, but at once for an `owner` who has it. */
  async acquire({ owner = {}, ...options }: OwnedAcquireOptions = {}): Promise<ReentrantHold> {
    using patience = new Patience(this.path, options);
    const ownership = this.#ownershipOf(owner);
    for (;;) {
      patience.signal.throwIfAborted();
      const again = ownership.reenter();
      if (again !== null) return again;
      if (ownership.pending === null) return ownership.enter(await this.#acquireFor(ownership, patience));
      await unlessAborted(ownership.pending, patience.signal);
    }
  }

  /** The first hold of an owner. A second acquire of the same owner waits for `pending`, and looks again. */
  async #acquireFor(ownership: Ownership, patience: Patience): Promise<Held> {
    const acquiring = this.#lock.acquire({ signal: patience.signal });
    ownership.pending = acquiring.then(
      () => undefined,
      () => undefined,
    );
    try {
      return await acquiring;
    } catch (error) {
      throw patience.signal.aborted ? patience.signal.reason : error;
    } finally {
      ownership.pending = null;
    }
  }

  /** As SimpleLock's; an `owner` who has it gets it. */
  async tryAcquire({ owner = {}, signal, timeoutMs }: OwnedAcquireOptions = {}): Promise<ReentrantHold | null> {
    const ownership = this.#ownershipOf(owner);
    const again = ownership.reenter();
    if (again !== null || (timeoutMs === undefined && ownership.pending !== null)) return again;
    if (timeoutMs !== undefined) return nullAtTimeout(this.acquire({ owner, signal, timeoutMs }));
    const held = await this.#lock.tryAcquire({ signal });
    // Without it, the same owner may have got it meanwhile.
    return held === null ? ownership.reenter() : ownership.enter(held);
  }

  /** See {@link SimpleLock.withLock}. */
  withLock<T>(work: (held: ReentrantHold) => T | Promise<T>, options: OwnedAcquireOptions = {}): Promise<T> {
    return runUnder(this, work, options);
  }

  contenders(): Promise<Contender[]> {
    return this.#lock.contenders();
  }

  #ownershipOf(owner: object): Ownership {
    const ownership = this.#owners.get(owner) ?? new Ownership();
    this.#owners.set(owner, ownership);
    return ownership;
  }
}

/** What one owner has. */
class Ownership {
  /** Resolves when the first acquire has ended, either way. */
  pending: Promise<void> | null = null;
  #tenure: Tenure | null = null;

  /** With what was acquired just now. */
  enter(held: Held): ReentrantHold {
    this.#tenure = { held, holds: 0 };
    return holdOf(this.#tenure);
  }

  /** Null if the owner does not have it. */
  reenter(): ReentrantHold | null {
    return this.#tenure?.held.isHeld ? holdOf(this.#tenure) : null;
  }
}

/** One acquisition of the lock, and how many holds there are of it. Holds of an earlier one that was lost do not count. */
interface Tenure {
  readonly held: Held;
  holds: number;
}

function holdOf(tenure: Tenure): ReentrantHold {
  tenure.holds++;
  return new ReentrantHold(tenure.held, () => (--tenure.holds === 0 ? tenure.held.release() : Promise.resolve()));
}

/** One of the holds of an owner. The lock is free when all are released. */
export class ReentrantHold implements Hold {
  readonly path: string;
  readonly token: number;
  readonly signal: AbortSignal;
  readonly #controller = lossController();
  readonly #leave: () => Promise<void>;
  readonly #whole: AbortSignal;
  #released: Promise<void> | null = null;

  constructor(held: Held, leave: () => Promise<void>) {
    this.path = held.path;
    this.token = held.token;
    this.signal = this.#controller.signal;
    this.#leave = leave;
    this.#whole = held.signal;
    if (this.#whole.aborted) this.#lost();
    else this.#whole.addEventListener('abort', this.#lost);
  }

  readonly #lost = (): void => this.#controller.abort(this.#whole.reason);

  get isHeld(): boolean {
    return !this.signal.aborted;
  }

  release(): Promise<void> {
    if (this.#released !== null) return this.#released;
    this.#whole.removeEventListener('abort', this.#lost);
    this.#controller.abort(new LostError(this.path, 'released'));
    this.#released = this.#leave();
    return this.#released;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}
