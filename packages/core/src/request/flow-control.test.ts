import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configOf, configurationOf } from '../ensemble/stage-config.js';
import { PARKED_PER_OUTSTANDING } from '../limits.js';
import { Connection } from '../session/connection.js';
import { FlowControl } from './flow-control.js';

const LIMIT = 3;

function flowAndConnection(): { flow: FlowControl; connection: Connection } {
  const flow = new FlowControl(configOf(1, configurationOf({}), { config: { globalOutstandingLimit: LIMIT } }));
  const connection = new Connection(1, '127.0.0.1', 1000, false, 0, 0);
  connection.pendingWrites = 1;
  return { flow, connection };
}

test('reads that are parked leave the writes their room, and have a limit of their own', () => {
  const { flow, connection } = flowAndConnection();
  const parkedMax = LIMIT * PARKED_PER_OUTSTANDING;
  for (let i = 0; i < parkedMax; i++) flow.park(10);
  for (let i = 0; i < LIMIT; i++) flow.enter(100);
  assert.equal(flow.count, LIMIT + parkedMax);
  assert.equal(flow.pausesNow(connection), false);
  flow.park(10);
  assert.equal(flow.pausesNow(connection), true);
  assert.deepEqual(flow.takeResumable(), []);
  flow.unpark(10);
  assert.deepEqual(flow.takeResumable(), [connection]);
  flow.enter(100);
  assert.equal(flow.pausesNow(connection), true);
  flow.leave(100);
  assert.deepEqual(flow.takeResumable(), [connection]);
});

test('a connection with nothing in flight goes on however full the server is', () => {
  const { flow, connection } = flowAndConnection();
  connection.pendingWrites = 0;
  for (let i = 0; i < 10 * LIMIT; i++) flow.enter(1);
  for (let i = 0; i < 10 * LIMIT; i++) flow.park(1);
  assert.equal(flow.pausesNow(connection), false);
  flow.reset();
  connection.pendingWrites = 1;
  assert.equal(flow.pausesNow(connection), false);
});
