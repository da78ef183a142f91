/** Queues: order, nobody gets the same, nothing is lost by a death where that is promised, names and frames of others. */
import { strict as assert } from 'node:assert';
import { RequestTimeoutError, SessionLostError } from '@zoots/client';
import { DelayQueue, LockingQueue, PriorityQueue, Queue } from './index.js';
import { childrenOf, countListeners, staged, tracked, until, watchCount } from './stage.test.js';

staged('first in, first out', async ({ one, two }) => {
  const queue = new Queue(one, '/q');
  assert.equal(await queue.poll(), undefined);
  assert.equal(await queue.peek(), undefined);
  for (const text of ['a', 'b', 'c']) await queue.put(text);
  const other = new Queue(two, '/q');
  assert.equal(String(await other.peek()), 'a');
  assert.equal(await other.size(), 3);
  assert.equal(String(await other.take()), 'a');
  assert.equal(String(await queue.take()), 'b');
  assert.equal(String(await other.poll()), 'c');
  assert.equal(await other.poll(), undefined);
});

staged('a take waits, and a wait that is given up leaves nothing behind', async ({ server, one, two }) => {
  const listeners = countListeners(one);
  const queue = new Queue(one, '/q');
  await assert.rejects(queue.take({ timeoutMs: 20 }), RequestTimeoutError);
  const taking = tracked(queue.take());
  await until('it waits', async () => (await watchCount(server)) === 1);
  assert.equal(taking.isSettled, false);
  await new Queue(two, '/q').put('x');
  assert.equal(String(await taking.promise), 'x');
  assert.equal(await watchCount(server), 0);
  assert.equal(listeners(), 0);
});

staged('every entry goes to one consumer', async ({ one, two, another }) => {
  const three = await another();
  const taken: string[] = [];
  const controller = new AbortController();
  const consumers = [one, two, three].map(async (zk) => {
    for await (const { data } of new Queue(zk, '/q').entries({ signal: controller.signal })) taken.push(String(data));
  });
  const queue = new Queue(one, '/q');
  for (let i = 0; i < 60; i++) await queue.put(String(i));
  await until('all are taken', () => taken.length >= 60);
  controller.abort();
  await Promise.all(consumers);
  assert.deepEqual(
    taken.map(Number).sort((a, b) => a - b),
    Array.from({ length: 60 }, (_, i) => i),
  );
});

staged('layouts: names and frames', async ({ one }) => {
  assert.match(await new Queue(one, '/k').put('x'), /^entry-100-\d{10}$/);
  assert.match(await new Queue(one, '/s', { layout: 'curator-simple' }).put('x'), /^qn-\d{10}$/);
  const curator = new Queue(one, '/c', { layout: 'curator' });
  const name = await curator.put('xy');
  assert.match(name, /^queue-\d{10}$/);
  assert.equal((await one.get(`/c/${name}`)).data?.toString('hex'), `0001000101${'00000002'}${'7879'}02`);
  await one.create('/c/queue-', Buffer.from('00010001010000000161010000000162010000000002', 'hex'), {
    mode: 'persistent-sequential',
  });
  await one.create('/c/foreign', 'left alone');
  const taken = [await curator.take(), await curator.take(), await curator.take(), await curator.take()];
  assert.deepEqual(taken.map(String), ['xy', 'a', 'b', '']);
  assert.deepEqual(await one.children('/c'), ['foreign']);
  await one.create('/c/queue-', 'no frame', { mode: 'persistent-sequential' });
  await assert.rejects(curator.take(), /not an entry of Curator/);
});

staged('priorities', async ({ one }) => {
  const kazoo = new PriorityQueue(one, '/k');
  await kazoo.put('usual');
  await kazoo.put('later', 500);
  await kazoo.put('now', 1);
  await kazoo.put('usual, too');
  const taken = [await kazoo.take(), await kazoo.take(), await kazoo.take(), await kazoo.take()];
  assert.deepEqual(taken.map(String), ['now', 'usual', 'usual, too', 'later']);
  assert.throws(() => kazoo.put('x', 1000), RangeError);

  const curator = new PriorityQueue(one, '/c', { layout: 'curator' });
  for (const priority of [3, -1, 0, -70_000, 2 ** 31 - 1]) await curator.put(String(priority), priority);
  const order: string[] = [];
  for (let i = 0; i < 5; i++) order.push(String(await curator.take()));
  assert.deepEqual(order, ['-70000', '-1', '0', '3', String(2 ** 31 - 1)]);
});

staged('delays', async ({ one, two }) => {
  const queue = new DelayQueue(one, '/d');
  const nowMs = Date.now();
  await queue.putAt('third', nowMs + 3_600_000);
  await queue.putAt('second', nowMs + 150);
  await queue.putAt('first', nowMs - 5);
  assert.match((await childrenOf(one, '/d'))[0] as string, /^queue-\|[0-9A-F]{11}\|\d{10}$/);
  assert.equal(String(await queue.take()), 'first');
  assert.equal(String(await new DelayQueue(two, '/d').take()), 'second');
  assert.ok(Date.now() >= nowMs + 150);
  assert.equal(await queue.poll(), undefined);
  const taking = queue.take();
  await queue.putAfter('sooner', 20);
  assert.equal(String(await taking), 'sooner');
});

staged('an entry that is held belongs to its consumer', async ({ server, one, two }) => {
  const listeners = countListeners(two);
  const queue = new LockingQueue(one, '/lq');
  const other = new LockingQueue(two, '/lq');
  assert.equal(await queue.poll(), null);
  await queue.put('later', { priority: 200 });
  await queue.putAll(['a', 'b']);
  const a = await queue.take();
  const b = await other.take();
  assert.deepEqual([String(a.data), String(b.data)], ['a', 'b']);
  assert.equal(await queue.size(), 3);
  await a.done();
  await a.done();
  assert.equal(await queue.size(), 2);
  await b.release();
  await assert.rejects(b.done(), /given back/);
  const again = await queue.take();
  assert.equal(String(again.data), 'b');
  const last = await queue.take();
  assert.equal(String(last.data), 'later');
  const waiting = tracked(other.take());
  await until('it waits', async () => (await watchCount(server)) === 2);
  await again.release();
  assert.equal(String((await waiting.promise).data), 'b');
  await until('no watch is left', async () => (await watchCount(server)) === 0);
  assert.equal(listeners(), 0);
});

staged('leaving the block without done() gives the entry back', async ({ one }) => {
  const queue = new LockingQueue(one, '/lq');
  await queue.put('x');
  {
    await using entry = await queue.take();
    assert.equal(String(entry.data), 'x');
    assert.equal(await queue.poll(), null);
  }
  await (await queue.take()).done();
  assert.equal(await queue.poll(), null);
  assert.deepEqual(await childrenOf(one, '/lq/taken'), []);
});

staged('the entry of one that dies goes to another', async ({ server, one, two }) => {
  const queue = new LockingQueue(one, '/lq');
  await queue.put('x');
  const held = await queue.take();
  const waiting = new LockingQueue(two, '/lq').take();
  await until('it waits', async () => (await watchCount(server)) === 2);
  await server.killSession(one);
  const entry = await waiting;
  assert.equal(String(entry.data), 'x');
  await until('the first is told', () => held.signal.aborted);
  await assert.rejects(held.done(), SessionLostError);
  await held.release();
  await entry.done();
  assert.equal(await queue.size(), 0);
});
