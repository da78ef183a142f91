/**
 * A lock that many readers or one writer have at a time, first come first served: a reader waits for earlier writers only, a
 * writer for everybody earlier.
 *
 *     const lock = new ReadWriteLock(zk, '/app/locks/index');
 *     await lock.read.withLock(async () => search());
 *     await lock.write.withLock(async (held) => rebuild(held.token));
 *
 * A writer that wants to go on reading, with nobody in between, takes the reader's lock before it lets go of its own:
 *
 *     const writing = await lock.write.acquire();
 *     const reading = await lock.downgrade(writing);
 *     await writing.release();
 *
 * The other way round there is no way: two readers that want to become writers would wait for each other for ever.
 *
 * Guarantees: a writer is alone; readers share. Nobody is overtaken, so a crowd of readers cannot keep a writer out. Each side
 * is not re-entrant. The token of a writer is higher than those of all readers and writers before it.
 *
 * Failures: those of SimpleLock, for both sides.
 *
 * Znodes: `<path>/_c_<uuid>-__READ__<10 digits>` and `…__WRIT__<10 digits>`, ephemeral, with `id` as data: Curator's
 * InterProcessReadWriteLock. With `convention: 'kazoo'`, `<uuid>__rlock__…` and `<uuid>__lock__…`: kazoo's ReadLock and
 * WriteLock. A downgraded reader has the number of its writer. (kazoo before 2.9 lets its readers wait for later writers, too.)
 */
import { ArgumentError, type Namespace } from '@zoots/client';
import { type Convention, isReader, newName } from './conventions.js';
import { Held } from './held.js';
import { type Contender, contendersOf, defaultId, type LockOptions, QueueLock } from './queue-lock.js';
import { type Blocker, Place, SequentialQueue } from './sequential-queue.js';

const readersShare: Blocker = (earlier, name) =>
  (isReader(name) ? earlier.findLast((entry) => !isReader(entry.name)) : earlier.at(-1)) ?? null;

export class ReadWriteLock {
  readonly path: string;
  /** The side that is shared. */
  readonly read: ReadWriteSide;
  /** The side that is exclusive. */
  readonly write: ReadWriteSide;
  readonly #options: LockOptions;
  readonly #queue: SequentialQueue;

  constructor(namespace: Namespace, path: string, options: LockOptions = {}) {
    const { id = defaultId(), convention = 'curator', acl } = options;
    this.path = path;
    this.#options = options;
    this.#queue = new SequentialQueue(namespace, path, { role: 'read', convention, id, acl });
    this.read = new ReadWriteSide(namespace, path, 'read', options);
    this.write = new ReadWriteSide(namespace, path, 'write', options);
  }

  /**
   * A reader's hold in the place of a writer's, which is still to be released. It has the writer's token: whoever waits for
   * the reader has a higher one. Throws LostError if the writer's hold is lost.
   */
  async downgrade(writing: Held): Promise<Held> {
    if (writing.place.queue.path !== this.path || isReader(writing.place.name)) {
      throw new ArgumentError(`${writing.path} is no writer of this lock: pass what write.acquire() gave`);
    }
    writing.signal.throwIfAborted();
    const { session, name } = writing.place;
    const convention: Convention = this.#queue.settings.convention;
    const { unique, name: word } = newName(convention, 'read');
    const created = await this.#queue.create(session, word + sequenceText(name), unique, 'ephemeral');
    const held = new Held(new Place(this.#queue, session, created), this.#options, writing.token);
    if (writing.isHeld) return held;
    await held.release();
    throw writing.signal.reason;
  }

  /** Readers and writers, holding or waiting, the first come first. */
  contenders(): Promise<Contender[]> {
    return contendersOf(this.#queue, readersShare);
  }
}

/** One side of a read-write lock. */
export class ReadWriteSide extends QueueLock {
  constructor(namespace: Namespace, path: string, role: 'read' | 'write', options: LockOptions) {
    super(namespace, path, role, readersShare, options);
  }
}

/** The number as the server wrote it: ten digits, or a sign and nine or ten. */
function sequenceText(name: string): string {
  return (/__(-?\d{9,10})$/.exec(name) as RegExpExecArray)[1] as string;
}
