/** Barriers: who waits, who is let go, and what is left behind when somebody gives up or dies. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientClosedError, RequestTimeoutError, SessionLostError, type ZooKeeper } from '@zoots/client';
import { Barrier, DoubleBarrier } from './index.js';
import { childrenOf, countListeners, staged, tracked, until, watchCount } from './stage.test.js';

staged('a barrier holds until it is removed', async ({ one, two }) => {
  const barrier = new Barrier(one, '/a/barrier');
  assert.equal(await barrier.set(), true);
  assert.equal(await barrier.set(), false);
  assert.equal(await barrier.isSet(), true);
  const waiting = tracked(new Barrier(two, '/a/barrier').wait());
  await assert.rejects(new Barrier(one, '/a/barrier').wait({ timeoutMs: 30 }), RequestTimeoutError);
  assert.equal(waiting.isSettled, false);
  assert.equal(await barrier.remove(), true);
  assert.equal(await barrier.remove(), false);
  await waiting.promise;
  await barrier.wait();
});

staged('a wait that is given up leaves nothing behind', async ({ server, one }) => {
  await one.create('/b');
  const listeners = countListeners(one);
  const controller = new AbortController();
  const waiting = new Barrier(one, '/b').wait({ signal: controller.signal });
  await until('the watch is set', async () => (await watchCount(server)) === 1);
  controller.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
  await until('the watch is gone', async () => (await watchCount(server)) === 0);
  assert.equal(listeners(), 0);
});

staged('a barrier is waited for through a lost session', async ({ server, one, two }) => {
  await one.create('/b');
  const waiting = new Barrier(two, '/b').wait();
  await until('the watch is set', async () => (await watchCount(server)) === 1);
  await server.killSession(two);
  await one.delete('/b');
  await waiting;
});

staged('a wait ends with its client', async ({ server, two, another }) => {
  await two.create('/b');
  const client = await another();
  const outcome = assert.rejects(new Barrier(client, '/b').wait(), ClientClosedError);
  await until('the watch is set', async () => (await watchCount(server)) === 1);
  await client.close();
  await outcome;
});

staged('a double barrier lets all in together and out together', async ({ server, one, two, another }) => {
  const members = [one, two, await another()].map((zk) => new DoubleBarrier(zk, '/db', 3));
  const [a, b, c] = members as [DoubleBarrier, DoubleBarrier, DoubleBarrier];
  const entering = [a, b].map((member) => tracked(member.enter()));
  await until('two are there', async () => (await childrenOf(one, '/db')).length === 2);
  assert.ok(entering.every((enter) => !enter.isSettled));
  await c.enter();
  await Promise.all(entering.map((enter) => enter.promise));
  assert.ok(members.every((member) => member.isInside));

  const leaving = [c, a].map((member) => tracked(member.leave()));
  await until('the first of them waits', async () => (await childrenOf(one, '/db')).length <= 3);
  assert.ok(leaving.every((leave) => !leave.isSettled));
  await b.leave();
  await Promise.all(leaving.map((leave) => leave.promise));
  assert.deepEqual(await one.children('/db'), []);
  await until('no watch is left', async () => (await watchCount(server)) === 0);
});

staged('a double barrier can be used again and again', async ({ one, two }) => {
  const a = new DoubleBarrier(one, '/db', 2);
  const b = new DoubleBarrier(two, '/db', 2);
  for (let round = 0; round < 5; round++) {
    await Promise.all([a.enter(), b.enter()]);
    await Promise.all([a.leave(), b.leave()]);
  }
  assert.deepEqual(await one.children('/db'), []);
});

staged('a member that is slow to see the end is not held up by those who begin anew', async ({ one, two }) => {
  const children = one.children.bind(one);
  one.children = async (...args) => {
    await sleep(10);
    return children(...args);
  };
  const play = async (zk: ZooKeeper): Promise<void> => {
    const barrier = new DoubleBarrier(zk, '/db', 2);
    for (let round = 0; round < 8; round++) {
      await barrier.enter({ timeoutMs: 5_000 });
      await barrier.leave({ timeoutMs: 5_000 });
    }
  };
  await Promise.all([play(one), play(two)]);
  assert.deepEqual(await one.children('/db'), []);
});

staged('who gives up entering is out again', async ({ one }) => {
  const barrier = new DoubleBarrier(one, '/db', 2);
  await assert.rejects(barrier.enter({ timeoutMs: 30 }), RequestTimeoutError);
  assert.equal(barrier.isInside, false);
  assert.deepEqual(await one.children('/db'), []);
});

staged('a member that dies inside counts as having left', async ({ server, one, two }) => {
  const a = new DoubleBarrier(one, '/db', 2);
  const b = new DoubleBarrier(two, '/db', 2);
  await Promise.all([a.enter(), b.enter()]);
  await server.killSession(two);
  await a.leave();
  await assert.rejects(b.leave(), SessionLostError);
});

staged('a member whose session is lost while it enters is told', async ({ server, one }) => {
  const entering = new DoubleBarrier(one, '/db', 2).enter();
  const outcome = assert.rejects(entering, SessionLostError);
  await until('it waits', async () => (await watchCount(server)) === 1);
  await server.killSession(one);
  await outcome;
});

staged('ready without members is left over, and removed', async ({ one, two }) => {
  await one.create('/db/ready', null, { parents: true });
  const entering = tracked(new DoubleBarrier(one, '/db', 2).enter());
  await until('one is there', async () => (await childrenOf(one, '/db')).length === 1);
  assert.equal(entering.isSettled, false);
  await new DoubleBarrier(two, '/db', 2).enter();
  await entering.promise;
});

test('a barrier needs members', () => {
  assert.throws(() => new DoubleBarrier(null as never, '/db', 0), RangeError);
});
