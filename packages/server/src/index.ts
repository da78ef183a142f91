/** @zoots/server: the Node shell. What the command line and the tests may use. */
export * from './config/server-config.js';
export * from './exit-codes.js';
export * from './running-server.js';
export * from './version.js';
