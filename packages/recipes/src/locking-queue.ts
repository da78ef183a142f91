/**
 * A queue whose entries are held, not taken: a consumer says when it is done with one, and if it dies before that, the entry goes to
 * somebody else.
 *
 *     const jobs = new LockingQueue(zk, '/queues/jobs');
 *     await jobs.put('resize 17');
 *     await using entry = await jobs.take();
 *     await resize(entry.data, entry.signal);
 *     await entry.done();                        // without it, leaving the block gives the entry back
 *
 * Small scale only, for the reasons in `queue.ts`; an entry here costs three writes instead of two.
 *
 * Guaranteed: no entry is lost: it is in the queue until `done()` deleted it. No entry is held by two consumers at a time, as
 * long as a consumer stops when `entry.signal` is aborted. Without a death each entry is delivered once; after one, again:
 * work on entries must bear that. Entries of better priority (lower number) come first, then in their order.
 *
 * When things fail: a take that waits keeps waiting through lost connections and sessions. A hold is an ephemeral znode: if the
 * session is lost, `entry.signal` is aborted and `done()` rejects with SessionLostError: whether the entry was deleted is known only
 * to who looks. `put()` without an answer rejects with `outcome: 'unknown'`.
 *
 * Layout: entries are persistent sequential children of `path/entries`, `entry-PPP-NNNNNNNNNN`; holds are ephemeral children of
 * `path/taken` with the same name, and a value that only their consumer knows. The same as kazoo's LockingQueue; consumers of
 * both can share a queue.
 */
import { randomUUID } from 'node:crypto';
import {
  type CallOptions,
  childOf,
  type Data,
  type Namespace,
  NodeExistsError,
  NoNodeError,
  type Session,
  SessionLostError,
  TransactionError,
} from '@zoots/client';
import { Changes } from './changes.js';
import { Deadline, repeat, reread } from './deadline.js';
import { kazooPriority } from './queue-layout.js';

const PRIORITY = 100;

export interface PutOptions extends CallOptions {
  /** 0 (first) to 999. Default 100. */
  readonly priority?: number | undefined;
}

export class LockingQueue {
  readonly path: string;
  readonly #zk: Namespace;

  constructor(zk: Namespace, path: string) {
    this.#zk = zk;
    this.path = path;
  }

  /** Appends an entry; returns its name. */
  async put(data: Data, options: PutOptions = {}): Promise<string> {
    const deadline = new Deadline(options, 'queue.put', this.path);
    const prefix = childOf(this.#entries, kazooPriority(options.priority ?? PRIORITY));
    const create = { mode: 'persistent-sequential', parents: true, ...deadline.request() } as const;
    const path = await this.#zk.create(prefix, data, create);
    return path.slice(path.lastIndexOf('/') + 1);
  }

  /** Appends all of them or none. */
  async putAll(data: readonly Data[], options: PutOptions = {}): Promise<void> {
    const deadline = new Deadline(options, 'queue.put', this.path);
    const prefix = childOf(this.#entries, kazooPriority(options.priority ?? PRIORITY));
    await this.#ensurePaths(deadline);
    // A transaction with a part more is another object, of another type.
    const transaction = this.#zk.transaction();
    for (const one of data) transaction.create(prefix, one, { mode: 'persistent-sequential' });
    await transaction.commit(deadline.request());
  }

  /** Entries in the queue, those that are held included. */
  async size(options?: CallOptions): Promise<number> {
    const deadline = new Deadline(options, 'queue.size', this.path);
    return (await this.#names(this.#entries, deadline)).length;
  }

  /** Holds the first entry that nobody holds; waits for one. */
  async take(options?: CallOptions): Promise<HeldEntry> {
    const deadline = new Deadline(options, 'queue.take', this.path);
    const now = await this.#takeFirst(deadline);
    if (now !== null) return now;
    await this.#ensurePaths(deadline);
    await using entries = await Changes.of(this.#zk, this.#entries, deadline, 'children');
    await using taken = await Changes.of(this.#zk, this.#taken, deadline, 'children');
    for (;;) {
      entries.clear();
      taken.clear();
      const entry = await this.#takeFirst(deadline);
      if (entry !== null) return entry;
      await entries.orOther(taken, deadline);
    }
  }

  /** Holds the first entry that nobody holds; null if there is none now. */
  poll(options?: CallOptions): Promise<HeldEntry | null> {
    return this.#takeFirst(new Deadline(options, 'queue.poll', this.path));
  }

  get #entries(): string {
    return childOf(this.path, 'entries');
  }

  get #taken(): string {
    return childOf(this.path, 'taken');
  }

  async #ensurePaths(deadline: Deadline): Promise<void> {
    for (const path of [this.#entries, this.#taken]) {
      await repeat(this.#zk, deadline, (request) => this.#zk.ensurePath(path, request));
    }
  }

  async #names(path: string, deadline: Deadline): Promise<string[]> {
    try {
      return await reread(this.#zk, deadline, (request) => this.#zk.children(path, request));
    } catch (error) {
      if (error instanceof NoNodeError) return [];
      throw error;
    }
  }

  async #takeFirst(deadline: Deadline): Promise<HeldEntry | null> {
    const [entries, taken] = await Promise.all([
      this.#names(this.#entries, deadline),
      this.#names(this.#taken, deadline),
    ]);
    const held = new Set(taken);
    for (const name of entries.filter((entry) => !held.has(entry)).sort()) {
      const entry = await this.#hold(name, deadline);
      if (entry !== null) return entry;
    }
    return null;
  }

  /** Null if somebody else was faster. */
  async #hold(name: string, deadline: Deadline): Promise<HeldEntry | null> {
    const session = await this.#zk.client.connected(deadline.request());
    const path = childOf(this.#taken, name);
    const id = randomUUID();
    try {
      const options = { mode: 'ephemeral', parents: true } as const;
      await repeat(this.#zk, deadline, (request) => this.#zk.create(path, id, { ...options, ...request }));
    } catch (error) {
      // The hold, if it was made, went with the session; the entry is there for the next try.
      if (error instanceof SessionLostError) return null;
      if (!(error instanceof NodeExistsError)) {
        // Given up, or worse: it may have been made.
        this.#giveBack(path, id);
        throw error;
      }
      // An earlier try may have been successful although its answer was lost.
      if (!(await reread(this.#zk, deadline, () => this.#isOurs(path, id, deadline)))) return null;
    }
    try {
      const { data } = await this.#zk.get(childOf(this.#entries, name), deadline.request());
      if (!session.signal.aborted) return new HeldEntry(this.#zk, this.path, { name, id, data, session });
      this.#giveBack(path, id);
      return null;
    } catch (error) {
      this.#giveBack(path, id);
      if (error instanceof NoNodeError || error instanceof SessionLostError) return null;
      throw error;
    }
  }

  async #isOurs(path: string, id: string, deadline: Deadline): Promise<boolean> {
    try {
      return (await this.#zk.get(path, deadline.request())).data?.toString() === id;
    } catch (error) {
      if (error instanceof NoNodeError) return false;
      throw error;
    }
  }

  /** In the background: if it fails, the hold goes with the session. */
  #giveBack(path: string, id: string): void {
    const deadline = new Deadline(undefined, 'queue.release', path);
    const release = async (): Promise<void> => {
      if (await this.#isOurs(path, id, deadline)) {
        await repeat(this.#zk, deadline, (request) => this.#zk.delete(path, request));
      }
    };
    release().catch(() => {});
  }
}

/** An entry in the hands of its consumer. Leaving an `await using` block without {@link done} gives it back. */
export class HeldEntry implements AsyncDisposable {
  readonly data: Buffer | null;
  /** Name of the entry's znode. */
  readonly name: string;
  /** Aborted when the session, and with it the hold, is lost: somebody else may have the entry then. */
  readonly signal: AbortSignal;
  readonly #zk: Namespace;
  readonly #entryPath: string;
  readonly #holdPath: string;
  readonly #id: string;
  #state: 'held' | 'done' | 'released' = 'held';

  /** Made by {@link LockingQueue.take}. */
  constructor(
    zk: Namespace,
    queuePath: string,
    facts: { name: string; id: string; data: Buffer | null; session: Session },
  ) {
    this.#zk = zk;
    this.name = facts.name;
    this.data = facts.data;
    this.signal = facts.session.signal;
    this.#id = facts.id;
    this.#entryPath = childOf(childOf(queuePath, 'entries'), facts.name);
    this.#holdPath = childOf(childOf(queuePath, 'taken'), facts.name);
  }

  /** Deletes the entry. Throws SessionLostError if it is not ours any more. */
  async done(options?: CallOptions): Promise<void> {
    if (this.#state === 'done') return;
    if (this.#state === 'released') throw new Error(`${this.#entryPath}: it was given back already`);
    const deadline = new Deadline(options, 'queue.done', this.#entryPath);
    let isRepeated = false;
    await repeat(this.#zk, deadline, async (request) => {
      this.#checkSession();
      const transaction = this.#zk.transaction().delete(this.#entryPath).delete(this.#holdPath);
      try {
        await transaction.commit(request);
      } catch (error) {
        // Nobody else deletes what we hold: the try before was successful.
        if (isRepeated && error instanceof TransactionError && error.cause instanceof NoNodeError) return;
        isRepeated = true;
        throw error;
      }
    });
    this.#state = 'done';
  }

  /** Gives it back: it will be delivered again. */
  async release(options?: CallOptions): Promise<void> {
    if (this.#state !== 'held') return;
    this.#state = 'released';
    if (this.signal.aborted) return;
    const deadline = new Deadline(options, 'queue.release', this.#holdPath);
    try {
      await repeat(this.#zk, deadline, async (request) => {
        const { data } = await this.#zk.get(this.#holdPath, request);
        if (data?.toString() === this.#id && !this.signal.aborted) await this.#zk.delete(this.#holdPath, request);
      });
    } catch (error) {
      if (!(error instanceof NoNodeError || error instanceof SessionLostError)) throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  #checkSession(): void {
    if (!this.signal.aborted) return;
    throw new SessionLostError('the session ended, and with it the hold', 'not-sent', {
      operation: 'queue.done',
      path: this.#entryPath,
    });
  }
}
