import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startServer, type TestServer } from '@zoots/testing';
import { connect, type ZooKeeper } from './client.js';
import { NoAuthError } from './errors.js';

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

async function collect(path: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const one of zk.descendants(path)) paths.push(one);
  return paths;
}

test('parents before children, siblings sorted', async () => {
  for (const path of ['/t', '/t/b', '/t/a', '/t/a/z', '/t/a/y', '/t/b/x']) await zk.create(path);
  assert.deepEqual(await collect('/t'), ['/t', '/t/a', '/t/a/y', '/t/a/z', '/t/b', '/t/b/x']);
  assert.deepEqual(await collect('/t/none'), []);
  assert.equal(await zk.deleteRecursive('/t'), 6);
});

test('a wide and deep tree is gone through and deleted whole', async () => {
  await zk.create('/wide');
  const made: Promise<string>[] = [];
  for (let i = 0; i < 300; i++) {
    made.push(zk.create(`/wide/${i}`));
    for (let j = 0; j < 3; j++) made.push(zk.create(`/wide/${i}/${j}`));
  }
  await Promise.all(made);
  const paths = await collect('/wide');
  assert.equal(paths.length, 1201);
  assert.equal(new Set(paths).size, 1201);
  assert.equal(await zk.deleteRecursive('/wide'), 1201);
  assert.equal(await zk.deleteRecursive('/wide'), 0);
});

test('what others add meanwhile is deleted too', async () => {
  await zk.create('/busy');
  await using other = await connect(server.connectString);
  await Promise.all(Array.from({ length: 200 }, (_, i) => zk.create(`/busy/${i}`)));
  let isDone = false;
  const adding = (async () => {
    for (let i = 0; !isDone && i < 10_000; i++) await other.create(`/busy/new-${i}`).catch(() => {});
  })();
  await zk.deleteRecursive('/busy');
  isDone = true;
  await adding;
  assert.equal(await zk.exists('/busy'), null);
});

test('a refused delete is told, and leaves nothing running', async () => {
  await zk.create('/kept/locked/x', '', { parents: true });
  await zk.setAcl('/kept/locked', [{ perms: 1 | 16, scheme: 'world', id: 'anyone' }]);
  await assert.rejects(zk.deleteRecursive('/kept'), NoAuthError);
  assert.equal(zk.pendingCount, 0);
});
