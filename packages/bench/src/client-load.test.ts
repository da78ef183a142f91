/** The client bench, tiny: ours and the bare loop against the bare server, without an error in any reply. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ClientName } from './client-drivers.js';
import { type ClientPlan, type ClientResult, measureClient } from './client-load.js';
import { CLIENT_ROWS, type ClientRow, clientRowLines, pickClientRows, shortfalls } from './client-report.js';

let child: ChildProcess;
let port = 0;
let directory = '';

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'zoots-client-load-test-'));
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

function plan(client: ClientName, row: ClientRow): ClientPlan {
  const { operations, inFlight } = row;
  return {
    client,
    host: '127.0.0.1',
    port,
    librariesDir: directory,
    operations,
    inFlight,
    warmUpMs: 50,
    measureMs: 500,
  };
}

for (const client of ['zoots', 'limit'] as const) {
  for (const row of CLIENT_ROWS) {
    test(`${client}: ${row.name} against the bare server`, async () => {
      const result = await measureClient(plan(client, row));
      assert.ok(result.perSecond > 0 && result.cpuMicros > 0 && result.rssMb > 0);
      assert.ok(result.p50Ms > 0 && result.p50Ms <= result.p99Ms);
    });
  }
}

test('a library that is not installed is an error, not a zero', async () => {
  const [row] = CLIENT_ROWS as [ClientRow];
  await assert.rejects(measureClient(plan('zookeeper', row)), /zookeeper/);
});

test('rows are picked by the start of their name, and an unknown one is refused', () => {
  const names = pickClientRows('get,set-1').map((row) => row.name);
  assert.deepEqual(names, ['get-100', 'set-100', 'get-1', 'set-1']);
  assert.throws(() => pickClientRows('nothing'), /no row named nothing/);
});

test('a row that is behind is said to be: against the others, and against the limit where the server is the brake', () => {
  const [row] = CLIENT_ROWS as [ClientRow];
  const result = (perSecond: number, p99Ms: number): ClientResult[] => [
    { perSecond, p50Ms: 0, p99Ms, cpuMicros: 1, rssMb: 1 },
  ];
  const report = (ours: number, limit: number, p99Ms = 1) => ({
    row,
    rounds: new Map<ClientName, ClientResult[]>([
      ['zoots', result(ours, p99Ms)],
      ['zookeeper', result(50, 9)],
      ['node-zookeeper-client', result(100, 5)],
      ['limit', result(limit, 1)],
    ]),
  });
  assert.deepEqual(shortfalls(report(500, 10_000)), []);
  assert.deepEqual(shortfalls(report(300, 320)), []);
  assert.match(shortfalls(report(300, 1_000))[0] ?? '', /3\.00 × node-zookeeper-client, not 5 ×/);
  assert.match(shortfalls(report(500, 500, 6))[0] ?? '', /p99 of 6\.00 ms/);
  assert.match(clientRowLines(report(500, 1_000), new Map())[0] ?? '', /zoots +500 .*5\.00 × +0\.50 ×$/);
});
