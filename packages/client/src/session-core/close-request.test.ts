import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ByteWriter, Prng, ByteWriter as Writer } from '@zoots/base';
import { writeConnectResponse } from '@zoots/protocol';
import { SessionCore } from './session-core.js';
import { CLOSE_TIMEOUT_MS, type SessionOptions, type SessionPorts, type SessionState } from './session-ports.js';

const options: SessionOptions = {
  serverCount: 1,
  sessionTimeoutMs: 30_000,
  connectTimeoutMs: null,
  readOnly: false,
  auth: [],
  session: null,
  backoffMinMs: 10,
  backoffMaxMs: 100,
  newSession: true,
  inFlightMax: 10,
  waitingMax: 10,
  failWhenSuspended: false,
  requestBytesMax: 1_000,
  replyBytesMax: 1_000,
};

interface World {
  readonly core: SessionCore;
  readonly states: SessionState[];
  nowMs: number;
  writtenBytes: number;
}

function connectedWorld(): World {
  const world = { states: [] as SessionState[], nowMs: 0, writtenBytes: 0 };
  const ports: SessionPorts = {
    nowMs: () => world.nowMs,
    prng: new Prng(1),
    connect: () => {},
    disconnect: () => {},
    write: (filled: ByteWriter) => {
      world.writtenBytes += filled.length;
      return new Writer();
    },
    onDirty: () => {},
    onDeadline: () => {},
    onState: (state) => world.states.push(state),
    onSession: () => {},
    onSessionEnd: () => {},
    onEvent: () => {},
    onConnectionEnd: () => {},
  };
  const core = new SessionCore(options, ports);
  core.start();
  core.onConnected();
  const response = new Writer();
  writeConnectResponse(response, 30_000, 1, 2, new Uint8Array(16), true, false);
  core.onBytes(response.bytes, 0, response.length);
  return Object.assign(world, { core });
}

test('closing waits for the answer of a server that hangs, but not for long', () => {
  const world = connectedWorld();
  const before = world.writtenBytes;
  world.core.close();
  world.core.flush();
  assert.equal(world.writtenBytes - before, 12);
  assert.equal(world.core.deadlineMs, CLOSE_TIMEOUT_MS);
  world.nowMs = CLOSE_TIMEOUT_MS - 1;
  world.core.onTime();
  assert.equal(world.core.state, 'connected');
  world.nowMs = CLOSE_TIMEOUT_MS;
  world.core.onTime();
  assert.deepEqual(world.states, ['connected', 'closed']);
  assert.equal(world.core.deadlineMs, Number.POSITIVE_INFINITY);
});

test('the answer ends it at once', () => {
  const world = connectedWorld();
  world.core.close();
  world.core.flush();
  const reply = new Writer();
  reply.int32(16);
  reply.int32(1);
  reply.long(7);
  reply.int32(0);
  world.core.onBytes(reply.bytes, 0, reply.length);
  assert.equal(world.core.state, 'closed');
});
