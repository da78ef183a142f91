import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf } from './plan.js';

function namesOf(isCi: boolean, text = ''): string[] {
  return planOf({ isCi, kinds: [], texts: [text] }).flatMap((act) => {
    return 'arrangement' in act ? act.scenarios.map(({ name }) => `${act.arrangement.name}: ${name}`) : [act.name];
  });
}

test('no row is there twice', () => {
  const names = namesOf(false);
  assert.equal(new Set(names).size, names.length);
});

test('the choice for CI has every scenario that it names, and both main versions', () => {
  const names = namesOf(true);
  assert.equal(names.length, 22);
  for (const version of ['3.8.0', '3.9.5', '3.5.10'])
    assert.ok(
      names.some((name) => name.startsWith(version)),
      version,
    );
});

test('rows are picked by a part of their name', () => {
  assert.deepEqual(namesOf(false, 'walk-through 3'), ['walk-through 3: election by example']);
  assert.deepEqual(namesOf(false, 'no such row'), []);
});
