import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter } from '@zoots/base';
import { ParkingLot } from '../request/parking.js';
import { Connection } from './connection.js';
import { Outbox } from './outbox.js';

/** A client that has an answer to get and a write in flight, with a read behind it. */
function clientWithWrite(): Connection {
  const connection = new Connection(1, '127.0.0.1', 1, false, 0, 0);
  connection.state = 'open';
  connection.pendingWrites = 1;
  connection.parked = new ParkingLot();
  connection.out = new ByteWriter(64);
  connection.out.int32(1);
  return connection;
}

test('answers ahead of a write wait for one turn and no longer', () => {
  const outbox = new Outbox();
  const client = clientWithWrite();
  outbox.mark(client);
  assert.deepEqual(outbox.take(true), []);
  assert.deepEqual(outbox.take(true), [client]);
  assert.deepEqual(outbox.take(true), []);
  outbox.mark(client);
  assert.deepEqual(outbox.take(true), [], 'waited for good');
});

test('who waits and is marked again leaves once', () => {
  const outbox = new Outbox();
  const client = clientWithWrite();
  outbox.mark(client);
  outbox.take(true);
  outbox.mark(client);
  assert.deepEqual(outbox.take(true), [client]);
});

test('an answer to a write waits only where reads are behind the next write', () => {
  const outbox = new Outbox();
  const client = clientWithWrite();
  client.isWriteAnswered = true;
  outbox.mark(client);
  assert.deepEqual(outbox.take(true), []);
  assert.deepEqual(outbox.take(true), [client]);
  client.parked = null;
  client.isWriteAnswered = true;
  outbox.mark(client);
  assert.deepEqual(outbox.take(true), [client]);
});

const LEAVE_AT_ONCE: readonly [string, (client: Connection) => void][] = [
  ['nothing is in flight', (client) => (client.pendingWrites = 0)],
  ['it is closed', (client) => (client.state = 'closed')],
  ['the shell must not read it', (client) => (client.isPaused = true)],
  ['there is nothing to send', (client) => (client.out = null)],
  ['it has a list to send', (client) => client.borrow(new Uint8Array(1), 1)],
  ['it has much to send', (client) => client.out?.raw(new Uint8Array(20_000), 0, 20_000)],
];

for (const [why, change] of LEAVE_AT_ONCE) {
  test(`a connection does not wait when ${why}`, () => {
    const outbox = new Outbox();
    const client = clientWithWrite();
    change(client);
    outbox.mark(client);
    assert.deepEqual(outbox.take(true), [client]);
  });
}

test('nobody waits where writes take long', () => {
  const outbox = new Outbox();
  const client = clientWithWrite();
  outbox.mark(client);
  assert.deepEqual(outbox.take(false), [client]);
});
