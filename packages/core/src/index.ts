/** @zoots/core: the server as a pure, deterministic machine. Start with server.ts. */
export * from './limits.js';
export * from './ports.js';
export { AclChecker, type Scheme } from './request/acl-check.js';
export * from './server.js';
export { Connection, type ConnectionState, forEachPart, type Loan, WriterPool } from './session/connection.js';
export { sessionPassword } from './session/password.js';
export { Session, SessionTable } from './session/session-table.js';
export * from './statistics.js';
export * from './tree/ephemerals.js';
export { S, STAT_INTS } from './tree/stat-rows.js';
export { Tree, type TreeOptions } from './tree/tree.js';
export { F, NONE, PIN, ROOT, ZnodeStore } from './tree/znode-store.js';
export { WatchTable } from './watch/watch-table.js';
export * from './zab/peer.js';
export * from './zab/peer-contract.js';
export { PeerStatistics } from './zab/peer-statistics.js';
export { PeerStream } from './zab/peer-stream.js';
export type { EnsembleRules, QuorumNet } from './zab/quorum-net.js';
