import assert from 'node:assert/strict';
import { connect } from '@zoots/client';
import { startServer } from '@zoots/testing';

// In a test of your own this is the body of `test('…', async () => { … })`: a server in this process, on a free port.
await using server = await startServer();
await using worker = await connect(server.connectString);
await using observer = await connect(server.connectString);

await worker.create('/worker', null, { mode: 'ephemeral' });
const lost = worker.session?.signal;

await server.killSession(worker);
assert.equal(await observer.exists('/worker'), null);

// The client notices, and opens another session by itself.
await worker.connected();
while (lost?.aborted === false) await new Promise((resolve) => setTimeout(resolve, 5));
console.log('the worker has lost its session, and a new one');

// Prints:
// the worker has lost its session, and a new one
