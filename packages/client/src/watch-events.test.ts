import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tell, watchEvent } from './watch-events.js';

test('event types and zxids as the application sees them', () => {
  assert.deepEqual(watchEvent(1, '/a', 7), { type: 'created', path: '/a', zxid: 7 });
  assert.deepEqual(watchEvent(4, '/a', -1), { type: 'children', path: '/a', zxid: null });
  assert.equal(watchEvent(99, '/a', -1).type, 'gap');
});

test('an exception of a listener is thrown on its own, behind what is going on', (context) => {
  const thrown: (() => void)[] = [];
  context.mock.method(globalThis, 'queueMicrotask', (run: () => void) => thrown.push(run));
  const listener = (): void => {
    throw new Error('of the listener');
  };
  tell(listener, watchEvent(1, '/a', 7));
  assert.equal(thrown.length, 1);
  assert.throws(thrown[0] as () => void, /of the listener/);
});
