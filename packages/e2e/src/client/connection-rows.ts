/** Where clients connect to: addresses of all forms, lists that change, identities on every connection, limits of the line. */
import { strict as assert } from 'node:assert';
import { createServer, type Socket, connect as tcpConnect } from 'node:net';
import { connect, OverloadedError, type ZooKeeper } from '@zoots/client';
import { OP } from '@zoots/protocol';
import { freePort } from '../peers/peer.js';
import { type ClientRow, failureOf, nextState, type Stage, statesOf, until } from './row.js';

/** Ours listens on every address; Apache's is asked through a relay that listens on ::1. */
async function ipv6(stage: Stage): Promise<void> {
  const port = await freePort();
  const sockets = new Set<Socket>();
  const relay = createServer((client) => {
    const server = tcpConnect(stage.port, '127.0.0.1');
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.pipe(server).pipe(client);
  });
  await new Promise<void>((resolve) => relay.listen(port, '::1', resolve));
  stage.defer(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
  });
  const targets = [`[::1]:${port}`, `[::1]:${port}${stage.root}`, [{ host: '::1', port }]];
  for (const target of targets) {
    const zk = await stage.connect({}, target);
    assert.deepEqual(zk.server, { host: '::1', port });
    assert.ok((await zk.exists('/')) !== null);
  }
}

async function forms(stage: Stage): Promise<void> {
  const { port, root } = stage;
  await (await stage.connect()).create(`${root}/x`);
  const targets = [
    { target: `127.0.0.1:${port},localhost:${port}${root}`, chroot: true },
    { target: ` 127.0.0.1:${port} , 127.0.0.1:${port}/`, chroot: false },
    { target: `zk://127.0.0.1:${port}${root}?sessionTimeoutMs=5000`, chroot: true, timeoutMs: 5_000 },
    { target: new URL(`zk://127.0.0.1:${port}${root}`), chroot: true },
    { target: [`127.0.0.1:${port}`, { host: 'localhost', port }], chroot: false },
  ] as const;
  for (const { target, chroot, ...expected } of targets) {
    const options = 'timeoutMs' in expected ? { sessionTimeoutMs: undefined } : {};
    const zk = await stage.connect(options, target);
    assert.deepEqual(await zk.children(chroot ? '/' : root), ['x'], String(target));
    if ('timeoutMs' in expected) assert.equal(zk.session?.timeoutMs, expected.timeoutMs);
  }
}

async function retarget(stage: Stage): Promise<void> {
  const [one, two] = [await stage.interpose(), await stage.interpose()];
  const zk = await stage.connect({}, one.connectString);
  const id = zk.session?.id;
  await zk.create(`${stage.root}/e`, null, { mode: 'ephemeral' });
  const states = statesOf(zk);
  // In the new list as well: it stays.
  zk.retarget(`${one.connectString},${two.connectString}`);
  await zk.get(stage.root);
  assert.equal(zk.server?.port, one.port);
  assert.deepEqual(states, ['connected']);
  zk.retarget(two.connectString);
  await until('on the other server', () => zk.server?.port === two.port && zk.state === 'connected');
  assert.equal(zk.session?.id, id);
  assert.equal((await zk.exists(`${stage.root}/e`))?.ephemeralOwner, id);
  assert.equal(one.connectionCount, 1);
  const suspended = nextState(zk, 'suspended');
  two.cut();
  await suspended;
  await zk.connected();
  assert.equal(zk.server?.port, two.port);
}

async function retargetAway(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({}, interposer.connectString);
  const id = zk.session?.id;
  interposer.openness = 'refusing';
  await until('suspended', () => zk.state === 'suspended');
  zk.retarget(stage.connectString);
  await zk.connected({ timeoutMs: 5_000 });
  assert.equal(zk.session?.id, id);
}

async function authAgain(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({ auth: [{ scheme: 'digest', auth: 'ann:a' }] }, interposer.connectString);
  await zk.addAuth('digest', 'bob:b');
  const path = `${stage.root}/mine`;
  await zk.create(path, 'x', { acl: [{ perms: 31, scheme: 'auth', id: '' }] });
  for (let i = 0; i < 3; i++) {
    const suspended = nextState(zk, 'suspended');
    interposer.cut();
    await suspended;
    assert.equal(String((await zk.get(path)).data), 'x');
  }
  const users = (await zk.whoAmI()).map(({ user }) => user).sort();
  assert.deepEqual(users, ['127.0.0.1', 'ann', 'bob']);
  // Without a connection addAuth waits for one.
  interposer.openness = 'refusing';
  await until('suspended', () => zk.state !== 'connected');
  const adding = zk.addAuth('digest', 'eve:e');
  interposer.openness = 'open';
  await adding;
  assert.equal((await zk.whoAmI()).length, 4);
}

async function limits(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({ inFlightMax: 5, waitingMax: 20 }, interposer.connectString);
  let arrived = 0;
  interposer.onRequest = (op) => {
    if (op === OP.exists) arrived++;
    return 'pass';
  };
  interposer.openness = 'silent';
  const calls: Promise<unknown>[] = Array.from({ length: 25 }, () => zk.exists('/').catch((error) => error));
  const error = await failureOf(zk.exists('/'));
  assert.ok(error instanceof OverloadedError && error.outcome === 'not-sent', String(error));
  // What the silence has swallowed is sent again on the next connection.
  interposer.openness = 'refusing';
  await until('suspended', () => zk.state !== 'connected');
  interposer.openness = 'open';
  for (const result of await Promise.all(calls)) assert.equal(result instanceof Error, false, String(result));
  assert.equal(arrived, 25);
}

/** What stands in a list beside a good server: one that never answers, something else, a name that nobody has. */
async function badNeighbours(stage: Stage): Promise<void> {
  const silent = await stage.interpose();
  silent.openness = 'silent';
  const port = await freePort();
  const web = createServer((socket) => {
    socket.on('error', () => {});
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
  await new Promise<void>((resolve) => web.listen(port, '127.0.0.1', resolve));
  stage.defer(() => web.close());
  const options = { shuffle: false, connectTimeoutMs: 300 };
  for (const bad of [silent.connectString, `127.0.0.1:${port}`, 'no-such-host.invalid:2181']) {
    const zk = await stage.connect(options, `${bad},127.0.0.1:${stage.port}`);
    assert.equal(zk.server?.port, stage.port, bad);
    const error = await failureOf(connect(bad, { ...options, timeoutMs: 700 }));
    stage.note(String((error.cause as Error | undefined)?.message ?? error.message));
  }
}

/** Many clients that lose their server at the same moment come back. */
async function crowd(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const clients: ZooKeeper[] = await Promise.all(
    Array.from({ length: 100 }, () => stage.connect({ sessionTimeoutMs: 10_000 }, interposer.connectString)),
  );
  const ids = clients.map((zk) => zk.session?.id);
  assert.equal(new Set(ids).size, clients.length);
  for (let i = 0; i < 3; i++) {
    const suspended = clients.map((zk) => nextState(zk, 'suspended'));
    interposer.cut();
    await Promise.all(suspended);
    await Promise.all(clients.map((zk) => zk.connected()));
  }
  assert.deepEqual(
    clients.map((zk) => zk.session?.id),
    ids,
  );
}

export const connectionRows: readonly ClientRow[] = [
  { name: 'IPv6', run: ipv6 },
  { name: 'connect strings, URLs, arrays', run: forms },
  { name: 'retarget moves to a server of the new list', run: retarget },
  { name: 'retarget while no server can be reached', run: retargetAway },
  { name: 'identities are presented on every connection', run: authAgain },
  { name: 'bad neighbours in the list', run: badNeighbours },
  { name: 'limits of what waits and is in flight', run: limits },
  { name: '100 clients lose their server together', where: 'alone', isExclusive: true, run: crowd },
];
