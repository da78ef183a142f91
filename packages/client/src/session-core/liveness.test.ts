import assert from 'node:assert/strict';
import test from 'node:test';
import { Liveness } from './liveness.js';

const TIMEOUT_MS = 9_000;

function established(): Liveness {
  const liveness = new Liveness();
  liveness.onEstablished(TIMEOUT_MS, 1_000, 1_050);
  return liveness;
}

test('a session counts from the sending of its ConnectRequest', () => {
  const liveness = established();
  assert.equal(liveness.lostAtMs, 1_000 + TIMEOUT_MS);
  assert.equal(liveness.silentAtMs, 1_050 + 6_000);
  assert.equal(liveness.pingAtMs, 1_050 + 3_000);
});

test('an answer moves the life on to the sending of its request, not to its own coming', () => {
  const liveness = established();
  liveness.onSent(1, 2_000);
  liveness.onSent(3, 3_000);
  liveness.onReceived(5_000);
  liveness.onAnswered(1);
  assert.equal(liveness.lostAtMs, 2_000 + TIMEOUT_MS);
  liveness.onAnswered(2);
  assert.equal(liveness.lostAtMs, 3_000 + TIMEOUT_MS, 'requests of one flush left together');
  assert.equal(liveness.silentAtMs, 5_000 + 6_000);
});

test('what came before the first answer says nothing of requests in flight', () => {
  const liveness = established();
  liveness.onSent(2, 2_000);
  // The ConnectResponse, or an event.
  liveness.onAnswered(0);
  assert.equal(liveness.lostAtMs, 1_000 + TIMEOUT_MS);
});

test('an event after the last answer says nothing of requests in flight', () => {
  const liveness = established();
  liveness.onSent(1, 2_000);
  liveness.onAnswered(1);
  liveness.onSent(2, 4_000);
  liveness.onAnswered(1);
  assert.equal(liveness.lostAtMs, 2_000 + TIMEOUT_MS);
});

test('a ping counts when it is answered, whatever else comes meanwhile', () => {
  const liveness = established();
  liveness.onPing(4_000);
  liveness.onSent(0, 4_000);
  liveness.onAnswered(0);
  assert.equal(liveness.lostAtMs, 1_000 + TIMEOUT_MS);
  liveness.onPong();
  assert.equal(liveness.lostAtMs, 4_000 + TIMEOUT_MS);
  assert.equal(liveness.pingAtMs, 4_000 + 3_000);
});

test('pings are answered in order, and an answer too many does nothing', () => {
  const liveness = established();
  liveness.onPing(2_000);
  liveness.onPing(3_000);
  liveness.onPong();
  assert.equal(liveness.lostAtMs, 2_000 + TIMEOUT_MS);
  liveness.onPong();
  liveness.onPong();
  assert.equal(liveness.lostAtMs, 3_000 + TIMEOUT_MS);
});

test('the answer to an old ping does not take life away', () => {
  const liveness = established();
  liveness.onPing(2_000);
  liveness.onSent(1, 3_000);
  liveness.onAnswered(1);
  liveness.onPong();
  assert.equal(liveness.lostAtMs, 3_000 + TIMEOUT_MS);
});

test('another connection counts its requests anew', () => {
  const liveness = established();
  liveness.onSent(5, 2_000);
  liveness.onPing(2_500);
  liveness.onEstablished(3_000, 10_000, 10_010);
  assert.equal(liveness.lostAtMs, 13_000);
  liveness.onSent(1, 11_000);
  liveness.onPong();
  assert.equal(liveness.lostAtMs, 13_000, 'the old connection’s ping is forgotten');
  liveness.onAnswered(1);
  assert.equal(liveness.lostAtMs, 14_000);
});
