import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type ZooKeeper } from '@zoots/client';
import { startServer, type TestServer } from '@zoots/testing';
import { AcquireTimeoutError, type Held, Semaphore } from './index.js';

function staged(name: string, body: (one: ZooKeeper, two: ZooKeeper, server: TestServer) => Promise<void>): void {
  test(name, { timeout: 20_000 }, async () => {
    await using server = await startServer();
    const options = { sessionTimeoutMs: 10_000, backoff: { minMs: 5, maxMs: 20 } };
    await using one = await connect(server.connectString, options);
    await using two = await connect(server.connectString, options);
    await body(one, two, server);
  });
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadlineMs, `never: ${what}`);
    await sleep(5);
  }
}

function childrenOf(client: ZooKeeper, path: string, count: number): Promise<void> {
  return until(`${count} in ${path}`, async () => ((await client.exists(path))?.numChildren ?? 0) === count);
}

staged('no more than the permits, and everybody gets one', async (one, two) => {
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await sleep(3);
    inside--;
  };
  const jobs = Array.from({ length: 20 }, (_, i) => new Semaphore(i % 2 === 0 ? one : two, '/s', 3).withPermit(work));
  await Promise.all(jobs);
  assert.ok(most <= 3, `${most}`);
  await (await new Semaphore(one, '/s', 3).acquireMany(3)).release();
  await childrenOf(one, '/s/leases', 0);
  await childrenOf(one, '/s/locks', 0);
});

staged('tryAcquire and timeouts leave nothing behind', async (one, two) => {
  const semaphore = new Semaphore(one, '/s', 2);
  const first = await semaphore.acquire();
  const second = await semaphore.tryAcquire();
  assert.ok(second !== null && second.token > first.token);
  const other = new Semaphore(two, '/s', 2);
  assert.equal(await other.tryAcquire(), null);
  assert.equal(await other.tryAcquire({ timeoutMs: 40 }), null);
  await assert.rejects(other.acquire({ timeoutMs: 40 }), AcquireTimeoutError);
  await childrenOf(one, '/s/leases', 2);
  await childrenOf(one, '/s/locks', 0);
  await first.release();
  await using third = await other.tryAcquire();
  assert.ok(third?.isHeld);
  await second.release();
});

staged('permits are given in the order of asking; who dies gives its permit back', async (one, two, server) => {
  const semaphore = new Semaphore(one, '/s', 1, { id: 'one' });
  const held = await semaphore.acquire();
  const order: number[] = [];
  const waiting: Promise<Held>[] = [];
  for (let i = 0; i < 3; i++) {
    const acquiring = new Semaphore(two, '/s', 1, { id: `two ${i}` }).acquire();
    waiting.push(acquiring);
    acquiring.then(async (permit) => {
      order.push(i);
      await permit.release();
    });
    await childrenOf(one, '/s/locks', i + 1);
  }
  const contenders = await semaphore.contenders();
  assert.deepEqual(
    contenders.map(({ id, isHolder }) => [id, isHolder]),
    [
      ['one', true],
      ['two 0', false],
      ['two 1', false],
      ['two 2', false],
    ],
  );
  await server.killSession(one);
  await Promise.all(waiting);
  await until('all were served', () => order.length === 3);
  assert.deepEqual(order, [0, 1, 2]);
  assert.ok(!held.isHeld);
});

staged('a waiter survives its session', async (one, two, server) => {
  const held = await new Semaphore(one, '/s', 1).acquire();
  const waiting = new Semaphore(two, '/s', 1).acquire();
  await childrenOf(one, '/s/leases', 2);
  const before = two.session;
  await server.killSession(two);
  await until('a new session', () => two.session !== null && two.session !== before);
  await childrenOf(one, '/s/leases', 2);
  await held.release();
  await (await waiting).release();
});

staged('several at once: all or none', async (one, two) => {
  const semaphore = new Semaphore(one, '/s', 3);
  const two1 = await new Semaphore(two, '/s', 3).acquire();
  await assert.rejects(semaphore.acquireMany(3, { timeoutMs: 60 }), AcquireTimeoutError);
  await childrenOf(one, '/s/leases', 1);
  await using both = await semaphore.acquireMany(2);
  assert.equal(both.parts.length, 2);
  assert.equal(await semaphore.tryAcquire(), null);
  await two1.release();
  await assert.rejects(async () => semaphore.acquireMany(4), { code: 'ZK_ARGUMENT' });
  assert.throws(() => new Semaphore(one, '/s', 0), { code: 'ZK_ARGUMENT' });
});
