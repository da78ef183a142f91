/**
 * What all locks on a queue have in common: acquire, try, run something under it, list who holds and who waits.
 * The recipes (`simple-lock.ts`, `read-write-lock.ts` …) say in which order they let contenders in.
 */
import { hostname } from 'node:os';
import { type Acl, type Namespace, NoNodeError } from '@zoots/client';
import type { Convention, Role } from './conventions.js';
import { Held, type Hold, type HoldOptions } from './held.js';
import { AcquireTimeoutError } from './lock-errors.js';
import type { AcquireOptions } from './patience.js';
import { type Blocker, SequentialQueue } from './sequential-queue.js';

export type { Convention } from './conventions.js';
export type { AcquireOptions } from './patience.js';

export interface LockOptions extends HoldOptions {
  /** What the znodes hold as data: tells others who this is. Default: `<host>:<process id>`. */
  readonly id?: string | undefined;
  /** How znodes are named; see `conventions.ts`. Default `curator`. */
  readonly convention?: Convention | undefined;
  /** ACL of the znodes and of missing parents. Default: everybody may do everything. */
  readonly acl?: readonly Acl[] | undefined;
}

/** Somebody in the queue. */
export interface Contender {
  readonly path: string;
  /** The data of its znode, which by convention says who it is. */
  readonly id: string;
  readonly isHolder: boolean;
  /** Its fencing token, if it gets the lock. */
  readonly token: number;
  /** The session that it lives in. */
  readonly sessionId: bigint;
}

/** Whatever can be acquired and held. */
export interface Acquirable<H extends Hold = Hold> {
  readonly path: string;
  acquire(options?: AcquireOptions): Promise<H>;
}

export function defaultId(): string {
  return `${hostname()}:${process.pid}`;
}

export abstract class QueueLock implements Acquirable<Held> {
  readonly path: string;
  protected readonly queue: SequentialQueue;
  readonly #blocker: Blocker;
  readonly #options: LockOptions;

  protected constructor(namespace: Namespace, path: string, role: Role, blocker: Blocker, options: LockOptions) {
    const { id = defaultId(), convention = 'curator', acl } = options;
    this.path = path;
    this.queue = new SequentialQueue(namespace, path, { role, convention, id, acl });
    this.#blocker = blocker;
    this.#options = options;
  }

  /**
   * Waits for it. A lost session while waiting does not matter: the queue is joined again in the next one.
   *
   * Rejects with AcquireTimeoutError, with an AbortError, with ClientClosedError, and with what the server refuses (NoAuthError …).
   */
  async acquire(options: AcquireOptions = {}): Promise<Held> {
    return new Held(await this.queue.acquire(this.#blocker, options), this.#options);
  }

  /** Null if it is not free; with `timeoutMs`, if it is not free in time. Without it, a lock in use costs one read. */
  async tryAcquire({ signal, timeoutMs }: AcquireOptions = {}): Promise<Held | null> {
    if (timeoutMs !== undefined) return nullAtTimeout(this.acquire({ signal, timeoutMs }));
    signal?.throwIfAborted();
    if ((await this.queue.blockerOfNext(this.#blocker)) !== null) return null;
    const place = await this.queue.acquireNow(this.#blocker, { signal });
    return place === null ? null : new Held(place, this.#options);
  }

  /**
   * Runs `work` under the lock and releases it, whatever happens. `work` should stop when `held.signal` is aborted.
   * Rejects with what `work` throws, or with LostError if the lock was lost before `work` was done: its result may not be alone.
   */
  withLock<T>(work: (held: Held) => T | Promise<T>, options: AcquireOptions = {}): Promise<T> {
    return runUnder(this, work, options);
  }

  /** Who holds and who waits, the first come first. Reads each znode: for people and tests, not for decisions. */
  contenders(): Promise<Contender[]> {
    return contendersOf(this.queue, this.#blocker);
  }
}

/** Null if time is up before it is acquired. */
export async function nullAtTimeout<T>(acquiring: Promise<T>): Promise<T | null> {
  try {
    return await acquiring;
  } catch (error) {
    if (error instanceof AcquireTimeoutError) return null;
    throw error;
  }
}

/** Acquires, works, releases. */
export async function runUnder<H extends Hold, T>(
  lock: Acquirable<H>,
  work: (held: H) => T | Promise<T>,
  options: AcquireOptions,
): Promise<T> {
  await using held = await lock.acquire(options);
  const result = await work(held);
  held.signal.throwIfAborted();
  return result;
}

/** `blocker` says who holds: those whom nobody blocks. Those who leave while it reads are left out. */
export async function contendersOf(queue: SequentialQueue, blocker: Blocker): Promise<Contender[]> {
  const entries = await queue.entries();
  const contenders = entries.map(async ({ path, name }, index): Promise<Contender | null> => {
    try {
      const { data, stat } = await queue.namespace.get(path);
      const isHolder = blocker(entries.slice(0, index), name) === null;
      return { path, id: data?.toString() ?? '', isHolder, token: stat.czxid, sessionId: stat.ephemeralOwner };
    } catch (error) {
      if (error instanceof NoNodeError) return null;
      throw error;
    }
  });
  return (await Promise.all(contenders)).filter((contender) => contender !== null);
}
