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
