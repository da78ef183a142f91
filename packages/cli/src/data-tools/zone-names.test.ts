import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { javaZoneName } from './zone-names.js';

test('names of zones', () => {
  assert.equal(javaZoneName('Asia/Shanghai', false), 'CST');
  assert.equal(javaZoneName('Australia/Sydney', true), 'AEDT');
  assert.equal(javaZoneName('Australia/Sydney', false), 'AEST');
  assert.equal(javaZoneName('Nowhere/Land', false), undefined);
});

test('dates as Java prints them', () => {
  const forms = new URL('./text-forms.js', import.meta.url).href;
  const program = `import { dateText } from '${forms}'; console.log(dateText(1767225600000n), dateText(1782864000000n));`;
  for (const [zone, expected] of [
    ['UTC', 'Thu Jan 01 00:00:00 UTC 2026 Wed Jul 01 00:00:00 UTC 2026'],
    ['Asia/Shanghai', 'Thu Jan 01 08:00:00 CST 2026 Wed Jul 01 08:00:00 CST 2026'],
    ['Europe/Berlin', 'Thu Jan 01 01:00:00 CET 2026 Wed Jul 01 02:00:00 CEST 2026'],
    ['America/New_York', 'Wed Dec 31 19:00:00 EST 2025 Tue Jun 30 20:00:00 EDT 2026'],
    ['Australia/Sydney', 'Thu Jan 01 11:00:00 AEDT 2026 Wed Jul 01 10:00:00 AEST 2026'],
    ['Asia/Kolkata', 'Thu Jan 01 05:30:00 IST 2026 Wed Jul 01 05:30:00 IST 2026'],
  ] as const) {
    const words = ['--input-type=module', '-e', program];
    const { stdout } = spawnSync(process.execPath, words, { env: { ...process.env, TZ: zone }, encoding: 'utf8' });
    assert.equal(stdout.trim(), expected, zone);
  }
});
