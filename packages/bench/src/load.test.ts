/** The bench, tiny: every mode that the bare server can play runs for a moment, without an error in any reply. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type LoadPlan, type Mode, measure } from './load.js';
import type { LoadResult } from './meter.js';
import { pickRows, ROWS } from './rows.js';

let child: ChildProcess;
let port = 0;
let directory = '';

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'zoots-load-test-'));
  const main = fileURLToPath(new URL('./bare-server.js', import.meta.url));
  child = spawn(process.execPath, [main, '0', join(directory, 'log'), '128'], { stdio: ['ignore', 'pipe', 'inherit'] });
  port = await new Promise((resolve) => {
    child.stdout?.once('data', (line) => resolve(Number(/^ready (\d+)/.exec(String(line))?.[1])));
  });
});

after(() => {
  child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

function plan(mode: Mode): LoadPlan {
  return {
    host: '127.0.0.1',
    ports: [port],
    pids: [child.pid as number],
    mode,
    connections: 4,
    inFlight: 5,
    dataBytes: 128,
    keys: 50,
    readPercent: 70,
    runId: 'test',
    warmUpMs: 50,
    measureMs: 150,
  };
}

/** A busy machine may not get to as many operations in a moment: then it gets twice the time, and so on. */
async function measureSome(moment: LoadPlan, operationsMin: number): Promise<LoadResult> {
  for (let { measureMs } = moment; ; measureMs *= 2) {
    const result = await measure({ ...moment, measureMs });
    if (result.operations >= operationsMin || measureMs > 10_000) return result;
  }
}

for (const mode of ['get', 'set', 'mixed', 'create', 'exists', 'children', 'ping', 'connect', 'watches'] as const) {
  test(`${mode} against the bare server`, async () => {
    const result = await measureSome(plan(mode), 4);
    assert.equal(result.errors, 0);
    assert.ok(result.operations >= 4, `only ${result.operations} operations`);
    assert.ok(result.p50Ms > 0 && result.p50Ms <= result.p99Ms && result.p99Ms <= result.maxMs * 1.02);
  });
}

test('a round of watches on several znodes is one for each of them and connection', async () => {
  const result = await measureSome({ ...plan('watches'), watchesEach: 7 }, 4 * 7);
  assert.equal(result.errors, 0);
  assert.ok(result.operations >= 4 * 7, `only ${result.operations} operations`);
  assert.ok(result.roundMs > 0);
});

test('connections are dealt over the ports of an ensemble, and one that is missing is an error', async () => {
  const result = await measure({ ...plan('get'), ports: [port, port] });
  assert.equal(result.errors, 0);
  assert.ok(result.operations > 10, `only ${result.operations} operations`);
  await assert.rejects(measure({ ...plan('get'), ports: [port, 1] }));
});

test('a server that is not there is an error, not a zero', async () => {
  await assert.rejects(measure({ ...plan('get'), ports: [1] }));
});

test('rows are picked by the start of their name, and an unknown one is refused', () => {
  assert.deepEqual(
    pickRows('get-50').map((row) => row.name),
    ['get-50x1', 'get-50x20'],
  );
  assert.equal(pickRows('all').length, ROWS.length);
  assert.throws(() => pickRows('nothing'), /no row named nothing/);
});
