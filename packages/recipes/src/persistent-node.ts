/**
 * A znode that is there as long as this object is open: created again whenever somebody deletes it and in every new session.
 *
 *     await using presence = new PersistentNode(zk, '/workers/w1', { data: 'http://10.0.0.7:80' });
 *     await presence.ready;
 *     await presence.set('http://10.0.0.8:80');
 *
 * Guaranteed: the znode is created, and created again, as soon as a server can be reached. `isPresent` says whether it is there
 * as far as this client knows. An ephemeral one that belongs to another session is not touched: it is waited for until it
 * goes. One that an earlier session of this client left behind is replaced at once. Others may change the data; they
 * are not hindered, but a znode that is created anew has ours.
 *
 * When things fail: while the connection is lost the znode stays until its session expires; after the loss of a session it is
 * missing until the new session created it again. `close()` deletes it; if the process is killed, an ephemeral one goes
 * with its session. Errors that no repetition mends (no permission, for example) make `ready` reject, or go
 * to `onError` later.
 *
 * Layout: the znode at `path`, with missing parents.
 */
import {
  type Acl,
  type CallOptions,
  type CreateMode,
  type Data,
  type Namespace,
  NodeExistsError,
  NoNodeError,
  type Stat,
} from '@zoots/client';
import { Background } from './background.js';
import { Changes } from './changes.js';
import { Deadline, repeat } from './deadline.js';

export interface PersistentNodeOptions {
  readonly data?: Data | undefined;
  /** Default `ephemeral`. Sequential znodes have no fixed path and cannot be kept. */
  readonly mode?: Exclude<CreateMode, `${string}sequential${string}`> | undefined;
  readonly acl?: readonly Acl[] | undefined;
  /** For `persistent-with-ttl`. */
  readonly ttlMs?: number | undefined;
  /** Create missing parents as containers, which the server deletes when they are empty. Default: persistent ones. */
  readonly containerParents?: boolean | undefined;
  /** Leave the znode there on `close()`. Default false. */
  readonly keepOnClose?: boolean | undefined;
  /** Told when the znode cannot be kept any more. */
  readonly onError?: ((error: Error) => void) | undefined;
}

export class PersistentNode implements AsyncDisposable {
  readonly path: string;
  /** Resolves when the znode is there for the first time. */
  readonly ready: Promise<void>;
  readonly #zk: Namespace;
  readonly #options: PersistentNodeOptions;
  readonly #background: Background;
  readonly #earlierSessions = new Set<bigint>();
  #data: Data;
  /** The stat it was created or found with; null while it is not there, or not ours. */
  #present: Stat | null = null;
  #resolveReady: () => void = () => {};
  #rejectReady: (error: Error) => void = () => {};

  constructor(zk: Namespace, path: string, options: PersistentNodeOptions = {}) {
    this.path = path;
    this.#zk = zk;
    this.#options = options;
    this.#data = options.data ?? null;
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    this.ready.catch(() => {});
    const body = (deadline: Deadline): Promise<void> => this.#keep(deadline);
    this.#background = new Background(zk, 'keep', path, body, (error) => {
      this.#present = null;
      this.#rejectReady(error);
      options.onError?.(error);
    });
  }

  /** Whether it is there as far as this client knows. */
  get isPresent(): boolean {
    if (this.#present === null) return false;
    return !this.#isEphemeral || this.#zk.client.session?.id === this.#present.ephemeralOwner;
  }

  get data(): Data {
    return this.#data;
  }

  /** Changes the data, now if the znode is there, otherwise when it is created. */
  async set(data: Data, options?: CallOptions): Promise<void> {
    this.#data = data;
    if (this.#present === null) return;
    const deadline = new Deadline(options, 'set', this.path);
    try {
      await repeat(this.#zk, deadline, (request) => this.#zk.set(this.path, data, request));
    } catch (error) {
      // It is about to be created again, with this data.
      if (!(error instanceof NoNodeError)) throw error;
    }
  }

  /** Deletes the znode. Without a connection nobody is kept waiting for that: it goes with the session. */
  async close(): Promise<void> {
    await this.#background.close();
    this.#rejectReady(new Error(`${this.path}: closed before the znode was created`));
    if (this.#present === null || this.#options.keepOnClose === true) return;
    this.#present = null;
    const deadline = new Deadline(undefined, 'delete', this.path);
    const deletion = repeat(this.#zk, deadline, (request) => this.#zk.delete(this.path, request)).catch(() => {});
    if (this.#zk.client.state === 'connected') await deletion;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #isEphemeral(): boolean {
    return (this.#options.mode ?? 'ephemeral') === 'ephemeral';
  }

  async #keep(deadline: Deadline): Promise<void> {
    await using changes = await Changes.of(this.#zk, this.path, deadline, 'deleted');
    const onSession = (): void => changes.wake();
    this.#zk.client.on('session', onSession);
    try {
      for (;;) {
        changes.clear();
        this.#present = await this.#ensure(deadline);
        if (this.#present !== null) this.#resolveReady();
        await changes.next(deadline);
      }
    } finally {
      this.#zk.client.off('session', onSession);
    }
  }

  /** Null if it belongs to somebody else. */
  async #ensure(deadline: Deadline): Promise<Stat | null> {
    for (;;) {
      const data = this.#data;
      const session = await this.#zk.client.connected(deadline.request());
      this.#earlierSessions.add(session.id);
      const created = await this.#create(data, deadline);
      const stat = created ?? (await this.#zk.exists(this.path, deadline.request()));
      // Deleted between the two: create it.
      if (stat === null) continue;
      if (this.#isEphemeral && stat.ephemeralOwner !== session.id) {
        if (!this.#earlierSessions.has(stat.ephemeralOwner)) return null;
        await this.#deleteLeftover(stat, deadline);
        continue;
      }
      const isNew = created === null && this.#present === null && !this.#isEphemeral;
      if (isNew || this.#data !== data) await this.#zk.set(this.path, this.#data, deadline.request());
      return stat;
    }
  }

  /** Null if it exists. */
  async #create(data: Data, deadline: Deadline): Promise<Stat | null> {
    const { mode = 'ephemeral', acl, ttlMs, containerParents } = this.#options;
    const parents = containerParents === true ? 'container' : true;
    try {
      const options = { mode, acl, ttlMs, parents, ...deadline.request() } as const;
      return (await this.#zk.createWithStat(this.path, data, options)).stat;
    } catch (error) {
      if (error instanceof NodeExistsError) return null;
      throw error;
    }
  }

  async #deleteLeftover(stat: Stat, deadline: Deadline): Promise<void> {
    try {
      await this.#zk.delete(this.path, { version: stat.version, ...deadline.request() });
    } catch (error) {
      if (!(error instanceof NoNodeError)) throw error;
    }
  }
}
