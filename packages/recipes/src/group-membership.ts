/**
 * Membership in a group: everybody who is alive has a znode, and everybody sees who is there.
 *
 *     await using group = new GroupMembership(zk, '/workers', { id: 'w1', data: 'http://10.0.0.7:80' });
 *     await group.ready;
 *     group.members();                            // Map { 'w1' => <Buffer …> }
 *     for await (const event of group.events()) console.log(event.type, event.path);
 *
 * Who only wants to look takes a {@link ChildrenCache} of the path.
 *
 * Guaranteed: a member that is killed disappears when its session expires, one that closes at once. What a member sees is what
 * its server has, so two members may see a change at different times.
 *
 * When things fail: without a connection `members()` stays as it was (`isCurrent` is false); after the loss of a session the
 * member joins again by itself. Two members with the same id: the second one joins when the first has gone.
 *
 * Layout: an ephemeral child of `path` for each member, named by its id, holding its data. The same as Curator's GroupMember. The
 * default id is `<32 hex digits>__party__`, and with it the layout is that of kazoo's Party, whose members tell themselves
 * apart by their data.
 */
import { randomUUID } from 'node:crypto';
import { type CallOptions, childOf, type Data, type Namespace } from '@zoots/client';
import { ChildrenCache } from './children-cache.js';
import type { CacheEvent, CacheOptions } from './mirror.js';
import { PersistentNode } from './persistent-node.js';
import type { CacheEventsOptions } from './tree-cache.js';

export interface GroupMembershipOptions extends CacheOptions {
  /** Unique in the group. Default: a random one. */
  readonly id?: string | undefined;
  readonly data?: Data | undefined;
}

export class GroupMembership implements AsyncDisposable {
  readonly path: string;
  readonly id: string;
  /** Resolves when this member is in and the others are known. */
  readonly ready: Promise<void>;
  readonly #node: PersistentNode;
  readonly #cache: ChildrenCache;

  constructor(zk: Namespace, path: string, options: GroupMembershipOptions = {}) {
    this.path = path;
    this.id = options.id ?? `${randomUUID().replaceAll('-', '')}__party__`;
    this.#node = new PersistentNode(zk, childOf(path, this.id), {
      data: options.data,
      onError: (error) => options.onError?.(error, childOf(path, this.id)),
    });
    this.#cache = new ChildrenCache(zk, path, options);
    this.ready = this.#node.ready.then(() => this.#cache.sync());
    this.ready.catch(() => {});
  }

  /** Whether this member is in, as far as it knows. */
  get isMember(): boolean {
    return this.#node.isPresent;
  }

  get isCurrent(): boolean {
    return this.#cache.isCurrent;
  }

  /** The members' data by id, as last heard of. */
  members(): Map<string, Buffer | null> {
    return new Map(this.#cache.names().map((id) => [id, this.#cache.get(id)?.data ?? null]));
  }

  /** Changes this member's data. */
  set(data: Data, options?: CallOptions): Promise<void> {
    return this.#node.set(data, options);
  }

  /** Calls the listener when somebody joins (`added`), leaves (`removed`) or changes its data; returns what takes it away. */
  on(listener: (event: CacheEvent) => void): () => void {
    return this.#cache.on(listener);
  }

  events(options?: CacheEventsOptions): AsyncGenerator<CacheEvent, void, undefined> {
    return this.#cache.events(options);
  }

  /** Leaves the group. */
  async close(): Promise<void> {
    await Promise.all([this.#node.close(), this.#cache.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
