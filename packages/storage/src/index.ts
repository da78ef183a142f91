/** @zoots/storage: transaction logs, snapshots, and recovery, over the Disk port. */
export * from './disk.js';
export * from './file-names.js';
export * from './memory-disk.js';
export * from './txn-log.js';
export * from './txn-log-format.js';
