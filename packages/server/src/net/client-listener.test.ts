import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { ByteWriter } from '@zoots/base';
import { Connection, type Server, Session } from '@zoots/core';
import { ClientListener } from './client-listener.js';

const CONNECTIONS = 12;
const LOAN_BYTES = 3_000_000;

/** What the listener needs of a core. */
class Core {
  readonly connections: Connection[] = [];
  drained = 0;

  accept(address: string, port: number): Connection {
    const connection = new Connection(this.connections.length, address, port, false, 0, 0);
    this.connections.push(connection);
    return connection;
  }

  onClientChunk(): void {}

  onClientClosed(): void {}

  onDrained(): void {
    this.drained++;
  }

  recycle(): void {}
}

test('lent bytes leave amid the written ones, in order and whole; in one turn no more than a turn may lend', async () => {
  const core = new Core();
  const options = { port: 0, host: '127.0.0.1', backlog: -1, keepAlive: false };
  const listener = new ClientListener(core as unknown as Server, options);
  const port = await listener.listen(options);
  const clients = Array.from({ length: CONNECTIONS }, () => net.connect(port, '127.0.0.1'));
  const received = clients.map(() => [] as Buffer[]);
  for (const [i, client] of clients.entries()) client.on('data', (chunk) => received[i]?.push(chunk));
  await Promise.all(clients.map((client) => once(client, 'connect')));
  while (core.connections.length < CONNECTIONS) await new Promise(setImmediate);

  const loan = new Uint8Array(LOAN_BYTES + 1_000).map((_, i) => i % 251);
  for (const connection of core.connections) {
    connection.out = new ByteWriter();
    connection.out.int32(1);
    connection.borrow(loan, LOAN_BYTES);
    connection.out.int32(2);
    connection.borrow(loan, 5);
    connection.borrow(loan, 1);
  }
  for (const connection of core.connections) listener.flush(connection);
  const waiting = core.connections.filter(({ out }) => out !== null);
  // 16 MiB are reached with the sixth.
  assert.equal(waiting.length, CONNECTIONS - 6);
  // What comes meanwhile goes behind what waits.
  for (const { out } of waiting) out?.int32(3);
  for (const connection of waiting) listener.flush(connection);
  assert.ok(waiting.every(({ out, loanBytes }) => out !== null && loanBytes === LOAN_BYTES + 6));

  const tailOf = (connection: number): number[] =>
    waiting.some(({ remotePort }) => remotePort === clients[connection]?.localPort) ? [0, 0, 0, 3] : [];
  for (const [i, chunks] of received.entries()) {
    const tail = tailOf(i);
    const wanted = [
      [0, 0, 0, 1],
      [0, 0, 0, 2, 0, 1, 2, 3, 4, 0, ...tail],
    ] as const;
    const length = LOAN_BYTES + wanted[0].length + wanted[1].length;
    while (chunks.reduce((sum, chunk) => sum + chunk.length, 0) < length) await once(clients[i] as net.Socket, 'data');
    const bytes = Buffer.concat(chunks);
    assert.deepEqual(
      bytes,
      Buffer.concat([Buffer.from(wanted[0]), loan.subarray(0, LOAN_BYTES), Buffer.from(wanted[1])]),
    );
  }
  assert.ok(core.drained >= waiting.length, 'who waited may go on');
  assert.ok(core.connections.every(({ out, loans, loanBytes }) => out === null && loans === null && loanBytes === 0));
  for (const client of clients) client.destroy();
  await listener.close();
});

for (const isSessionClosed of [true, false]) {
  const what = isSessionClosed ? 'a closed session: the socket is closed with the answer' : 'a refusal: our side ends';
  test(`${what}, and the client gets all of it before the end`, async () => {
    const core = new Core();
    const options = { port: 0, host: '127.0.0.1', backlog: -1, keepAlive: false };
    const listener = new ClientListener(core as unknown as Server, options);
    const client = net.connect({ port: await listener.listen(options), host: '127.0.0.1', allowHalfOpen: true });
    while (core.connections.length < 1) await new Promise(setImmediate);
    const connection = core.connections[0] as Connection;
    if (isSessionClosed) {
      connection.session = new Session(1, 2, 4000);
      connection.session.isClosing = true;
    }
    connection.state = 'closed';
    connection.closeAfterFlush = true;
    connection.out = new ByteWriter();
    connection.out.int32(7);
    listener.flush(connection);
    const chunks: Buffer[] = [];
    for await (const chunk of client) chunks.push(chunk);
    assert.deepEqual(Buffer.concat(chunks), Buffer.from([0, 0, 0, 7]));
    // The client has not ended its side.
    assert.equal(connection.carrier === null, isSessionClosed);
    client.end();
    while (connection.carrier !== null) await new Promise(setImmediate);
    await listener.close();
  });
}
