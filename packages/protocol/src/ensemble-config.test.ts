import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatEnsemble, isProblem, parseEnsemble, parseMember } from './ensemble-config.js';

test('what zoo.cfg may hold', () => {
  assert.deepEqual(parseMember(1, 'zk1:2888:3888'), {
    id: 1,
    addresses: [{ host: 'zk1', quorumPort: 2888, electionPort: 3888 }],
    role: 'participant',
    client: null,
  });
  assert.deepEqual(parseMember(0, ' [::1]:2888:3888:observer;[fe80::1]:2181 '), {
    id: 0,
    addresses: [{ host: '::1', quorumPort: 2888, electionPort: 3888 }],
    role: 'observer',
    client: { host: 'fe80::1', port: 2181 },
  });
  const portOnly = parseMember(3, 'h:1:2;2181');
  assert.ok(!isProblem(portOnly));
  assert.deepEqual(portOnly.client, { host: '0.0.0.0', port: 2181 });
  const several = parseMember(3, 'a:1:2|b:3:4:participant');
  assert.ok(!isProblem(several));
  assert.equal(several.addresses.length, 2);
});

test('what is wrong is named', () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['zk1', /server\.7: "zk1" ends in neither|not host:quorumPort/],
    ['zk1:2888', /"zk1:2888" is not host:quorumPort:electionPort/],
    ['zk1:2888:3888:voter', /neither participant nor observer/],
    ['zk1:2888:70000', /65535/],
    ['zk1:2888:3888;x', /";x" is no client port/],
    ['::1:2888:3888', /not host/],
  ];
  for (const [value, message] of wrong) {
    const result = parseMember(7, value);
    assert.ok(isProblem(result), value);
    assert.match(result.problem, message);
  }
});

const TRACE = [
  'server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181',
  'server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181',
  'server.3=[::3]:2888:3888:observer',
  'version=100000000',
].join('\n');

test('the text that servers exchange comes back as it was', () => {
  const parsed = parseEnsemble(TRACE);
  assert.ok(!isProblem(parsed));
  assert.equal(parsed.version, 0x100000000);
  assert.equal(formatEnsemble(parsed), TRACE);
});

test('groups and weights', () => {
  const text = ['server.1=a:1:2:participant', 'group.1=1:2', 'group.2=3', 'weight.1=2', 'version=0'].join('\n');
  const parsed = parseEnsemble(text);
  assert.ok(!isProblem(parsed));
  assert.deepEqual(
    [...parsed.groups],
    [
      [1, [1, 2]],
      [2, [3]],
    ],
  );
  assert.equal(parsed.weights.get(1), 2);
  assert.equal(formatEnsemble(parsed), text);
});

test('a line that is none is told', () => {
  for (const text of ['nonsense', 'server.x=a:1:2', 'version=zz', 'other.1=5']) {
    assert.ok(isProblem(parseEnsemble(text)), text);
  }
});
