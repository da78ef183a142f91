import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type ZooKeeper } from '@zoots/client';
import { startServer } from '@zoots/testing';
import { SimpleLock } from './index.js';
import { gone, whenGone } from './node-ends.js';

/** Counts the reads of a client from now on. */
function countReads(client: ZooKeeper): () => number {
  const get = client.get.bind(client);
  let count = 0;
  client.get = (...words) => {
    count++;
    return get(...words);
  };
  return () => count;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < deadlineMs, `never: ${what}`);
    await sleep(5);
  }
}

test('all who wait for one znode share one watch, and all are told', async () => {
  await using server = await startServer();
  await using client = await connect(server.connectString);
  await client.create('/a', 'x');
  const reads = countReads(client);
  const told: string[] = [];
  const cancel = whenGone(client, '/a', () => told.push('cancelled'));
  whenGone(client, '/a', (error) => told.push(`one ${error}`));
  whenGone(client, '/a', (error) => told.push(`two ${error}`));
  cancel();
  assert.equal(reads(), 1);
  await client.set('/a', 'changed');
  await client.delete('/a');
  await until('both were told', () => told.length === 2);
  assert.deepEqual(told, ['one null', 'two null']);
  assert.equal(reads(), 2, 'once more after the change');
  await gone(client, '/a', new AbortController().signal);
  assert.equal(reads(), 3);
});

test('to try again and again for a lock that is taken leaves one watch, not many', async () => {
  await using server = await startServer();
  await using one = await connect(server.connectString);
  await using two = await connect(server.connectString);
  await using held = await new SimpleLock(one, '/l').acquire();
  const reads = countReads(two);
  const lock = new SimpleLock(two, '/l');
  // The first ones may be given up before they look at the holder.
  for (let tries = 0; tries < 10 || reads() === 0; tries++) {
    assert.equal(await lock.tryAcquire({ timeoutMs: 5 }), null);
  }
  assert.equal(reads(), 1);
  const waiting = lock.acquire();
  await held.release();
  await (await waiting).release();
});

test('a client that fails at once without a connection is told all the same', async () => {
  await using server = await startServer();
  const options = { whenSuspended: 'fail', backoff: { minMs: 5, maxMs: 20 } } as const;
  await using one = await connect(server.connectString, options);
  await using two = await connect(server.connectString, options);
  for (let round = 0; round < 5; round++) {
    const held = await new SimpleLock(one, '/l').acquire();
    const waiting = new SimpleLock(two, '/l').acquire();
    const suspended = new Promise((resolve) => two.once('state', resolve));
    server.dropConnections();
    await suspended;
    await held.release();
    await (await waiting).release();
  }
  assert.deepEqual(await one.children('/l'), []);
});

test('who may not read is told why', async () => {
  await using server = await startServer();
  await using client = await connect(server.connectString);
  const mayWrite = 2;
  await client.create('/secret', null, { acl: [{ perms: mayWrite, scheme: 'world', id: 'anyone' }] });
  await assert.rejects(gone(client, '/secret', new AbortController().signal), { code: 'ZK_NO_AUTH' });
});
