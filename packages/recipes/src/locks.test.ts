/** Locks on a server in this process: exclusion, giving up, loss, order, and what other libraries leave on the same path. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type ZooKeeper } from '@zoots/client';
import { startServer, type TestServer } from '@zoots/testing';
import { AcquireTimeoutError, type Held, Lock, LostError, MultiLock, ReadWriteLock, SimpleLock } from './index.js';

interface Stage {
  readonly server: TestServer;
  readonly one: ZooKeeper;
  readonly two: ZooKeeper;
}

function staged(name: string, body: (stage: Stage) => Promise<void>): void {
  test(name, { timeout: 20_000 }, async () => {
    await using server = await startServer();
    const options = { sessionTimeoutMs: 10_000, backoff: { minMs: 5, maxMs: 20 } };
    await using one = await connect(server.connectString, options);
    await using two = await connect(server.connectString, options);
    await body({ server, one, two });
  });
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadlineMs, `never: ${what}`);
    await sleep(5);
  }
}

async function childCount(client: ZooKeeper, path: string): Promise<number> {
  return (await client.exists(path))?.numChildren ?? 0;
}

function queueOf(client: ZooKeeper, path: string, count: number): Promise<void> {
  return until(`${count} znodes in ${path}`, async () => (await childCount(client, path)) === count);
}

/** Why a hold ended. */
async function lossOf(held: { readonly signal: AbortSignal }): Promise<string> {
  await until('the signal is aborted', () => held.signal.aborted);
  assert.ok(held.signal.reason instanceof LostError);
  return held.signal.reason.reason;
}

staged('one holder at a time, in the order of asking, with growing tokens', async ({ one, two }) => {
  const order: string[] = [];
  const tokens: number[] = [];
  let inside = 0;
  const work =
    (who: string) =>
    async (held: Held): Promise<void> => {
      assert.equal(++inside, 1);
      order.push(who);
      tokens.push(held.token);
      await sleep(2);
      inside--;
    };
  const first = await new SimpleLock(one, '/locks/a').acquire();
  const waiting: Promise<void>[] = [];
  for (let i = 0; i < 6; i++) {
    const client = i % 2 === 0 ? two : one;
    waiting.push(new SimpleLock(client, '/locks/a').withLock(work(String(i))));
    await queueOf(one, '/locks/a', i + 2);
  }
  assert.equal(order.length, 0);
  await first.release();
  await Promise.all(waiting);
  assert.deepEqual(order, ['0', '1', '2', '3', '4', '5']);
  assert.deepEqual(
    [...tokens].sort((a, b) => a - b),
    tokens,
  );
  assert.ok((tokens[0] as number) > first.token);
  await queueOf(one, '/locks/a', 0);
});

staged('the znode: protected name, ephemeral, with the id', async ({ one }) => {
  await using held = await new SimpleLock(one, '/x/lock', { id: 'me' }).acquire();
  assert.match(held.path, /^\/x\/lock\/_c_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-lock-0000000000$/);
  const { data, stat } = await one.get(held.path);
  assert.equal(String(data), 'me');
  assert.equal(stat.ephemeralOwner, one.session?.id);
  assert.equal(stat.czxid, held.token);
  const [other] = await one.children('/x/lock');
  await using kazoo = await new SimpleLock(one, '/x/kazoo', { convention: 'kazoo' }).acquire();
  assert.match(kazoo.path, /^\/x\/kazoo\/[0-9a-f]{32}__lock__0000000000$/);
  assert.ok(held.path.endsWith(other as string));
});

test('the parents are containers: the server removes them when they are not used any more', async () => {
  await using server = await startServer({ clock: 'virtual' });
  await using client = await connect(server.connectString);
  await new SimpleLock(client, '/x/lock').withLock(() => undefined);
  assert.ok(await client.exists('/x/lock'));
  for (let minutes = 0; minutes < 3; minutes++) await server.advance(60_000);
  assert.equal(await client.exists('/x'), null);
});

staged('below a namespace paths are relative', async ({ one, two }) => {
  await using held = await new SimpleLock(one.namespace('/app'), '/lock').acquire();
  assert.match(held.path, /^\/lock\//);
  assert.equal(await new SimpleLock(two, '/app/lock').tryAcquire(), null);
});

staged('tryAcquire: null at once, or after the time; nothing stays behind', async ({ one, two }) => {
  const held = await new SimpleLock(one, '/l').acquire();
  const lock = new SimpleLock(two, '/l');
  assert.equal(await lock.tryAcquire(), null);
  assert.equal(await lock.tryAcquire({ timeoutMs: 30 }), null);
  await queueOf(one, '/l', 1);
  await held.release();
  await using got = await lock.tryAcquire();
  assert.ok(got?.isHeld);
});

staged(
  'acquire that is given up, by time and by signal, leaves the queue and lets others pass',
  async ({ one, two }) => {
    const held = await new SimpleLock(one, '/l').acquire();
    const lock = new SimpleLock(two, '/l');
    await assert.rejects(lock.acquire({ timeoutMs: 30 }), (error) => {
      assert.ok(error instanceof AcquireTimeoutError);
      assert.equal(error.code, 'ZK_ACQUIRE_TIMEOUT');
      return true;
    });
    const giving = new AbortController();
    const waiting = lock.acquire({ signal: giving.signal });
    await until('it waits', async () => (await childCount(one, '/l')) === 2);
    const behind = lock.acquire();
    await queueOf(one, '/l', 3);
    giving.abort(new Error('never mind'));
    await assert.rejects(waiting, { name: 'AbortError', code: 'ZK_ABORTED' });
    await held.release();
    await (await behind).release();
    await queueOf(one, '/l', 0);
    await assert.rejects(lock.acquire({ signal: AbortSignal.abort() }), { name: 'AbortError' });
  },
);

staged('many may wait with one signal, and Node does not warn of a leak', async ({ one }) => {
  const warnings: string[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', onWarning);
  const held = await new SimpleLock(one, '/l', { suspendedIsLost: true }).acquire();
  const shutdown = new AbortController();
  const waiting = Array.from({ length: 20 }, () => new SimpleLock(one, '/l').acquire({ signal: shutdown.signal }));
  const settled = Promise.allSettled(waiting);
  await queueOf(one, '/l', 21);
  shutdown.abort();
  assert.ok((await settled).every(({ status }) => status === 'rejected'));
  await queueOf(one, '/l', 1);
  process.off('warning', onWarning);
  assert.deepEqual(warnings, []);
  await held.release();
});

staged('given up while the create was on its way: its znode goes', async ({ server, one, two }) => {
  await one.ensurePath('/l');
  const lock = new SimpleLock(two, '/l');
  server.freeze();
  await assert.rejects(lock.acquire({ timeoutMs: 20 }), AcquireTimeoutError);
  server.thaw();
  await until('the create was done and undone', async () => ((await one.exists('/l'))?.cversion ?? 0) >= 2);
  await queueOf(one, '/l', 0);
});

staged('given up while connections break: what is left behind would block for ever', async ({ server, one, two }) => {
  const lock = new SimpleLock(two, '/l');
  let givenUp = 0;
  for (let i = 0; i < 24; i++) {
    if (i % 3 === 0) server.freeze();
    const settled = lock.acquire({ timeoutMs: i % 4 }).then(
      (held) => held.release(),
      (error: unknown) => {
        assert.ok(error instanceof AcquireTimeoutError);
        givenUp++;
      },
    );
    for (let turns = 0; turns < i; turns++) await new Promise((resolve) => setImmediate(resolve));
    server.dropConnections();
    server.thaw();
    await settled;
  }
  assert.ok(givenUp > 0);
  assert.equal(await new SimpleLock(one, '/l').withLock(() => 'free', { timeoutMs: 5_000 }), 'free');
  await queueOf(one, '/l', 0);
});

staged('connections that break again and again: one znode for each acquire', async ({ server, one, two }) => {
  const lock = new SimpleLock(two, '/l');
  for (let i = 0; i < 15; i++) {
    const acquiring = lock.acquire();
    for (let turns = 0; turns < i; turns++) await new Promise((resolve) => setImmediate(resolve));
    server.dropConnections();
    await using held = await acquiring;
    assert.ok(held.isHeld);
    await until('connected', () => one.state === 'connected');
    assert.equal(await childCount(one, '/l'), 1, `round ${i}`);
  }
  await queueOf(one, '/l', 0);
});

staged('a broken connection loses nothing; with suspendedIsLost it does', async ({ server, one }) => {
  await using held = await new SimpleLock(one, '/keeps').acquire();
  const careful = await new SimpleLock(one, '/careful', { suspendedIsLost: true }).acquire();
  server.dropConnections();
  assert.equal(await lossOf(careful), 'suspended');
  assert.ok(held.isHeld);
  await until('connected', () => one.state === 'connected');
  assert.ok(held.isHeld);
  assert.equal(await childCount(one, '/careful'), 1);
  await careful.release();
  assert.equal(await childCount(one, '/careful'), 0);
});

staged('the end of the session is a loss, and the next one is let in', async ({ server, one, two }) => {
  const held = await new SimpleLock(one, '/l').acquire();
  const next = new SimpleLock(two, '/l').acquire();
  await queueOf(two, '/l', 2);
  await server.killSession(one);
  // The server deletes the znode first, and may find the time to say so.
  assert.match(await lossOf(held), /^(session|deleted)$/);
  assert.ok((await next).token > held.token);
  await held.release();
  await (await next).release();
});

staged('no server for as long as the session lives: lost by the own clock', async ({ server }) => {
  await using lonely = await connect(server.connectString, { sessionTimeoutMs: 200 });
  const held = await new SimpleLock(lonely, '/l').acquire();
  server.refuse();
  assert.equal(await lossOf(held), 'session');
  server.admit();
  await held.release();
});

staged('an answer that was looked at too late is not believed', async ({ server, two }) => {
  await using sleepy = await connect(server.connectString, { sessionTimeoutMs: 300 });
  const children = sleepy.children.bind(sleepy);
  let asked = 0;
  // The process stops after it has asked, for longer than its session lives; meanwhile its znode goes.
  sleepy.children = async (...words) => {
    const names = await children(...words);
    if (asked++ > 0) return names;
    await two.delete(`/l/${names[0]}`);
    await sleep(320);
    return names;
  };
  await using held = await new SimpleLock(sleepy, '/l').acquire();
  assert.ok(await two.exists(held.path));
  assert.ok(asked > 1);
});

staged('a waiter whose session ends queues again in the next one', async ({ server, one, two }) => {
  const held = await new SimpleLock(one, '/l').acquire();
  const next = new SimpleLock(two, '/l').acquire();
  await queueOf(one, '/l', 2);
  const { session } = two;
  await server.killSession(two);
  await until('a new session', () => two.session !== null && two.session !== session);
  await queueOf(one, '/l', 2);
  await held.release();
  await using got = await next;
  assert.equal((await one.exists(got.path))?.ephemeralOwner, two.session?.id);
});

staged('a znode that somebody deletes: holders lose, waiters queue again', async ({ one, two }) => {
  const held = await new SimpleLock(one, '/l').acquire();
  const next = new SimpleLock(two, '/l').acquire();
  await queueOf(one, '/l', 2);
  const waiter = (await one.children('/l')).find((name) => !held.path.endsWith(name));
  await one.delete(`/l/${waiter}`);
  await one.delete(held.path);
  assert.equal(await lossOf(held), 'deleted');
  await using got = await next;
  assert.ok(!got.path.endsWith(waiter as string));
  await held.release();
});

staged('release is remembered, tells the signal, and a closed client has nothing to release', async ({ one, two }) => {
  const held = await new SimpleLock(one, '/l').acquire();
  const released = held.release();
  assert.equal(await lossOf(held), 'released');
  assert.equal(held.release(), released);
  await released;
  const last = await new SimpleLock(two, '/l').acquire();
  await two.close();
  assert.match(await lossOf(last), /^(session|deleted)$/);
  await last.release();
  await assert.rejects(new SimpleLock(two, '/l').acquire(), { code: 'ZK_CLOSED' });
});

staged('withLock: releases after errors, and rejects when the lock was lost meanwhile', async ({ one, two }) => {
  const lock = new SimpleLock(one, '/l');
  await assert.rejects(
    lock.withLock(() => {
      throw new RangeError('work');
    }),
    RangeError,
  );
  assert.equal(await lock.withLock(() => 7), 7);
  await assert.rejects(
    lock.withLock(async (held) => {
      await two.delete(held.path);
      await lossOf(held);
    }),
    LostError,
  );
  assert.equal(await childCount(one, '/l'), 0);
});

staged('contenders: who holds, who waits', async ({ one, two }) => {
  const held = await new SimpleLock(one, '/l', { id: 'one' }).acquire();
  const next = new SimpleLock(two, '/l', { id: 'two' }).acquire();
  await queueOf(one, '/l', 2);
  const contenders = await new SimpleLock(one, '/l').contenders();
  assert.deepEqual(
    contenders.map(({ id, isHolder, sessionId }) => [id, isHolder, sessionId]),
    [
      ['one', true, one.session?.id],
      ['two', false, two.session?.id],
    ],
  );
  assert.equal(contenders[0]?.token, held.token);
  await held.release();
  await (await next).release();
  assert.deepEqual(await new SimpleLock(one, '/nothing').contenders(), []);
});

staged('others on the same path count, whatever their names; what has no number does not', async ({ one, two }) => {
  await one.ensurePath('/l');
  await one.create('/l/lease_holder', 'no contender');
  const foreign = await one.create('/l/0123456789abcdef0123456789abcdef__lock__', 'kazoo', {
    mode: 'ephemeral-sequential',
  });
  const waiting = new SimpleLock(two, '/l').acquire();
  await queueOf(one, '/l', 3);
  assert.equal(await new SimpleLock(one, '/l', { convention: 'kazoo' }).tryAcquire(), null);
  await one.delete(foreign);
  await (await waiting).release();
});

staged('the order holds over the wrap-around of the counter', async ({ one, two }) => {
  await one.ensurePath('/l');
  const last = await one.create('/l/x-lock-2147483647', null, { mode: 'ephemeral' });
  const wrapped = await one.create('/l/y-lock--2147483648', null, { mode: 'ephemeral' });
  const contenders = await new SimpleLock(two, '/l').contenders();
  assert.deepEqual(
    contenders.map(({ path, isHolder }) => [path, isHolder]),
    [
      [last, true],
      [wrapped, false],
    ],
  );
});

staged('what the server refuses comes to the caller', async ({ one }) => {
  await one.create('/closed', null, { acl: [{ perms: 1, scheme: 'world', id: 'anyone' }] });
  await assert.rejects(new SimpleLock(one, '/closed').acquire(), { code: 'ZK_NO_AUTH' });
});

staged('Lock: the same owner enters again, others wait', async ({ one }) => {
  const lock = new Lock(one, '/l');
  const owner = {};
  const outer = await lock.acquire({ owner });
  const inner = await lock.acquire({ owner });
  assert.equal(inner.token, outer.token);
  assert.equal(await lock.tryAcquire(), null);
  assert.equal(await lock.tryAcquire({ owner: {}, timeoutMs: 20 }), null);
  const again = await lock.tryAcquire({ owner });
  assert.ok(again?.isHeld);
  await outer.release();
  assert.equal(await lossOf(outer), 'released');
  assert.ok(inner.isHeld);
  await inner.release();
  await inner.release();
  assert.equal(await lock.tryAcquire(), null);
  await again.release();
  await using other = await lock.tryAcquire();
  assert.ok(other?.isHeld);
});

staged(
  'Lock: an owner that asks twice at the same time has one znode; a loss is for all of its holds',
  async ({ one }) => {
    const lock = new Lock(one, '/l');
    const owner = {};
    const [a, b] = await Promise.all([lock.acquire({ owner }), lock.acquire({ owner })]);
    assert.equal(await childCount(one, '/l'), 1);
    await one.delete(a.path);
    assert.equal(await lossOf(a), 'deleted');
    assert.equal(await lossOf(b), 'deleted');
    const fresh = await lock.acquire({ owner });
    assert.ok(fresh.token > a.token);
    await a.release();
    assert.ok(fresh.isHeld);
    assert.equal(await lock.tryAcquire(), null);
    await fresh.release();
    assert.equal(await childCount(one, '/l'), 0, 'a lost hold that was not released does not count');
    await b.release();
  },
);

staged('ReadWriteLock: readers share, writers are alone, nobody overtakes', async ({ one, two }) => {
  const lock = new ReadWriteLock(one, '/rw');
  const other = new ReadWriteLock(two, '/rw', { convention: 'kazoo' });
  const readers = [await lock.read.acquire(), await other.read.acquire()];
  assert.equal(await lock.write.tryAcquire(), null);
  const writing = other.write.acquire();
  await queueOf(one, '/rw', 3);
  assert.equal(await lock.read.tryAcquire(), null, 'a reader behind a waiting writer waits');
  const late = lock.read.acquire();
  await queueOf(one, '/rw', 4);
  const holders = (await lock.contenders()).map((contender) => contender.isHolder);
  assert.deepEqual(holders, [true, true, false, false]);
  for (const reader of readers) await reader.release();
  const writer = await writing;
  assert.ok(readers.every((reader) => reader.token < writer.token));
  assert.equal((await lock.contenders()).filter((contender) => contender.isHolder).length, 1);
  await writer.release();
  await (await late).release();
});

staged('ReadWriteLock: a writer becomes a reader, and no writer comes in between', async ({ one, two }) => {
  const lock = new ReadWriteLock(one, '/rw');
  const writer = await lock.write.acquire();
  const waiting = new ReadWriteLock(two, '/rw').write.acquire();
  await queueOf(one, '/rw', 2);
  const reader = await lock.downgrade(writer);
  await assert.rejects(lock.downgrade(reader), { code: 'ZK_ARGUMENT' });
  await writer.release();
  assert.deepEqual(
    (await lock.contenders()).map(({ path, isHolder }) => [/__(READ|WRIT)__/.exec(path)?.[1], isHolder]),
    [
      ['READ', true],
      ['WRIT', false],
    ],
  );
  await reader.release();
  const next = await waiting;
  assert.ok(next.token > reader.token);
  await assert.rejects(lock.downgrade(writer), LostError);
  await next.release();
});

staged('MultiLock: all or none', async ({ one, two }) => {
  const [a, b, c] = ['/m/a', '/m/b', '/m/c'].map((path) => new SimpleLock(one, path)) as [
    SimpleLock,
    SimpleLock,
    SimpleLock,
  ];
  const blocking = await new SimpleLock(two, '/m/b').acquire();
  const multi = new MultiLock([c, a, b]);
  assert.equal(await multi.tryAcquire({ timeoutMs: 40 }), null);
  await queueOf(two, '/m/a', 0);
  await blocking.release();
  const held = await multi.acquire();
  assert.deepEqual(
    held.parts.map((part) => part.path.slice(0, 4)),
    ['/m/a', '/m/b', '/m/c'],
  );
  assert.equal(held.token, held.tokens[2]);
  await two.delete((held.parts[1] as Held).path);
  assert.equal(await lossOf(held), 'deleted');
  await held.release();
  await queueOf(two, '/m/c', 0);
  assert.throws(() => new MultiLock([a, a]), { code: 'ZK_ARGUMENT' });
});
