import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startServer, type TestServer } from '@zoots/testing';
import { connect, type ZooKeeper } from './client.js';
import { NoNodeError, NoWatcherError } from './errors.js';
import type { WatchEvent } from './types.js';
import type { Watch } from './watch.js';

let server: TestServer;
let zk: ZooKeeper;
let other: ZooKeeper;

before(async () => {
  server = await startServer();
  zk = await connect(server.connectString);
  other = await connect(server.connectString);
});

after(async () => {
  await other.close();
  await zk.close();
  await server.stop();
});

async function take(watch: Watch, count: number): Promise<string[]> {
  const taken: string[] = [];
  const iterator = watch[Symbol.asyncIterator]();
  while (taken.length < count) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    taken.push(`${value.type} ${value.path}`);
  }
  return taken;
}

function nextState(client: ZooKeeper, wanted: string): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (client.state !== wanted) return;
      client.off('state', check);
      resolve();
    };
    client.on('state', check);
  });
}

test('a persistent watch tells every change of one znode', async () => {
  await using watch = zk.watch('/p');
  await watch.ready;
  await other.create('/p', 'a');
  await other.set('/p', 'b');
  await other.create('/p/c');
  await other.delete('/p/c');
  await other.delete('/p');
  assert.deepEqual(await take(watch, 5), ['created /p', 'changed /p', 'children /p', 'children /p', 'deleted /p']);
});

test('a recursive watch tells the whole subtree, with zxids', async () => {
  await zk.create('/r');
  await using watch = zk.watch('/r', { recursive: true });
  await watch.ready;
  await other.create('/r/a');
  const stat = await other.set('/r/a', 'x');
  await other.create('/r/a/b');
  await other.create('/rest');
  await other.delete('/r/a/b');
  const events: WatchEvent[] = [];
  for await (const event of watch) {
    events.push(event);
    if (events.length === 4) break;
  }
  assert.deepEqual(
    events.map(({ type, path }) => `${type} ${path}`),
    ['created /r/a', 'changed /r/a', 'created /r/a/b', 'deleted /r/a/b'],
  );
  assert.equal(events[1]?.zxid, stat.mzxid);
});

test('a listener instead of an iteration', async () => {
  const events: string[] = [];
  const watch = zk.watch('/listened', {}, (event) => events.push(event.type));
  await watch.ready;
  await zk.create('/listened');
  await zk.delete('/listened');
  assert.deepEqual(events, ['created', 'deleted']);
  await watch.close();
  await zk.create('/listened');
  assert.deepEqual(events, ['created', 'deleted']);
});

test('one-shot watches fire once, each listener once per event', async () => {
  await zk.create('/once', 'a');
  const events: string[] = [];
  const listener = (event: WatchEvent): void => {
    events.push(`${event.type} ${event.path}`);
  };
  await zk.get('/once', { watch: listener });
  await zk.exists('/once', { watch: listener });
  await zk.children('/once', { watch: listener });
  await other.set('/once', 'b');
  await other.set('/once', 'c');
  await other.create('/once/c');
  await zk.sync('/once');
  assert.deepEqual(events, ['changed /once', 'children /once']);
  await assert.rejects(zk.get('/never', { watch: listener }), NoNodeError);
  await other.create('/never');
  await zk.sync('/never');
  assert.equal(events.length, 2);
});

test('after a reconnect: one-shot watches tell what was missed, persistent ones a gap, and both live on', async () => {
  await zk.create('/re', 'a');
  const once: string[] = [];
  await zk.get('/re', { watch: (event) => once.push(event.type) });
  await using watch = zk.watch('/re');
  await watch.ready;
  const suspended = nextState(zk, 'suspended');
  server.freeze();
  server.dropConnection(zk);
  await suspended;
  server.thaw();
  await other.set('/re', 'b');
  await zk.connected();
  await zk.sync('/re');
  assert.deepEqual(once, ['changed']);
  assert.equal((await take(watch, 1))[0], 'gap /re');
  await other.set('/re', 'c');
  await zk.sync('/re');
  assert.equal((await take(watch, 1)).at(-1), 'changed /re');
});

test('a new session has the watches of the old one', async () => {
  await zk.create('/session', 'a');
  const once: string[] = [];
  await zk.exists('/session', { watch: (event) => once.push(event.type) });
  await using watch = zk.watch('/session', { recursive: true });
  await watch.ready;
  const before = zk.session?.id;
  const lost = nextState(zk, 'lost');
  await server.killSession(zk);
  await lost;
  await zk.connected();
  assert.notEqual(zk.session?.id, before);
  await other.set('/session', 'b');
  await zk.sync('/session');
  assert.deepEqual(once, ['changed']);
  assert.deepEqual(await take(watch, 2), ['gap /session', 'changed /session']);
});

test('closing: the iteration ends, the server forgets, other watches of the path stay', async () => {
  await zk.create('/closed');
  const first = zk.watch('/closed');
  const second = zk.watch('/closed');
  await Promise.all([first.ready, second.ready]);
  const ended = take(first, 1);
  await first.close();
  assert.deepEqual(await ended, []);
  await other.set('/closed', 'x');
  assert.deepEqual(await take(second, 1), ['changed /closed']);
  await second.close();
  await assert.rejects(zk.removeWatches('/closed'), NoWatcherError);
});

test('closing a watch, or removing all, leaves alone what is asked for at the same time', async () => {
  await zk.create('/busy');
  const seen: string[] = [];
  const first = zk.watch('/busy', {}, () => seen.push('first'));
  await first.ready;
  const second = zk.watch('/busy', {}, () => seen.push('second'));
  const once = zk.get('/busy', { watch: () => seen.push('once') });
  await Promise.all([first.close(), second.ready, once]);
  await other.set('/busy', '1');
  await zk.sync('/busy');
  assert.deepEqual(seen, ['once', 'second']);
  seen.length = 0;
  // Both replies come in one chunk: what the later one registers must not go with the earlier one.
  const removing = zk.removeWatches('/busy');
  const afterwards = zk.get('/busy', { watch: () => seen.push('afterwards') });
  await Promise.all([removing, afterwards]);
  await other.set('/busy', '2');
  await zk.sync('/busy');
  assert.deepEqual(seen, ['afterwards']);
});

test('a signal closes a watch, and so does leaving the loop', async () => {
  const controller = new AbortController();
  const watch = zk.watch('/signal', { signal: controller.signal });
  await watch.ready;
  controller.abort();
  assert.deepEqual(await take(watch, 1), []);
  const looped = zk.watch('/signal');
  await looped.ready;
  await other.create('/signal');
  for await (const event of looped) {
    assert.equal(event.type, 'created');
    break;
  }
  await assert.rejects(zk.removeWatches('/signal'), NoWatcherError);
});

test('removeWatches ends iterations', async () => {
  const watch = zk.watch('/removed', { recursive: true });
  await watch.ready;
  const ended = take(watch, 1);
  await zk.removeWatches('/removed', 'recursive');
  assert.deepEqual(await ended, []);
});

test('removeWatches that was given up and done by the server all the same ends iterations', async () => {
  const watch = zk.watch('/removed', { recursive: true });
  await watch.ready;
  const ended = take(watch, 1);
  const giveUp = new AbortController();
  const removing = zk.removeWatches('/removed', 'recursive', { signal: giveUp.signal });
  await new Promise((resolve) => process.nextTick(resolve));
  giveUp.abort();
  await assert.rejects(removing, { name: 'AbortError', outcome: 'unknown' });
  assert.deepEqual(await ended, []);
});

test('a slow reader gets a gap instead of endless memory', async () => {
  await zk.create('/slow');
  await using watch = zk.watch('/slow', { bufferMax: 3 });
  await watch.ready;
  for (let i = 0; i < 4; i++) await zk.set('/slow', String(i));
  assert.deepEqual(await take(watch, 1), ['gap /slow']);
  await zk.set('/slow', 'x');
  assert.deepEqual(await take(watch, 1), ['changed /slow']);
});

test('the client hears every event under its server path', async () => {
  const events: string[] = [];
  const listener = (event: WatchEvent): void => {
    events.push(`${event.type} ${event.path}`);
  };
  zk.on('watch', listener);
  await zk.ensurePath('/all/inner');
  await zk.namespace('/all').exists('/inner/x', { watch: () => {} });
  await other.create('/all/inner/x');
  await zk.sync('/');
  zk.off('watch', listener);
  assert.deepEqual(events, ['created /all/inner/x']);
});

test('closing the client ends every watch', async () => {
  const short = await connect(server.connectString);
  const watch = short.watch('/end');
  await watch.ready;
  const ended = take(watch, 1);
  await short.close();
  assert.deepEqual(await ended, []);
});
