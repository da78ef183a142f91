/** The recipes, one file each; every file's header says what its recipe guarantees and what it does when things fail. */
// Locks and leaders.

export * from './held.js';
export * from './leader-latch.js';
export * from './leader-selector.js';
export * from './lease.js';
export * from './lock.js';
export * from './lock-errors.js';
export * from './multi-lock.js';
export * from './queue-lock.js';
export * from './read-write-lock.js';
export * from './semaphore.js';
export * from './simple-lock.js';
// Barriers, counters and values.
export { Barrier } from './barrier.js';
export { DoubleBarrier, type DoubleBarrierOptions } from './double-barrier.js';
export * from './atomic-value.js';
export { AtomicLong } from './atomic-long.js';
export * from './counter.js';
export { SharedValue } from './shared-value.js';
// Znodes that stay, and who is there.
export * from './persistent-node.js';
export * from './ttl-node.js';
export * from './group-membership.js';
export * from './set-partitioner.js';
// Caches.
export { NodeCache } from './node-cache.js';
export { ChildrenCache } from './children-cache.js';
export {
  type CachedNode,
  type CacheEvent,
  type CacheEventsOptions,
  type CacheOptions,
  TreeCache,
  type TreeCacheOptions,
} from './tree-cache.js';
export type { IterateOptions } from './event-fan.js';
// Queues.
export * from './queue.js';
export * from './priority-queue.js';
export * from './delay-queue.js';
export * from './locking-queue.js';
export type { QueueLayoutName } from './queue-layout.js';
// Service discovery.
export * from './discovery/index.js';
