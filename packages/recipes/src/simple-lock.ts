/**
 * A lock that one holder has at a time, first come first served; not re-entrant. The one to take if in doubt.
 *
 *     const lock = new SimpleLock(zk, '/app/locks/report');
 *     await lock.withLock(async (held) => {
 *       await writeReport({ fence: held.token, signal: held.signal });
 *     });
 *
 * or, with `await using`:
 *
 *     await using held = await lock.acquire({ timeoutMs: 10_000 });
 *
 * Guarantees: at most one session has the lock, as the servers see it. Holders follow each other in the order of their requests,
 * and of their fencing tokens. One release wakes one waiter. A holder whose process dies or is cut off loses the lock when its
 * session times out.
 *
 * Failures:
 * - Suspended (connection lost): a holder still holds, a waiter still waits, in the same place of the queue. See `held.ts`
 *   for `suspendedIsLost`.
 * - Session lost: `held.signal` is aborted, before or at the time when servers may let the next one in. A waiter queues again,
 *   at the end.
 * - The process is killed: as above, after the session timeout. It is stopped or starved for longer than that: it may believe
 *   that it holds, until its timers run; guard what matters by the fencing token.
 * - The znode is deleted by somebody: `held.signal` is aborted when the event comes.
 * - Clocks: only this machine's monotonic clock counts, and only for when the session must be given up.
 * - An acquire that was given up, or whose create has an unknown outcome, leaves no znode.
 *
 * Znodes: `<path>` is a container (the server removes it some time after the last child); `<path>/_c_<uuid>-lock-<10 digits>`,
 * ephemeral, with `id` as data: Curator's InterProcessMutex and LeaderSelector. With `convention: 'kazoo'` it is
 * `<path>/<uuid>__lock__<10 digits>`: kazoo's Lock and Election. On the same path they exclude each other.
 */
import type { Namespace } from '@zoots/client';
import { type LockOptions, QueueLock } from './queue-lock.js';
import { exclusive } from './sequential-queue.js';

export class SimpleLock extends QueueLock {
  /** `path` is for this lock alone; it is created when needed. */
  constructor(namespace: Namespace, path: string, options: LockOptions = {}) {
    super(namespace, path, 'lock', exclusive, options);
  }
}
