/** Each of the thirty groups of historic bugs has a scenario that somebody can run, and a row in docs/zab.md. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const GROUPS = Array.from({ length: 30 }, (_, i) => i + 1);
const here = new URL('.', import.meta.url);
const document = new URL('../../../../../docs/zab.md', import.meta.url);

test('every group from 1 to 30 has a scenario with a planted bug', () => {
  const told = new Set<number>();
  for (const file of readdirSync(here).filter((name) => name.endsWith('.test.js'))) {
    const text = readFileSync(new URL(file, here), 'utf8');
    for (const story of text.split(/^\s*scenario\(/m).slice(1)) {
      assert.ok(
        story.includes('bug: ') || story.includes('earlyDurability('),
        `${file}: no bug is planted in ${story.slice(0, 100)}`,
      );
      told.add(Number.parseInt(story, 10));
    }
  }
  assert.deepEqual(
    [...told].sort((left, right) => left - right),
    GROUPS,
  );
});

test('every group has a row in docs/zab.md', () => {
  const text = readFileSync(document, 'utf8').split('## Thirty bugs')[1] ?? '';
  assert.deepEqual(
    GROUPS.filter((number) => !text.includes(`\n| ${number} | `)),
    [],
  );
});
