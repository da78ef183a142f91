/**
 * A queue: first in, first out, each entry to one consumer.
 *
 *     const mails = new Queue(zk, '/queues/mails');
 *     await mails.put('to: alice');
 *     const mail = await mails.take();                      // waits for one
 *     for await (const mail of mails.entries({ signal })) send(mail);
 *
 * Small scale only. Every entry is a znode: a put is a write that goes through the leader, a take is a list of all entries, a read
 * and another write; all entries are in every server's memory, and an answer (1 MB by default) holds some 40,000 names. Some
 * hundred entries a second and some thousand waiting are fine; for more take a message broker.
 *
 * Guaranteed: the entries of one producer are taken in their order; no entry is given to two consumers. An entry is deleted before it
 * is handed out: a consumer that dies with one in its hands has lost it. If that matters, see `locking-queue.ts`.
 *
 * When things fail: `put()` without an answer rejects with `outcome: 'unknown'`: the entry is in the queue or not. `take()` whose
 * delete got no answer rejects the same way: then the entry may be lost. A take that waits keeps waiting through lost
 * connections and sessions.
 *
 * Layout: a persistent sequential child of `path` for each entry; see `queue-layout.ts` for those of kazoo (default) and Curator.
 */
import { BadVersionError, type CallOptions, childOf, type Data, type Namespace, NoNodeError } from '@zoots/client';
import { Changes } from './changes.js';
import { Deadline, reread } from './deadline.js';
import { QUEUE_LAYOUTS, type QueueLayout, type QueueLayoutName } from './queue-layout.js';

export interface QueueOptions {
  /** Default `kazoo`. */
  readonly layout?: QueueLayoutName | undefined;
}

/** An item with a null is data that was null. */
export interface QueueItem {
  readonly data: Buffer | null;
  /** Name of the znode it was in. */
  readonly name: string;
}

export class Queue {
  readonly path: string;
  protected readonly zk: Namespace;
  protected readonly layout: QueueLayout;
  /** Items of an entry that held several, after the first. */
  readonly #rest: QueueItem[] = [];

  constructor(zk: Namespace, path: string, options: QueueOptions = {}) {
    this.zk = zk;
    this.path = path;
    this.layout = QUEUE_LAYOUTS[options.layout ?? 'kazoo'];
  }

  /** Appends an entry; returns the name of its znode. */
  put(data: Data, options?: CallOptions): Promise<string> {
    return this.append(this.layout.plain, data, options);
  }

  /** Takes the first entry; waits for one. */
  async take(options?: CallOptions): Promise<Buffer | null> {
    return (await this.#takeItem(new Deadline(options, 'queue.take', this.path))).data;
  }

  /** Takes the first entry if there is one now; undefined if not. */
  async poll(options?: CallOptions): Promise<Buffer | null | undefined> {
    return (await this.#pollItem(new Deadline(options, 'queue.poll', this.path)))?.data;
  }

  /** The first entry, which stays; undefined if there is none. */
  async peek(options?: CallOptions): Promise<Buffer | null | undefined> {
    const deadline = new Deadline(options, 'queue.peek', this.path);
    for (const name of await this.names(deadline)) {
      const path = childOf(this.path, name);
      try {
        const { data } = await reread(this.zk, deadline, (request) => this.zk.get(path, request));
        return this.layout.decode(data, path)[0];
      } catch (error) {
        if (!(error instanceof NoNodeError)) throw error;
      }
    }
    return undefined;
  }

  /** Entries in the queue. */
  async size(options?: CallOptions): Promise<number> {
    return (await this.names(new Deadline(options, 'queue.size', this.path))).length;
  }

  /** Takes entries for ever, or until `signal` is aborted, which ends the loop. */
  async *entries(options: Pick<CallOptions, 'signal'> = {}): AsyncGenerator<QueueItem, void, undefined> {
    const deadline = new Deadline(options, 'queue.take', this.path);
    for (;;) {
      let item: QueueItem;
      try {
        item = await this.#takeItem(deadline);
      } catch (error) {
        if (options.signal?.aborted === true) return;
        throw error;
      }
      yield item;
    }
  }

  protected async append(prefix: string, data: Data, options: CallOptions | undefined): Promise<string> {
    const deadline = new Deadline(options, 'queue.put', this.path);
    const create = (): Promise<string> =>
      this.zk.create(childOf(this.path, prefix), this.layout.encode(data), {
        mode: 'persistent-sequential',
        parents: true,
        ...deadline.request(),
      });
    const path = await create();
    return path.slice(path.lastIndexOf('/') + 1);
  }

  /** Names of the entries, in the order in which they are taken. */
  protected async names(deadline: Deadline): Promise<string[]> {
    try {
      const names = await reread(this.zk, deadline, (request) => this.zk.children(this.path, request));
      return this.sort(names.filter((name) => name.startsWith(this.layout.prefix)));
    } catch (error) {
      if (error instanceof NoNodeError) return [];
      throw error;
    }
  }

  protected sort(names: string[]): string[] {
    return names.sort();
  }

  /** How long until the entry may be taken: 0 for now. */
  protected delayMs(_name: string): number {
    return 0;
  }

  async #takeItem(deadline: Deadline): Promise<QueueItem> {
    const now = await this.#pollItem(deadline);
    if (now !== undefined) return now;
    await using changes = await Changes.of(this.zk, this.path, deadline, 'children');
    for (;;) {
      changes.clear();
      const item = await this.#pollItem(deadline);
      if (item !== undefined) return item;
      const [first] = await this.names(deadline);
      if (first === undefined) await changes.next(deadline);
      else await changes.within(Math.max(1, this.delayMs(first)), deadline);
    }
  }

  async #pollItem(deadline: Deadline): Promise<QueueItem | undefined> {
    const rest = this.#rest.shift();
    if (rest !== undefined) return rest;
    for (const name of await this.names(deadline)) {
      if (this.delayMs(name) > 0) return undefined;
      const items = await this.#takeEntry(name, deadline);
      const [first, ...others] = items ?? [];
      if (first === undefined) continue;
      this.#rest.push(...others);
      return first;
    }
    return undefined;
  }

  /** Null if somebody else was faster. */
  async #takeEntry(name: string, deadline: Deadline): Promise<QueueItem[] | null> {
    const path = childOf(this.path, name);
    try {
      const { data, stat } = await reread(this.zk, deadline, (request) => this.zk.get(path, request));
      const items = this.layout.decode(data, path);
      await this.zk.delete(path, { version: stat.version, ...deadline.request() });
      return items.map((item) => ({ data: item, name }));
    } catch (error) {
      if (error instanceof NoNodeError || error instanceof BadVersionError) return null;
      throw error;
    }
  }
}
