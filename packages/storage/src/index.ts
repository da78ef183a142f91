/** @zoots/storage: transaction logs, snapshots, and recovery, over the Disk port. */
export * from './compression.js';
export * from './disk.js';
export * from './epoch-file.js';
export * from './epochs.js';
export * from './file-names.js';
export * from './log-reader.js';
export * from './memory-disk.js';
export * from './recording-sink.js';
export * from './recovery.js';
export * from './recovery-errors.js';
export * from './retention.js';
export * from './snapshot-parser.js';
export * from './snapshot-reader.js';
export * from './snapshot-writer.js';
export * from './txn-log.js';
export * from './txn-log-format.js';
export * from './zxid-chain.js';
