import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERROR } from '@zoots/protocol';
import * as errors from './errors.js';

test('each code of the protocol has a stable name and a class of ServerError', () => {
  const facts = { operation: 'get', path: '/a' };
  for (const [name, code] of Object.entries(ERROR)) {
    if (code === ERROR.ok) continue;
    const error = errors.serverError(code, facts);
    const words = name.replace(/([A-Z])/g, '_$1').toUpperCase();
    assert.equal(error.code, `ZK_${words}`);
    assert.equal(error.errorCode, code);
    assert.equal(error.outcome, 'refused');
    assert.ok(error instanceof errors.ServerError && error instanceof errors.ZooKeeperError);
    assert.ok(error.message.startsWith('get /a: '), error.message);
  }
});

test('what callers decide on has classes of its own', () => {
  assert.ok(errors.serverError(-101, {}) instanceof errors.NoNodeError);
  assert.ok(errors.serverError(-110, {}) instanceof errors.NodeExistsError);
  assert.ok(errors.serverError(-103, {}) instanceof errors.BadVersionError);
  assert.ok(errors.serverError(-111, {}) instanceof errors.NotEmptyError);
  assert.equal(errors.serverError(-101, {}).name, 'NoNodeError');
  assert.equal(errors.serverError(-101, {}).retryable, false);
  assert.equal(errors.serverError(-127, {}).retryable, true);
});

test('a code that nobody knows is told by its number', () => {
  const error = errors.serverError(-4711, { operation: 'set' });
  assert.equal(error.code, 'ZK_UNKNOWN_4711');
  assert.match(error.message, /set: the server answered Unknown\(-4711\)/);
});

test('an unknown outcome says so', () => {
  const error = new errors.ConnectionLossError('unknown', { operation: 'set', path: '/a' });
  assert.match(error.message, /set \/a: .*whether it was done is unknown/);
  assert.equal(new errors.RequestAbortedError('not-sent').name, 'AbortError');
});
