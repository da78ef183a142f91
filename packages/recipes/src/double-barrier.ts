/**
 * A double barrier: so many members begin together, and they end together.
 *
 *     const barrier = new DoubleBarrier(zk, '/batch-7', 3);
 *     await barrier.enter();   // resolves when three members are here
 *     await compute();
 *     await barrier.leave();   // resolves when all have left
 *
 * Guaranteed: `enter()` resolves only if at least `memberCount` members had entered at some moment; `leave()` resolves only
 * after every member that was there when it was called has left or its session ended. More than `memberCount` members may
 * enter. The same members may enter again as soon as they have left.
 *
 * When things fail: a member is an ephemeral znode, so one that dies while it computes counts as having left. If the session
 * is lost, `enter()` and `leave()` reject with SessionLostError and the member is out. A member that gives `enter()` up takes
 * itself out again. If all members die between `enter()` and `leave()`, the `ready` znode stays; the next member
 * to come when nobody is there removes it.
 *
 * Layout: a child of `path` with a random name per member, ephemeral, and the persistent child `ready` once they are complete. The
 * same as kazoo's DoubleBarrier and Curator's DistributedDoubleBarrier, and members of all three can meet: the member with
 * the lowest name leaves last, as the others wait for it.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
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
import { Deadline, repeat } from './deadline.js';

const READY = 'ready';

export interface DoubleBarrierOptions {
  /** What the member's znode holds, for people who look. Default: host name and process id. */
  readonly data?: Data | undefined;
}

export class DoubleBarrier {
  readonly path: string;
  readonly memberCount: number;
  readonly #zk: Namespace;
  readonly #data: Data;
  #name = '';
  #session: Session | null = null;

  constructor(zk: Namespace, path: string, memberCount: number, options: DoubleBarrierOptions = {}) {
    if (!Number.isInteger(memberCount) || memberCount < 1) {
      throw new RangeError(`a double barrier needs at least one member, not ${memberCount}`);
    }
    this.#zk = zk;
    this.path = path;
    this.memberCount = memberCount;
    this.#data = options.data ?? `${hostname()}-${process.pid}`;
  }

  /** Whether this member is inside: between a successful `enter()` and `leave()`, with the session alive. */
  get isInside(): boolean {
    return this.#session !== null && !this.#session.signal.aborted;
  }

  /** Resolves when the members are complete. */
  async enter(options?: CallOptions): Promise<void> {
    if (this.isInside)
      throw new Error(`double barrier ${this.path}: this member is inside already; call leave() first`);
    const deadline = new Deadline(options, 'barrier.enter', this.path);
    const session = await this.#zk.client.connected(deadline.request());
    this.#name = randomUUID();
    try {
      await this.#join(deadline, session);
      this.#session = session;
    } catch (error) {
      await this.#withdraw();
      throw error;
    }
  }

  /** Resolves when every member has left. */
  async leave(options?: CallOptions): Promise<void> {
    const session = this.#session;
    if (session === null) throw new Error(`double barrier ${this.path}: this member is not inside; call enter() first`);
    this.#session = null;
    const deadline = new Deadline(options, 'barrier.leave', this.path);
    try {
      // As long as our own znode is there nobody can have left and come back: these are the members of this time. Others may
      // begin the next time before we have seen the end of this one, and are none of our business.
      const companions = new Set(await this.#members(deadline));
      while (!(await this.#leaveStep(companions, deadline, session)));
    } catch (error) {
      await this.#withdraw();
      throw error;
    }
  }

  async #join(deadline: Deadline, session: Session): Promise<void> {
    await repeat(this.#zk, deadline, (request) => this.#zk.ensurePath(this.path, request));
    await using changes = await Changes.of(this.#zk, this.path, deadline, 'children');
    await this.#removeStaleReady(deadline);
    const add = (request: CallOptions) =>
      this.#zk.create(childOf(this.path, this.#name), this.#data, { mode: 'ephemeral', ...request });
    // The name is nobody else's: if it exists, an earlier try was successful after all.
    await ignoring(NodeExistsError, repeat(this.#zk, deadline, add));
    for (;;) {
      changes.clear();
      const children = await this.#zk.children(this.path, deadline.request());
      this.#checkSession(session);
      if (children.includes(READY)) return;
      if (children.length >= this.memberCount) {
        const ready = (request: CallOptions) => this.#zk.create(childOf(this.path, READY), null, request);
        await ignoring(NodeExistsError, repeat(this.#zk, deadline, ready));
        return;
      }
      await this.#nextChange(changes, deadline, session);
    }
  }

  /** A `ready` without a member is left over from members that died inside. */
  async #removeStaleReady(deadline: Deadline): Promise<void> {
    const children = await this.#zk.children(this.path, deadline.request());
    if (children.length === 1 && children[0] === READY) await this.#remove(READY, deadline);
  }

  /** One look at who is still there; true if nobody is. */
  async #leaveStep(companions: ReadonlySet<string>, deadline: Deadline, session: Session): Promise<boolean> {
    const members = (await this.#members(deadline)).filter((name) => companions.has(name));
    this.#checkSession(session);
    const [lowest] = members;
    if (lowest === undefined) return true;
    if (members.length === 1 && lowest === this.#name) {
      await this.#removeAsLast(deadline);
      return true;
    }
    if (lowest !== this.#name) await this.#remove(this.#name, deadline);
    // The lowest waits for the highest, one after the other; everybody else waits for the lowest: each end wakes those only
    // whom it concerns.
    const awaited = lowest === this.#name ? (members.at(-1) as string) : lowest;
    await this.#untilGone(childOf(this.path, awaited), deadline, session);
    return false;
  }

  /**
   * `ready` goes together with the last member: not earlier, as somebody may not have seen it yet, and not later, as it could be
   * that of the next time.
   */
  async #removeAsLast(deadline: Deadline): Promise<void> {
    const own = childOf(this.path, this.#name);
    const removal = (request: CallOptions) =>
      this.#zk.transaction().delete(own).delete(childOf(this.path, READY)).commit(request);
    try {
      await repeat(this.#zk, deadline, removal);
    } catch (error) {
      // One of them is gone already: members of kazoo remove `ready` first, or an earlier try was successful.
      if (!(error instanceof TransactionError && error.cause instanceof NoNodeError)) throw error;
      await this.#remove(this.#name, deadline);
    }
  }

  async #untilGone(path: string, deadline: Deadline, session: Session): Promise<void> {
    await using changes = await Changes.of(this.#zk, path, deadline, 'deleted');
    for (;;) {
      changes.clear();
      if ((await this.#zk.exists(path, deadline.request())) === null) return;
      await this.#nextChange(changes, deadline, session);
    }
  }

  async #nextChange(changes: Changes, deadline: Deadline, session: Session): Promise<void> {
    const onLost = (): void => changes.wake();
    session.signal.addEventListener('abort', onLost);
    try {
      this.#checkSession(session);
      await changes.next(deadline);
      this.#checkSession(session);
    } finally {
      session.signal.removeEventListener('abort', onLost);
    }
  }

  #checkSession(session: Session): void {
    if (!session.signal.aborted) return;
    throw new SessionLostError('the session ended, and with it the membership', 'unknown', {
      operation: 'barrier',
      path: this.path,
    });
  }

  async #members(deadline: Deadline): Promise<string[]> {
    const children = await this.#zk.children(this.path, deadline.request());
    return children.filter((name) => name !== READY).sort();
  }

  #remove(name: string, deadline: Deadline): Promise<void> {
    const remove = (request: CallOptions) => this.#zk.delete(childOf(this.path, name), request);
    return ignoring(NoNodeError, repeat(this.#zk, deadline, remove));
  }

  /**
   * Takes this member out after a failure; if that fails too, its znode goes with the session. Without a connection nobody is
   * kept waiting for it.
   */
  async #withdraw(): Promise<void> {
    this.#session = null;
    const removal = this.#remove(this.#name, new Deadline(undefined, 'barrier.leave', this.path)).catch(() => {});
    if (this.#zk.client.state === 'connected') await removal;
  }
}

async function ignoring(kind: new (...args: never[]) => Error, promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch (error) {
    if (!(error instanceof kind)) throw error;
  }
}
