/** @zoots/base: pure building blocks without a word of ZooKeeper in them. */
export * from './adler32.js';
export * from './assert.js';
export * from './bytes.js';
export * from './crc32.js';
export * from './int64.js';
export * from './int64-map.js';
export * from './logger.js';
export * from './prng.js';
