import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseServerAddress, ServerAddressError } from './server-address.js';

test('host and two ports', () => {
  assert.deepEqual(parseServerAddress(1, 'zk1:2888:3888', false), {
    id: 1,
    role: 'participant',
    addresses: [{ host: 'zk1', quorumPort: 2888, electionPort: 3888 }],
    client: null,
  });
});

test('role, client port, client address', () => {
  const address = parseServerAddress(255, 'h:1:2:Observer;2181', false);
  assert.equal(address.role, 'observer');
  assert.deepEqual(address.client, { host: '0.0.0.0', port: 2181 });
  assert.deepEqual(parseServerAddress(0, 'h:1:2;10.0.0.1:2181', false).client, { host: '10.0.0.1', port: 2181 });
  assert.deepEqual(parseServerAddress(0, 'h:1:2;[::1]:2181', false).client, { host: '::1', port: 2181 });
});

test('IPv6 hosts stand in brackets', () => {
  assert.deepEqual(parseServerAddress(1, '[2001:db8::1]:2888:3888:participant', false).addresses, [
    { host: '2001:db8::1', quorumPort: 2888, electionPort: 3888 },
  ]);
});

test('several addresses need multiAddress.enabled and one role', () => {
  const text = 'a:1:2|[::1]:3:4;5';
  assert.throws(() => parseServerAddress(1, text, false), /multiAddress\.enabled/);
  assert.equal(parseServerAddress(1, text, true).addresses.length, 2);
  assert.throws(() => parseServerAddress(1, 'a:1:2:observer|b:1:2:participant', true), /different roles/);
});

test('what cannot be read is refused', () => {
  const wrong = ['', 'h', 'h:1', 'h:1:2:3', 'h:1:2:observer:x', 'h:x:2', 'h:1:70000', 'h:1:1', '[::1:1:2', '[::1]1:2'];
  for (const text of [...wrong, 'h:1:2;x', 'h:1:2;a:b:3', 'h:1:2;1;2', ':1:2']) {
    assert.throws(() => parseServerAddress(1, text, true), ServerAddressError, text);
  }
});
