import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { acceptSockets, type OnBytes } from './accept-sockets.js';

const servers: Server[] = [];
const sockets: Socket[] = [];
after(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

/** `usual`: as on a Node that has no handle to take sockets from. */
async function listen(way: 'usual' | 'shared', onSocket: (socket: Socket) => void, onBytes: OnBytes): Promise<number> {
  const server = createServer({ allowHalfOpen: true });
  servers.push(server);
  const keep = (socket: Socket): void => {
    sockets.push(socket);
    onSocket(socket);
  };
  // Before it listens there is no handle.
  if (way === 'usual') acceptSockets(server, keep, onBytes);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  if (way === 'shared') acceptSockets(server, keep, onBytes);
  return (server.address() as AddressInfo).port;
}

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

/** Resolves when the other side has ended. */
async function textFrom(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

for (const way of ['usual', 'shared'] as const) {
  test(`${way} sockets: the bytes of each come to it, and its end does not cut off what it is told`, async () => {
    const heard = new Map<Socket, string>();
    const buffers = new Set<ArrayBufferLike>();
    const port = await listen(
      way,
      (socket) => {
        heard.set(socket, '');
        socket.on('end', () => socket.end(`heard ${heard.get(socket)?.length}: ${heard.get(socket)?.slice(0, 6)}`));
      },
      (socket, bytes, count) => {
        buffers.add(bytes.buffer);
        heard.set(socket, heard.get(socket) + Buffer.from(bytes.subarray(0, count)).toString());
      },
    );
    const [left, right] = [await dial(port), await dial(port)];
    left.write('a');
    right.write('b'.repeat(300_000));
    right.end();
    left.write('aa');
    left.end();
    assert.equal(await textFrom(left), 'heard 3: aaa');
    assert.equal(await textFrom(right), 'heard 300000: bbbbbb');
    if (way === 'shared') assert.equal(buffers.size, 1);
  });

  test(`${way} sockets: nothing comes from one that is paused as it arrives, and all of it once it goes on`, async () => {
    const arrived: Socket[] = [];
    let heard = '';
    const port = await listen(
      way,
      (socket) => {
        if (arrived.push(socket) === 1) socket.pause();
        else socket.on('end', () => socket.end('done'));
      },
      (_socket, bytes, count) => {
        heard += Buffer.from(bytes.subarray(0, count)).toString();
      },
    );
    const paused = await dial(port);
    paused.write('late');
    const other = await dial(port);
    other.end('early');
    await textFrom(other);
    assert.equal(heard, 'early');
    const first = arrived[0] as Socket;
    first.on('end', () => first.end());
    first.resume();
    paused.end();
    await textFrom(paused);
    assert.equal(heard, 'earlylate');
  });
}
