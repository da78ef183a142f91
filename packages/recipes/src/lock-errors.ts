/** The errors of locks, leases and leaders. They belong to the client's tree: `ZooKeeperError` is their base. */
import { ZooKeeperError } from '@zoots/client';

/**
 * Why something is not held any more:
 * - `session`: the session ended, or must be assumed gone because no server could be reached for as long as it lives.
 * - `deleted`: the znode is gone: somebody deleted it, or the server, because the session ends, which the client hears of a moment later.
 * - `suspended`: the connection broke and `suspendedIsLost` was set. The znode may be there still.
 * - `expired`: the time of a lease is up.
 * - `released`: it was released, by us and on purpose.
 */
export type LossReason = 'session' | 'deleted' | 'suspended' | 'expired' | 'released';

const LOSS_TEXTS: Readonly<Record<LossReason, string>> = {
  session: 'lost, because the session is gone or must be assumed gone',
  deleted: 'lost, because its znode was deleted or replaced',
  suspended: 'taken for lost, because the connection broke (suspendedIsLost)',
  expired: 'over, because its time is up',
  released: 'released',
};

/** What was held is held no more. It is the `reason` of the signal of everything that is held. */
export class LostError extends ZooKeeperError {
  override readonly name = 'LostError';
  readonly reason: LossReason;

  constructor(path: string, reason: LossReason, cause?: unknown) {
    super(`${path}: ${LOSS_TEXTS[reason]}`, 'ZK_HOLD_LOST', false, 'refused', { path, cause });
    this.reason = reason;
  }
}

/** It was not acquired in time. Its place in the queue is given up; nothing stays behind. */
export class AcquireTimeoutError extends ZooKeeperError {
  override readonly name = 'AcquireTimeoutError';

  constructor(path: string, timeoutMs: number) {
    const text = `${path}: not acquired within ${timeoutMs} ms`;
    super(text, 'ZK_ACQUIRE_TIMEOUT', true, 'refused', { operation: 'acquire', path });
  }
}
