/** How a test gets its server. */

import { TestServer } from './in-process-server.js';
import { serverDataOf } from './server-data.js';
import { configOf, loggerOf, type ServerOptions } from './server-options.js';

/**
 * Starts a real stand-alone server in this process; resolves when it serves, after a few milliseconds. Several can run at the
 * same time. Rejects when the configuration is wrong, the port is taken, or the data cannot be read.
 *
 * With node:test:
 *
 *     import { test } from 'node:test';
 *     import { connect } from '@zoots/client';
 *     import { startServer } from '@zoots/testing';
 *
 *     test('a lock goes with its session', async () => {
 *       await using server = await startServer();
 *       await using zk = await connect(server.connectString);
 *       await zk.create('/lock', null, { mode: 'ephemeral' });
 *       await server.killSession(zk);
 *       …
 *     });
 *
 * With vitest, one server for a file:
 *
 *     import { afterAll, beforeAll, expect, test } from 'vitest';
 *     import { startServer, type TestServer } from '@zoots/testing';
 *
 *     let server: TestServer;
 *     beforeAll(async () => { server = await startServer({ clock: 'virtual' }); });
 *     afterAll(() => server.stop());
 *
 *     test('old entries go', async () => {
 *       …
 *       await server.advance(3_600_000);
 *       …
 *     });
 */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const data = await serverDataOf(options.data);
  try {
    const config = configOf(options, data.directory);
    const isVirtual = options.clock === 'virtual';
    return await TestServer.start({ config, isVirtual, data, logger: await loggerOf(options.log) });
  } catch (error) {
    await data.discard();
    throw error;
  }
}
