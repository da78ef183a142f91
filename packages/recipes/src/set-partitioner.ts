/**
 * Divides a set of items among the processes that are there: each item belongs to one of them, and when one comes or goes
 * the set is divided anew.
 *
 *     await using partitioner = new SetPartitioner(zk, '/shards', ['s1', 's2', 's3', 's4']);
 *     for await (const share of partitioner) {
 *       await work(share.items, share.signal);   // until the signal says that the share must be given back
 *     }                                          // the next share comes after this one was given back
 *
 * Guaranteed: an item is in at most one share at a time, as long as workers stop when `share.signal` is aborted: an item is claimed
 * by an ephemeral znode before the share is handed out, and the claim is released only when the consumer asks for the
 * next share (or closes). `share.tokens` are fencing tokens for those who want certainty: they grow with each new owner.
 *
 * When things fail: a new member waits until the others have given back what is its own now. When a member dies, its items
 * are divided after its session expired. When this client's session is lost, the signal is aborted at once, and the member
 * joins again in the new session. Short comings and goings are ridden out: the set is divided when the members have
 * been the same for `settleMs`.
 *
 * Layout: members are ephemeral children of `path/party`, named `<32 hex digits>-<id>` as in kazoo's ShallowParty; claims are
 * ephemeral children of `path/claims`, named by the item. The members must have the same set of items. Members of kazoo's
 * SetPartitioner use locks instead of claims, and cannot be mixed with these.
 */
import { randomUUID } from 'node:crypto';
import { childOf, type Namespace, NodeExistsError, NoNodeError, type Session, SessionLostError } from '@zoots/client';
import { Background } from './background.js';
import { Changes } from './changes.js';
import { Deadline, repeat } from './deadline.js';
import { PersistentNode } from './persistent-node.js';

/** Divides the items: which of them are for the member `own`? All members must come to the same division. */
export type Division = (items: readonly string[], members: readonly string[], own: string) => readonly string[];

export interface SetPartitionerOptions {
  /** For people who look; it need not be unique. Default: process id. */
  readonly id?: string | undefined;
  /** How long the members must have been the same before the set is divided. Default 1000. */
  readonly settleMs?: number | undefined;
  /** Default: item i of the sorted items belongs to member i modulo their number, both sorted. */
  readonly divide?: Division | undefined;
}

export interface Share {
  /** What is ours, sorted; it may be nothing if there are more members than items. */
  readonly items: readonly string[];
  /** For each item the czxid of its claim: larger for each later owner. */
  readonly tokens: ReadonlyMap<string, number>;
  /** Aborted when the share must be given back, or is lost with the session. */
  readonly signal: AbortSignal;
}

export class SetPartitioner implements AsyncIterable<Share>, AsyncDisposable {
  readonly path: string;
  readonly items: readonly string[];
  readonly #zk: Namespace;
  readonly #settleMs: number;
  readonly #divide: Division;
  readonly #name: string;
  readonly #member: PersistentNode;
  readonly #background: Background;
  #share: Share | null = null;
  /** Resolves the wait of the background for the consumer's next(), and the other way round. */
  #giveBack: (() => void) | null = null;
  #waiting: { resolve: (share: Share | null) => void; reject: (error: Error) => void } | null = null;
  /** The consumer has a share: the one it was given last. */
  #isTaken = false;
  #last: Share | null = null;
  #failure: Error | null = null;

  constructor(zk: Namespace, path: string, items: Iterable<string>, options: SetPartitionerOptions = {}) {
    this.#zk = zk;
    this.path = path;
    this.items = [...new Set(items)].sort();
    this.#settleMs = options.settleMs ?? 1000;
    this.#divide = options.divide ?? inTurns;
    this.#name = `${randomUUID().replaceAll('-', '')}-${options.id ?? process.pid}`;
    const onFailed = (error: Error): void => this.#fail(error);
    const member = childOf(childOf(path, 'party'), this.#name);
    this.#member = new PersistentNode(zk, member, { data: options.id ?? String(process.pid), onError: onFailed });
    this.#background = new Background(zk, 'partition', path, (deadline) => this.#run(deadline), onFailed);
  }

  /**
   * Says that the consumer is through with its share, and waits for the next one, which comes when the set is divided anew. Null
   * once the partitioner is closed. One consumer at a time: call it again only after it resolved.
   */
  next(): Promise<Share | null> {
    if (this.#waiting !== null) throw new Error(`partitioner ${this.path}: one consumer at a time`);
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#background.isClosed) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      if (this.#isTaken) {
        this.#isTaken = false;
        this.#giveBack?.();
      }
      this.#handOut();
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Share, void, undefined> {
    for (;;) {
      const share = await this.next();
      if (share === null) return;
      yield share;
    }
  }

  /** Gives the share back and leaves. Await what works on the share first. */
  async close(): Promise<void> {
    await this.#background.close();
    await this.#member.close();
    this.#waiting?.resolve(null);
    this.#waiting = null;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #fail(error: Error): void {
    this.#failure = error;
    this.#waiting?.reject(error);
    this.#waiting = null;
  }

  #handOut(): void {
    if (this.#waiting === null || this.#share === null || this.#share === this.#last) return;
    this.#isTaken = true;
    this.#last = this.#share;
    this.#waiting.resolve(this.#share);
    this.#waiting = null;
  }

  async #run(deadline: Deadline): Promise<void> {
    await this.#member.ready;
    const party = childOf(this.path, 'party');
    await using changes = await Changes.of(this.#zk, party, deadline, 'children');
    await repeat(this.#zk, deadline, (request) => this.#zk.ensurePath(childOf(this.path, 'claims'), request));
    for (;;) {
      const session = await this.#zk.client.connected(deadline.request());
      const onLost = (): void => changes.wake();
      session.signal.addEventListener('abort', onLost);
      try {
        await this.#hold(changes, session, deadline);
      } catch (error) {
        // The share was lost with its session, and the next one is found in a new one.
        if (!(error instanceof SessionLostError)) throw error;
      } finally {
        session.signal.removeEventListener('abort', onLost);
      }
    }
  }

  /** One share, from the division to the release of its claims. */
  async #hold(changes: Changes, session: Session, deadline: Deadline): Promise<void> {
    const members = await this.#settledMembers(changes, deadline);
    if (!members.includes(this.#name)) {
      await changes.next(deadline);
      return;
    }
    const items = [...this.#divide(this.items, members, this.#name)].sort();
    const tried = new Set<string>();
    const controller = new AbortController();
    const onLost = (): void => controller.abort(session.signal.reason);
    session.signal.addEventListener('abort', onLost);
    try {
      const tokens = await this.#claimAll(items, tried, changes, session, deadline);
      if (tokens === null) return;
      this.#share = { items, tokens, signal: controller.signal };
      this.#handOut();
      while (!session.signal.aborted && sameNames(members, await this.#members(changes, deadline))) {
        await changes.next(deadline);
      }
    } finally {
      session.signal.removeEventListener('abort', onLost);
      // From here on nobody may take it; whoever has it is asked to stop, and its claims stay until it has.
      this.#share = null;
      controller.abort();
      await this.#untilGivenBack();
      await this.#release(tried, session);
    }
  }

  /** Resolves when the consumer is through with the share; at once if it has none, or at close: see {@link close}. */
  async #untilGivenBack(): Promise<void> {
    if (!this.#isTaken || this.#background.isClosed) {
      this.#isTaken = false;
      return;
    }
    await new Promise<void>((resolve) => {
      this.#giveBack = resolve;
    });
    this.#giveBack = null;
  }

  async #members(changes: Changes, deadline: Deadline): Promise<string[]> {
    changes.clear();
    return (await this.#zk.children(childOf(this.path, 'party'), deadline.request())).sort();
  }

  async #settledMembers(changes: Changes, deadline: Deadline): Promise<string[]> {
    for (;;) {
      const members = await this.#members(changes, deadline);
      const isChanged = await changes.within(this.#settleMs, deadline);
      if (!isChanged) return members;
    }
  }

  /** Claims item after item; null if the members changed meanwhile. `tried` gets every item that may be claimed then. */
  async #claimAll(
    items: readonly string[],
    tried: Set<string>,
    changes: Changes,
    session: Session,
    deadline: Deadline,
  ): Promise<Map<string, number> | null> {
    const tokens = new Map<string, number>();
    for (const item of items) {
      tried.add(item);
      const token = await this.#claim(item, changes, session, deadline);
      if (token === null) return null;
      tokens.set(item, token);
    }
    return tokens;
  }

  /** The claim's czxid; null if the members changed while somebody else still had it. */
  async #claim(item: string, changes: Changes, session: Session, deadline: Deadline): Promise<number | null> {
    const path = childOf(childOf(this.path, 'claims'), item);
    for (;;) {
      if (session.signal.aborted) return null;
      try {
        const create = () => this.#zk.createWithStat(path, this.#name, { mode: 'ephemeral', ...deadline.request() });
        const { stat } = await repeat(this.#zk, deadline, create);
        if (stat.ephemeralOwner === session.id) return stat.czxid;
        // It was made in a newer session, where the set is divided anew.
        await this.#zk.delete(path, deadline.request());
        return null;
      } catch (error) {
        if (!(error instanceof NodeExistsError)) throw error;
      }
      const owner = await this.#claimOwner(path, deadline);
      if (owner !== null && owner.session === session.id && owner.name === this.#name) return owner.token;
      if (owner !== null && !(await this.#untilReleased(path, changes, deadline))) return null;
    }
  }

  async #claimOwner(
    path: string,
    deadline: Deadline,
  ): Promise<{ session: bigint; name: string; token: number } | null> {
    try {
      const { data, stat } = await this.#zk.get(path, deadline.request());
      return { session: stat.ephemeralOwner, name: data?.toString() ?? '', token: stat.czxid };
    } catch (error) {
      if (error instanceof NoNodeError) return null;
      throw error;
    }
  }

  /** False if the members changed first. */
  async #untilReleased(path: string, changes: Changes, deadline: Deadline): Promise<boolean> {
    await using claim = await Changes.of(this.#zk, path, deadline, 'deleted');
    for (;;) {
      claim.clear();
      if ((await this.#zk.exists(path, deadline.request())) === null) return true;
      if (await changes.orOther(claim, deadline)) return false;
    }
  }

  /** Deletes those of these claims that are ours; those of a lost session go by themselves. */
  async #release(items: Iterable<string>, session: Session): Promise<void> {
    const deadline = new Deadline(undefined, 'partition', this.path);
    const release = async (item: string): Promise<void> => {
      const path = childOf(childOf(this.path, 'claims'), item);
      const owner = await this.#claimOwner(path, deadline);
      // Checked right before the request is made: in a later session the claim may be somebody else's.
      if (owner?.name === this.#name && !session.signal.aborted) {
        await repeat(this.#zk, deadline, (request) => this.#zk.delete(path, request));
      }
    };
    const all = Promise.all([...items].map((item) => release(item).catch(() => {})));
    if (this.#zk.client.state === 'connected') await all;
  }
}

function inTurns(items: readonly string[], members: readonly string[], own: string): string[] {
  const index = members.indexOf(own);
  return items.filter((_, i) => i % members.length === index);
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}
