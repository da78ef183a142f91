/**
 * A semaphore: at most so many hold a permit at a time. Curator calls permits leases.
 *
 *     const semaphore = new Semaphore(zk, '/app/semaphores/exports', 3);
 *     await using permit = await semaphore.acquire({ timeoutMs: 60_000 });
 *
 * Guarantees: at most `permitsMax` permits at a time, as the servers see it, if all say the same `permitsMax`. Permits are given in
 * the order of requests. A waiter holds a lock of its own kind while it waits for a permit, so that only one watches the permits.
 *
 * Failures: those of SimpleLock. A permit has a token and a signal as a lock has; but as several hold at a time, a guarded resource
 * cannot simply refuse lower tokens: give each permit a part of its own, or count.
 *
 * `acquireMany(n)` takes n permits one after the other. Two that take many at the same time may wait for each other for ever
 * unless a `timeoutMs` ends it; it is the same with Curator.
 *
 * Znodes, as Curator's InterProcessSemaphoreV2: `<path>/locks` is a lock as of SimpleLock; `<path>/leases/_c_<uuid>-lease-<10 digits>`
 * are the permits, ephemeral, with `id` as data. (kazoo's Semaphore has another layout, with its number of permits in the
 * data of `<path>`; the two do not count each other.)
 */
import { ArgumentError, type Namespace } from '@zoots/client';
import { Held } from './held.js';
import { acquireAll, type HeldTogether } from './multi-lock.js';
import { type AcquireOptions, Patience, unlessAborted } from './patience.js';
import { persevere, whileAlive } from './persevere.js';
import {
  type Acquirable,
  type Contender,
  contendersOf,
  defaultId,
  type LockOptions,
  nullAtTimeout,
  runUnder,
} from './queue-lock.js';
import { type Blocker, exclusive, mayRejoin, type Place, SequentialQueue } from './sequential-queue.js';

export type SemaphoreOptions = Omit<LockOptions, 'convention'>;

export class Semaphore implements Acquirable<Held> {
  readonly path: string;
  readonly permitsMax: number;
  /** Who may ask for a permit next. */
  readonly #turns: SequentialQueue;
  readonly #permits: SequentialQueue;
  readonly #options: SemaphoreOptions;
  readonly #blocker: Blocker;

  constructor(namespace: Namespace, path: string, permitsMax: number, options: SemaphoreOptions = {}) {
    if (!(Number.isSafeInteger(permitsMax) && permitsMax > 0)) {
      throw new ArgumentError(`semaphore ${path}: ${permitsMax} permits: it must be 1 or more`);
    }
    const { id = defaultId(), acl } = options;
    const settings = { convention: 'curator', id, acl } as const;
    this.path = path;
    this.permitsMax = permitsMax;
    this.#options = options;
    this.#turns = new SequentialQueue(namespace, `${path}/locks`, { ...settings, role: 'lock' });
    this.#permits = new SequentialQueue(namespace, `${path}/leases`, { ...settings, role: 'lease' });
    this.#blocker = (earlier) => (earlier.length < permitsMax ? null : (earlier[0] ?? null));
  }

  /** Waits for one permit. Rejects as {@link SimpleLock.acquire} does. */
  async acquire(options: AcquireOptions = {}): Promise<Held> {
    using patience = new Patience(this.path, options);
    for (;;) {
      try {
        const turn = await this.#turns.acquire(exclusive, { signal: patience.signal });
        const place = await this.#take(turn, patience, (joined) => this.#untilPermitted(joined, patience.signal));
        return new Held(place, this.#options);
      } catch (error) {
        if (patience.signal.aborted) throw patience.signal.reason;
        if (!mayRejoin(error)) throw error;
      }
    }
  }

  /** Null if there is none, or somebody waits already; with `timeoutMs`, if there is none in time. */
  async tryAcquire({ signal, timeoutMs }: AcquireOptions = {}): Promise<Held | null> {
    if (timeoutMs !== undefined) return nullAtTimeout(this.acquire({ signal, timeoutMs }));
    using patience = new Patience(this.path, { signal });
    patience.signal.throwIfAborted();
    if ((await this.#permits.blockerOfNext(this.#blocker)) !== null) return null;
    const turn = await this.#turns.acquireNow(exclusive, { signal });
    if (turn === null) return null;
    let isPermitted = false;
    const place = await this.#take(turn, patience, async (joined) => {
      isPermitted = (await unlessAborted(joined.blockedBy(this.#blocker), patience.signal)) === null;
      if (!isPermitted) await joined.leave();
    });
    return isPermitted ? new Held(place, this.#options) : null;
  }

  /** All or none of `count` permits; `timeoutMs` is for all together. */
  acquireMany(count: number, options: AcquireOptions = {}): Promise<HeldTogether> {
    if (!(Number.isSafeInteger(count) && count > 0 && count <= this.permitsMax)) {
      throw new ArgumentError(`semaphore ${this.path}: ${count} of ${this.permitsMax} permits can never be had`);
    }
    return acquireAll(this.path, Array<Semaphore>(count).fill(this), options);
  }

  /** See {@link SimpleLock.withLock}. */
  withPermit<T>(work: (held: Held) => T | Promise<T>, options: AcquireOptions = {}): Promise<T> {
    return runUnder(this, work, options);
  }

  /** Who holds permits, then who waits. Reads each znode: for people and tests, not for decisions. */
  async contenders(): Promise<Contender[]> {
    const permits = await contendersOf(this.#permits, this.#blocker);
    const holders = permits.filter((contender) => contender.isHolder);
    const waiting = await contendersOf(this.#turns, exclusive);
    return [...holders, ...waiting.map((contender) => ({ ...contender, isHolder: false }))];
  }

  /** Takes a place among the permits and ends our turn, in any case. */
  async #take(turn: Place, patience: Patience, waiting: (place: Place) => Promise<void>): Promise<Place> {
    let place: Place | null = null;
    try {
      place = await this.#permits.attempt(patience, waiting);
      await turn.leave();
      return place;
    } catch (error) {
      // Not awaited: who gave up is told at once, though the connection may be broken.
      for (const left of [turn, place]) left?.leave().catch(() => undefined);
      throw error;
    }
  }

  /** Only who has the turn waits here, so one client at a time is told of every change. */
  async #untilPermitted(place: Place, signal: AbortSignal): Promise<void> {
    const { namespace, path } = this.#permits;
    for (;;) {
      let wake!: () => void;
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const watching = persevere(namespace, place.session, () => namespace.children(path, { watch: wake }));
      await unlessAborted(watching, signal);
      if ((await unlessAborted(place.blockedBy(this.#blocker), signal)) === null) return;
      await whileAlive(place.session, changed, signal);
    }
  }
}
