/** A link must do to a connection what a network does, and nothing else: above all, it keeps the order of bytes. */
import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { sleep } from '../crash/server-process.js';
import { freePort } from '../peers/peer.js';
import { Link } from './link.js';

let target: Server;
let targetPort = 0;
/** The newest connection that came through, and what was received on it. */
let accepted: Socket | null = null;
let received = '';

before(async () => {
  target = createServer((socket) => {
    accepted = socket;
    received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  targetPort = (target.address() as AddressInfo).port;
});

after(() => {
  target.close();
});

interface Opened {
  readonly socket: Socket;
  heard(): string;
  isClosed(): boolean;
}

function opened(port: number): Opened {
  accepted = null;
  let heard = '';
  let isClosed = false;
  const socket = connect(port, '127.0.0.1');
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    isClosed = true;
  });
  return { socket, heard: () => heard, isClosed: () => isClosed };
}

async function until(isTrue: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 5_000;
  while (!isTrue()) {
    assert.ok(performance.now() < deadlineMs, `not within 5 s: ${isTrue}`);
    await sleep(2);
  }
}

async function openLink(rewrite?: readonly [string, string]): Promise<{ link: Link; port: number }> {
  const port = await freePort();
  const link = await Link.open({ port, targetPort, ...(rewrite === undefined ? {} : { rewrite }) });
  return { link, port };
}

test('bytes keep their order, however long each piece waits', async () => {
  const { link, port } = await openLink();
  let piece = 0;
  link.delay(() => [12, 0, 5, 0, 0, 9][piece++ % 6] as number);
  const { socket } = opened(port);
  let sent = '';
  for (let i = 0; i < 60; i++) {
    socket.write(`${i},`);
    sent += `${i},`;
    await sleep(1);
  }
  await until(() => received === sent);
  socket.destroy();
  await link.close();
});

test('silence holds bytes back in one direction, and lets them go when it ends', async () => {
  const { link, port } = await openLink();
  const { socket, heard } = opened(port);
  socket.write('a');
  await until(() => received === 'a');
  link.set('silent', 'open');
  socket.write('b');
  accepted?.write('back');
  await until(() => heard() === 'back');
  await sleep(30);
  assert.equal(received, 'a');
  link.set('open', 'open');
  await until(() => received === 'ab');
  socket.destroy();
  await link.close();
});

test('a connection asked for in silence waits for its end; a cut breaks what is there and refuses what comes', async () => {
  const { link, port } = await openLink();
  link.set('open', 'silent');
  const first = opened(port);
  first.socket.write('early');
  await sleep(30);
  assert.equal(accepted, null);
  assert.equal(first.isClosed(), false);
  link.set('open', 'open');
  await until(() => received === 'early');
  link.set('cut', 'open');
  await until(first.isClosed);
  const second = opened(port);
  await until(second.isClosed);
  assert.equal(accepted, null);
  await link.close();
});

test('an address in the first bytes is replaced, later ones are not', async () => {
  const { link, port } = await openLink([':12345', ':54321']);
  const { socket } = opened(port);
  socket.write('127.0.0.1:12345');
  await until(() => received.length === 15);
  socket.write(':12345');
  await until(() => received.length === 21);
  assert.equal(received, '127.0.0.1:54321:12345');
  socket.destroy();
  await link.close();
});
