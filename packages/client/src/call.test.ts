import assert from 'node:assert/strict';
import { tracingChannel } from 'node:diagnostics_channel';
import { after, before, test } from 'node:test';
import { startServer, type TestServer } from '@zoots/testing';
import { connect, type ZooKeeper } from './client.js';
import type { OperationTrace } from './diagnostics.js';
import * as errors from './errors.js';

let server: TestServer;
let zk: ZooKeeper;

before(async () => {
  server = await startServer();
  zk = await connect(server.connectString);
  await zk.create('/a', 'x');
});

after(async () => {
  await zk.close();
  await server.stop();
});

test('a call can be given up before and after it was sent', async () => {
  const aborted = AbortSignal.abort(new Error('early'));
  await assert.rejects(zk.get('/a', { signal: aborted }), (error: errors.RequestAbortedError) => {
    assert.equal(error.name, 'AbortError');
    assert.equal(error.outcome, 'not-sent');
    return true;
  });
  server.freeze();
  const controller = new AbortController();
  const write = zk.set('/a', 'given up', { signal: controller.signal });
  const other = zk.get('/a');
  await new Promise((resolve) => setImmediate(resolve));
  controller.abort();
  await assert.rejects(write, (error: errors.RequestAbortedError) => error.outcome === 'unknown');
  server.thaw();
  // The reply of the abandoned write is nobody else's.
  assert.equal((await other).data?.toString(), 'given up');
});

test('many calls share a signal without a warning', async (context) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on('warning', onWarning);
  context.after(() => process.off('warning', onWarning));
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 20 }, () => zk.get('/a', { signal })));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(warnings, []);
});

test('a call has a time, its own or that of the client', async () => {
  await using hasty = await connect(server.connectString, { requestTimeoutMs: 30 });
  server.freeze();
  await assert.rejects(zk.get('/a', { timeoutMs: 20 }), (error: errors.RequestTimeoutError) => {
    assert.match(error.message, /get \/a: no answer within 20 ms/);
    return true;
  });
  await assert.rejects(hasty.set('/a', 'y'), (error: errors.RequestTimeoutError) => error.outcome === 'unknown');
  server.thaw();
  assert.equal((await hasty.get('/a', { timeoutMs: 5_000 })).stat.dataLength, 1);
});

test('the window bounds what is in flight, the line what waits', async () => {
  await using narrow = await connect(server.connectString, { inFlightMax: 2, waitingMax: 3 });
  server.freeze();
  const calls = Array.from({ length: 6 }, () => narrow.get('/a'));
  await assert.rejects(calls[5] as Promise<unknown>, (error: errors.OverloadedError) => error.outcome === 'not-sent');
  server.thaw();
  assert.equal((await Promise.all(calls.slice(0, 5))).length, 5);
});

test('a request or a reply that is too large is refused by name, and nothing else suffers', async () => {
  await assert.rejects(zk.set('/a', Buffer.alloc(1_100_000)), (error: errors.TooLargeError) => {
    assert.ok(error instanceof errors.TooLargeError);
    assert.match(error.message, /1048575 bytes.*jute\.maxbuffer/);
    assert.equal(error.outcome, 'not-sent');
    return true;
  });
  await zk.create('/big', Buffer.alloc(5_000));
  await using modest = await connect(server.connectString, { replyBytesMax: 1_000 });
  const big = modest.get('/big');
  const small = modest.get('/a');
  await assert.rejects(big, errors.TooLargeError);
  assert.ok((await small).data);
});

test('calls are served in their order, ten thousand at once', async () => {
  const order: number[] = [];
  const calls = Array.from({ length: 10_000 }, async (_, i) => {
    await zk.exists('/a');
    order.push(i);
  });
  await Promise.all(calls);
  assert.deepEqual(
    order,
    order.map((_, i) => i),
  );
});

test('diagnostics channels tell of operations, and of nothing when nobody listens', async () => {
  const seen: string[] = [];
  const channel = tracingChannel<'zoots:operation', OperationTrace>('zoots:operation');
  const subscribers = {
    start: ({ operation, path }: OperationTrace) => seen.push(`start ${operation} ${path}`),
    error: ({ error }: OperationTrace) => seen.push(`error ${(error as Error).name}`),
    asyncEnd: ({ operation }: OperationTrace) => seen.push(`end ${operation}`),
  };
  channel.subscribe(subscribers as never);
  await zk.get('/a');
  await zk.get('/none').catch(() => {});
  channel.unsubscribe(subscribers as never);
  await zk.get('/a');
  assert.deepEqual(seen, ['start get /a', 'end get', 'start get /none', 'error NoNodeError', 'end get']);
});
