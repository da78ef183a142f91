import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { nullLogger, RecordingLogger } from '@zoots/base';
import { ElectionLinks, type ElectionLinksSettings } from './election-links.js';

interface End {
  readonly id: number;
  readonly links: ElectionLinks;
  readonly heard: string[];
  readonly port: number;
}

/** One address object for each server, shared by all who call it: its port is known once it listens. */
async function makeEnds(context: TestContext, ...ids: number[]): Promise<End[]> {
  const addresses = new Map(ids.map((id) => [id, { host: '127.0.0.1', port: 0 }]));
  const ends: End[] = [];
  for (const [id, own] of addresses) {
    const heard: string[] = [];
    const peers = new Map([...addresses].filter(([other]) => other !== id));
    const links = new ElectionLinks(settingsOf(id, own, peers), nullLogger, {
      onFrame: (from, bytes, start, end) => heard.push(`${from}: ${Buffer.from(bytes.slice(start, end)).toString()}`),
    });
    own.port = (await links.listen()).port;
    links.open();
    ends.push({ id, links, heard, port: own.port });
  }
  context.after(() => Promise.all(ends.map(({ links }) => links.close())));
  return ends;
}

function settingsOf(
  serverId: number,
  own: { host: string; port: number },
  peers: ElectionLinksSettings['peers'],
  given: Partial<ElectionLinksSettings> = {},
): ElectionLinksSettings {
  return {
    serverId,
    own,
    listenHost: '127.0.0.1',
    peers,
    connectTimeoutMs: 1_000,
    handshakeTimeoutMs: 1_000,
    keepAlive: false,
    callAgainMs: 60_000,
    silenceMs: 60_000,
    ...given,
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text));
}

test('messages arrive, whoever calls, and one connection stays', async (context) => {
  const [one, two] = (await makeEnds(context, 1, 2)) as [End, End];
  one.links.send(2, bytes('from the lower'));
  await until(() => two.heard.length === 1);
  two.links.send(1, bytes('from the higher'));
  await until(() => one.heard.length === 1);
  assert.deepEqual([one.heard, two.heard], [['2: from the higher'], ['1: from the lower']]);
  assert.deepEqual([one.links.connected, two.links.connected], [[2], [1]]);
});

test('three servers that all call each other at once', async (context) => {
  const ends = await makeEnds(context, 1, 2, 3);
  for (const { id, links } of ends) for (const other of ends) if (other.id !== id) links.send(other.id, bytes(`hello`));
  await until(() => ends.every(({ heard }) => new Set(heard).size === 2));
  await until(() => ends.every(({ links }) => links.connected.length === 2));
});

test('the newest message is said again on a fresh connection', async (context) => {
  const [one, two] = (await makeEnds(context, 1, 2)) as [End, End];
  two.links.send(1, bytes('old'));
  two.links.send(1, bytes('new'));
  await until(() => one.heard.includes('2: new'));
  one.heard.length = 0;
  // The lower one calls anew, as after a break that only it has noticed: the higher one calls back.
  const stranger = connect(two.port, '127.0.0.1');
  stranger.write(Buffer.from('ffffffffffff000000000000000000010000000b3132372e302e302e313a31', 'hex'));
  await until(() => one.heard.includes('2: new'));
  stranger.destroy();
});

test('callers that are nobody, or cannot be, are sent away with a reason', async (context) => {
  const logger = new RecordingLogger();
  const settings = settingsOf(2, { host: '127.0.0.1', port: 0 }, new Map([[1, { host: '127.0.0.1', port: 1 }]]));
  const links = new ElectionLinks(settings, logger, { onFrame: () => assert.fail('nobody said anything') });
  const { port } = await links.listen();
  links.open();
  context.after(() => links.close());
  const refused = async (hex: string): Promise<void> => {
    const socket: Socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(Buffer.from(hex, 'hex'));
    await new Promise((resolve) => socket.once('close', resolve));
  };
  await refused('fffffffffffffff0');
  await refused(`ffffffffffff0000${'00'.repeat(8)}00001000`);
  await refused('ffffffffffff0000000000000000000200000003613a31');
  await refused('0000000000000009');
  const reasons = logger.records.map(({ fields }) => String(fields.reason));
  assert.match(reasons[0] as string, /neither a server id nor a version/);
  assert.match(reasons[1] as string, /4096/);
  assert.match(reasons[2] as string, /check myid/);
  assert.match(reasons[3] as string, /server 9 is not in the configuration/);
});

test('a server that cannot be reached is told once in the words people know, and so is that it can be', async (context) => {
  const logger = new RecordingLogger();
  const [gone] = (await makeEnds(context, 7)) as [End];
  await gone.links.close();
  const at = { host: '127.0.0.1', port: gone.port };
  const links = new ElectionLinks(settingsOf(4, { host: '127.0.0.1', port: 0 }, new Map([[3, at]])), logger, {
    onFrame: () => {},
  });
  context.after(() => links.close());
  for (let i = 0; i < 3; i++) {
    links.connectAll();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const events = (): string[] => logger.records.map(({ event }) => event);
  const failure = `Cannot open channel to 3 at election address 127.0.0.1:${gone.port}`;
  assert.deepEqual(events(), [failure]);
  const back = new ElectionLinks(settingsOf(3, at, new Map()), nullLogger, { onFrame: () => {} });
  await back.listen();
  links.connectAll();
  await until(() => events().length === 2);
  assert.equal(events()[1], `channel to 3 at election address 127.0.0.1:${gone.port} is open`);
  await back.close();
  await until(() => links.connected.length === 0);
  links.connectAll();
  await until(() => events().length === 3);
  assert.equal(events()[2], failure);
});

test('who calls before this server can listen is heard when it can', async (context) => {
  const own = { host: '127.0.0.1', port: 0 };
  const heard: string[] = [];
  const early = new ElectionLinks(settingsOf(1, own, new Map([[2, { host: '127.0.0.1', port: 1 }]])), nullLogger, {
    onFrame: (from, frame, start, end) => heard.push(`${from}: ${Buffer.from(frame.slice(start, end)).toString()}`),
  });
  own.port = (await early.listen()).port;
  context.after(() => early.close());
  const caller = new ElectionLinks(settingsOf(2, { host: '127.0.0.1', port: 0 }, new Map([[1, own]])), nullLogger, {
    onFrame: () => {},
  });
  context.after(() => caller.close());
  caller.send(1, bytes('I am looking'));
  await until(() => caller.connected.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(heard, []);
  early.open();
  await until(() => heard.length === 1);
  assert.deepEqual(heard, ['2: I am looking']);
});

test('a frame that cannot be ends the connection', async (context) => {
  const [one] = (await makeEnds(context, 1, 5)) as [End, End];
  const socket = connect(one.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(Buffer.from('ffffffffffff0000000000000000000500000003613a31', 'hex'));
  socket.write(Buffer.from('7fffffff', 'hex'));
  await new Promise((resolve) => socket.once('close', resolve));
  assert.deepEqual(one.heard, []);
});

/** The times of the shell, shortened. */
const impatient = { callAgainMs: 20, silenceMs: 60 };

test('who was away gets its message as soon as it is there, without another one', async (context) => {
  const [gone] = (await makeEnds(context, 1)) as [End];
  await gone.links.close();
  const at = { host: '127.0.0.1', port: gone.port };
  const caller = new ElectionLinks(
    settingsOf(2, { host: '127.0.0.1', port: 0 }, new Map([[1, at]]), impatient),
    nullLogger,
    {
      onFrame: () => {},
    },
  );
  context.after(() => caller.close());
  caller.send(1, bytes('a vote'));
  await new Promise((resolve) => setTimeout(resolve, 30));
  const heard: string[] = [];
  const back = new ElectionLinks(settingsOf(1, at, new Map([[2, at]])), nullLogger, {
    onFrame: (from, frame, start, end) => heard.push(`${from}: ${Buffer.from(frame.slice(start, end)).toString()}`),
  });
  context.after(() => back.close());
  await back.listen();
  back.open();
  await until(() => heard.length === 1);
  assert.deepEqual(heard, ['2: a vote']);
});

test('a connection that swallows votes is given up; one on which nothing was asked twice stays', async (context) => {
  const calls: Socket[] = [];
  const deaf = createServer((socket) => {
    socket.on('error', () => {});
    calls.push(socket.resume());
  });
  await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    deaf.close();
    for (const socket of calls) socket.destroy();
  });
  const at = { host: '127.0.0.1', port: (deaf.address() as { port: number }).port };
  const caller = new ElectionLinks(
    settingsOf(2, { host: '127.0.0.1', port: 0 }, new Map([[1, at]]), impatient),
    nullLogger,
    {
      onFrame: () => {},
    },
  );
  context.after(() => caller.close());
  caller.send(1, bytes('an answer'));
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(calls.length, 1);
  caller.send(1, bytes('a vote'));
  await until(() => calls.length === 2);
  await until(() => calls[0]?.destroyed === true);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(calls.length, 2, 'the fresh one is given its time');
});
