import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Histogram } from './histogram.js';

test('percentiles of 1..10000 µs are right to 2 %', () => {
  const histogram = new Histogram();
  for (let us = 1; us <= 10_000; us++) histogram.record(us / 1000);
  for (const [fraction, wantedMs] of [
    [0.5, 5],
    [0.99, 9.9],
    [0.999, 9.99],
  ] as const) {
    const got = histogram.percentileMs(fraction);
    assert.ok(Math.abs(got - wantedMs) / wantedMs < 0.02, `${fraction}: ${got} for ${wantedMs}`);
  }
  assert.equal(histogram.count, 10_000);
  assert.equal(histogram.maxMs, 10);
});

test('an empty histogram has no latency, and the extremes are kept', () => {
  const histogram = new Histogram();
  assert.equal(histogram.percentileMs(0.5), 0);
  histogram.record(0);
  assert.ok(histogram.percentileMs(1) <= 0.0001);
  histogram.record(1e9);
  assert.ok(histogram.percentileMs(1) > 200_000);
  histogram.clear();
  assert.equal(histogram.percentileMs(0.99), 0);
});
