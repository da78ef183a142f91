/**
 * @zoots/testing: a real ZooKeeper server inside the process of your tests, or a whole ensemble of them. Start with
 * {@link startServer} or {@link startCluster}.
 */
export type { LogRecord } from '@zoots/base';
export type { ClusterMember, MemberRole } from './cluster-member.js';
export type { ServerSession, TestServer } from './in-process-server.js';
export type { ClusterOptions, ServerOptions } from './server-options.js';
export type { SessionReference } from './session-reference.js';
export { startCluster } from './start-cluster.js';
export { startServer } from './start-server.js';
export type { TestCluster } from './test-cluster.js';
