import assert from 'node:assert/strict';
import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { projectRoot } from '../peers/versions.js';
import { missing, servers, suites, suitesDir } from './catalog.js';
import { excludedTests, readExpected } from './score.js';

test('every suite has its script and its expected file; zoots is excused from as many tests as we know of', () => {
  const counts = suites.map(({ name, script }) => {
    accessSync(join(suitesDir, script[0]), constants.X_OK);
    const expected = readExpected(join(suitesDir, 'expected', `${name}.json`));
    return [name, expected.tests.length, excludedTests(expected, servers.zoots?.lacks ?? []).length];
  });
  assert.deepEqual(counts, [
    ['kazoo', 493, 11],
    ['c-mt', 88, 11],
    ['c-st', 48, 0],
    ['go', 79, 2],
    ['npm', 14, 0],
  ]);
});

test('.ci/run installs what the suites and servers require', () => {
  const installed = /^packages=\(\n([\s\S]*?)^\)/m.exec(readFileSync(join(projectRoot, '.ci/run'), 'utf8'))?.[1] ?? '';
  const packages = new Set(installed.replace(/#.*/g, '').split(/\s+/));
  for (const { requirements } of [...suites, ...Object.values(servers)]) {
    for (const { debianPackage } of requirements) {
      assert.ok(debianPackage.startsWith('none: ') || packages.has(debianPackage), debianPackage);
    }
  }
});

test('what is missing is named with the package that has it', () => {
  const there = { probe: 'sh', debianPackage: 'dash' };
  const file = { probe: '/nowhere/Test.h', debianPackage: 'libnowhere-dev' };
  const command = { probe: 'no-such-command', debianPackage: 'nothing' };
  assert.deepEqual(missing([there, file, command]), [
    '/nowhere/Test.h (Debian: libnowhere-dev)',
    'no-such-command (Debian: nothing)',
  ]);
});
