/** @zoots/protocol: the wire, and nothing but. */
export * from './acl.js';
export * from './command-words.js';
export * from './election-message.js';
export * from './ensemble-config.js';
export * from './error-codes.js';
export * from './frame.js';
export * from './handshake.js';
export * from './ops.js';
export * from './paths.js';
export * from './quorum-packet.js';
export * from './stat.js';
export * from './txn.js';
export * from './zxid.js';
