import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startServer, type TestServer } from '@zoots/testing';
import { connect, type ZooKeeper } from './client.js';
import { ArgumentError, BadVersionError, NoNodeError, TransactionError } from './errors.js';
import type { CreatedNode, Stat } from './types.js';

let server: TestServer;
let zk: ZooKeeper;

before(async () => {
  server = await startServer();
  zk = await connect(server.connectString);
});

after(async () => {
  await zk.close();
  await server.stop();
});

test('all parts happen, and the results have the types of the parts', async () => {
  await zk.create('/old');
  const results: [string, CreatedNode, Stat, undefined, undefined] = await zk
    .transaction()
    .create('/a', 'x')
    .createWithStat('/a/s-', 'y', { mode: 'ephemeral-sequential' })
    .set('/a', 'z', { version: 0 })
    .check('/a', { version: 1 })
    .delete('/old')
    .commit();
  assert.equal(results[0], '/a');
  assert.match(results[1].path, /^\/a\/s-\d{10}$/);
  assert.equal(results[1].stat.ephemeralOwner, zk.session?.id);
  assert.equal(results[2].version, 1);
  assert.equal(results[3], undefined);
  assert.equal(await zk.exists('/old'), null);
});

test('containers and TTL znodes, and what is read behind them', async () => {
  const results = await zk
    .transaction()
    .create('/container', null, { mode: 'container' })
    .create('/ttl-', null, { mode: 'persistent-sequential-with-ttl', ttlMs: 60_000 })
    .createWithStat('/container/c', 'x', { mode: 'container' })
    .set('/container', 'y')
    .create('/plain')
    .commit();
  assert.equal(results[0], '/container');
  assert.match(results[1], /^\/ttl-\d{10}$/);
  assert.equal(results[2].path, '/container/c');
  assert.equal(results[2].stat.dataLength, 1);
  assert.equal(results[3].version, 1);
  assert.equal(results[4], '/plain');
});

test('a refused part is named, and nothing is done', async () => {
  await zk.create('/b', 'before');
  const failing = zk
    .transaction()
    .set('/b', 'after')
    .create('/b/c')
    .set('/b', 'x', { version: 9 })
    .delete('/b')
    .commit();
  await assert.rejects(failing, (error: TransactionError) => {
    assert.ok(error instanceof TransactionError);
    assert.equal(error.failedIndex, 2);
    assert.ok(error.cause instanceof BadVersionError);
    assert.equal(error.code, 'ZK_BAD_VERSION');
    assert.equal(error.path, '/b');
    assert.equal(error.outcome, 'refused');
    return true;
  });
  assert.equal((await zk.get('/b')).data?.toString(), 'before');
  assert.equal(await zk.exists('/b/c'), null);
});

test('below a namespace, in and out', async () => {
  await zk.ensurePath('/ns');
  const [path] = await zk.namespace('/ns').transaction().create('/x').commit();
  assert.equal(path, '/x');
  const failing = zk.namespace('/ns').transaction().delete('/none').commit();
  await assert.rejects(failing, (error: TransactionError) => error.path === '/none');
});

test('several reads at once, each with its own result', async () => {
  await zk.create('/r', 'data');
  await zk.create('/r/child');
  const [data, children, missing] = await zk.multiRead().get('/r').children('/r').get('/none').commit();
  assert.ok(data.ok && data.value.data?.toString() === 'data');
  assert.ok(children.ok);
  assert.deepEqual(children.value, ['child']);
  assert.ok(!missing.ok && missing.error instanceof NoNodeError && missing.error.path === '/none');
});

test('the empty transaction succeeds, and parts may be added one by one', async () => {
  assert.deepEqual(await zk.transaction().commit(), []);
  const transaction = zk.transaction();
  for (const name of ['one', 'two']) transaction.create(`/${name}`);
  assert.deepEqual(await transaction.commit(), ['/one', '/two']);
  assert.throws(() => zk.transaction().create('bad'), ArgumentError);
});
