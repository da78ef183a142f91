import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { Prng } from '@zoots/base';
import { ConnectionThrottle, type ConnectionThrottleRules } from './connection-throttle.js';

const rules: ConnectionThrottleRules = {
  tokens: 10,
  fillTimeMs: 100,
  fillCount: 5,
  freezeTimeMs: -1,
  dropIncrease: 0.5,
  dropDecrease: 0.25,
  decreaseRatio: 0,
  weightEnabled: false,
  globalSessionWeight: 3,
  renewSessionWeight: 2,
};

function admitted(throttle: ConnectionThrottle, nowMs: number, tries: number): number {
  let count = 0;
  for (let i = 0; i < tries; i++) if (throttle.admits(nowMs, false)) count++;
  return count;
}

test('off without tokens', () => {
  assert.equal(admitted(new ConnectionThrottle({ ...rules, tokens: 0 }, new Prng(1), 0), 0, 1000), 1000);
});

test('the bucket empties, fills with time, and never overflows', () => {
  const throttle = new ConnectionThrottle(rules, new Prng(1), 0);
  assert.equal(admitted(throttle, 0, 50), 10);
  assert.equal(admitted(throttle, 100, 50), 0, 'not before the fill time has passed');
  assert.equal(admitted(throttle, 200, 50), 10);
  assert.equal(admitted(throttle, 100_000, 50), 10);
});

test('weights: a new session costs more than a resumed one', () => {
  const throttle = new ConnectionThrottle({ ...rules, weightEnabled: true }, new Prng(1), 0);
  assert.ok(throttle.admits(0, false));
  assert.ok(throttle.admits(0, true));
  assert.ok(throttle.admits(0, false));
  assert.ok(throttle.admits(0, true));
  assert.ok(!throttle.admits(0, true), 'ten tokens are spent');
});

test('the probability rises while the bucket is empty and falls when it is not', () => {
  const throttle = new ConnectionThrottle({ ...rules, freezeTimeMs: 10, fillCount: 0 }, new Prng(1), 0);
  admitted(throttle, 0, 50);
  for (let nowMs = 20; nowMs < 100; nowMs += 20) throttle.admits(nowMs, false);
  assert.equal(throttle.dropProbability, 1);
  const refilled = new ConnectionThrottle({ ...rules, freezeTimeMs: 10 }, new Prng(1), 0);
  admitted(refilled, 0, 50);
  refilled.admits(20, false);
  assert.equal(refilled.dropProbability, 0.5);
  refilled.admits(5000, false);
  assert.equal(refilled.dropProbability, 0.25);
});
