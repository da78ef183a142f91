import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startServer, type TestServer } from '@zoots/testing';
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
