/** Streams of the quorum port between two ends in one process; who decides is played by the tests. */
import assert from 'node:assert/strict';
import { connect, createServer, type Server as NetServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type Logger, nullLogger, RecordingLogger } from '@zoots/base';
import { type PeerInputs, PeerStream } from '@zoots/core';
import { QuorumLinks, type QuorumLinksSettings } from './quorum-links.js';

const HOST = '127.0.0.1';

/** What the core would be: streams with what came on them. */
class Ends implements PeerInputs {
  readonly heard = new Map<PeerStream, Buffer>();
  readonly connected = new Set<PeerStream>();
  readonly closed: string[] = [];
  readonly drained = new Set<PeerStream>();
  dirty: PeerStream[] = [];
  accepts = true;
  #count = 0;

  readonly stream = (): PeerStream => {
    const stream = new PeerStream(++this.#count, 1024 * 1024, 0, (it) => this.dirty.push(it));
    this.heard.set(stream, Buffer.alloc(0));
    return stream;
  };

  get streams(): PeerStream[] {
    return [...this.heard.keys()];
  }

  accept(remoteAddress: string): PeerStream | null {
    assert.match(remoteAddress, /^127\.0\.0\.1:\d+$/);
    return this.accepts ? this.stream() : null;
  }

  onConnected(stream: PeerStream): void {
    this.connected.add(stream);
  }

  onBytes(stream: PeerStream, bytes: Uint8Array, start: number, end: number): void {
    this.heard.set(stream, Buffer.concat([this.heard.get(stream) as Buffer, bytes.slice(start, end)]));
  }

  onClosed(stream: PeerStream, reason: string): void {
    this.closed.push(`${stream.number}: ${reason}`);
  }

  onDrained(stream: PeerStream): void {
    this.drained.add(stream);
  }

  takeDirty(): PeerStream[] {
    const { dirty } = this;
    this.dirty = [];
    return dirty;
  }

  onElectionFrame(): void {
    assert.fail('not on this port');
  }
}

interface Side {
  readonly links: QuorumLinks;
  readonly ends: Ends;
  /** The end of a turn. */
  flush(): void;
}

function side(context: TestContext, given: Partial<QuorumLinksSettings> = {}, logger: Logger = nullLogger): Side {
  const settings: QuorumLinksSettings = {
    port: 0,
    listenHost: HOST,
    peers: new Map(),
    connectTimeoutMs: 1_000,
    bindPauseMs: 10,
    learnerNoDelay: true,
    leaderNoDelay: true,
    ...given,
  };
  const ends = new Ends();
  const links = new QuorumLinks(settings, logger);
  links.attach(ends);
  context.after(() => links.close());
  return { links, ends, flush: () => ends.takeDirty().forEach(links.flush) };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

async function listening(leader: Side): Promise<number> {
  leader.links.listen(true);
  await until(() => leader.links.port !== null);
  return leader.links.port as number;
}

/** A leader 1 and a learner that is connected to it. */
async function pair(context: TestContext): Promise<{ leader: Side; learner: Side; up: PeerStream; down: PeerStream }> {
  const leader = side(context);
  const port = await listening(leader);
  const learner = side(context, { peers: new Map([[1, { host: 'localhost', port }]]) });
  const up = learner.ends.stream();
  learner.links.dial(1, up);
  await until(() => learner.ends.connected.has(up) && leader.ends.streams.length === 1);
  return { leader, learner, up, down: leader.ends.streams[0] as PeerStream };
}

function say(stream: PeerStream, text: string): void {
  const bytes = new Uint8Array(Buffer.from(text));
  stream.sendRaw(bytes, 0, bytes.length);
}

test('bytes go both ways, at the end of a turn', async (context) => {
  const { leader, learner, up, down } = await pair(context);
  say(up, 'one ');
  say(up, 'two');
  learner.flush();
  await until(() => leader.ends.heard.get(down)?.toString() === 'one two');
  say(down, 'three');
  leader.flush();
  await until(() => learner.ends.heard.get(up)?.toString() === 'three');
  assert.deepEqual([up.out.length, up.unsentBytes], [0, 0]);
});

test('a stream that the core closes ends after its last bytes, and both sides hear of it once', async (context) => {
  const { leader, learner, up, down } = await pair(context);
  say(down, 'last words');
  down.isClosed = true;
  leader.flush();
  await until(() => learner.ends.closed.length === 1 && leader.ends.closed.length === 1);
  assert.equal(learner.ends.heard.get(up)?.toString(), 'last words');
  assert.deepEqual(learner.ends.closed, ['1: closed by the other side']);
});

test('what the kernel does not take is counted, and told when it is gone', async (context) => {
  const { leader, learner, up, down } = await pair(context);
  const bytes = new Uint8Array(16 * 1024 * 1024).fill(7);
  down.sendRaw(bytes, 0, bytes.length);
  leader.flush();
  assert.ok(down.unsentBytes > 0);
  assert.equal(down.out.length, 0);
  say(down, 'behind it');
  leader.flush();
  await until(() => leader.ends.drained.has(down) && down.unsentBytes === 0);
  await until(() => (learner.ends.heard.get(up)?.length ?? 0) === bytes.length + 9);
  assert.equal(learner.ends.heard.get(up)?.subarray(-9).toString(), 'behind it');
});

test('nobody is accepted before it is time, nor after; who is there stays', async (context) => {
  const { leader, learner, up } = await pair(context);
  leader.links.listen(true);
  const port = leader.links.port as number;
  leader.links.listen(false);
  assert.equal(leader.links.port, null);
  const late = learner.ends.stream();
  learner.links.dial(1, late);
  await until(() => learner.ends.closed.length === 1);
  assert.match(learner.ends.closed[0] as string, /^2: .*ECONNREFUSED/);
  say(up, 'still here');
  learner.flush();
  await until(() => leader.ends.heard.get(leader.ends.streams[0] as PeerStream)?.toString() === 'still here');
  assert.ok(port > 0);
});

test('a learner that the core does not want is sent away', async (context) => {
  const leader = side(context);
  const port = await listening(leader);
  leader.ends.accepts = false;
  const socket = connect(port, HOST);
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('close', resolve));
  assert.deepEqual(leader.ends.streams, []);
});

test('a leader that still cannot be reached is told once, and again after it could be', async (context) => {
  const { port, net } = await occupied();
  await new Promise((resolve) => net.close(resolve));
  const logger = new RecordingLogger();
  const learner = side(context, { peers: new Map([[3, { host: HOST, port }]]) }, logger);
  const dialOnce = async (): Promise<void> => {
    const before = learner.ends.closed.length + learner.ends.connected.size;
    learner.links.dial(3, learner.ends.stream());
    await until(() => learner.ends.closed.length + learner.ends.connected.size > before);
  };
  await dialOnce();
  assert.deepEqual(logger.records, [], 'the first time it may have been too early');
  await dialOnce();
  await dialOnce();
  const words = `Cannot open channel to the leader 3 at quorum address ${HOST}:${port}`;
  assert.deepEqual(
    logger.records.map(({ event }) => event),
    [words],
  );
  const leader = side(context, { port });
  await listening(leader);
  await dialOnce();
  await leader.links.close();
  await until(() => learner.ends.closed.length === 4);
  await dialOnce();
  await dialOnce();
  assert.deepEqual(
    logger.records.map(({ event }) => event),
    [words, words],
  );
});

test('a stranger in the configuration is nobody to dial', async (context) => {
  const learner = side(context);
  learner.links.dial(9, learner.ends.stream());
  assert.deepEqual(learner.ends.closed, []);
  await until(() => learner.ends.closed.length === 1);
  assert.match(learner.ends.closed[0] as string, /server 9 is not in the configuration/);
});

test('a dial that the core gives up is gone at once', async (context) => {
  const learner = side(context, { peers: new Map([[1, { host: HOST, port: 1 }]]) });
  const stream = learner.ends.stream();
  learner.links.dial(1, stream);
  stream.isClosed = true;
  learner.links.flush(stream);
  await until(() => learner.ends.closed.length === 1);
  assert.deepEqual([...learner.ends.connected], []);
});

async function occupied(): Promise<{ port: number; net: NetServer }> {
  const net = createServer();
  await new Promise<void>((resolve) => net.listen(0, HOST, resolve));
  return { port: (net.address() as { port: number }).port, net };
}

test('a port in use is tried until it is free, and told once with the remedy', async (context) => {
  const { port, net } = await occupied();
  const logger = new RecordingLogger();
  const leader = side(context, { port }, logger);
  leader.links.listen(true);
  await until(() => logger.records.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(logger.records.length, 1);
  assert.equal(
    logger.records[0]?.fields.reason,
    `quorum port ${HOST}:${port} is in use: stop what listens there or change the first port of this server's server.N line, on all servers`,
  );
  await new Promise((resolve) => net.close(resolve));
  await until(() => leader.links.port === port);
});

test('the end: connections are cut, and nothing is dialled', async (context) => {
  const { leader, learner, up } = await pair(context);
  await leader.links.close();
  await until(() => learner.ends.closed.length === 1);
  leader.links.listen(true);
  assert.equal(leader.links.port, null);
  leader.links.dial(1, up);
  await until(() => leader.ends.closed.length === 2);
});
