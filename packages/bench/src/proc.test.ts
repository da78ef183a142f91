import assert from 'node:assert/strict';
import { test } from 'node:test';
import { costOf, openFilesMax, parseCpuMs, parseResidentMb } from './proc.js';

test('processor time is that of user and system, whatever the process is called', () => {
  const rest = 'S 1 2 3 4 5 6 7 8 9 10 123 45 0 0 20 0 12 0 99';
  assert.equal(parseCpuMs(`77 (node) ${rest}`), 1_680);
  assert.equal(parseCpuMs(`77 (a (strange) name) ${rest}`), 1_680);
  assert.throws(() => parseCpuMs('77 (node) S'), /not a line/);
});

test('resident memory is VmRSS, and a process that has ended is an error', () => {
  assert.equal(parseResidentMb('Name:\tnode\nVmHWM:\t 4096 kB\nVmRSS:\t    2048 kB\n'), 2);
  assert.throws(() => parseResidentMb('Name:\tnode\nState:\tZ (zombie)\n'), /has the process ended/);
});

test('this process costs something, no process costs nothing, one that is not there is an error', () => {
  const { cpuMs, residentMb } = costOf([process.pid]);
  assert.ok(cpuMs > 0 && residentMb > 10);
  assert.deepEqual(costOf([]), { cpuMs: 0, residentMb: 0 });
  assert.throws(() => costOf([0x7fff_fffe]));
  assert.ok(openFilesMax() >= 256);
});
