/** Caches: equal to the tree, events, gaps, what is read again after one, and nothing left after close. */
import { strict as assert } from 'node:assert';
import { ClientClosedError, connect, type ZooKeeper } from '@zoots/client';
import type { TestServer } from '@zoots/testing';
import { type CacheEvent, ChildrenCache, NodeCache, SharedValue, TreeCache } from './index.js';
import { countListeners, drop, staged, until, watchCount } from './stage.test.js';

/** Path, data and mzxid of every znode below `root` and of itself: what a cache must have. */
async function treeOf(zk: ZooKeeper, root: string): Promise<Record<string, string>> {
  const tree: Record<string, string> = {};
  if ((await zk.exists(root)) === null) return tree;
  for await (const path of zk.descendants(root)) {
    const { data, stat } = await zk.get(path);
    tree[path] = `${data?.toString() ?? 'null'} ${stat.mzxid}`;
  }
  return tree;
}

function copyOf(cache: TreeCache): Record<string, string> {
  return Object.fromEntries(
    cache.entries().map(({ path, data, stat }) => [path, `${data?.toString() ?? 'null'} ${stat.mzxid}`]),
  );
}

async function assertEqual(cache: TreeCache, zk: ZooKeeper): Promise<void> {
  await cache.sync({ timeoutMs: 10_000 });
  assert.deepEqual(copyOf(cache), await treeOf(zk, cache.path));
}

/** `added /t/a`, … */
function linesOf(events: readonly CacheEvent[]): string[] {
  return events.map(({ type, path, node }) => [type, path, node?.data?.toString()].filter(Boolean).join(' '));
}

async function plant(zk: ZooKeeper): Promise<void> {
  await zk.create('/t', 'root');
  await zk.create('/t/a', '1');
  await zk.create('/t/a/x', '2');
  await zk.create('/t/b', '3');
}

staged('a tree cache loads, follows and tells', async ({ one, two }) => {
  await plant(one);
  await using cache = new TreeCache(two, '/t');
  await cache.ready;
  await assertEqual(cache, one);
  assert.deepEqual(cache.children('/t'), ['a', 'b']);
  assert.equal(cache.get('/t/a/x')?.data?.toString(), '2');
  assert.equal(cache.get('/t/nothing'), null);

  const events: CacheEvent[] = [];
  cache.on((event) => events.push(event));
  await one.create('/t/a/y', '4');
  await one.set('/t/b', '5');
  await one.delete('/t/a/x');
  await cache.sync();
  assert.deepEqual(linesOf(events), ['added /t/a/y 4', 'changed /t/b 5', 'removed /t/a/x']);
  const [, changed, removed] = events;
  assert.equal(changed?.previous?.data?.toString(), '3');
  assert.equal(removed?.previous?.data?.toString(), '2');
  await assertEqual(cache, one);
});

staged('a tree cache of what does not exist yet', async ({ one, two }) => {
  await using cache = new TreeCache(two, '/t');
  await cache.ready;
  assert.equal(cache.size, 0);
  await plant(one);
  await assertEqual(cache, one);
  await one.deleteRecursive('/t');
  await cache.sync();
  assert.equal(cache.size, 0);
  await plant(one);
  await assertEqual(cache, one);
});

staged('a tree cache of everything', async ({ one, two }) => {
  await plant(one);
  await using cache = new TreeCache(two, '/', { depthMax: 2 });
  await cache.ready;
  assert.ok(cache.children('/').includes('t'));
  assert.deepEqual(cache.children('/t'), ['a', 'b']);
  assert.equal(cache.get('/t/a/x'), null);
});

staged('after a gap only what moved is told, and the copy is right', async ({ server, one, two }) => {
  await plant(one);
  await using cache = new TreeCache(two, '/t', { refreshJitterMs: 10 });
  await cache.ready;
  const events: CacheEvent[] = [];
  cache.on((event) => events.push(event));
  for (const round of ['first', 'second']) {
    await cutOff(server, two, async () => {
      await one.set('/t/b', round);
      await one.create(`/t/a/${round}`, 'n');
      await one.delete('/t/a/x');
      await one.create('/t/a/x', 'born again');
      assert.equal(cache.isCurrent, false);
    });
    await assertEqual(cache, one);
    assert.deepEqual(linesOf(events.splice(0)).sort(), [
      `added /t/a/${round} n`,
      'changed /t/a/x born again',
      `changed /t/b ${round}`,
    ]);
  }
  await cutOff(server, two, async () => {
    await one.deleteRecursive('/t/a');
  });
  await assertEqual(cache, one);
  const lines = linesOf(events);
  assert.equal(lines.pop(), 'removed /t/a');
  assert.deepEqual(lines.sort(), ['removed /t/a/first', 'removed /t/a/second', 'removed /t/a/x']);
});

/** Does something while the client has no connection. */
async function cutOff(server: TestServer, client: ZooKeeper, body: () => Promise<void>): Promise<void> {
  await drop(server, client);
  const again = setInterval(() => {
    const id = client.session?.id;
    if (server.sessions.some((session) => session.id === id && session.isConnected)) server.dropConnection(client);
  }, 1);
  try {
    await body();
  } finally {
    clearInterval(again);
  }
}

staged('after a gap without changes no data is read again', async ({ server, one, two }) => {
  await plant(one);
  const reads = countReads(two);
  await using cache = new TreeCache(two, '/t', { refreshJitterMs: 0 });
  await cache.ready;
  assert.deepEqual(reads.splice(0).sort(), [
    'children /t',
    'children /t/a',
    'get /t',
    'get /t/a',
    'get /t/a/x',
    'get /t/b',
  ]);
  await drop(server, two);
  await until('it is back', () => two.state === 'connected');
  await cache.sync();
  assert.deepEqual(reads.splice(0).sort(), ['exists /t', 'exists /t/a', 'exists /t/a/x', 'exists /t/b']);
  await one.set('/t/b', 'moved');
  await cache.sync();
  assert.deepEqual(reads, ['get /t/b']);
});

/** Notes the reads that go through this client. */
function countReads(client: ZooKeeper): string[] {
  const reads: string[] = [];
  for (const [name, note] of [
    ['get', 'get'],
    ['exists', 'exists'],
    ['childrenWithStat', 'children'],
  ] as const) {
    const read = client[name].bind(client) as (path: string) => Promise<never>;
    client[name] = ((path: string) => {
      reads.push(`${note} ${path}`);
      return read(path);
    }) as never;
  }
  return reads;
}

staged('a cache lives through the loss of its session', async ({ server, one, two }) => {
  await plant(one);
  await using cache = new TreeCache(two, '/t', { refreshJitterMs: 5 });
  await cache.ready;
  const { id } = await two.connected();
  await server.killSession(two);
  await one.set('/t/b', 'meanwhile');
  await until('there is a new session', () => two.session !== null && two.session.id !== id);
  await assertEqual(cache, one);
  await one.create('/t/later', 'x');
  await assertEqual(cache, one);
});

staged('many writers, and connections that break', async ({ server, one, two }) => {
  await one.create('/t', 'root');
  await using cache = new TreeCache(two, '/t', { refreshJitterMs: 3, parallelReadsMax: 4 });
  await cache.ready;
  const names = ['a', 'b', 'c', 'd', 'e'];
  let seed = 1;
  const dice = (sides: number): number => {
    seed = (seed * 48271) % 2147483647;
    return seed % sides;
  };
  const change = async (): Promise<void> => {
    const path = `/t/${names[dice(5)]}${dice(2) === 0 ? '' : `/${names[dice(5)]}`}`;
    const [first, second, third] = [
      () => one.create(path, String(dice(1000)), { parents: true }),
      () => one.set(path, String(dice(1000))),
      () => one.deleteRecursive(path),
    ];
    await [first, first, second, third][dice(4)]?.().catch(() => {});
  };
  for (let i = 0; i < 400; i++) {
    await change();
    if (i % 50 === 25) {
      await drop(server, two);
    }
  }
  await assertEqual(cache, one);
});

staged('two caches of one tree, of different depths', async ({ one, two }) => {
  await plant(one);
  await using tree = new TreeCache(two, '/t');
  await using children = new ChildrenCache(two, '/t');
  await Promise.all([tree.ready, children.ready]);
  assert.deepEqual(children.names(), ['a', 'b']);
  await children.close();
  await one.create('/t/c', 'after the other was closed');
  await assertEqual(tree, one);
});

staged('a children cache leaves out the parent and what is deeper', async ({ one, two }) => {
  await using cache = new ChildrenCache(two, '/t');
  await cache.ready;
  const events: CacheEvent[] = [];
  cache.on((event) => events.push(event));
  await plant(one);
  await cache.sync();
  assert.deepEqual(linesOf(events), ['added /t/a 1', 'added /t/b 3']);
  assert.deepEqual(
    cache.entries().map(({ path }) => path),
    ['/t/a', '/t/b'],
  );
  assert.equal(cache.get('b')?.data?.toString(), '3');
  assert.equal(cache.size, 2);
});

staged('iteration: what is there, what comes, and the end', async ({ one, two }) => {
  await plant(one);
  const cache = new ChildrenCache(two, '/t');
  await cache.ready;
  const lines: string[] = [];
  const events = cache.events({ initial: true });
  const reading = (async () => {
    for await (const event of events) lines.push(...linesOf([event]));
  })();
  await until('the first are read', () => lines.length === 2);
  await one.delete('/t/b');
  await until('the next is read', () => lines.length === 3);
  await cache.close();
  await reading;
  assert.deepEqual(lines, ['added /t/a 1', 'added /t/b 3', 'removed /t/b']);
});

staged('a slow reader is told that it missed something', async ({ one, two }) => {
  await one.create('/t');
  await using cache = new TreeCache(two, '/t');
  await cache.ready;
  const events = cache.events({ bufferMax: 3 });
  for (let i = 0; i < 10; i++) await one.create(`/t/${i}`);
  await cache.sync();
  assert.equal((await events.next()).value?.type, 'overflow');
  await events.return();
});

staged('an aborted iteration ends', async ({ one }) => {
  await using cache = new TreeCache(one, '/t');
  await cache.ready;
  const controller = new AbortController();
  const next = cache.events({ signal: controller.signal }).next();
  controller.abort();
  assert.deepEqual(await next, { done: true, value: undefined });
});

staged('an iteration throws when the client is closed', async ({ server }) => {
  const client = await connect(server.connectString);
  const cache = new TreeCache(client, '/t');
  await cache.ready;
  const next = cache.events().next();
  await client.close();
  await assert.rejects(next, ClientClosedError);
  await cache.close();
});

staged('a node cache follows one znode', async ({ one, two }) => {
  await using cache = new NodeCache(two, '/n');
  await cache.ready;
  assert.equal(cache.current, null);
  const values = cache.values();
  const next = async (): Promise<string | null> => (await values.next()).value?.data?.toString() ?? null;
  assert.equal(await next(), null);
  await one.create('/n', '1');
  assert.equal(await next(), '1');
  await one.create('/n/child', 'of no interest');
  await one.set('/n', '2');
  assert.equal(await next(), '2');
  await one.delete('/n/child');
  await one.delete('/n');
  assert.equal(await next(), null);
  await values.return();
});

staged('what may not be read is left out and told', async ({ one, two }) => {
  await one.create('/t');
  const secret = { scheme: 'digest', id: 'nobody:nothing', perms: 31 };
  await one.create('/t/secret', 'x', { acl: [secret] });
  const refused: string[] = [];
  await using cache = new TreeCache(two, '/t', { onError: (error, path) => refused.push(`${error.name} ${path}`) });
  await cache.ready;
  assert.deepEqual(refused, ['NoAuthError /t/secret']);
  assert.deepEqual(cache.children('/t'), []);
});

staged('nothing is left after close', async ({ server, one }) => {
  const listeners = countListeners(one);
  await plant(one);
  const caches = [new TreeCache(one, '/t'), new ChildrenCache(one, '/t'), new NodeCache(one, '/t/a')];
  await Promise.all(caches.map((cache) => cache.ready));
  assert.ok((await watchCount(server)) > 0);
  await Promise.all(caches.map((cache) => cache.close()));
  await until('no watch is left', async () => (await watchCount(server)) === 0);
  assert.equal(listeners(), 0);
});

staged('a cache that is closed before it is loaded says so', async ({ one }) => {
  const cache = new TreeCache(one, '/t');
  await cache.close();
  await assert.rejects(cache.ready, /closed/);
  await assert.rejects(cache.sync(), /closed/);
});

staged('a shared value: a copy, and writes that respect others', async ({ one, two }) => {
  const number = {
    encode: (value: number) => Buffer.from(String(value)),
    decode: (data: Buffer | null) => Number(data),
  };
  await using a = await SharedValue.open(one, '/v', number, 1);
  await using b = await SharedValue.open(two, '/v', number, 9);
  assert.equal(b.value, 1);
  const seen: number[] = [];
  b.on((value) => seen.push(value));
  assert.equal(await a.trySet(2), true);
  assert.equal(a.value, 2);
  await b.sync();
  assert.equal(b.value, 2);
  assert.equal(await b.trySet(3), true);
  await a.set(4);
  await b.sync();
  assert.deepEqual(seen, [2, 3, 4]);
  await Promise.all([a.sync(), b.sync()]);
  assert.deepEqual((await Promise.all([a.trySet(5), b.trySet(6)])).filter(Boolean).length, 1);
  await Promise.all([a.sync(), b.sync()]);
  assert.equal(a.value, b.value);
  await one.delete('/v');
  await a.sync();
  assert.equal(a.value, 1);
  assert.equal(await a.trySet(7), true);
});
