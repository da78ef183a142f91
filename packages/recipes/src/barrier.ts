/**
 * A barrier: while it is set, everybody who waits at it waits.
 *
 *     const barrier = new Barrier(zk, '/migration');
 *     await barrier.set();                       // in the process that migrates
 *     await barrier.remove();
 *
 *     await barrier.wait({ timeoutMs: 60_000 }); // in all the others
 *
 * Guaranteed: `wait()` resolves only after it has seen the barrier gone at some moment after the call. Someone may set it again
 * before the waiter does anything.
 *
 * When things fail: the barrier is a persistent znode, so it outlives whoever set it; another process may remove it. A waiter
 * keeps waiting through lost connections and lost sessions; it gives up with its `signal` or `timeoutMs`, or when its
 * client is closed.
 *
 * Layout: the znode at `path`; it exists, so the barrier is set. The same as kazoo's Barrier and Curator's DistributedBarrier.
 */
import { type CallOptions, type Namespace, NodeExistsError, NoNodeError } from '@zoots/client';
import { Changes } from './changes.js';
import { Deadline, repeat, reread } from './deadline.js';

export class Barrier {
  readonly path: string;
  readonly #zk: Namespace;

  constructor(zk: Namespace, path: string) {
    this.#zk = zk;
    this.path = path;
  }

  /** Sets the barrier (and creates missing parents). False if it was set already. */
  async set(options?: CallOptions): Promise<boolean> {
    const deadline = new Deadline(options, 'barrier.set', this.path);
    try {
      await repeat(this.#zk, deadline, (request) => this.#zk.create(this.path, null, { parents: true, ...request }));
      return true;
    } catch (error) {
      if (error instanceof NodeExistsError) return false;
      throw error;
    }
  }

  /** Lets everybody go. False if it was not set. */
  async remove(options?: CallOptions): Promise<boolean> {
    const deadline = new Deadline(options, 'barrier.remove', this.path);
    try {
      await repeat(this.#zk, deadline, (request) => this.#zk.delete(this.path, request));
      return true;
    } catch (error) {
      if (error instanceof NoNodeError) return false;
      throw error;
    }
  }

  async isSet(options?: CallOptions): Promise<boolean> {
    return (await this.#zk.exists(this.path, options)) !== null;
  }

  /** Resolves once the barrier is not set; at once if it is not now. */
  async wait(options?: CallOptions): Promise<void> {
    const deadline = new Deadline(options, 'barrier.wait', this.path);
    await using changes = await Changes.of(this.#zk, this.path, deadline, 'deleted');
    // A server may be behind: without this, a barrier that was set elsewhere before the call could be missed.
    await reread(this.#zk, deadline, (request) => this.#zk.sync(this.path, request));
    for (;;) {
      changes.clear();
      if (!(await reread(this.#zk, deadline, (request) => this.isSet(request)))) return;
      await changes.next(deadline);
    }
  }
}
