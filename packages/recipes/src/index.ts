/** The recipes, one file each; every file's header says what its recipe guarantees and what it does when things fail. */

// Locks and leaders.

export { Held, type Hold, type HoldOptions } from './held.js';
export * from './leader-latch.js';
export * from './leader-selector.js';
export * from './lease.js';
export * from './lock.js';
export { AcquireTimeoutError, type LossReason, LostError } from './lock-errors.js';
export { HeldTogether, MultiLock } from './multi-lock.js';
export type { Acquirable, AcquireOptions, Contender, Convention, LockOptions, QueueLock } from './queue-lock.js';
export * from './read-write-lock.js';
export * from './semaphore.js';
export * from './simple-lock.js';

// Barriers, counters and values.

export { AtomicLong } from './atomic-long.js';
export * from './atomic-value.js';
export { Barrier } from './barrier.js';
export * from './counter.js';
export { DoubleBarrier, type DoubleBarrierOptions } from './double-barrier.js';
export { SharedValue } from './shared-value.js';

// Znodes that stay, and who is there.

export * from './group-membership.js';
export * from './persistent-node.js';
export * from './set-partitioner.js';
export * from './ttl-node.js';

// Caches.

export { ChildrenCache } from './children-cache.js';
export type { IterateOptions } from './event-fan.js';
export { NodeCache } from './node-cache.js';
export {
  type CachedNode,
  type CacheEvent,
  type CacheEventsOptions,
  type CacheOptions,
  TreeCache,
  type TreeCacheOptions,
} from './tree-cache.js';

// Queues.

export * from './delay-queue.js';
export * from './locking-queue.js';
export * from './priority-queue.js';
export * from './queue.js';
export type { QueueLayoutName } from './queue-layout.js';

// Service discovery.

export * from './discovery/index.js';
