import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startServer, type TestServer } from '@zoots/testing';
import { digestAcl } from './acl.js';
import { connect, type ZooKeeper } from './client.js';
import { json, raw, text } from './codec.js';

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

interface Config {
  readonly level: number;
}

test('typed reading, writing and updating', async () => {
  const config = zk.node<Config>('/config', json<Config>());
  await config.create({ level: 1 });
  assert.deepEqual((await config.get()).value, { level: 1 });
  const stat = await config.set({ level: 2 }, { version: 0 });
  assert.equal(stat.version, 1);
  const updated = await config.update(({ level }) => ({ level: level + 1 }));
  assert.deepEqual(updated.value, { level: 3 });
  await config.delete();
  assert.equal(await config.exists(), null);
});

test('codecs: text, bytes, checked JSON', async () => {
  const words = zk.node('/words', text());
  await words.create('grüß');
  assert.equal((await words.get()).value, 'grüß');
  const bytes = zk.node('/words', raw());
  assert.deepEqual((await bytes.get()).value, Buffer.from('grüß'));
  const strict = zk.node(
    '/words',
    json((value) => {
      if (typeof value !== 'number') throw new TypeError('not a number');
      return value;
    }),
  );
  await assert.rejects(strict.get(), SyntaxError);
  await strict.set(7);
  assert.equal((await strict.get()).value, 7);
  await words.set('"x"');
  await assert.rejects(strict.get(), /not a number/);
});

test('values: missing, there, changed, through a lost connection and a lost session, gone', async () => {
  const node = zk.node('/value', text());
  await using other = await connect(server.connectString);
  const values = node.values();
  const next = async (): Promise<string | null | undefined> => {
    const { value } = await values.next();
    return value === null ? null : value?.value;
  };
  assert.equal(await next(), null);
  await other.create('/value', 'a');
  assert.equal(await next(), 'a');
  server.dropConnection(zk);
  await other.set('/value', 'b');
  assert.equal(await next(), 'b');
  await server.killSession(zk);
  await other.set('/value', 'c');
  assert.equal(await next(), 'c');
  await other.delete('/value');
  assert.equal(await next(), null);
  await values.return();
});

test('values end with the signal', async () => {
  const controller = new AbortController();
  const values = zk.node('/signal', text()).values({ signal: controller.signal });
  assert.equal((await values.next()).value, null);
  const ended = values.next();
  controller.abort();
  assert.equal((await ended).done, true);
});

/** What is read first by a client whose session is lost meanwhile, and that finds no server for as long as a request would wait. */
async function withoutServer(read: (client: ZooKeeper) => AsyncGenerator<unknown, void>): Promise<unknown> {
  await using alone = await startServer();
  await using client = await connect(alone.connectString, { sessionTimeoutMs: 200, backoff: { minMs: 10, maxMs: 20 } });
  const session = await client.connected();
  const lost = new Promise((resolve) => session.signal.addEventListener('abort', resolve));
  alone.refuse();
  while (client.state === 'connected') await new Promise((resolve) => setTimeout(resolve, 1));
  const next = read(client).next();
  await lost;
  // A request that waits now is given up after as long again.
  await assert.rejects(client.get('/'), { code: 'ZK_CONNECTION_LOSS' });
  alone.admit();
  return (await next).value;
}

test('values go on when no server could be reached for longer than a read waits', async () => {
  const found = await withoutServer((client) => client.node('/', text()).values());
  assert.equal((found as { value: string }).value, '');
});

test('watchConfig goes on when no server could be reached for longer than a read waits', async () => {
  const found = await withoutServer((client) => client.watchConfig());
  assert.equal((found as { version: bigint }).version, 0n);
});

test('values of a client that does not wait go on, too', async () => {
  await using alone = await startServer();
  await using client = await connect(alone.connectString, { whenSuspended: 'fail', backoff: { minMs: 10, maxMs: 20 } });
  alone.refuse();
  while (client.state === 'connected') await new Promise((resolve) => setTimeout(resolve, 1));
  const next = client.node('/', text()).values().next();
  await assert.rejects(client.get('/'), { code: 'ZK_CONNECTION_LOSS' });
  alone.admit();
  assert.equal((await next).value?.value, '');
});

test('values end quietly while they wait for a server: with the signal, and with the client', async () => {
  await using alone = await startServer();
  await using client = await connect(alone.connectString);
  const controller = new AbortController();
  alone.refuse();
  while (client.state === 'connected') await new Promise((resolve) => setTimeout(resolve, 1));
  const byClient = client.node('/', text()).values().next();
  const bySignal = client.node('/', text()).values({ signal: controller.signal }).next();
  controller.abort();
  assert.equal((await bySignal).done, true);
  await client.close();
  assert.equal((await byClient).done, true);
});

test('what is not a matter of connections ends the values', async () => {
  await using other = await connect(server.connectString);
  await other.create('/hidden', null, { acl: [digestAcl('bob', 'pw')] });
  await assert.rejects(zk.node('/hidden', text()).values().next(), { code: 'ZK_NO_AUTH' });
});
