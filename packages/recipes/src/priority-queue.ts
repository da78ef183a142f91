/**
 * A queue whose entries have priorities: a lower number is taken first, entries of the same number in their order.
 *
 *     const jobs = new PriorityQueue(zk, '/queues/jobs');
 *     await jobs.put('clean up', 500);
 *     await jobs.put('page somebody', 1);
 *     await jobs.take(); // 'page somebody'
 *
 * Small scale only, with the guarantees, failures and layouts of {@link Queue}: there it says why. Priorities are 0 to 999 in kazoo's
 * layout (100 by default) and 32-bit integers in Curator's (DistributedPriorityQueue, 0 by default). An entry with a better
 * priority that comes while others are being taken may come after them.
 */
import type { CallOptions, Data, Namespace } from '@zoots/client';
import { Queue } from './queue.js';
import { QUEUE_LAYOUTS } from './queue-layout.js';

export interface PriorityQueueOptions {
  /** Default `kazoo`. */
  readonly layout?: 'kazoo' | 'curator' | undefined;
}

export class PriorityQueue extends Queue {
  readonly #prefixOf: (priority: number) => string;
  readonly #priority: number;

  constructor(zk: Namespace, path: string, options: PriorityQueueOptions = {}) {
    super(zk, path, options);
    const name = options.layout ?? 'kazoo';
    this.#prefixOf = QUEUE_LAYOUTS[name].withPriority as (priority: number) => string;
    this.#priority = name === 'kazoo' ? 100 : 0;
  }

  override put(data: Data, priority?: number | CallOptions, options?: CallOptions): Promise<string> {
    if (typeof priority === 'object') return this.append(this.#prefixOf(this.#priority), data, priority);
    return this.append(this.#prefixOf(priority ?? this.#priority), data, options);
  }
}
