/**
 * Several locks as one: all or none.
 *
 *     const both = new MultiLock([new SimpleLock(zk, '/app/locks/a'), new SimpleLock(zk, '/app/locks/b')]);
 *     await both.withLock(async (held) => transfer(held.tokens));
 *
 * Guarantees: nothing is held unless all are; what was acquired is released again when one fails, or when time is up. They are
 * acquired one after the other in the order of their paths, so that two MultiLocks never wait for each other for ever. (They
 * may, together with code that acquires the same locks singly in another order.)
 *
 * Failures: those of its parts. As soon as one part is lost, the signal of the whole is aborted; the other parts are held until
 * `release()`. Each part has its own fencing token, for what that part guards.
 *
 * Znodes: those of its parts; none of its own, as with Curator's InterProcessMultiLock.
 */
import { ArgumentError } from '@zoots/client';
import { type Hold, lossController } from './held.js';
import { LostError } from './lock-errors.js';
import { type AcquireOptions, Patience } from './patience.js';
import { type Acquirable, nullAtTimeout, runUnder } from './queue-lock.js';

export class MultiLock implements Acquirable<HeldTogether> {
  /** The paths of all parts, for messages. */
  readonly path: string;
  readonly #parts: readonly Acquirable[];

  /** Locks of any kind, also sides of read-write locks and semaphores; not two of the same path. */
  constructor(parts: readonly Acquirable[]) {
    this.#parts = parts.toSorted((a, b) => (a.path < b.path ? -1 : 1));
    this.path = this.#parts.map((part) => part.path).join(' + ');
    const twice = this.#parts.find((part, i) => part.path === this.#parts[i + 1]?.path);
    if (twice !== undefined)
      throw new ArgumentError(`two parts have the path ${twice.path}: one would wait for the other`);
  }

  /** See {@link SimpleLock.acquire}; `timeoutMs` is for all parts together. */
  acquire(options: AcquireOptions = {}): Promise<HeldTogether> {
    return acquireAll(this.path, this.#parts, options);
  }

  /** Null if they are not all free within `timeoutMs`. */
  tryAcquire(options: AcquireOptions & { readonly timeoutMs: number }): Promise<HeldTogether | null> {
    return nullAtTimeout(this.acquire(options));
  }

  /** See {@link SimpleLock.withLock}. */
  withLock<T>(work: (held: HeldTogether) => T | Promise<T>, options: AcquireOptions = {}): Promise<T> {
    return runUnder(this, work, options);
  }
}

/** Several holds with one fate. */
export class HeldTogether implements Hold {
  readonly path: string;
  readonly parts: readonly Hold[];
  readonly signal: AbortSignal;
  readonly #controller = lossController();
  #released: Promise<void> | null = null;

  constructor(path: string, parts: readonly Hold[]) {
    this.path = path;
    this.parts = parts;
    this.signal = this.#controller.signal;
    for (const { signal } of parts) {
      if (signal.aborted) this.#controller.abort(signal.reason);
      else signal.addEventListener('abort', this.#lost);
    }
  }

  readonly #lost = (): void => {
    const lost = this.parts.find((part) => part.signal.aborted);
    this.#controller.abort(lost?.signal.reason);
  };

  /** One for each part, in the order of their paths. */
  get tokens(): readonly number[] {
    return this.parts.map((part) => part.token);
  }

  /** The highest. It grows from holder to holder only among those who hold the same parts: prefer `tokens`. */
  get token(): number {
    return Math.max(...this.tokens);
  }

  get isHeld(): boolean {
    return !this.signal.aborted;
  }

  release(): Promise<void> {
    if (this.#released !== null) return this.#released;
    this.#controller.abort(new LostError(this.path, 'released'));
    for (const { signal } of this.parts) signal.removeEventListener('abort', this.#lost);
    this.#released = releaseAll(this.parts);
    return this.#released;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

/** One after the other; those acquired are released when one fails. */
export async function acquireAll(
  path: string,
  parts: readonly Acquirable[],
  options: AcquireOptions,
): Promise<HeldTogether> {
  using patience = new Patience(path, options);
  const held: Hold[] = [];
  try {
    for (const part of parts) held.push(await part.acquire({ signal: patience.signal }));
    return new HeldTogether(path, held);
  } catch (error) {
    await releaseAll(held);
    throw patience.signal.aborted ? patience.signal.reason : error;
  }
}

/** All are given up, also if one cannot be; then rejects with the first reason. */
async function releaseAll(parts: readonly Hold[]): Promise<void> {
  const results = await Promise.allSettled(parts.map((part) => part.release()));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
