import assert from 'node:assert/strict';
import test from 'node:test';
import { readGoJson, readJunit, readTap, readZktest, type TestResult } from './results.js';

const brief = (results: readonly TestResult[]) => results.map(({ test: name, outcome }) => `${name} ${outcome}`);

const junit = (count: number, cases: string) =>
  `<?xml version="1.0"?><testsuites><testsuite name="pytest" errors="0" failures="1" tests="${count}">${cases}</testsuite></testsuites>`;

test('JUnit: node ids, outcomes, messages without markup', () => {
  const report = junit(
    4,
    `<testcase classname="k.tests.test_a.Some" name="test_x[1 &lt; 2]" time="0.5" />
     <testcase classname="k.tests.test_a.Some" name="test_y" time="1"><failure message="a &quot;b&quot;&#10;c">name="z"</failure></testcase>
     <testcase classname="k.tests.test_b" name="test_z" time="1"><skipped type="pytest.skip" message="no Kerberos">x</skipped></testcase>
     <testcase classname="" name="k.tests.test_c" time="0"><error message="collection failure">x</error></testcase>`,
  );
  const results = readJunit(report);
  assert.deepEqual(brief(results), [
    'k/tests/test_a.py::Some::test_x[1 < 2] passed',
    'k/tests/test_a.py::Some::test_y failed',
    'k/tests/test_b.py::test_z skipped',
    'k.tests.test_c failed',
  ]);
  assert.equal(results[1]?.message, 'a "b" c');
});

test('JUnit: a test that passed and whose clean-up failed is a failed test', () => {
  const report = junit(
    1,
    '<testcase classname="t.test_a" name="test_x" time="1"><skipped message="s"/><error message="e"/></testcase>',
  );
  assert.equal(readJunit(report)[0]?.outcome, 'failed');
});

test('JUnit: cut off, empty, or at odds with its own total', () => {
  const one = '<testcase classname="t.test_a" name="test_x" time="1" />';
  assert.throws(() => readJunit(''), /cut off/);
  assert.throws(() => readJunit(junit(1, one).slice(0, -3)), /cut off/);
  assert.throws(() => readJunit(junit(0, '')), /no test ran/);
  assert.throws(() => readJunit(junit(2, one)), /declares 2 tests and shows 1/);
  assert.throws(() => readJunit(junit(2, one + one)), /twice/);
});

const zktest = `ZooKeeper server started
Running
Zookeeper_multi::testCreate
 : elapsed 12 : OK
Zookeeper_simpleSystem::testLog
Log Message Received: [x : elapsed nothing]
 ZooKeeper server started : elapsed 4010 : OK
Zookeeper_simpleSystem::testAuth
 : assertion : elapsed 7023
`;

test('zktest: what a test prints does not disturb; a failure has its message', () => {
  const results = readZktest(
    `${zktest}/a/b/TestClient.cc:737: Assertion: assertion failed [Expression: x < 2]\nFailures !!!\nRun: 3   Failure total: 1   Failures: 1   Errors: 0\n`,
  );
  assert.deepEqual(brief(results), [
    'Zookeeper_multi::testCreate passed',
    'Zookeeper_simpleSystem::testLog passed',
    'Zookeeper_simpleSystem::testAuth failed',
  ]);
  assert.match(results[2]?.message ?? '', /TestClient.cc:737.*x < 2/);
});

test('zktest: a program that died fails the test it was in', () => {
  const results = readZktest(`${zktest}Zookeeper_watchers::testNode\n`);
  assert.equal(results.length, 4);
  assert.match(results[3]?.message ?? '', /never ended/);
  assert.throws(() => readZktest('ZooKeeper server NOT started\n'), /no test ran/);
  assert.throws(() => readZktest(`${zktest}OK (4)\n`), /declares 4 tests and shows 3/);
});

const goEvents = (...events: object[]) => `${events.map((event) => JSON.stringify(event)).join('\n')}\n`;

test('go: tests and sub-tests, the last own lines of one that failed', () => {
  const results = readGoJson(
    goEvents(
      { Action: 'start', Package: 'zk' },
      { Action: 'run', Test: 'TestA' },
      { Action: 'run', Test: 'TestA/sub' },
      { Action: 'output', Test: 'TestA/sub', Output: '    zk_test.go:12: [ZKERR] a log line\n' },
      { Action: 'output', Test: 'TestA/sub', Output: '    zk_test.go:14: expected 1\n' },
      { Action: 'fail', Test: 'TestA/sub' },
      { Action: 'fail', Test: 'TestA' },
      { Action: 'run', Test: 'TestB' },
      { Action: 'skip', Test: 'TestB' },
      { Action: 'run', Test: 'TestC' },
      { Action: 'fail', Package: 'zk' },
    ),
  );
  assert.deepEqual(brief(results), ['TestA failed', 'TestA/sub failed', 'TestB skipped', 'TestC failed']);
  assert.equal(results[1]?.message, 'zk_test.go:14: expected 1');
  assert.match(results[3]?.message ?? '', /never ended/);
});

test('go: no end of the package, no tests, not JSON', () => {
  assert.throws(
    () => readGoJson(goEvents({ Action: 'run', Test: 'TestA' }, { Action: 'pass', Test: 'TestA' })),
    /cut off/,
  );
  assert.throws(() => readGoJson(goEvents({ Action: 'pass', Package: 'zk' })), /no test ran/);
  assert.throws(() => readGoJson('FAIL zk [build failed]\n'), SyntaxError);
});

test('TAP: outcomes, and a plan that must be kept', () => {
  const body = 'TAP version 13\nok 1 - acltest › can get\nnot ok 2 - acltest › can set\n  ---\n  name: x\n  ...\n';
  const results = readTap(`${body}ok 3 - t › later # SKIP\n\n1..3\n`);
  assert.deepEqual(brief(results), ['acltest > can get passed', 'acltest > can set failed', 't > later skipped']);
  assert.throws(() => readTap(body), /cut off/);
  assert.throws(() => readTap(`${body}1..3\n`), /declares 3 tests and shows 2/);
  assert.throws(() => readTap('TAP version 13\n1..0\n'), /no test ran/);
});
