/**
 * A queue whose entries are taken when they are due, the earliest first.
 *
 *     const reminders = new DelayQueue(zk, '/queues/reminders');
 *     await reminders.putAt('renew', Date.now() + 60_000);
 *     await reminders.take(); // a minute later
 *
 * Small scale only, with the guarantees and failures of {@link Queue}: there it says why. What is due is decided by the clocks of
 * producer and consumer: an entry comes early or late by the difference.
 *
 * Layout: that of Curator's DistributedDelayQueue: `queue-|<hex milliseconds since 1970>|NNNNNNNNNN`, framed data.
 */
import type { CallOptions, Data, Namespace } from '@zoots/client';
import { Queue } from './queue.js';
import { delayPrefix, dueMsOf } from './queue-layout.js';

export class DelayQueue extends Queue {
  constructor(zk: Namespace, path: string) {
    super(zk, path, { layout: 'curator' });
  }

  /** Appends an entry that is due at once. */
  override put(data: Data, options?: CallOptions): Promise<string> {
    return this.putAt(data, Date.now(), options);
  }

  /** `dueMs`: milliseconds since 1970. */
  putAt(data: Data, dueMs: number, options?: CallOptions): Promise<string> {
    if (!Number.isSafeInteger(dueMs) || dueMs <= 0) {
      throw new RangeError(`due at ${dueMs}: must be milliseconds since 1970, an integer`);
    }
    return this.append(delayPrefix(dueMs), data, options);
  }

  putAfter(data: Data, delayMs: number, options?: CallOptions): Promise<string> {
    return this.putAt(data, Date.now() + Math.round(delayMs), options);
  }

  protected override sort(names: string[]): string[] {
    return names.sort((a, b) => dueMsOf(a) - dueMsOf(b) || (a < b ? -1 : 1));
  }

  protected override delayMs(name: string): number {
    return Math.max(0, dueMsOf(name) - Date.now());
  }
}
