/** @zoots/testing: a real ZooKeeper server inside the process of your tests. Start with {@link startServer}. */
export type { LogRecord } from '@zoots/base';
export type { ServerSession, SessionReference, TestServer } from './in-process-server.js';
export type { ServerOptions } from './server-options.js';
export { startServer } from './start-server.js';
