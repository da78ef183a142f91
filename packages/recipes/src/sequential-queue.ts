/**
 * The queue that locks, semaphores and leaders stand on: ephemeral sequential znodes below one path. Who has the lowest number
 * is first; everybody else watches one znode before its own, so that a release wakes one waiter and not the whole herd.
 *
 * What it promises:
 * - A place is one znode, though connections break. Its name begins with a UUID: after a create without an answer the queue
 *   syncs and looks for that name before it creates another one.
 * - A given-up place goes. Joining itself is never broken off: who gives up lets it finish in the background and deletes the
 *   znode, also one whose create had an unknown outcome. If that is not possible, the session has ended, and the znode with it.
 * - Waiting outlives the session: when it is lost, the queue is joined again, at its end, in the next one.
 * - The order is right over the wrap-around of the server's counter (see `sequence.ts`).
 */
import {
  type Acl,
  type CreatedNode,
  type Namespace,
  NoNodeError,
  type Session,
  SessionLostError,
  ZooKeeperError,
} from '@zoots/client';
import { type Convention, isReader, newName, type Role } from './conventions.js';
import { gone } from './node-ends.js';
import { type AcquireOptions, Patience, unlessAborted } from './patience.js';
import { assertAlive, persevere, reconnected, whileAlive } from './persevere.js';
import { compareSequences, sequenceOf } from './sequence.js';

export interface QueueEntry {
  readonly name: string;
  readonly path: string;
  readonly sequence: number;
}

/**
 * The entry that has to go before `name` may hold; null if it holds. `earlier` are those before it, the longest waiting first.
 */
export type Blocker = (earlier: readonly QueueEntry[], name: string) => QueueEntry | null;

/** Only the first holds. */
export const exclusive: Blocker = (earlier) => earlier.at(-1) ?? null;

export interface QueueSettings {
  readonly role: Role;
  readonly convention: Convention;
  /** Data of the znodes: tells operators who waits. */
  readonly id: string;
  readonly acl: readonly Acl[] | undefined;
}

/** A container may be reaped between the creation of it and of its first child; more often than this it is something else. */
const missingParentMax = 10;

export class SequentialQueue {
  readonly namespace: Namespace;
  readonly path: string;
  readonly settings: QueueSettings;

  constructor(namespace: Namespace, path: string, settings: QueueSettings) {
    this.namespace = namespace;
    this.path = path;
    this.settings = settings;
  }

  /** The places, first come first. None if the queue's znode does not exist. */
  async entries(): Promise<QueueEntry[]> {
    const names = await this.#names();
    const entries: QueueEntry[] = [];
    for (const name of names) {
      const sequence = sequenceOf(name);
      if (sequence !== null) entries.push({ name, path: this.pathOf(name), sequence });
    }
    // Equal numbers: a reader that its own writer left in the same place; the writer came first.
    const isLater = (entry: QueueEntry): number => (isReader(entry.name) ? 1 : 0);
    return entries.sort((a, b) => compareSequences(a.sequence, b.sequence) || isLater(a) - isLater(b));
  }

  /** What would block somebody who came now. */
  async blockerOfNext(blocker: Blocker): Promise<QueueEntry | null> {
    const { name } = newName(this.settings.convention, this.settings.role);
    return blocker(await this.entries(), `${name}0000000000`);
  }

  pathOf(name: string): string {
    return this.path === '/' ? `/${name}` : `${this.path}/${name}`;
  }

  async #names(): Promise<string[]> {
    try {
      return await this.namespace.children(this.path);
    } catch (error) {
      if (error instanceof NoNodeError) return [];
      throw error;
    }
  }

  /** Queues, and waits until nothing blocks; `onJoined` hears of each place that it has on the way. Rejects with the reason of the patience, and with what the server refuses. */
  async acquire(blocker: Blocker, options: AcquireOptions, onJoined?: (place: Place) => void): Promise<Place> {
    using patience = new Patience(this.path, options);
    for (;;) {
      try {
        return await this.attempt(patience, (place) => {
          onJoined?.(place);
          return place.untilFirst(blocker, patience.signal);
        });
      } catch (error) {
        if (!mayRejoin(error)) throw error;
        // Where there is no session to come (`newSession: false`), the next attempt throws.
      }
    }
  }

  /** Queues, and stays if nothing blocks; null otherwise. Rejects as `acquire` does, and with SessionLostError. */
  async acquireNow(blocker: Blocker, options: AcquireOptions): Promise<Place | null> {
    using patience = new Patience(this.path, options);
    let isFirst = false;
    const place = await this.attempt(patience, async (joined) => {
      isFirst = (await unlessAborted(joined.blockedBy(blocker), patience.signal)) === null;
      if (!isFirst) void joined.leave().catch(() => undefined);
    });
    return isFirst ? place : null;
  }

  /** Joins and waits; a place that `waiting` does not want to keep is given up. */
  async attempt(patience: Patience, waiting: (place: Place) => Promise<void>): Promise<Place> {
    const session = await this.#session(patience);
    const joining = this.join(session);
    try {
      const place = await unlessAborted(joining, patience.signal);
      await waiting(place);
      return place;
    } catch (error) {
      leaveWhenJoined(joining);
      throw patience.signal.aborted ? patience.signal.reason : error;
    }
  }

  async #session({ signal }: Patience): Promise<Session> {
    signal.throwIfAborted();
    try {
      return await this.namespace.client.connected({ signal });
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  }

  /** Creates our znode. Throws SessionLostError if the session ends first: then there is none, or it is going. */
  async join(session: Session): Promise<Place> {
    const { unique, name } = newName(this.settings.convention, this.settings.role);
    const created = await this.create(session, name, unique, 'ephemeral-sequential');
    return new Place(this, session, created);
  }

  /** Creates `name`, which begins with `unique`, once and only once. */
  async create(
    session: Session,
    name: string,
    unique: string,
    mode: 'ephemeral-sequential' | 'ephemeral',
  ): Promise<CreatedNode> {
    const { id, acl } = this.settings;
    for (let missing = 0; ; ) {
      assertAlive(session);
      try {
        const node = await this.namespace.createWithStat(this.pathOf(name), id, { mode, acl, parents: 'container' });
        return await this.#ofSession(session, node);
      } catch (error) {
        if (error instanceof NoNodeError && ++missing < missingParentMax) continue;
        await reconnected(this.namespace, session, error);
        if ((error as ZooKeeperError).outcome !== 'unknown') continue;
        const found = await this.#find(session, unique);
        if (found !== null) return found;
      }
    }
  }

  /** A create may have been sent in a newer session than the one we meant; our znode must belong to the one we watch. */
  async #ofSession(session: Session, node: CreatedNode): Promise<CreatedNode> {
    if (node.stat.ephemeralOwner === session.id) return node;
    await this.namespace.delete(node.path).catch(() => undefined);
    throw new SessionLostError('another session took its place', 'refused', { path: node.path });
  }

  /** Sync first: what the old connection sent may still be on its way to the server that we ask now. */
  #find(session: Session, unique: string): Promise<CreatedNode | null> {
    return persevere(this.namespace, session, async () => {
      await this.namespace.sync(this.path);
      const name = (await this.#names()).find((child) => child.startsWith(unique));
      const stat = name === undefined ? null : await this.namespace.exists(this.pathOf(name));
      if (name === undefined || stat === null) return null;
      return this.#ofSession(session, { path: this.pathOf(name), stat });
    });
  }
}

/** Our znode in the queue. */
export class Place {
  readonly queue: SequentialQueue;
  readonly session: Session;
  readonly path: string;
  readonly name: string;
  /** The zxid of its creation: higher for everybody who came later. */
  readonly czxid: number;

  constructor(queue: SequentialQueue, session: Session, { path, stat }: CreatedNode) {
    this.queue = queue;
    this.session = session;
    this.path = path;
    this.name = path.slice(path.lastIndexOf('/') + 1);
    this.czxid = stat.czxid;
  }

  /** Resolves when nothing blocks it. Throws SessionLostError, PlaceGoneError, or the reason of `signal`. */
  async untilFirst(blocker: Blocker, signal: AbortSignal): Promise<void> {
    for (;;) {
      const blocking = await unlessAborted(this.blockedBy(blocker), signal);
      if (blocking === null) return;
      await this.#gone(blocking.path, signal);
    }
  }

  /** What blocks it now. */
  async blockedBy(blocker: Blocker): Promise<QueueEntry | null> {
    const { session } = this;
    const entries = await this.#freshEntries();
    const index = entries.findIndex((entry) => entry.name === this.name);
    if (index < 0) throw new PlaceGoneError(this.path);
    const blocking = blocker(entries.slice(0, index), this.name);
    assertAlive(session);
    return blocking;
  }

  /**
   * The places, from an answer that is younger than the session's timeout. A process that was stopped after it had asked finds the
   * answer when it wakes up, before any timer tells it that its session is over; but what the server did since is not in it.
   * A session lives on for its timeout after a request, so an answer that came within it is as good as what the server says now.
   */
  async #freshEntries(): Promise<QueueEntry[]> {
    const { queue, session } = this;
    for (;;) {
      const askedMs = performance.now();
      const entries = await persevere(queue.namespace, session, () => queue.entries());
      if (performance.now() - askedMs < session.timeoutMs) return entries;
    }
  }

  async #gone(path: string, signal: AbortSignal): Promise<void> {
    const waiting = new AbortController();
    try {
      await whileAlive(this.session, gone(this.queue.namespace, path, waiting.signal), signal);
    } finally {
      waiting.abort();
    }
  }

  /** Deletes it, over broken connections. Resolves when it is gone or must go with its session; throws what the server refuses. */
  async leave(): Promise<void> {
    const { namespace } = this.queue;
    try {
      await persevere(namespace, this.session, () => namespace.delete(this.path));
    } catch (error) {
      if (error instanceof NoNodeError || this.session.signal.aborted) return;
      throw error;
    }
  }
}

/** Whether an attempt failed because our znode went, so that another one makes sense. */
export function mayRejoin(error: unknown): boolean {
  return error instanceof SessionLostError || error instanceof PlaceGoneError;
}

/** Somebody deleted our znode while it waited. */
class PlaceGoneError extends ZooKeeperError {
  override readonly name = 'PlaceGoneError';

  constructor(path: string) {
    super(`${path}: somebody deleted the znode`, 'ZK_PLACE_GONE', true, 'refused', { path });
  }
}

/** Nobody waits for it any more, so nobody can be told; what stands in the way of a delete would be in the way of a release, too. */
function leaveWhenJoined(joining: Promise<Place>): void {
  joining.then((place) => place.leave()).catch(() => undefined);
}
