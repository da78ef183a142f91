import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { type Acl, ERROR, type Id } from '@zoots/protocol';
import { AclChecker } from './acl-check.js';
import { ipMatches, isValidIpId, parseIpAddress } from './ip-address.js';

const checker = new AclChecker({ skipAcl: false, digestAuthEnabled: true });
const ann: Id = { scheme: 'digest', id: 'ann:hash' };
const ip: Id = { scheme: 'ip', id: '10.1.2.3' };

function acl(perms: number, scheme: string, id: string): Acl {
  return { perms, scheme, id };
}

test('one granted bit of an entry that matches is enough; super passes everything', () => {
  assert.ok(checker.permits(null, 31, []));
  assert.ok(checker.permits([], 31, []));
  assert.ok(checker.permits([acl(1, 'world', 'anyone')], 1 | 16, [ip]));
  assert.ok(!checker.permits([acl(1, 'world', 'anyone')], 2, [ip]));
  assert.ok(checker.permits([acl(2, 'digest', 'ann:hash')], 2, [ip, ann]));
  assert.ok(!checker.permits([acl(2, 'digest', 'bob:hash')], 2, [ip, ann]));
  assert.ok(!checker.permits([acl(2, 'ip', 'ann:hash')], 2, [ann]));
  assert.ok(checker.permits([acl(0, 'digest', 'x:y')], 2, [{ scheme: 'super', id: '' }]));
  assert.ok(!checker.permits([acl(31, 'sasl', 'ann')], 1, [{ scheme: 'sasl', id: 'ann' }]), 'no such provider');
});

test('the fix-up refuses what Apache refuses and expands auth', () => {
  assert.equal(checker.fixUp(null, [ann]), ERROR.invalidAcl);
  assert.equal(checker.fixUp([], [ann]), ERROR.invalidAcl);
  for (const [scheme, id] of [
    ['world', 'everyone'],
    ['digest', 'nocolon'],
    ['digest', 'a:'],
    ['digest', 'a:b:c'],
    ['ip', '1.2.3'],
    ['ip', '1.2.3.4/33'],
    ['sasl', 'ann'],
    ['auth', ''],
    [null, 'x'],
    ['nothing', null],
  ] as const) {
    assert.equal(checker.fixUp([{ perms: 31, scheme, id }], [ip]), ERROR.invalidAcl, `${scheme}:${id}`);
  }
  for (const scheme of ['world', 'digest', 'ip']) {
    assert.equal(checker.fixUp([{ perms: 31, scheme, id: null }], [ip]), ERROR.marshallingError, scheme);
  }
  assert.deepEqual(checker.fixUp([acl(31, 'digest', ':b')], []), [acl(31, 'digest', ':b')]);
  assert.deepEqual(checker.fixUp([{ perms: 1, scheme: 'auth', id: null }], [ann]), [acl(1, ann.scheme, ann.id)]);
  assert.deepEqual(checker.fixUp([acl(31, 'auth', 'ignored'), acl(31, 'auth', 'ignored')], [ip, ann]), [
    acl(31, 'digest', 'ann:hash'),
  ]);
  assert.deepEqual(
    checker.fixUp([acl(1, 'world', 'anyone'), acl(1, 'world', 'anyone'), acl(2, 'world', 'anyone')], []),
    [acl(1, 'world', 'anyone'), acl(2, 'world', 'anyone')],
  );
});

test('a few auth entries cannot multiply into more than the log may hold', () => {
  const identities = Array.from({ length: 900 }, (_, i): Id => ({ scheme: 'digest', id: `u${i}:h` }));
  const entries = Array.from({ length: 5000 }, (_, i) => acl(i, 'auth', ''));
  assert.equal(checker.fixUp(entries, identities), ERROR.invalidAcl);
});

test('addresses and networks', () => {
  assert.deepEqual(parseIpAddress('1.2.3.4'), [1, 2, 3, 4]);
  assert.equal(parseIpAddress('1.2.3.256'), null);
  assert.deepEqual(parseIpAddress('::1')?.at(-1), 1);
  assert.deepEqual(parseIpAddress('2001:db8::8:800:200c:417a')?.length, 16);
  assert.deepEqual(parseIpAddress('::ffff:1.2.3.4')?.slice(10), [255, 255, 1, 2, 3, 4]);
  for (const bad of [':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', 'g::1', '12345::']) {
    assert.equal(parseIpAddress(bad), null, bad);
  }
  assert.ok(isValidIpId('10.0.0.0/8'));
  assert.ok(!isValidIpId('10.0.0.0/-1'));
  assert.ok(!isValidIpId('10.0.0.0/x'));
  assert.ok(isValidIpId('::1/128'));
  assert.ok(!isValidIpId('::ffff:127.0.0.1'));
  assert.ok(!isValidIpId('fe80::1%eth0'));
  assert.ok(ipMatches('10.1.2.3', '10.0.0.0/8'));
  assert.ok(ipMatches('10.1.2.3', '10.1.2.0/23'));
  assert.ok(!ipMatches('10.1.4.3', '10.1.2.0/23'));
  assert.ok(ipMatches('10.1.2.3', '0.0.0.0/0'));
  assert.ok(!ipMatches('::1', '0.0.0.0/0'), 'families do not mix');
  assert.ok(ipMatches('fe80::1', 'fe80::/10'));
});
