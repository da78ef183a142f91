import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { test } from 'node:test';
import { startServer } from '@zoots/testing';
import { connect, ZooKeeper } from './client.js';
import { type ConnectTrace, connectChannel } from './diagnostics.js';
import * as errors from './errors.js';
import type { SessionState } from './types.js';

function until(client: ZooKeeper, wanted: SessionState): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (client.state !== wanted) return;
      client.off('state', check);
      resolve();
    };
    client.on('state', check);
    check();
  });
}

test('from connecting to closed', async () => {
  await using server = await startServer();
  const client: ZooKeeper = new ZooKeeper(server.connectString);
  const states: SessionState[] = [client.state];
  client.on('state', (state) => states.push(state));
  assert.equal(client.session === null, true);
  const session = await client.connected();
  assert.equal(session, client.session);
  assert.equal(client.server?.port, server.port);
  assert.equal(session.password.length, 16);
  await client.create('/e', null, { mode: 'ephemeral' });
  assert.ok(client.lastZxid > 0);
  await client.close();
  await client.close();
  assert.deepEqual(states, ['connecting', 'connected', 'closed']);
  assert.equal(session.signal.aborted, true);
  assert.ok(session.signal.reason instanceof errors.SessionLostError);
  assert.deepEqual(server.sessions, []);
  await assert.rejects(client.get('/e'), errors.ClientClosedError);
  await assert.rejects(client.connected(), errors.ClientClosedError);
});

test('a lost connection suspends; reads wait and are repeated, writes in flight are unknown', async () => {
  await using server = await startServer();
  await using client = await connect(server.connectString);
  await client.create('/a', 'x');
  server.freeze();
  const read = client.get('/a');
  const write = client.set('/a', 'y');
  await new Promise((resolve) => setImmediate(resolve));
  server.dropConnection(client);
  await assert.rejects(write, (error: errors.ConnectionLossError) => {
    assert.ok(error instanceof errors.ConnectionLossError);
    assert.deepEqual([error.outcome, error.path, error.operation, error.retryable], ['unknown', '/a', 'set', true]);
    return true;
  });
  assert.equal(client.state, 'suspended');
  const { session } = client;
  const waiting = client.set('/a', 'z');
  server.thaw();
  assert.equal((await read).data?.length, 1);
  await waiting;
  assert.equal((await client.get('/a')).data?.toString(), 'z');
  assert.equal(client.session, session);
  assert.equal(session?.signal.aborted, false);
});

test('whenSuspended: fail', async () => {
  await using server = await startServer();
  await using client = await connect(server.connectString, { whenSuspended: 'fail' });
  server.refuse();
  await until(client, 'suspended');
  await assert.rejects(client.get('/'), (error: errors.ConnectionLossError) => error.outcome === 'not-sent');
  server.admit();
  await until(client, 'connected');
  await client.get('/');
});

test('no server in reach: lost by the local clock, and a new session later', async () => {
  await using server = await startServer();
  await using client = await connect(server.connectString, { sessionTimeoutMs: 400 });
  const session = await client.connected();
  await client.create('/mine', null, { mode: 'ephemeral' });
  const aborted = new Promise<unknown>((resolve) => {
    session.signal.addEventListener('abort', () => resolve(session.signal.reason));
  });
  server.refuse();
  await until(client, 'suspended');
  const waiting = client.get('/mine');
  const reason = await aborted;
  assert.match(String(reason), /must be assumed gone/);
  assert.equal(client.state, 'lost');
  assert.equal(client.session, null);
  await assert.rejects(waiting, (error: errors.SessionLostError) => error.outcome === 'not-sent');
  server.admit();
  const next = await client.connected();
  assert.notEqual(next.id, session.id);
});

test('a silent server is left, and the session lives on', async () => {
  await using server = await startServer();
  await using client = await connect(server.connectString, { sessionTimeoutMs: 1_500 });
  const { session } = client;
  server.freeze();
  await until(client, 'suspended');
  server.thaw();
  await until(client, 'connected');
  assert.equal(client.session, session);
});

test('an expired session: everything pending ends, a new session comes, or with newSession: false the end', async () => {
  await using server = await startServer();
  await using client = await connect(server.connectString);
  await using single = await connect(server.connectString, { newSession: false });
  const first = await client.connected();
  await Promise.all([server.killSession(client), server.killSession(single)]);
  await until(client, 'lost');
  assert.equal(first.signal.aborted, true);
  assert.notEqual((await client.connected()).id, first.id);
  await single.ended;
  assert.equal(single.state, 'closed');
});

test('a session can be handed over', async () => {
  await using server = await startServer();
  const first = await connect(server.connectString);
  await first.create('/kept', null, { mode: 'ephemeral' });
  const { id, password } = await first.connected();
  await first.disconnect();
  await using second = await connect(server.connectString, { session: { id, password } });
  assert.equal(second.session?.id, id);
  assert.deepEqual(await second.ephemerals(), ['/kept']);
});

test('a session of another password is refused: a new one comes instead', async () => {
  await using server = await startServer();
  await using first = await connect(server.connectString);
  const { id } = await first.connected();
  await using second = await connect(server.connectString, { session: { id, password: new Uint8Array(16) } });
  assert.notEqual(second.session?.id, id);
});

test('connecting in vain ends in time, and says what was met', async () => {
  await using server = await startServer();
  const { connectString } = server;
  await server.stop();
  await assert.rejects(connect(connectString, { timeoutMs: 200 }), (error: errors.ConnectionLossError) => {
    assert.ok(error instanceof errors.ConnectionLossError);
    assert.match(String(error.cause), /ECONNREFUSED/);
    return true;
  });
  const controller = new AbortController();
  const aborted = connect(connectString, { signal: controller.signal });
  controller.abort(new Error('enough'));
  await assert.rejects(aborted, { name: 'AbortError' });
});

test('calls made before there is any server do not wait for ever', async () => {
  await using server = await startServer();
  await server.stop();
  await using client = new ZooKeeper(server.connectString, { sessionTimeoutMs: 200 });
  await assert.rejects(client.get('/'), (error: errors.ConnectionLossError) => error.outcome === 'not-sent');
});

test('the next server of the list is tried, and a new list moves the client with its session', async () => {
  await using server = await startServer();
  await using other = await startServer();
  await using gone = await startServer();
  await gone.stop();
  const target = [
    { host: '127.0.0.1', port: gone.port },
    { host: '127.0.0.1', port: server.port },
  ];
  await using client = await connect(target, { shuffle: false });
  assert.equal(client.server?.port, server.port);
  const { session } = client;
  client.retarget([...target, other.connectString]);
  assert.equal(client.state, 'connected');
  client.retarget(other.connectString);
  await until(client, 'lost');
  await client.connected();
  assert.equal(client.server?.port, other.port);
  // The other server has never heard of the session, so it was another one's.
  assert.notEqual(client.session?.id, session?.id);
});

test('every end of a connection names the server, also when the list is another one by then', async () => {
  await using one = await startServer();
  await using two = await startServer();
  const ends: string[] = [];
  const listen = (message: unknown): void => {
    const { server, event, reason } = message as ConnectTrace;
    if (event === 'disconnected') ends.push(`${server.port} ${reason}`);
  };
  connectChannel.subscribe(listen);
  try {
    await using zk = await connect(one.connectString);
    zk.retarget(two.connectString);
    await zk.connected();
    two.freeze();
    await assert.rejects(
      connect(two.connectString, { connectTimeoutMs: 50, timeoutMs: 120 }),
      new RegExp(`:${two.port}: `),
    );
    two.thaw();
    assert.match(
      ends[0] as string,
      new RegExp(`^${one.port} 127.0.0.1:${one.port}: the server is not in the new list`),
    );
    assert.ok(ends.includes(`${two.port} 127.0.0.1:${two.port}: the server did not answer in time`), ends.join());
  } finally {
    connectChannel.unsubscribe(listen);
  }
});

test('a refused identity ends the client', async () => {
  await using server = await startServer();
  const client = await connect(server.connectString);
  await assert.rejects(client.addAuth('nonsense', 'x'), errors.AuthenticationError);
  assert.equal(client.state, 'auth-failed');
  await assert.rejects(client.get('/'), errors.AuthenticationError);
  await client.ended;
});

test('somebody else than a ZooKeeper server answers', async () => {
  const http: Server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as { port: number };
  try {
    await assert.rejects(connect(`127.0.0.1:${port}`, { timeoutMs: 300 }), (error: Error) =>
      /frame of|no ConnectResponse|closed the connection/.test(String(error.cause)),
    );
  } finally {
    http.close();
  }
});

test('many may listen to the client and to its session, and Node does not warn of a leak', async () => {
  const warnings: string[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning.name);
  process.on('warning', onWarning);
  await using server = await startServer();
  await using client = await connect(server.connectString);
  for (let i = 0; i < 20; i++) {
    client.on('state', () => {});
    client.session?.signal.addEventListener('abort', () => {});
  }
  // Node emits warnings in a tick of their own.
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', onWarning);
  assert.deepEqual(warnings, []);
});
