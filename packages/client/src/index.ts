/** @zoots/client: a ZooKeeper client in pure TypeScript. Begin with {@link connect}. */
export * from './acl.js';
export { type ClientEvents, connect, ZooKeeper } from './client.js';
export * from './codec.js';
export { CLIENT_PORT_DEFAULT, type ParsedTarget, parseTarget } from './connect-target.js';
export type { ConnectTrace, OperationTrace, SessionTrace, WatchTrace } from './diagnostics.js';
export * from './errors.js';
export { Namespace } from './namespace.js';
export { childOf, nameOf, parentOf } from './paths.js';
export { mayHaveCreated, protectedName, removeProtected } from './protected-create.js';
export { MultiRead, type ReadResult, Transaction } from './transaction.js';
export * from './types.js';
export { Watch } from './watch.js';
export { type NodeValue, ZNode } from './znode.js';
