/**
 * A znode with a time to live that is kept alive while this object is open: what it holds outlives the process by the TTL, and
 * not for ever.
 *
 *     await using progress = new TtlNode(zk, '/jobs/42/progress', 60_000, { data: '0 %' });
 *     await progress.ready;
 *     await progress.set('50 %');
 *
 * Guaranteed: the server deletes the znode at the earliest one TTL after the last touch, and checks once a minute or so by
 * default. Touches come three times per TTL. Other than an ephemeral znode it survives the loss of the session.
 *
 * When things fail: if no server can be reached for a TTL, the znode goes and is created again with our data when one can.
 * Needs a server with `extendedTypesEnabled=true`; with another one `ready` rejects.
 *
 * Layout: the TTL znode at `path` and its child `touch`, a TTL znode as well, which is written instead of `path` so that
 * nobody who watches the data is woken. A znode with children does not go; once `touch` is gone, its parent's turn comes.
 * The same as Curator's PersistentTtlNode.
 */
import { type CallOptions, childOf, type Data, type Namespace, NodeExistsError, NoNodeError } from '@zoots/client';
import { PersistentNode, type PersistentNodeOptions } from './persistent-node.js';

const TOUCH = 'touch';
const TOUCHES_PER_TTL = 3;
/** Node's timers cannot wait longer than this. */
const WAIT_MS_MAX = 2 ** 31 - 1;

export type TtlNodeOptions = Pick<PersistentNodeOptions, 'data' | 'acl' | 'onError'>;

export class TtlNode implements AsyncDisposable {
  readonly path: string;
  readonly ttlMs: number;
  /** Resolves when the znode is there and was touched for the first time. */
  readonly ready: Promise<void>;
  readonly #zk: Namespace;
  readonly #node: PersistentNode;
  readonly #acl: TtlNodeOptions['acl'];
  #timer: NodeJS.Timeout | null = null;
  #touching: Promise<void> = Promise.resolve();

  constructor(zk: Namespace, path: string, ttlMs: number, options: TtlNodeOptions = {}) {
    this.path = path;
    this.ttlMs = ttlMs;
    this.#zk = zk;
    this.#acl = options.acl;
    this.#node = new PersistentNode(zk, path, { ...options, mode: 'persistent-with-ttl', ttlMs, keepOnClose: true });
    this.ready = this.#start();
    this.ready.catch(() => {});
  }

  get data(): Data {
    return this.#node.data;
  }

  set(data: Data, options?: CallOptions): Promise<void> {
    return this.#node.set(data, options);
  }

  /** Stops touching it: the znode goes a TTL later, or soon after. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#node.close();
    if (this.#zk.client.state === 'connected') await this.#touching;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(): Promise<void> {
    const everyMs = Math.min(WAIT_MS_MAX, Math.max(1, this.ttlMs / TOUCHES_PER_TTL));
    // One touch at a time: without a connection they would pile up.
    let isBusy = false;
    this.#timer = setInterval(() => {
      if (isBusy) return;
      isBusy = true;
      // The next touch tries again; a znode that went is created by its keeper.
      this.#touching = this.#touch()
        .catch(() => {})
        .finally(() => {
          isBusy = false;
        });
    }, everyMs);
    try {
      await this.#node.ready;
      await this.#touch();
    } catch (error) {
      clearInterval(this.#timer);
      throw error;
    }
  }

  async #touch(): Promise<void> {
    const path = childOf(this.path, TOUCH);
    try {
      await this.#zk.set(path, null);
    } catch (error) {
      if (!(error instanceof NoNodeError)) throw error;
      const options = { mode: 'persistent-with-ttl', ttlMs: this.ttlMs, acl: this.#acl } as const;
      await this.#zk.create(path, null, options).catch((reason: unknown) => {
        if (!(reason instanceof NodeExistsError)) throw reason;
      });
    }
  }
}
