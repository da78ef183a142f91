/** Leader latch and leader selector on a server in this process. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type ZooKeeper } from '@zoots/client';
import { startServer, type TestServer } from '@zoots/testing';
import { AcquireTimeoutError, type Held, LeaderLatch, LeaderSelector } from './index.js';

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

staged('one leads; when it closes, the next one does, with a higher token', async (one, two) => {
  const a = new LeaderLatch(one, '/leader', { id: 'a' });
  const b = new LeaderLatch(two, '/leader', { id: 'b' });
  const told: string[] = [];
  a.on('leader', () => told.push('a leads'));
  a.on('follower', (reason) => told.push(`a follows: ${reason.reason}`));
  b.on('leader', () => told.push('b leads'));
  await a.start();
  const leadership = await a.leading();
  await b.start();
  assert.match(leadership.path, /^\/leader\/_c_.*-latch-0000000000$/);
  await assert.rejects(b.leading({ timeoutMs: 20 }), AcquireTimeoutError);
  assert.deepEqual([a.isLeader, b.isLeader], [true, false]);
  assert.deepEqual(
    (await b.participants()).map(({ id, isHolder }) => [id, isHolder]),
    [
      ['a', true],
      ['b', false],
    ],
  );
  assert.equal((await b.leader())?.token, leadership.token);
  await a.close();
  assert.ok(leadership.signal.aborted);
  assert.ok((await b.leading()).token > leadership.token);
  assert.deepEqual(told, ['a leads', 'a follows: released', 'b leads']);
  await b.close();
  assert.equal(await b.leader(), null);
  await assert.rejects(a.leading(), { name: 'LatchClosed' });
});

staged('a leader whose session ends is told, follows, and leads again in its turn', async (one, two, server) => {
  await using a = new LeaderLatch(one, '/leader', { id: 'a' });
  await using b = new LeaderLatch(two, '/leader', { id: 'b' });
  const first = await a.leading();
  await b.start();
  await server.killSession(one);
  const second = await b.leading();
  await until('a was told', () => first.signal.aborted);
  await until('a follows', async () => (await b.participants()).map(({ id }) => id).join() === 'b,a');
  assert.equal(a.leadership, null);
  await second.release();
  const third = await a.leading();
  assert.ok(first.token < second.token && second.token < third.token);
  await until('b follows', async () => (await b.participants()).length === 2);
});

staged(
  'suspendedIsLost: the leadership ends with the connection, and is to be won again',
  async (one, _two, server) => {
    await using latch = new LeaderLatch(one, '/leader', { suspendedIsLost: true });
    const first = await latch.leading();
    server.dropConnections();
    await until('lost', () => first.signal.aborted);
    assert.equal(first.signal.reason.reason, 'suspended');
    // It may have won again by now.
    assert.notEqual(latch.leadership, first);
    const second = await latch.leading();
    assert.ok(second.token > first.token);
  },
);

staged('terms: one after the other, to the end', async (one, two) => {
  await using latch = new LeaderLatch(one, '/leader');
  const ending = new AbortController();
  const tokens: number[] = [];
  for await (const leadership of latch.terms({ signal: ending.signal })) {
    tokens.push(leadership.token);
    if (tokens.length === 3) ending.abort();
    else if (tokens.length === 2) await two.delete(leadership.path);
    else await leadership.release();
  }
  assert.equal(tokens.length, 3);
  assert.equal(new Set(tokens).size, 3);
  const closing = latch.close();
  for await (const _ of latch.terms()) assert.fail('closed');
  await closing;
});

staged('a latch ends with its client, quietly; one that cannot go on says so', async (one, two) => {
  const a = new LeaderLatch(one, '/leader');
  const first = await a.leading();
  await one.close();
  assert.ok(first.signal.aborted);
  await assert.rejects(a.leading(), { code: 'ZK_CLOSED' });
  await a.close();
  const b = new LeaderLatch(two, '/leader');
  const second = await b.leading();
  const errors: unknown[] = [];
  b.on('error', (error) => errors.push(error));
  await two.setAcl('/leader', [{ perms: 1 | 8, scheme: 'world', id: 'anyone' }]);
  await second.release();
  await until('it fails', () => errors.length === 1);
  assert.equal((errors[0] as { code: string }).code, 'ZK_NO_AUTH');
  await assert.rejects(b.leading(), { code: 'ZK_NO_AUTH' });
});

staged('a latch that may not take part says so', async (one) => {
  await one.create('/closed', null, { acl: [{ perms: 1, scheme: 'world', id: 'anyone' }] });
  const latch = new LeaderLatch(one, '/closed');
  await assert.rejects(latch.start(), { code: 'ZK_NO_AUTH' });
  await assert.rejects(latch.leading(), { code: 'ZK_NO_AUTH' });
  await latch.close();
});

staged('selector: one works at a time, all come round, and stop ends the term first', async (one, two) => {
  let working = 0;
  const order: string[] = [];
  const stopping = new AbortController();
  const selectorOf = (client: ZooKeeper, id: string): LeaderSelector =>
    new LeaderSelector(
      client,
      '/leader',
      async (_leadership, stop) => {
        assert.equal(++working, 1);
        order.push(id);
        if (order.length < 6) await sleep(3);
        else {
          stopping.abort();
          assert.ok(stop.aborted);
        }
        working--;
      },
      { id },
    );
  await Promise.all([selectorOf(one, 'a'), selectorOf(two, 'b')].map((each) => each.run({ signal: stopping.signal })));
  assert.ok(order.includes('a') && order.includes('b'), order.join());
  assert.equal(working, 0);
  await until('nothing stays', async () => ((await one.exists('/leader'))?.numChildren ?? 0) === 0);
});

staged('selector: a lost leadership stops the work; only then is the queue joined again', async (one, _two, server) => {
  const terms: Held[] = [];
  let isWorking = false;
  const stopping = new AbortController();
  const selector = new LeaderSelector(one, '/leader', async (leadership, stop) => {
    assert.ok(!isWorking);
    isWorking = true;
    terms.push(leadership);
    await new Promise((resolve) => stop.addEventListener('abort', resolve));
    await sleep(20);
    isWorking = false;
    throw stop.reason;
  });
  const running = selector.run({ signal: stopping.signal });
  await until('it leads', () => terms.length === 1);
  await server.killSession(one);
  await until('it leads again', () => terms.length === 2);
  assert.ok((terms[1] as Held).token > (terms[0] as Held).token);
  assert.ok(selector.isLeader);
  stopping.abort();
  await running;
  assert.ok(!isWorking);
});

staged('selector: an error of the work ends it; without requeue it ends after one term', async (one) => {
  const failing = new LeaderSelector(one, '/leader', () => {
    throw new RangeError('work');
  });
  await assert.rejects(failing.run(), RangeError);
  let terms = 0;
  await new LeaderSelector(one, '/leader', () => void terms++, { requeue: false }).run();
  assert.equal(terms, 1);
});
