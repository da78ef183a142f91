import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startServer, type TestServer } from '@zoots/testing';
import { connect, type ZooKeeper } from './client.js';
import { ConnectionLossError, NoNodeError, RequestAbortedError } from './errors.js';
import type { Namespace } from './namespace.js';
import { createProtected, mayHaveCreated, protectedName, removeProtected } from './protected-create.js';

let server: TestServer;
let zk: ZooKeeper;

before(async () => {
  server = await startServer();
  zk = await connect(server.connectString);
  await zk.create('/locks');
});

after(async () => {
  await zk.close();
  await server.stop();
});

test('the name has its prefix, and the znode is made once', async () => {
  const path = await zk.create('/locks/x-', 'd', { mode: 'ephemeral-sequential', protected: true });
  assert.match(path, /^\/locks\/_c_[0-9a-f-]{36}-x-\d{10}$/);
  await assert.rejects(zk.create('/none/x', null, { protected: true }), NoNodeError);
  await zk.delete(path);
});

const options = { mode: 'ephemeral-sequential' } as const;

/** The connection breaks at the first attempt, before or after the server did what it was asked. */
function breaking(isDone: boolean): { readonly create: Namespace['createWithStat']; readonly attempts: () => number } {
  let attempts = 0;
  const create: Namespace['createWithStat'] = async (path, data, more) => {
    attempts++;
    if (attempts > 1) return zk.createWithStat(path, data, more);
    if (isDone) await zk.createWithStat(path, data, more);
    throw new ConnectionLossError('unknown', { operation: 'create', path });
  };
  return { create, attempts: () => attempts };
}

test('a create that was done and not answered is found again', async () => {
  const { create, attempts } = breaking(true);
  const { path } = await createProtected(zk, create, '/locks/l-', 'd', options);
  assert.equal(attempts(), 1);
  assert.deepEqual(await zk.children('/locks'), [path.slice('/locks/'.length)]);
  await zk.delete(path);
});

test('a create that was not done is made', async () => {
  const { create, attempts } = breaking(false);
  const { path } = await createProtected(zk, create, '/locks/l-', 'd', options);
  assert.equal(attempts(), 2);
  assert.equal((await zk.children('/locks')).length, 1);
  await zk.delete(path);
});

test('a real break: whatever the server had done, there is one znode', async () => {
  server.freeze();
  const creating = zk.create('/locks/r-', 'd', { ...options, protected: true });
  await new Promise((resolve) => setImmediate(resolve));
  server.dropConnection(zk);
  server.thaw();
  const path = await creating;
  assert.deepEqual(await zk.children('/locks'), [path.slice('/locks/'.length)]);
  await zk.delete(path);
});

test('what a given-up create may have left is taken away by its name', async () => {
  const name = protectedName('g-');
  await zk.create(`/locks/${name}`, null, options);
  await zk.create('/locks/other-', null, options);
  await removeProtected(zk, '/locks', name);
  assert.deepEqual(
    (await zk.children('/locks')).filter((child) => child.startsWith('_c_')),
    [],
  );
  assert.equal(mayHaveCreated(new RequestAbortedError('unknown')), true);
  assert.equal(mayHaveCreated(new RequestAbortedError('not-sent')), false);
  assert.equal(mayHaveCreated(new Error('other')), false);
});
