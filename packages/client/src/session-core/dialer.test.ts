import assert from 'node:assert/strict';
import test from 'node:test';
import { Prng } from '@zoots/base';
import { Dialer } from './dialer.js';

const MIN_MS = 100;
const MAX_MS = 5_000;

function dialerOf(serverCount: number): Dialer {
  return new Dialer(serverCount, new Prng(1), MIN_MS, MAX_MS);
}

/** The longest of many pauses, which says what they are drawn from. */
function longestPause(dialer: Dialer): number {
  let longest = 0;
  for (let i = 0; i < 2_000; i++) {
    const pauseMs = dialer.pauseMs();
    assert.ok(pauseMs >= 0 && Number.isInteger(pauseMs));
    longest = Math.max(longest, pauseMs);
  }
  return longest;
}

function assertBound(longestMs: number, boundMs: number): void {
  assert.ok(longestMs <= boundMs && longestMs > 0.95 * boundMs, `${longestMs} of ${boundMs}`);
}

test('servers are taken in turn', () => {
  const dialer = dialerOf(3);
  assert.equal(dialer.server, -1);
  assert.deepEqual([dialer.next(), dialer.next(), dialer.next(), dialer.next()], [0, 1, 2, 0]);
});

test('the bound of the pause doubles with each round of failures, up to the maximum', () => {
  const dialer = dialerOf(2);
  assertBound(longestPause(dialer), 100);
  dialer.onFailed();
  assertBound(longestPause(dialer), 100);
  dialer.onFailed();
  assertBound(longestPause(dialer), 200);
  dialer.onFailed();
  dialer.onFailed();
  assertBound(longestPause(dialer), 400);
  for (let i = 0; i < 10_000; i++) dialer.onFailed();
  assertBound(longestPause(dialer), MAX_MS);
});

test('a success, or another list, begins anew', () => {
  const dialer = dialerOf(1);
  for (let i = 0; i < 5; i++) dialer.onFailed();
  dialer.onSucceeded();
  assertBound(longestPause(dialer), 100);
  for (let i = 0; i < 5; i++) dialer.onFailed();
  dialer.reset(4, 2);
  assertBound(longestPause(dialer), 100);
  assert.equal(dialer.serverCount, 4);
  assert.equal(dialer.next(), 3);
  dialer.reset(4, -1);
  assert.equal(dialer.next(), 0);
});

test('a bound of 0 grows, too', () => {
  const dialer = new Dialer(1, new Prng(5), 0, 5_000);
  assert.equal(dialer.pauseMs(), 0);
  for (let i = 0; i < 4; i++) dialer.onFailed();
  assert.ok(Array.from({ length: 50 }, () => dialer.pauseMs()).some((pauseMs) => pauseMs > 20));
});

test('two clients of one seed pause alike, of two seeds not', () => {
  const pauses = (seed: number): number[] => {
    const dialer = new Dialer(1, new Prng(seed), MIN_MS, MAX_MS);
    return Array.from({ length: 10 }, () => dialer.pauseMs());
  };
  assert.deepEqual(pauses(1), pauses(1));
  assert.notDeepEqual(pauses(1), pauses(2));
});
