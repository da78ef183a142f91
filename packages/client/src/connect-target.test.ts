import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTarget } from './connect-target.js';
import { ArgumentError } from './errors.js';
import type { ConnectTarget } from './types.js';

const plain = { tls: false, auth: [], sessionTimeoutMs: null, readOnly: null };

test("ZooKeeper's own form, with its defaults", () => {
  assert.deepEqual(parseTarget('h1:2181,h2:2182/app/a'), {
    ...plain,
    servers: [
      { host: 'h1', port: 2181 },
      { host: 'h2', port: 2182 },
    ],
    chroot: '/app/a',
  });
  assert.deepEqual(parseTarget('localhost').servers, [{ host: 'localhost', port: 2181 }]);
  assert.deepEqual(parseTarget(' h1 , h2:1 ,').servers, [
    { host: 'h1', port: 2181 },
    { host: 'h2', port: 1 },
  ]);
  assert.equal(parseTarget('h/').chroot, '');
});

test('IPv6 addresses', () => {
  assert.deepEqual(parseTarget('[::1]:2182,[fe80::2],::1').servers, [
    { host: '::1', port: 2182 },
    { host: 'fe80::2', port: 2181 },
    { host: '::1', port: 2181 },
  ]);
});

test('URLs, with user, TLS and options', () => {
  assert.deepEqual(parseTarget('zk://h1,h2:2182/app?timeout=9000&readOnly=true'), {
    ...plain,
    servers: [
      { host: 'h1', port: 2181 },
      { host: 'h2', port: 2182 },
    ],
    chroot: '/app',
    sessionTimeoutMs: 9000,
    readOnly: true,
  });
  const secure = parseTarget('zks://bob:p%40ss@h');
  assert.equal(secure.tls, true);
  assert.deepEqual(secure.auth, [{ scheme: 'digest', auth: 'bob:p@ss' }]);
  assert.deepEqual(parseTarget(new URL('zk://h:2183/a')).servers, [{ host: 'h', port: 2183 }]);
});

test('arrays', () => {
  assert.deepEqual(parseTarget([{ host: '::1', port: 5 }, 'h2:6']), {
    ...plain,
    servers: [
      { host: '::1', port: 5 },
      { host: 'h2', port: 6 },
    ],
    chroot: '',
  });
});

test('what cannot be meant is refused with a remedy', () => {
  const wrong: readonly (readonly [ConnectTarget, RegExp])[] = [
    ['', /no server in ""/],
    ['/app', /no server/],
    ['h:0', /port 0/],
    ['h:70000', /port 70000/],
    ['h:x', /no address/],
    ['h/app/', /does not end with/],
    ['http://h', /no ZooKeeper URL/],
    ['zk://h?retries=3', /unknown option retries/],
    ['zk://h?timeout=soon', /timeout=soon/],
    [[], /no server/],
  ];
  for (const [target, message] of wrong) {
    assert.throws(
      () => parseTarget(target),
      (error: unknown) => error instanceof ArgumentError && message.test(error.message),
      String(target),
    );
  }
});
