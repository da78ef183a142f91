/**
 * The proof of the client: every operation and every error, watches, sessions, and what happens to all of them when connections
 * break and servers die, against ours and Apache's servers, alone and three together.
 *
 *   node packages/e2e/dist/client.js [--server zoots|apache-3.8.0|apache-3.9.5] [--mode alone|ensemble] [--only words,…]
 *
 * ZOOTS_KEEP=1 keeps the servers' directories. A peer that cannot run here is skipped aloud; with ZOOTS_CI=1 it is a failure.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chaosRows } from './client/chaos-rows.js';
import { connectionRows } from './client/connection-rows.js';
import { failoverRows } from './client/failover-rows.js';
import { namespaceRows } from './client/namespace-rows.js';
import { oldKinds, oldServerRows } from './client/old-server-rows.js';
import { operationRows } from './client/operation-rows.js';
import { refusalRows } from './client/refusal-rows.js';
import type { ClientRow, Stage } from './client/row.js';
import { openServers, type Servers } from './client/servers.js';
import { sessionRows } from './client/session-rows.js';
import { tlsRows } from './client/tls-rows.js';
import { watchRows } from './client/watch-rows.js';
import { writeRows } from './client/write-rows.js';
import { type PeerKind, PeerMissingError } from './peers/peer.js';

const allRows: readonly ClientRow[] = [
  ...operationRows,
  ...refusalRows,
  ...namespaceRows,
  ...watchRows,
  ...sessionRows,
  ...writeRows,
  ...connectionRows,
  ...tlsRows,
  ...chaosRows,
  ...failoverRows,
  ...oldServerRows,
];

const kinds: readonly PeerKind[] = ['zoots', 'apache-3.8.0', 'apache-3.9.5'];
type Setting = 'alone' | 'ensemble';

/** Rows that run at the same time, each with clients and a part of the tree of its own. */
const LANE_COUNT = 4;

const tally = { passed: 0, failed: 0, skipped: 0 };

async function withTimeout(promise: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the row did not end within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}

function skip(what: string, error: PeerMissingError): void {
  if (process.env.ZOOTS_CI === '1') {
    tally.failed++;
    console.log(`FAIL ${what}: ${error.message}`);
  } else {
    tally.skipped++;
    console.log(`SKIPPED ${what}: ${error.message}`);
  }
}

/** How often a row may be tried, aloud. Against ours a row must pass at once, unless it is about the clock. */
function triesOf(row: ClientRow, kind: PeerKind): number {
  if (row.isTimed === true) return 3;
  // There the client is on trial, and servers that are slow to elect or to answer on a busy machine are nobody's defect here.
  return kind === 'zoots' ? 1 : 2;
}

async function runRow(row: ClientRow, kind: PeerKind, what: string, servers: Servers, workDir: string): Promise<void> {
  let outcome = await tryRow(row, servers, workDir);
  for (let tries = 1; tries < triesOf(row, kind); tries++) {
    if (outcome.error === null || outcome.error instanceof PeerMissingError) break;
    console.log(`AGAIN ${what}: ${textOf(outcome.error)}`);
    outcome = await tryRow(row, servers, `${workDir}-${tries + 1}`);
  }
  const { error, notes, ms } = outcome;
  if (error instanceof PeerMissingError) skip(what, error);
  else if (error !== null) {
    tally.failed++;
    console.log(`FAIL ${what} (${ms} ms)\n     ${textOf(error)}`);
  } else {
    tally.passed++;
    console.log(`ok   ${what}${notes.length === 0 ? '' : `: ${notes.join(', ')}`} (${ms} ms)`);
  }
}

interface RowOutcome {
  readonly error: Error | null;
  readonly notes: readonly string[];
  readonly ms: number;
}

async function tryRow(row: ClientRow, servers: Servers, workDir: string): Promise<RowOutcome> {
  mkdirSync(workDir, { recursive: true });
  const startMs = performance.now();
  let stage: Stage | null = null;
  let error: Error | null = null;
  try {
    stage = await servers.stage(workDir, row.isExclusive === true);
    await withTimeout(row.run(stage), row.timeoutMs ?? 30_000);
  } catch (thrown) {
    error = thrown instanceof Error ? thrown : new Error(String(thrown));
  } finally {
    servers.thaw();
    await stage?.end();
  }
  return { error, notes: stage?.notes ?? [], ms: Math.round(performance.now() - startMs) };
}

function textOf(error: Error): string {
  return (error.stack ?? error.message).split('\n').slice(0, 14).join('\n     ');
}

async function runRows(kind: PeerKind, setting: Setting, rows: readonly ClientRow[], workDir: string): Promise<void> {
  const title = setting === 'alone' ? kind : `3 x ${kind}`;
  let servers: Servers;
  try {
    servers = await openServers(kind, setting, join(workDir, `${kind}-${setting}`));
  } catch (error) {
    if (!(error instanceof PeerMissingError)) throw error;
    skip(`${title} (${rows.length} rows)`, error);
    return;
  }
  try {
    const runOne = (row: ClientRow): Promise<void> =>
      runRow(row, kind, `${title}: ${row.name}`, servers, join(workDir, `${kind}-${setting}-row-${rows.indexOf(row)}`));
    // Most rows wait most of the time.
    const peaceful = rows.filter((row) => row.isExclusive !== true);
    const lanes = Array.from({ length: LANE_COUNT }, async () => {
      for (let row = peaceful.shift(); row !== undefined; row = peaceful.shift()) await runOne(row);
    });
    await Promise.all(lanes);
    for (const row of rows) if (row.isExclusive === true) await runOne(row);
  } finally {
    await servers.stop();
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      server: { type: 'string' },
      mode: { type: 'string' },
      only: { type: 'string', default: '' },
    },
  });
  const words = values.only.split(',');
  const chosen = allRows.filter((row) => words.some((word) => row.name.includes(word)));
  if (chosen.length === 0) throw new Error(`no row matches ${values.only}`);
  // A defect must end in a FAIL line, whichever callback it came out of.
  process.on('uncaughtException', (error) => {
    tally.failed++;
    console.log(`FAIL an exception that nobody caught: ${error.stack}`);
  });
  const workDir = mkdtempSync(join(tmpdir(), 'zoots-client-'));
  const startMs = performance.now();
  try {
    for (const setting of ['alone', 'ensemble'] as const) {
      for (const kind of [...kinds, ...oldKinds]) {
        if (values.mode !== undefined && values.mode !== setting) continue;
        if (values.server !== undefined && values.server !== kind) continue;
        const rows = chosen.filter((row) => (row.where ?? setting) === setting && (row.kinds ?? kinds).includes(kind));
        if (rows.length > 0) await runRows(kind, setting, rows, workDir);
      }
    }
  } finally {
    if (process.env.ZOOTS_KEEP) console.log(`kept ${workDir}`);
    else rmSync(workDir, { recursive: true, force: true });
  }
  const tookS = Math.round((performance.now() - startMs) / 1000);
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped in ${tookS} s`);
  return tally.failed === 0 ? 0 : 1;
}

process.exit(await main());
