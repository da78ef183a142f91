/** Namespaces, chroots, and the helpers that people write again and again. */
import { strict as assert } from 'node:assert';
import { json, type NodeData, NoNodeError, raw, text, type ZooKeeper } from '@zoots/client';
import { type ClientRow, failureOf, type Stage, until } from './row.js';

async function chroot(stage: Stage): Promise<void> {
  const outside = await stage.connect();
  await outside.create(`${stage.root}/app`);
  const zk = await stage.connect({}, `${stage.connectString}${stage.root}/app`);
  assert.equal(await zk.create('/a', 'x'), '/a');
  assert.equal(await zk.create('/s-', null, { mode: 'ephemeral-sequential' }), '/s-0000000001');
  assert.equal(String((await outside.get(`${stage.root}/app/a`)).data), 'x');
  assert.deepEqual((await zk.children('/')).sort(), ['a', 's-0000000001']);
  assert.deepEqual(await zk.ephemerals(), ['/s-0000000001']);
  const error = (await failureOf(zk.get('/none'))) as NoNodeError;
  assert.ok(error instanceof NoNodeError);
  assert.equal(error.path, '/none');
  const events: string[] = [];
  await zk.get('/a', { watch: (event) => events.push(`${event.type} ${event.path}`) });
  await outside.set(`${stage.root}/app/a`, 'y');
  await until('the event', () => events.length > 0);
  assert.deepEqual(events, ['changed /a']);
  assert.deepEqual(await zk.transaction().create('/t').commit(), ['/t']);
  const missing = await stage.connect({}, `${stage.connectString}${stage.root}/missing`);
  assert.ok((await failureOf(missing.create('/a'))) instanceof NoNodeError);
}

async function namespaces(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const app = zk.namespace(stage.root).namespace('/app');
  assert.equal(app.prefix, `${stage.root}/app`);
  assert.equal(app.client, zk);
  await app.ensurePath('/');
  assert.equal(await app.create('/x', '1'), '/x');
  assert.equal(String((await zk.get(`${stage.root}/app/x`)).data), '1');
  await using watch = app.watch('/', { recursive: true });
  await watch.ready;
  const events = watch[Symbol.asyncIterator]();
  await zk.set(`${stage.root}/app/x`, '2');
  assert.equal((await events.next()).value?.path, '/x');
  const many = app.transaction().create('/y').create('/z');
  assert.deepEqual(await many.commit(), ['/y', '/z']);
}

async function helpers(stage: Stage): Promise<void> {
  const zk = (await stage.connect()).namespace(stage.root);
  await zk.ensurePath('/a/b/c');
  await zk.ensurePath('/a/b/c');
  await zk.create('/a/b/c/d/e', 'x', { parents: true });
  await zk.create('/a/f/g', 'x', { parents: 'container' });
  const paths: string[] = [];
  for await (const path of zk.descendants('/a')) paths.push(path);
  assert.deepEqual(paths, ['/a', '/a/b', '/a/b/c', '/a/b/c/d', '/a/b/c/d/e', '/a/f', '/a/f/g']);
  assert.equal(await zk.deleteRecursive('/a'), 7);
  assert.equal(await zk.deleteRecursive('/a'), 0);
  const first = await zk.getOrCreate('/n', 'one');
  assert.equal(first.created, true);
  const second = await zk.getOrCreate('/n', 'two');
  assert.equal(second.created, false);
  assert.equal(String(second.data), 'one');
}

async function updates(stage: Stage): Promise<void> {
  const clients = await Promise.all([stage.connect(), stage.connect(), stage.connect()]);
  const path = `${stage.root}/counter`;
  await (clients[0] as ZooKeeper).create(path, '0');
  const increment = (zk: ZooKeeper): Promise<NodeData> => zk.update(path, (data) => String(Number(data) + 1));
  const each = 20;
  await Promise.all(
    clients.map(async (zk) => {
      for (let i = 0; i < each; i++) await increment(zk);
    }),
  );
  const { data, stat } = await (clients[0] as ZooKeeper).get(path);
  assert.equal(String(data), String(each * clients.length));
  assert.equal(stat.version, each * clients.length);
}

async function codecs(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const node = zk.node(`${stage.root}/settings`, json<{ retries: number; names: string[] }>());
  await node.create({ retries: 3, names: ['ä'] });
  const { value, stat } = await node.get();
  assert.deepEqual(value, { retries: 3, names: ['ä'] });
  await node.set({ retries: 4, names: [] }, { version: stat.version });
  await node.update((old) => ({ ...old, retries: old.retries + 1 }));
  assert.equal((await node.get()).value.retries, 5);
  const words = zk.node(`${stage.root}/words`, text());
  await words.create('über');
  assert.equal((await words.get()).value, 'über');
  const bytes = zk.node(`${stage.root}/bytes`, raw());
  await bytes.create(Buffer.from([1, 2]));
  assert.deepEqual((await bytes.get()).value, Buffer.from([1, 2]));
  await node.delete();
  assert.equal(await zk.exists(`${stage.root}/settings`), null);
}

async function values(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const writer = await stage.connect();
  const path = `${stage.root}/value`;
  const controller = new AbortController();
  const seen: (string | null)[] = [];
  const reading = (async () => {
    for await (const entry of zk.node(path, text()).values({ signal: controller.signal })) {
      seen.push(entry === null ? null : entry.value);
    }
  })();
  const after = (value: string | null): Promise<void> => until(`value ${value}`, () => seen.at(-1) === value);
  await until('the first value', () => seen.length === 1);
  await writer.create(path, 'one');
  await after('one');
  await writer.set(path, 'two');
  await after('two');
  await writer.delete(path);
  await after(null);
  await writer.create(path, 'three');
  await after('three');
  controller.abort();
  await reading.catch((error: Error) => assert.equal(error.name, 'AbortError'));
  assert.deepEqual(seen, [null, 'one', 'two', null, 'three']);
}

export const namespaceRows: readonly ClientRow[] = [
  { name: 'chroot of the connect string', run: chroot },
  { name: 'namespaces', run: namespaces },
  { name: 'ensurePath, parents, descendants, deleteRecursive, getOrCreate', run: helpers },
  { name: 'update: 60 increments by 3 clients', run: updates },
  { name: 'typed znodes', run: codecs },
  { name: 'values of a znode as they come', run: values },
];
