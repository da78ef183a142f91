/**
 * @zoots/client/session-core: the client's session as a deterministic machine, for shells of its own kind (Node's sockets, the
 * simulator). Applications use @zoots/client.
 */
export * from './request.js';
export * from './session-core.js';
export * from './session-ports.js';
export * from './watch-registry.js';
