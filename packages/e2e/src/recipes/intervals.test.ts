import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { GuardedResource, type Interval, longestWithoutStart, mostAtOnce, wrongTokens } from './intervals.js';

const of = (who: string, token: number, fromMs: number, toMs: number): Interval => ({ who, token, fromMs, toMs });

test('most at once: neighbours that touch do not overlap', () => {
  assert.equal(mostAtOnce([]).length, 0);
  assert.equal(mostAtOnce([of('a', 1, 0, 10), of('b', 2, 10, 20)]).length, 1);
  const three = mostAtOnce([of('a', 1, 0, 100), of('b', 2, 10, 20), of('c', 3, 30, 40), of('d', 4, 35, 50)]);
  assert.deepEqual(
    three.map(({ who }) => who),
    ['a', 'c', 'd'],
  );
});

test('the longest time without a beginning counts the ends, too', () => {
  const intervals = [of('a', 1, 10, 20), of('b', 2, 40, 50), of('c', 3, 500, 600)];
  assert.equal(longestWithoutStart(intervals, 0, 100), 60);
  assert.equal(longestWithoutStart([], 0, 70), 70);
  assert.equal(longestWithoutStart(intervals, 0, 500), 460);
});

test('tokens: given once, and growing', () => {
  assert.deepEqual(wrongTokens([of('b', 2, 5, 6), of('a', 1, 0, 1)]), []);
  assert.equal(wrongTokens([of('a', 1, 0, 1), of('b', 1, 2, 3)]).length, 1);
  assert.equal(wrongTokens([of('a', 3, 0, 1), of('b', 2, 2, 3)]).length, 1);
});

test('the guarded resource refuses what is older than what it has seen', () => {
  const resource = new GuardedResource();
  assert.deepEqual(
    [5, 5, 7, 6, 7].map((token) => resource.write(token)),
    [true, true, true, false, true],
  );
  assert.equal(resource.refusals, 1);
});
