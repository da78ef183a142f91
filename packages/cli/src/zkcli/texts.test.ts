import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionLossError, serverError } from '@zoots/client';
import { ERROR } from '@zoots/protocol';
import { aclEntryText, parseAcl } from './acl-text.js';
import { clientConfigText } from './config-text.js';
import { dataForms, hexDump } from './data-text.js';
import { CliError, cliErrorOf } from './errors.js';
import { connectionProblemText, eventText } from './event-text.js';
import { parseInt32, parseInt64 } from './numbers.js';
import { pathProblem } from './path-rules.js';
import { parseQuota, quotaText } from './quota-text.js';
import { statText } from './stat-text.js';

test('paths are refused in the words of the Java client', () => {
  const rows: readonly (readonly [string, string | null])[] = [
    ['/', null],
    ['/a', null],
    ['/a/b.c/..d/e..', null],
    ['/a/...', null],
    ['/ä/世界', null],
    ['', 'Path length must be > 0'],
    ['a', 'Path must start with / character'],
    ['/a/', 'Path must not end with / character'],
    ['/a//b', 'Invalid path string "/a//b" caused by empty node name specified @3'],
    ['/a/./b', 'Invalid path string "/a/./b" caused by relative paths not allowed @3'],
    ['/a/../b', 'Invalid path string "/a/../b" caused by relative paths not allowed @4'],
    ['/..', 'Invalid path string "/.." caused by relative paths not allowed @2'],
    ['/a\0', 'Invalid path string "/a\0" caused by null character not allowed @2'],
    ['/a\x01b', 'Invalid path string "/a\x01b" caused by invalid character @2'],
    ['/😀', 'Invalid path string "/😀" caused by invalid character @1'],
  ];
  for (const [path, problem] of rows) assert.equal(pathProblem(path), problem, path);
});

test('answers are told with the path that was asked for', () => {
  const rows: readonly (readonly [number, string])[] = [
    [ERROR.noNode, 'Node does not exist: /a'],
    [ERROR.nodeExists, 'Node already exists: /a'],
    [ERROR.notEmpty, 'Node not empty: /a'],
    [ERROR.noChildrenForEphemerals, 'Ephemerals cannot have children: /a'],
    [ERROR.noAuth, 'Insufficient permission : /a'],
    [ERROR.badVersion, 'version No is not valid : /a'],
    [ERROR.quotaExceeded, 'Quota has exceeded : /a'],
    [ERROR.notReadOnly, 'Not a read-only call: /a'],
    [ERROR.unimplemented, 'KeeperErrorCode = Unimplemented for /a'],
    [ERROR.noWatcher, 'KeeperErrorCode = No such watcher for /a'],
  ];
  for (const [code, text] of rows) assert.equal(cliErrorOf(serverError(code, { path: '/a' }), '/a').message, text);
  assert.equal(cliErrorOf(new ConnectionLossError('unknown'), '/a').message, 'KeeperErrorCode = ConnectionLoss for /a');
  assert.equal(
    cliErrorOf(serverError(ERROR.reconfigDisabled, {}), '').message,
    'KeeperErrorCode = Reconfig is disabled',
  );
  const own = new CliError('mine', 7);
  assert.equal(cliErrorOf(own, '/a'), own);
  assert.throws(() => cliErrorOf(new TypeError('a fault'), '/a'), TypeError);
});

test('events and connections', () => {
  assert.equal(
    eventText('SyncConnected', 'NodeDataChanged', '/a', 7),
    '\nWATCHER::\n\nWatchedEvent state:SyncConnected type:NodeDataChanged path:/a zxid: 7',
  );
  const server = { host: '::1', port: 2181 };
  assert.equal(connectionProblemText(server, 'connect ECONNREFUSED ::1:2181', false), 'Connection refused: [::1]:2181');
  const local = { host: 'h', port: 1 };
  assert.equal(connectionProblemText(local, 'h:1: closed', true), 'Connection lost: h:1 (closed)');
  assert.equal(connectionProblemText(local, 'h:1: odd', false), 'Connection failed: h:1 (odd)');
});

test('data as text, base64, hex dump', () => {
  const data = Buffer.from([...Array(18).keys()].map((i) => 0x41 + i * 4));
  assert.equal(
    hexDump(data),
    [
      '         +-------------------------------------------------+',
      '         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |',
      '+--------+-------------------------------------------------+----------------+',
      '|00000000| 41 45 49 4d 51 55 59 5d 61 65 69 6d 71 75 79 7d |AEIMQUY]aeimquy}|',
      '|00000010| 81 85                                           |..              |',
      '+--------+-------------------------------------------------+----------------+',
    ].join('\n'),
  );
  assert.equal(hexDump(Buffer.alloc(0)), '');
  assert.equal(dataForms.b(Buffer.from('hello')), 'aGVsbG8=');
  assert.equal(dataForms[''](Buffer.from('世界')), '世界');
});

test('ACLs', () => {
  assert.deepEqual(parseAcl('world:anyone:cdrwa'), {
    acl: [{ perms: 31, scheme: 'world', id: 'anyone' }],
    problems: [],
  });
  assert.deepEqual(parseAcl('digest:x:y=:rw,ip:::1:a'), {
    acl: [
      { perms: 3, scheme: 'digest', id: 'x:y=' },
      { perms: 16, scheme: 'ip', id: '::1' },
    ],
    problems: [],
  });
  assert.deepEqual(parseAcl('bad,a:b'), {
    acl: [],
    problems: ['bad does not have the form scheme:id:perm', 'a:b does not have the form scheme:id:perm'],
  });
  assert.deepEqual(parseAcl(',').problems, []);
  assert.deepEqual(parseAcl('').problems, [' does not have the form scheme:id:perm']);
  assert.deepEqual(parseAcl('world:anyone:rq').problems, ['Unknown perm type: q']);
  assert.equal(aclEntryText({ perms: 19, scheme: 'digest', id: 'a,b}%' }), "'digest,'a%2Cb%7D%25\n: rwa");
});

test('quotas', () => {
  for (const text of ['count=1,bytes=2', 'count=-1,bytes=5=;byteHardLimit=3;countHardLimit=4']) {
    assert.equal(quotaText(parseQuota(text)), text);
  }
  assert.equal(quotaText(parseQuota('bytes=7')), 'count=-1,bytes=7');
});

test('the configuration in short', () => {
  const text = [
    'server.1=127.0.0.1:2888:3888:participant;0.0.0.0:2181',
    'server.2=[::1]:2888:3888:participant;[::1]:2182',
    'server.3=c:2888:3888:observer;2183',
    'server.4=d:2888:3888',
    'version=100000000',
  ].join('\n');
  // In the order of Java's hash table; server.4 does not say where clients connect.
  assert.equal(clientConfigText(text), '100000000 [::1]:2182,0.0.0.0:2181,,0.0.0.0:2183');
  assert.equal(clientConfigText(''), ' ');
});

test('numbers as Java reads them', () => {
  assert.equal(parseInt32('-5'), -5);
  assert.equal(parseInt32('+5'), 5);
  assert.equal(parseInt32('2147483648'), null);
  assert.equal(parseInt32('-2147483648'), -2147483648);
  for (const word of ['', 'x', '1.0', ' 1', '0x1', '1e3']) assert.equal(parseInt32(word), null, word);
  assert.equal(parseInt64('9223372036854775807'), 2n ** 63n - 1n);
  assert.equal(parseInt64('9223372036854775808'), null);
  assert.equal(parseInt64('1fF', 16), 0x1ffn);
  assert.equal(parseInt64('-1', 16), -1n);
});

test('a stat has a line for each field', () => {
  const stat = {
    czxid: 0x1_0000_0002,
    mzxid: 3,
    ctime: 0,
    mtime: 0,
    version: 1,
    cversion: 2,
    aversion: -1,
    ephemeralOwner: -0x7fffffffffffffffn,
    dataLength: 4,
    numChildren: 5,
    pzxid: 6,
  };
  const lines = statText(stat).split('\n');
  assert.equal(lines[0], 'cZxid = 0x100000002');
  assert.match(lines[1] as string, /^ctime = [A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \S+ (?:1970|1969)$/);
  assert.deepEqual(lines.slice(5), [
    'cversion = 2',
    'dataVersion = 1',
    'aclVersion = -1',
    'ephemeralOwner = 0x8000000000000001',
    'dataLength = 4',
    'numChildren = 5',
  ]);
});
