/** What a gate does to sockets and to what is told of them. */
import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { PeerGate } from './peer-gate.js';

test('held: nothing is read or told until it is open, then all of it in order; closed: connections break', async () => {
  const gate = new PeerGate();
  const heard: string[] = [];
  let near: Socket | null = null;
  const net = createServer((socket) => {
    near = socket;
    gate.admit(socket);
    socket.on('data', (chunk) => heard.push(chunk.toString()));
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => net.listen(0, '127.0.0.1', resolve));
  const far = connect((net.address() as AddressInfo).port, '127.0.0.1');
  far.on('error', () => {});
  const until = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  try {
    far.write('a');
    await until(() => heard.length === 1);
    gate.state = 'held';
    far.write('b');
    gate.tell(() => heard.push('first'));
    gate.tell(() => heard.push('second'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(heard, ['a']);
    gate.state = 'open';
    assert.deepEqual(heard, ['a', 'first', 'second']);
    await until(() => heard.length === 4);
    assert.equal(heard[3], 'b');
    gate.tell(() => heard.push('third'));
    assert.equal(heard[4], 'third');
    gate.state = 'closed';
    await until(() => (near as Socket).destroyed && far.closed);
  } finally {
    far.destroy();
    net.close();
  }
});
