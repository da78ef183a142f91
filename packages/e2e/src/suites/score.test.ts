import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { TestResult } from './results.js';
import { type Expected, excludedTests, readExpected, scoreResults } from './score.js';

const expected: Expected = {
  source: 'a test',
  excluded: [
    { test: 'secure', needs: 'TLS', reason: 'connects to the secure port' },
    { test: 'reconfig', needs: 'reconfiguration', reason: 'reconfigures' },
  ],
  flaky: [{ test: 'hasty', reason: 'wants an answer within 2 ms' }],
  tests: ['plain', 'hasty', 'secure', 'reconfig'],
};

const result = (name: string, outcome: TestResult['outcome'], message = ''): TestResult => ({
  test: name,
  outcome,
  message,
});

test('a server is excused only from what it lacks', () => {
  assert.deepEqual(excludedTests(expected, ['TLS', 'SASL']), [expected.excluded[0]]);
  assert.deepEqual(excludedTests(expected, []), []);
});

test('missing, skipped, failed and unknown tests all count against the server', () => {
  const score = scoreResults(
    expected,
    ['plain', 'hasty', 'secure'],
    [result('hasty', 'skipped', 'not today'), result('secure', 'failed', 'refused'), result('new', 'passed')],
  );
  assert.equal(score.passed, 0);
  assert.deepEqual(score.failed, [
    { test: 'plain', message: 'did not run' },
    { test: 'hasty', message: 'skipped: not today' },
    { test: 'secure', message: 'failed: refused' },
    { test: 'new', message: 'ran, but is not in the list of expected tests' },
  ]);
});

test('an expected file that makes no sense is refused with its name', (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'zoots-expected-'));
  context.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'suite.json');
  const reading = (changes: Partial<Record<keyof Expected, unknown>>) => () => {
    writeFileSync(file, JSON.stringify({ ...expected, ...changes }));
    return readExpected(file);
  };
  assert.deepEqual(reading({})(), expected);
  assert.throws(reading({ tests: [] }), /suite.json: lists no tests/);
  assert.throws(reading({ tests: [...expected.tests, 'plain'] }), /twice/);
  assert.throws(reading({ excluded: [{ test: 'gone', needs: 'TLS', reason: 'x' }] }), /gone, which is not among/);
  assert.throws(reading({ excluded: [{ test: 'plain', needs: 'luck', reason: 'x' }] }), /needs luck; known are/);
  assert.throws(reading({ excluded: [{ test: 'plain', needs: 'TLS', reason: '' }] }), /without a reason/);
  assert.throws(reading({ flaky: [{ test: 'gone', reason: 'x' }] }), /gone flaky, which is not among/);
  assert.throws(reading({ flaky: [{ test: 'plain', reason: '' }] }), /without a reason/);
});
