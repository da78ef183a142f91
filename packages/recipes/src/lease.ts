/**
 * A lease: something is reserved for one holder for a time, and nobody waits for it. For jobs that shall run on one machine, and
 * on the same one next time, unless it is gone for long.
 *
 *     const lease = new NonBlockingLease(zk, '/app/leases/cleanup', { durationMs: 70 * 60_000, holder: hostname() });
 *     const held = await lease.tryAcquire();
 *     if (held !== null) await cleanUp({ fence: held.token, signal: held.signal });   // once an hour, by cron
 *
 * It is not bound to a session: it outlives the process, and ends by the clock. Whoever asks in the name of the same `holder` has
 * it again, and its time begins anew. `release()` (and `await using`) ends it early; to keep it for its time, do neither.
 *
 * Guarantees: at most one holder at a time, if the machines' clocks agree; a holder's clock that runs late by more than
 * `skewMs` keeps what others take. Changes are made in one transaction with a check of the lock that they are made under, so a
 * late writer changes nothing.
 *
 * Failures: the connection and the session do not matter once it is held. `held.signal` is aborted when its time is up by this
 * machine's clock, or when the znode is deleted or another holder's takes its place and the event arrives. Fencing tokens
 * grow from holder to holder; a renewed lease keeps its own.
 *
 * Znodes: `<path>/lease_holder`, persistent, with JSON `{"version":1,"holder":…,"end":"2026-01-31T12:00:00"}` in UTC, and a lock
 * on `<path>` itself: kazoo's NonBlockingLease, which it excludes. MultiNonBlockingLease, as kazoo's, has them in `<path>/0` …
 */
import { ArgumentError, type Namespace, type NodeData, NoNodeError, TransactionError } from '@zoots/client';
import { type Held, type Hold, lossController } from './held.js';
import { type LossReason, LostError } from './lock-errors.js';
import { whenGone } from './node-ends.js';
import type { AcquireOptions } from './patience.js';
import { reconnected } from './persevere.js';
import { defaultId, nullAtTimeout } from './queue-lock.js';
import { SimpleLock } from './simple-lock.js';

export interface LeaseOptions {
  readonly durationMs: number;
  /** Who holds: the same name has it again. Default: `<host>:<process id>`. */
  readonly holder?: string | undefined;
  /** By so much the clocks may differ: others' leases count as over only so long after their end. Default 0, as kazoo. */
  readonly skewMs?: number | undefined;
  /** The wall clock in milliseconds since 1970; for tests. */
  readonly now?: (() => number) | undefined;
}

/** What the znode holds. */
interface LeaseRecord {
  readonly version: number;
  readonly holder: string;
  /** UTC, without fraction and zone. */
  readonly end: string;
}

const recordVersion = 1;
/** Longest delay of a Node timer. */
const timerMsMax = 2 ** 31 - 1;

export class NonBlockingLease {
  readonly path: string;
  readonly holder: string;
  readonly #namespace: Namespace;
  readonly #lock: SimpleLock;
  readonly #options: LeaseOptions;
  readonly #now: () => number;

  constructor(namespace: Namespace, path: string, options: LeaseOptions) {
    if (!(options.durationMs >= 1000)) {
      throw new ArgumentError(
        `lease ${path}: durationMs ${options.durationMs}: whole seconds are stored, so at least 1000`,
      );
    }
    this.path = path;
    this.holder = options.holder ?? defaultId();
    this.#namespace = namespace;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#lock = new SimpleLock(namespace, path, { id: this.holder, convention: 'kazoo' });
  }

  get #node(): string {
    return `${this.path}/lease_holder`;
  }

  /**
   * Null if another holder has it. Waits only for others who ask at the same time; `timeoutMs` is for that, and rejects with
   * AcquireTimeoutError.
   */
  async tryAcquire(options: AcquireOptions = {}): Promise<HeldLease | null> {
    const end = await this.#lock.withLock((lock) => this.#take(lock), options);
    return end === null ? null : new HeldLease(this.#namespace, this.#node, end, this.#now, this);
  }

  /** Who has it until when, by the znode; null if nobody has. */
  async current(): Promise<{ readonly holder: string; readonly endMs: number } | null> {
    const node = await this.#read();
    const record = node === null ? null : decode(node.data);
    return record === null || this.#isOver(record) ? null : { holder: record.holder, endMs: endMsOf(record) };
  }

  /** Gives it up if it is still the one with this token. */
  async giveUp(token: number, options: AcquireOptions = {}): Promise<void> {
    await this.#lock.withLock(
      (lock) =>
        this.#decide(lock, async (node) => {
          if (node?.stat.czxid !== token) return;
          await this.#namespace.transaction().check(lock.path).delete(this.#node).commit();
        }),
      options,
    );
  }

  async #read(): Promise<NodeData | null> {
    try {
      return await this.#namespace.get(this.#node);
    } catch (error) {
      if (error instanceof NoNodeError) return null;
      throw error;
    }
  }

  #isOver(record: LeaseRecord): boolean {
    const skewMs = record.holder === this.holder ? 0 : (this.#options.skewMs ?? 0);
    return this.#now() >= endMsOf(record) + skewMs;
  }

  /** Under the lock: takes it or renews it, if it may; what it wrote counts when it is read again. */
  #take(lock: Held): Promise<Term | null> {
    let written: string | null = null;
    const act = async (node: NodeData | null): Promise<Term | null> => {
      const record = node === null ? null : decode(node.data);
      // A format of the future: whoever wrote it knows more than we do.
      if (node !== null && record === null) return null;
      if (node !== null && node.data?.toString() === written) return { token: node.stat.czxid, endMs: endMsOf(record) };
      const isOver = record === null || this.#isOver(record);
      const isOurs = record?.holder === this.holder;
      if (!isOver && !isOurs) return null;
      written = JSON.stringify(recordOf(this.holder, this.#now() + this.#options.durationMs));
      await this.#write(lock, node, isOurs && !isOver, written);
      return act(await this.#read());
    };
    return this.#decide(lock, act);
  }

  /** In one transaction that fails if the lock's znode is gone: renews by a change, takes over by a new znode. */
  async #write(lock: Held, node: NodeData | null, isRenewed: boolean, text: string): Promise<void> {
    const checked = this.#namespace.transaction().check(lock.path);
    const version = node?.stat.version ?? -1;
    if (isRenewed) await checked.set(this.#node, text, { version }).commit();
    else if (node === null) await checked.create(this.#node, text).commit();
    else await checked.delete(this.#node, { version }).create(this.#node, text).commit();
  }

  /** Reads and acts on what it read, again when the connection broke or somebody was faster. */
  async #decide<T>(lock: Held, act: (node: NodeData | null) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await act(await this.#read());
      } catch (error) {
        lock.signal.throwIfAborted();
        // Somebody without the lock changed the znode, or the lock went; the second shows at the next reading.
        if (error instanceof TransactionError && error.failedIndex > 0) continue;
        await reconnected(this.#namespace, lock.place.session, error);
      }
    }
  }
}

/** What was granted. */
interface Term {
  readonly token: number;
  readonly endMs: number;
}

/** A lease that is held. */
export class HeldLease implements Hold {
  readonly path: string;
  readonly token: number;
  readonly signal: AbortSignal;
  readonly #lease: NonBlockingLease;
  readonly #controller = lossController();
  readonly #now: () => number;
  readonly #unwatch: () => void;
  #endMs: number;
  #timer: NodeJS.Timeout | undefined;
  #released: Promise<void> | null = null;

  constructor(namespace: Namespace, path: string, term: Term, now: () => number, lease: NonBlockingLease) {
    this.path = path;
    this.token = term.token;
    this.signal = this.#controller.signal;
    this.#lease = lease;
    this.#now = now;
    this.#endMs = term.endMs;
    this.#tick();
    this.#unwatch = whenGone(namespace, path, (error) => {
      if (error === null) this.#end('deleted');
    });
  }

  /** When it ends, by the wall clock, in milliseconds since 1970. */
  get endMs(): number {
    return this.#endMs;
  }

  get isHeld(): boolean {
    if (this.#now() >= this.#endMs) this.#end('expired');
    return !this.signal.aborted;
  }

  /** Begins its time anew. Throws LostError if it is over or another's. */
  async renew(options: AcquireOptions = {}): Promise<void> {
    if (!this.isHeld) throw this.signal.reason;
    const renewed = await this.#lease.tryAcquire(options);
    const isSame = renewed?.token === this.token;
    renewed?.forget();
    if (!isSame) {
      this.#end('deleted');
      throw this.signal.reason;
    }
    this.#endMs = renewed.endMs;
    this.#tick();
  }

  /** Ends it early, for the next holder, unless its time is up anyway. */
  release(): Promise<void> {
    if (this.#released !== null) return this.#released;
    const leftMs = this.#endMs - this.#now();
    this.#end('released');
    const isOver = (this.signal.reason as LostError).reason !== 'released';
    this.#released = isOver || leftMs <= 0 ? Promise.resolve() : this.#giveUp(leftMs);
    return this.#released;
  }

  async #giveUp(leftMs: number): Promise<void> {
    await nullAtTimeout(this.#lease.giveUp(this.token, { timeoutMs: leftMs }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** Stops looking after it: another object does. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#unwatch();
  }

  /** The timer follows the monotonic clock, the end is of the wall clock; so it looks again when it fires. */
  #tick(): void {
    clearTimeout(this.#timer);
    const leftMs = this.#endMs - this.#now();
    if (leftMs <= 0) {
      this.#end('expired');
      return;
    }
    this.#timer = setTimeout(() => this.#tick(), Math.min(leftMs, timerMsMax));
    this.#timer.unref();
  }

  #end(reason: LossReason): void {
    if (this.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#unwatch?.();
    this.#controller.abort(new LostError(this.path, reason));
  }
}

/** Leases for a few holders out of many: the first of `<path>/0` … `<path>/<count - 1>` that can be had. */
export class MultiNonBlockingLease {
  readonly #leases: readonly NonBlockingLease[];

  constructor(namespace: Namespace, path: string, count: number, options: LeaseOptions) {
    this.#leases = Array.from({ length: count }, (_, i) => new NonBlockingLease(namespace, `${path}/${i}`, options));
  }

  /** Null if others have them all. The one that this holder has already comes first. */
  async tryAcquire(options: AcquireOptions = {}): Promise<HeldLease | null> {
    const current = await Promise.all(this.#leases.map((lease) => lease.current()));
    const isOurs = (i: number): number => (current[i]?.holder === this.#leases[i]?.holder ? 0 : 1);
    const order = this.#leases.map((_, i) => i).sort((a, b) => isOurs(a) - isOurs(b));
    for (const i of order) {
      const held = await (this.#leases[i] as NonBlockingLease).tryAcquire(options);
      if (held !== null) return held;
    }
    return null;
  }
}

/** Rounded up: whoever has it has it for `durationMs` at least. */
function recordOf(holder: string, endMs: number): LeaseRecord {
  return { version: recordVersion, holder, end: new Date(Math.ceil(endMs / 1000) * 1000).toISOString().slice(0, 19) };
}

function endMsOf(record: LeaseRecord | null): number {
  return record === null ? 0 : Date.parse(`${record.end}Z`);
}

/** Null if it is of another version or no lease at all. */
function decode(data: Buffer | null): LeaseRecord | null {
  try {
    const record = JSON.parse(data?.toString() ?? '') as LeaseRecord;
    const isOurs = record.version === recordVersion && typeof record.holder === 'string';
    return isOurs && !Number.isNaN(endMsOf(record)) ? record : null;
  } catch {
    return null;
  }
}
