import { strict as assert } from 'node:assert';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect as connectSocket, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ByteWriter } from '@zoots/base';
import { type LogRecord, startServer, type TestServer } from './index.js';

const OP = { create: 1, exists: 3, create2: 15, createContainer: 19, createTtl: 21, ping: 11, delete: 2 };
const NO_NODE = -101;

/** The least client that can be: one request at a time, frames in order. */
class WireClient {
  readonly socket: Socket;
  readonly #frames: Buffer[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  isClosed = false;
  sessionId = 0n;
  timeoutMs = 0;
  password: Uint8Array = new Uint8Array(16);
  #xid = 0;
  #onChange: () => void = () => {};

  constructor(port: number, host = '127.0.0.1') {
    this.socket = connectSocket(port, host);
    this.socket.on('data', (chunk) => this.#onData(chunk));
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
      this.#onChange();
    });
  }

  #onData(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 4 && this.#bytes.length >= 4 + this.#bytes.readInt32BE(0)) {
      const end = 4 + this.#bytes.readInt32BE(0);
      this.#frames.push(this.#bytes.subarray(4, end));
      this.#bytes = this.#bytes.subarray(end);
    }
    this.#onChange();
  }

  get frameCount(): number {
    return this.#frames.length;
  }

  async frame(): Promise<Buffer> {
    while (this.#frames.length === 0) {
      if (this.isClosed) throw new Error('closed');
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
    return this.#frames.shift() as Buffer;
  }

  async closed(): Promise<void> {
    while (!this.isClosed) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
  }

  /** Session id 0 in the answer: expired. */
  static async connect(port: number, timeoutMs = 30_000, old?: WireClient): Promise<WireClient> {
    const client = new WireClient(port);
    client.sendConnect(timeoutMs, old);
    await client.readConnect();
    return client;
  }

  sendConnect(timeoutMs: number, old?: WireClient): void {
    const body = Buffer.alloc(4 + 45);
    body.writeInt32BE(45, 0);
    body.writeInt32BE(timeoutMs, 16);
    body.writeBigInt64BE(old?.sessionId ?? 0n, 20);
    body.writeInt32BE(16, 28);
    body.set(old?.password ?? new Uint8Array(16), 32);
    this.socket.write(body);
  }

  async readConnect(): Promise<void> {
    const answer = await this.frame();
    this.timeoutMs = answer.readInt32BE(4);
    this.sessionId = answer.readBigInt64BE(8);
    this.password = answer.subarray(20, 36);
  }

  send(op: number, write: (body: ByteWriter) => void): void {
    const out = new ByteWriter(256);
    out.int32(0);
    out.int32(op === OP.ping ? -2 : ++this.#xid);
    out.int32(op);
    write(out);
    const bytes = Buffer.from(out.bytes.subarray(0, out.length));
    bytes.writeInt32BE(bytes.length - 4, 0);
    this.socket.write(bytes);
  }

  /** The error code. */
  async ask(op: number, write: (body: ByteWriter) => void): Promise<number> {
    this.send(op, write);
    return (await this.frame()).readInt32BE(12);
  }

  create(path: string, { op = OP.create, flags = 0, ttlMs = 0 } = {}): Promise<number> {
    return this.ask(op, (body) => {
      body.string(path);
      body.int32(-1);
      body.int32(1);
      body.int32(31);
      body.string('world');
      body.string('anyone');
      body.int32(flags);
      if (op === OP.createTtl) {
        body.int32(0);
        body.int32(ttlMs);
      }
    });
  }

  exists(path: string): Promise<number> {
    return this.ask(OP.exists, (body) => {
      body.string(path);
      body.bool(false);
    });
  }

  delete(path: string): Promise<number> {
    return this.ask(OP.delete, (body) => {
      body.string(path);
      body.int32(-1);
    });
  }
}

const EPHEMERAL = { flags: 1 };

test('several servers at once, each with data of its own', async () => {
  await using one = await startServer();
  await using two = await startServer();
  assert.notEqual(one.port, two.port);
  assert.equal(one.connectString, `127.0.0.1:${one.port}`);
  const client = await WireClient.connect(one.port);
  assert.equal(await client.create('/a'), 0);
  const other = await WireClient.connect(two.port);
  assert.equal(await other.exists('/a'), NO_NODE);
});

test('restart keeps data in memory, sessions and the port; stop ends it', async () => {
  const server = await startServer();
  const client = await WireClient.connect(server.port);
  await client.create('/a');
  await client.create('/e', EPHEMERAL);
  const { port } = server;
  await server.restart();
  await client.closed();
  assert.equal(server.port, port);
  const again = await WireClient.connect(port, 30_000, client);
  assert.equal(again.sessionId, client.sessionId);
  assert.equal(await again.exists('/a'), 0);
  assert.equal(await again.exists('/e'), 0);
  await server.stop();
  await server.stop();
  await again.closed();
  await assert.rejects(WireClient.connect(port), /closed/);
  await assert.rejects(server.restart(), /the server is stopped/);
});

test('temporary data is removed, data in a directory stays', async () => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith('zoots-testing-'));
  const parent = mkdtempSync(join(tmpdir(), 'zoots-kit-'));
  try {
    const temporary = await startServer({ data: 'temporary' });
    const client = await WireClient.connect(temporary.port);
    await client.create('/a');
    await temporary.restart();
    assert.equal(await (await WireClient.connect(temporary.port)).exists('/a'), 0);
    const made = readdirSync(tmpdir()).filter((name) => name.startsWith('zoots-testing-') && !before.includes(name));
    assert.equal(made.length, 1);
    await temporary.stop();
    assert.equal(existsSync(join(tmpdir(), made[0] as string)), false);

    const data = { directory: join(parent, 'data') };
    const first = await startServer({ data });
    await (await WireClient.connect(first.port)).create('/kept');
    await first.stop();
    await using second = await startServer({ data });
    assert.equal(await (await WireClient.connect(second.port)).exists('/kept'), 0);
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});

test('a start that fails leaves no directory behind and says why', async () => {
  await using server = await startServer();
  const count = (): number => readdirSync(tmpdir()).filter((name) => name.startsWith('zoots-testing-')).length;
  const before = count();
  await assert.rejects(startServer({ port: server.port, data: 'temporary' }), /in use/);
  await assert.rejects(startServer({ data: 'temporary', config: { tickTimee: 1 } }), /unknown .*tickTime/);
  await assert.rejects(startServer({ data: 'temporary', config: { tickTime: 'soon' } }), /tickTime/);
  assert.equal(count(), before);
});

test('configuration: keys of zoo.cfg, IPv6', async () => {
  await using server = await startServer({ config: { minSessionTimeout: 5000, clientPortAddress: '::1' } });
  assert.equal(server.connectString, `[::1]:${server.port}`);
  const client = new WireClient(server.port, '::1');
  client.sendConnect(300);
  await client.readConnect();
  assert.equal(client.timeoutMs, 5000);
});

test('killSession: ephemerals go, the connection is closed, the client is told when it comes back', async () => {
  await using server = await startServer();
  const [victim, witness] = await Promise.all([WireClient.connect(server.port), WireClient.connect(server.port)]);
  await victim.create('/e', EPHEMERAL);
  assert.equal(await witness.exists('/e'), 0);
  await server.killSession({ session: { id: victim.sessionId } });
  assert.equal(await witness.exists('/e'), NO_NODE);
  await victim.closed();
  const back = await WireClient.connect(server.port, 30_000, victim);
  assert.equal(back.sessionId, 0n);
  assert.deepEqual(
    server.sessions.map((session) => session.id),
    [witness.sessionId],
  );
  await assert.rejects(server.killSession(victim.sessionId), /no session/);
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(witness.sessionId);
  await server.killSession(bytes);
  assert.equal(server.sessions.length, 0);
});

test('dropConnection and dropConnections cut TCP and leave sessions', async () => {
  await using server = await startServer();
  const one = await WireClient.connect(server.port);
  const two = await WireClient.connect(server.port);
  server.dropConnection(one.sessionId);
  await one.closed();
  assert.equal(await two.exists('/'), 0);
  server.dropConnections();
  await two.closed();
  const back = await WireClient.connect(server.port, 30_000, one);
  assert.equal(back.sessionId, one.sessionId);
  assert.deepEqual(
    server.sessions.map((session) => [session.id, session.isConnected]),
    [
      [one.sessionId, true],
      [two.sessionId, false],
    ],
  );
});

/** Whatever the server does at once, it has done. */
async function someTurns(): Promise<void> {
  for (let i = 0; i < 50; i++) await nextTurn();
}

test('freeze: connections stay open and silent, new ones wait; thaw answers what was asked', async () => {
  await using server = await startServer();
  const client = await WireClient.connect(server.port);
  server.freeze();
  client.send(OP.create, (body) => {
    body.string('/a');
    body.int32(-1);
    body.int32(1);
    body.int32(31);
    body.string('world');
    body.string('anyone');
    body.int32(0);
  });
  const late = new WireClient(server.port);
  late.sendConnect(30_000);
  await new Promise((resolve) => late.socket.once('connect', resolve));
  await someTurns();
  assert.equal(client.frameCount + late.frameCount, 0);
  assert.equal(client.isClosed || late.isClosed, false);
  await assert.rejects(server.killSession(client.sessionId), /frozen/);
  server.thaw();
  assert.equal((await client.frame()).readInt32BE(12), 0);
  await late.readConnect();
  assert.notEqual(late.sessionId, 0n);
  assert.equal(await late.exists('/a'), 0);
});

test('a session outlives a frozen time if its ping is waiting, and does not if nothing is', async () => {
  await using server = await startServer();
  const [quiet, alive] = await Promise.all([
    WireClient.connect(server.port, 300),
    WireClient.connect(server.port, 300),
  ]);
  const other = await WireClient.connect(server.port);
  server.freeze();
  alive.send(OP.ping, () => {});
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.equal(server.sessions.length, 3);
  server.thaw();
  await quiet.closed();
  assert.equal((await alive.frame()).readInt32BE(0), -2);
  assert.equal(await other.exists('/'), 0);
  assert.ok(server.sessions.some((session) => session.id === alive.sessionId));
});

test('a frozen server can be stopped', async () => {
  const server = await startServer();
  const client = await WireClient.connect(server.port);
  server.freeze();
  const late = new WireClient(server.port);
  await server.stop();
  await Promise.all([client.closed(), late.closed()]);
});

test('refuse closes everything at once, admit ends it', async () => {
  await using server = await startServer();
  const client = await WireClient.connect(server.port);
  server.refuse();
  await client.closed();
  await assert.rejects(WireClient.connect(server.port), /closed/);
  server.admit();
  const back = await WireClient.connect(server.port, 30_000, client);
  assert.equal(back.sessionId, client.sessionId);
});

async function virtualServer(): Promise<{ server: TestServer; client: WireClient }> {
  const server = await startServer({ clock: 'virtual' });
  return { server, client: await WireClient.connect(server.port) };
}

test('virtual clock: TTL znodes and containers go when it says so, connected clients stay', async () => {
  const { server, client } = await virtualServer();
  await using _ = server;
  const startMs = server.nowMs;
  for (let i = 0; i < 20; i++) await client.create(`/ttl-${i}`, { op: OP.createTtl, flags: 5, ttlMs: 600_000 });
  await client.create('/container', { op: OP.createContainer, flags: 4 });
  await client.create('/container/child');
  await client.delete('/container/child');
  await server.advance(590_000);
  assert.equal(await client.exists('/container'), NO_NODE);
  assert.equal(await client.exists('/ttl-0'), 0);
  await server.advance(120_000);
  for (let i = 0; i < 20; i++) assert.equal(await client.exists(`/ttl-${i}`), NO_NODE);
  assert.ok(server.nowMs - startMs >= 710_000 && server.nowMs - startMs < 710_100, `${server.nowMs - startMs}`);
});

test('virtual clock: a session without a connection expires at its time', async () => {
  const { server, client } = await virtualServer();
  await using _ = server;
  const away = await WireClient.connect(server.port, 10_000);
  await away.create('/e', EPHEMERAL);
  away.socket.destroy();
  while (server.sessions.some((session) => session.id === away.sessionId && session.isConnected)) await nextTurn();
  await server.advance(9_900);
  assert.equal(await client.exists('/e'), 0);
  await server.advance(300);
  assert.equal(await client.exists('/e'), NO_NODE);
  assert.equal(server.sessions.length, 1);
});

test('advance needs the virtual clock', async () => {
  await using server = await startServer();
  await assert.rejects(server.advance(1), /clock: 'virtual'/);
});

test('real clock: short sessions expire by themselves', async () => {
  await using server = await startServer();
  const client = await WireClient.connect(server.port, 200);
  assert.equal(client.timeoutMs, 200);
  await client.closed();
  assert.equal(server.sessions.length, 0);
});

test('log: nothing unless asked, and then to a function', async () => {
  const records: LogRecord[] = [];
  await using server = await startServer({ log: (record) => records.push(record) });
  const client = await WireClient.connect(server.port);
  await server.killSession(client.sessionId);
  assert.ok(records.some((record) => record.event === 'session expired'));
});

test('time to start', async () => {
  const tookMs: number[] = [];
  for (let i = 0; i < 20; i++) {
    const startMs = performance.now();
    const server = await startServer();
    tookMs.push(performance.now() - startMs);
    await server.stop();
  }
  tookMs.sort((left, right) => left - right);
  const [median, last] = [tookMs[10] as number, tookMs.at(-1) as number];
  console.log(`startServer: median ${median.toFixed(2)} ms of ${tookMs.length}, longest ${last.toFixed(2)} ms`);
});
