import assert from 'node:assert/strict';
import test from 'node:test';
import { Prng } from '@zoots/base';
import { SessionRequest } from './request.js';
import { RequestQueue } from './request-queue.js';

class Numbered extends SessionRequest {
  readonly op = 0;
  readonly isRepeatable = true;
  readonly watch = null;
  readonly number: number;

  constructor(number: number) {
    super();
    this.number = number;
  }

  write(): void {}
  onReply(): void {}
  onFailed(): void {}
}

const numberOf = (request: SessionRequest | undefined): number | undefined => (request as Numbered | undefined)?.number;

test('an empty queue gives nothing', () => {
  const queue = new RequestQueue();
  assert.equal(queue.peek(), undefined);
  assert.equal(queue.shift(), undefined);
  assert.deepEqual(queue.drain(), []);
  assert.throws(() => queue.at(0));
});

test('does what an array does, whatever the order of calls, over several growths', () => {
  const prng = new Prng(7);
  const queue = new RequestQueue();
  const array: Numbered[] = [];
  for (let i = 0; i < 20_000; i++) {
    const request = new Numbered(i);
    const growth = i < 10_000 ? 6 : 4;
    const kind = prng.below(10);
    if (kind < growth) {
      queue.push(request);
      array.push(request);
    } else if (kind === growth) {
      queue.unshift(request);
      array.unshift(request);
    } else assert.equal(numberOf(queue.shift()), array.shift()?.number);
    assert.equal(queue.length, array.length);
    assert.equal(numberOf(queue.peek()), array[0]?.number);
    if (array.length > 0) {
      const index = prng.below(array.length);
      assert.equal(numberOf(queue.at(index)), array[index]?.number);
    }
  }
  assert.ok(array.length > 64, 'the ring never grew');
  assert.throws(() => queue.at(array.length));
  assert.deepEqual(queue.drain().map(numberOf), array.map(numberOf));
  assert.equal(queue.length, 0);
});
