import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type ZooKeeper } from '@zoots/client';
import { startServer, type TestServer } from '@zoots/testing';
import { LostError, MultiNonBlockingLease, NonBlockingLease } from './index.js';

/** A half second before 2026-01-31T12:00:00Z: the znode stores whole seconds. */
const startMs = Date.UTC(2026, 0, 31, 12) - 500;
const durationMs = 60_000;

function staged(name: string, body: (client: ZooKeeper, server: TestServer) => Promise<void>): void {
  test(name, { timeout: 20_000 }, async () => {
    await using server = await startServer();
    await using client = await connect(server.connectString, { backoff: { minMs: 5, maxMs: 20 } });
    await body(client, server);
  });
}

async function lossOf(held: { readonly signal: AbortSignal }): Promise<string> {
  const deadlineMs = performance.now() + 10_000;
  while (!held.signal.aborted) {
    assert.ok(performance.now() < deadlineMs, 'never lost');
    await sleep(5);
  }
  assert.ok(held.signal.reason instanceof LostError);
  return held.signal.reason.reason;
}

staged('one holder until its time is up; the znode is what kazoo writes', async (client) => {
  let nowMs = startMs;
  const now = (): number => nowMs;
  const a = new NonBlockingLease(client, '/lease', { durationMs, holder: 'a', now });
  const b = new NonBlockingLease(client, '/lease', { durationMs, holder: 'b', now });
  const held = await a.tryAcquire();
  assert.equal(await b.tryAcquire(), null);
  const { data } = await client.get('/lease/lease_holder');
  assert.equal(String(data), '{"version":1,"holder":"a","end":"2026-01-31T12:01:00"}');
  assert.deepEqual(await b.current(), { holder: 'a', endMs: startMs + 500 + durationMs });
  nowMs = startMs + 500 + durationMs - 1;
  assert.ok(held?.isHeld);
  assert.equal(await b.tryAcquire(), null);
  nowMs++;
  assert.ok(!held.isHeld);
  assert.equal(await lossOf(held), 'expired');
  assert.equal(await b.current(), null);
  const next = await b.tryAcquire();
  assert.ok(next !== null && next.token > held.token);
  await next.release();
  assert.equal(await client.exists('/lease/lease_holder'), null);
  assert.deepEqual(await client.children('/lease'), []);
});

staged('the same holder has it again, renewed, with the same token', async (client) => {
  let nowMs = startMs;
  const options = { durationMs, holder: 'a', now: () => nowMs };
  const held = await new NonBlockingLease(client, '/lease', options).tryAcquire();
  nowMs += 30_000;
  const again = await new NonBlockingLease(client, '/lease', options).tryAcquire();
  assert.equal(again?.token, held?.token);
  assert.equal(again?.endMs, startMs + 500 + 30_000 + durationMs);
  await held?.renew();
  assert.equal(held?.endMs, again?.endMs);
  assert.ok(held?.isHeld);
  nowMs += durationMs + 500;
  await assert.rejects(held.renew(), { reason: 'expired' });
  const late = await new NonBlockingLease(client, '/lease', options).tryAcquire();
  assert.ok(late !== null && late.token > held.token, 'what had expired begins anew');
});

staged('clocks that differ: others wait for skewMs longer', async (client) => {
  let nowMs = startMs;
  const now = (): number => nowMs;
  await new NonBlockingLease(client, '/lease', { durationMs, holder: 'a', now }).tryAcquire();
  const careful = new NonBlockingLease(client, '/lease', { durationMs, holder: 'b', now, skewMs: 5_000 });
  nowMs += durationMs + 500 + 4_000;
  assert.equal(await careful.tryAcquire(), null);
  nowMs += 1_000;
  assert.ok(await careful.tryAcquire());
});

staged('it outlives the connection and the session, and its signal comes by its own timer', async (client, server) => {
  // Shortly before a whole second begins, so that the lease lasts little longer than one.
  const beganMs = performance.now();
  const now = (): number => Date.UTC(2026, 0, 31) - 100 + performance.now() - beganMs;
  const held = await new NonBlockingLease(client, '/lease', { durationMs: 1_000, holder: 'a', now }).tryAcquire();
  await server.killSession(client);
  assert.ok(held?.isHeld);
  await client.connected();
  assert.equal(await new NonBlockingLease(client, '/lease', { durationMs, holder: 'b', now }).tryAcquire(), null);
  assert.equal(await lossOf(held), 'expired');
});

staged('who is told that it was taken away', async (client) => {
  const held = await new NonBlockingLease(client, '/lease', { durationMs, holder: 'a' }).tryAcquire();
  await client.delete('/lease/lease_holder');
  assert.equal(await lossOf(held as NonNullable<typeof held>), 'deleted');
  const other = await new NonBlockingLease(client, '/lease', { durationMs, holder: 'b' }).tryAcquire();
  await held?.release();
  assert.ok(other?.isHeld);
  assert.ok(await client.exists('/lease/lease_holder'));
  await client.delete('/lease/lease_holder');
});

staged('a record of another version or that is none belongs to somebody who knows better', async (client) => {
  await client.ensurePath('/lease');
  await client.create('/lease/lease_holder', '{"version":2,"holder":"a","end":"2000-01-01T00:00:00"}');
  const lease = new NonBlockingLease(client, '/lease', { durationMs });
  assert.equal(await lease.tryAcquire(), null);
  await client.set('/lease/lease_holder', 'what is this?');
  assert.equal(await lease.tryAcquire(), null);
  assert.throws(() => new NonBlockingLease(client, '/lease', { durationMs: 10 }), { code: 'ZK_ARGUMENT' });
});

staged('a few out of many; one that holds already gets no second one', async (client) => {
  const of = (holder: string) => new MultiNonBlockingLease(client, '/leases', 2, { durationMs, holder });
  const a = await of('a').tryAcquire();
  const b = await of('b').tryAcquire();
  assert.equal(await of('c').tryAcquire(), null);
  assert.equal(b?.path, '/leases/1/lease_holder');
  await a?.release();
  assert.equal((await of('b').tryAcquire())?.path, b.path);
  assert.equal((await of('c').tryAcquire())?.path, '/leases/0/lease_holder');
});
