/** Sizes, ages, patterns, ACLs, data: texts in and texts out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from './command-line.js';
import { decodeBase64 } from './data-operand.js';
import { escaped, globToRegExp } from './glob.js';
import { tableLines } from './output.js';
import { parsePlace, parseZnodePlace } from './place.js';
import { countText, durationText, parseCount, parseSize, parseTimeMs, sizeText } from './quantities.js';
import { chrootOf, refuseSystemPath } from './system-path.js';
import { comparePaths } from './tree-reader.js';
import { aclText, dataJson, dataSummary, hexLines, parseAcl } from './znode-facts.js';

test('sizes, times, counts', () => {
  assert.deepEqual(
    ['512', '10k', '1.5M', '1g', '7b'].map((text) => parseSize('x', text)),
    [512, 10_240, 1_572_864, 1_073_741_824, 7],
  );
  assert.deepEqual(
    ['500', '500ms', '5s', '1.5m', '2h', '1d'].map((text) => parseTimeMs('x', text)),
    [500, 500, 5_000, 90_000, 7_200_000, 86_400_000],
  );
  for (const text of ['', 'k', '-1', '1x', '1 k', 'constructor', '1constructor']) {
    assert.throws(() => parseSize('larger', text), { name: 'UsageError', message: /^--larger: / });
  }
  assert.throws(() => parseTimeMs('older', '5 minutes'), { message: /write 500ms, 5s, 10m, 2h, 1d$/ });
  assert.equal(parseCount('x', '-1', -1), -1);
  for (const text of ['', '1.5', '-2', '9999999999999999999'])
    assert.throws(() => parseCount('x', text, -1), UsageError);
  assert.deepEqual([0, 1023, 1024, 1536, 10 * 1024, 5 * 1024 ** 3].map(sizeText), [
    '0',
    '1023',
    '1k',
    '1.5k',
    '10k',
    '5g',
  ]);
  assert.deepEqual([250, 1_500, 90_000, 7_200_000].map(durationText), ['250 ms', '1.5 s', '1.5 min', '2 h']);
  assert.deepEqual(
    [0, 1, 2].map((count) => countText(count, 'znode')),
    ['0 znodes', '1 znode', '2 znodes'],
  );
});

test('patterns', () => {
  const cases: readonly (readonly [glob: string, yes: string[], no: string[]])[] = [
    ['lock-*', ['lock-', 'lock-1'], ['a-lock-1', 'lock-1/x']],
    ['/a/**/config', ['/a/b/config', '/a/b/c/config'], ['/a/config', '/x/a/b/config']],
    ['{a,b}?', ['a1', 'b2'], ['c1', 'a', 'a12']],
    ['[a-c]x', ['ax', 'cx'], ['dx', '-x']],
    ['[!a]x', ['bx'], ['ax']],
    ['a.b+(c)', ['a.b+(c)'], ['aXb+(c)', 'a.bb(c)']],
    ['\\*', ['*'], ['x']],
    ['a,b}', ['a,b}'], []],
  ];
  for (const [glob, yes, no] of cases) {
    for (const text of yes) assert.match(text, globToRegExp(glob), glob);
    for (const text of no) assert.doesNotMatch(text, globToRegExp(glob), glob);
  }
  for (const glob of ['[ab', '{a,b']) assert.throws(() => globToRegExp(glob), UsageError);
  const odd = '.*+?^$ {}()|[]\\/-';
  assert.match(odd, new RegExp(`^${escaped(odd)}$`));
});

test('ACLs there and back, with colons and commas in their ids', () => {
  const text = 'world:anyone:cdrwa,digest:me:Q1w+/=:cdrwa,x509:CN=a,OU=b:r,ip:::1:rw,auth::a';
  const acl = parseAcl(text);
  assert.deepEqual(acl[2], { scheme: 'x509', id: 'CN=a,OU=b', perms: 1 });
  assert.deepEqual(acl[3], { scheme: 'ip', id: '::1', perms: 3 });
  assert.equal(aclText(acl), text);
  for (const wrong of ['', 'world', 'world:anyone', 'world:anyone:x', 'world:anyone:']) {
    assert.throws(() => parseAcl(wrong), UsageError, wrong);
  }
});

test('data as JSON and in a line', () => {
  assert.deepEqual(dataJson(null), { data: null });
  assert.deepEqual(dataJson(Buffer.alloc(0)), { data: '' });
  assert.deepEqual(dataJson(Buffer.from('ä')), { data: 'ä' });
  assert.deepEqual(dataJson(Uint8Array.of(0xff)), { data: '/w==', encoding: 'base64' });
  assert.equal(dataSummary(Buffer.from('x'.repeat(100)), 10), '"xxxxxxxxxx"… (100 bytes)');
  assert.equal(dataSummary(Buffer.from('ä\n'), 10), '"ä\\n"');
  assert.equal(dataSummary(Uint8Array.of(0xff, 0), 10), 'binary, 2 bytes');
  assert.deepEqual(hexLines(Buffer.from('0123456789abcdef\n')), [
    '00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef',
    '00000010  0a                                               .',
  ]);
  assert.deepEqual(decodeBase64('AP8\nB\n'), Buffer.from([0, 255, 1]));
  for (const text of ['A', 'AP8', 'AP8=B', '!!!!']) assert.throws(() => decodeBase64(text), UsageError);
});

test('places', () => {
  assert.deepEqual(parsePlace('/a'), { type: 'znode', server: null, path: '/a' });
  assert.deepEqual(parsePlace('zk://h1:1,h2/a/b/'), { type: 'znode', server: 'h1:1,h2', path: '/a/b' });
  assert.deepEqual(parsePlace('zk://h1'), { type: 'znode', server: 'h1', path: '/' });
  assert.deepEqual(parsePlace('file:/tmp/x'), { type: 'file', file: '/tmp/x', path: '/' });
  assert.deepEqual(parsePlace('snapshot.5#/app'), { type: 'file', file: 'snapshot.5', path: '/app' });
  assert.throws(() => parsePlace('zk:///a'), UsageError);
  assert.throws(() => parseZnodePlace('a'), /"a" is no znode; write \/PATH/);
});

test('what belongs to ZooKeeper stays', () => {
  for (const path of ['/', '/zookeeper', '/zookeeper/quota/a']) {
    assert.throws(() => refuseSystemPath(path, 'h:1'), { name: 'RefusedError' });
  }
  refuseSystemPath('/zookeeper2', 'h:1');
  refuseSystemPath('/zookeeper', 'h1:1,h2/app');
  assert.throws(() => refuseSystemPath('/zookeeper', 'zk://h1/?timeout=5'), { name: 'RefusedError' });
  assert.equal(chrootOf('zk://h1:1,[::1]:2/app/x?readOnly=true'), '/app/x');
});

test('paths in the order of a tree: a znode, what is below it, its next sibling', () => {
  const paths = ['/', '/a', '/a/b', '/a/b/c', '/a/c', '/a-b', '/b'];
  const shuffled = [...paths].reverse();
  assert.deepEqual(shuffled.sort(comparePaths), paths);
});

test('tables: widths without colours', () => {
  assert.deepEqual(
    tableLines(
      [
        ['NAME', 'N'],
        ['\x1b[31mab\x1b[0m', '10'],
      ],
      [false, true],
    ),
    ['NAME   N', '\x1b[31mab\x1b[0m    10'],
  );
});
