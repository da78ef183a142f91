/**
 * The recipes against real servers, ours and Apache's: beside kazoo and Curator on the same paths, and with contenders that are
 * killed, stopped and cut off. Each row has a part of the tree of its own; the tables are in recipes/.
 *
 * Run: node packages/e2e/dist/recipes.js [--server zoots,apache-3.8.0] [--only TEXT] [--seed N] [--keep]
 * `--server apache-3.8.0x3` (or `zootsx3`) is an ensemble of three, for the contests alone.
 * Several servers are tried side by side, in a process each, as most of the time is spent in waiting for sessions to expire.
 * The last line is `N passed, N failed, N skipped`; the exit code is 1 if a row failed.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PeerMissingError, skipMissingPeer } from './peers/peer.js';
import { chaosRows } from './recipes/chaos.js';
import { contend } from './recipes/contender.js';
import { contentionRows } from './recipes/contention.js';
import { fetchCurator } from './recipes/foreign.js';
import { interopRows } from './recipes/interop.js';
import type { RecipeRow } from './recipes/row.js';
import { Theatre } from './recipes/theatre.js';
import { fetchDiscovery, valuesInteropRows } from './recipes/values-interop.js';

const rows: readonly RecipeRow[] = [...interopRows, ...valuesInteropRows, ...contentionRows, ...chaosRows];

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** What is to be run, and what came of it. */
interface Casting {
  readonly only: string;
  readonly seed: number;
  readonly tally: Tally;
}

async function runRow(theatre: Theatre, { name, run }: RecipeRow, number: number, casting: Casting): Promise<void> {
  const { seed, tally } = casting;
  const beganMs = performance.now();
  const notes: string[] = [];
  const line = (mark: string): string => {
    const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
    return `${mark} ${theatre.kind}: ${name} (${[`${seconds} s`, ...notes].join('; ')})`;
  };
  try {
    await run(await theatre.stageOf(number, seed, notes));
    tally.passed++;
    console.log(line('ok'));
  } catch (error) {
    if (error instanceof PeerMissingError && process.env.ZOOTS_CI !== '1') {
      tally.skipped++;
      console.log(line(`SKIPPED (${error.message})`));
      return;
    }
    tally.failed++;
    console.log(`${line('FAILED')}\n${(error as Error).stack}`);
  }
}

async function perform(kind: string, workDir: string, casting: Casting): Promise<void> {
  const { only, tally } = casting;
  const theatre = new Theatre(kind, join(workDir, kind));
  const chosen = rows.filter((row) => row.name.includes(only) && (row.isForEnsembles || !theatre.isEnsemble));
  try {
    await theatre.start();
  } catch (error) {
    await theatre.stop();
    skipMissingPeer(error);
    tally.skipped += chosen.length;
    return;
  }
  try {
    for (const [number, row] of chosen.entries()) await runRow(theatre, row, number, casting);
  } finally {
    await theatre.stop();
  }
}

/** Runs this file again for one server; its lines come through, its tally is added. */
async function performApart(kind: string, words: readonly string[], tally: Tally): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ['--server', kind, ...words], { silent: true });
  child.stderr?.pipe(process.stderr);
  let total: RegExpExecArray | null = null;
  for await (const line of createInterface({ input: child.stdout as Readable })) {
    total = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line);
    if (total === null) console.log(line);
  }
  const [passed, failed, skipped] = (total ?? ['', 0, 1, 0]).slice(1).map(Number) as [number, number, number];
  if (total === null) console.log(`FAILED ${kind}: it ended without a result`);
  tally.passed += passed;
  tally.failed += failed;
  tally.skipped += skipped;
}

/** What is missing is told by the rows that need it. */
function fetchPeers(): void {
  for (const fetchJars of [fetchCurator, fetchDiscovery]) {
    try {
      fetchJars();
    } catch (error) {
      if (!(error instanceof PeerMissingError)) throw error;
    }
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      server: { type: 'string', default: 'zoots,apache-3.8.0' },
      only: { type: 'string', default: '' },
      seed: { type: 'string', default: '1' },
      keep: { type: 'boolean', default: false },
    },
  });
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  const [kind, ...others] = values.server.split(',') as [string, ...string[]];
  if (others.length > 0) {
    const words = ['--only', values.only, '--seed', values.seed, ...(values.keep ? ['--keep'] : [])];
    fetchPeers();
    await Promise.all([kind, ...others].map((each) => performApart(each, words, tally)));
  } else {
    const workDir = mkdtempSync(join(tmpdir(), 'zoots-recipes-'));
    try {
      await perform(kind, workDir, { only: values.only, seed: Number(values.seed), tally });
    } finally {
      if (values.keep) console.log(`files kept in ${workDir}`);
      else rmSync(workDir, { recursive: true, force: true });
    }
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

// The contention rows start this file again, for each contender a process.
if (process.argv[2] === 'contend') await contend(process.argv[3] as string);
else process.exit(await main());
