/**
 * Three real servers under real faults: kill -9, SIGSTOP, full and slow disks, and a network that fails between them, while clients
 * work and write down what they hear. Afterwards everything is healed and judged: see faults/verdict.ts.
 *
 * Run: node packages/e2e/dist/faults.js [--rows kill,cut,…,failover] [--server zoots|apache-3.8.0] [--seed N] [--ci] [--keep]
 *
 * `failover` measures how long writes stand still after a kill, ours and Apache's in one run. `--ci` is the short form,
 * which leaves that one out unless `--rows` names it.
 * The last line is `N passed, N failed, N skipped`; the exit code is 1 if a row failed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { medianOf } from './crash/report.js';
import { sleep } from './crash/server-process.js';
import { Prng } from './differential/prng.js';
import { Load, makeRoot } from './faults/clients.js';
import { Cluster } from './faults/cluster.js';
import { FailoverContestant, failoverLine } from './faults/failover.js';
import { type FaultRow, faultRows } from './faults/rows.js';
import { judge } from './faults/verdict.js';
import { type PeerKind, PeerMissingError } from './peers/peer.js';

interface Settings {
  readonly kind: PeerKind;
  readonly workDir: string;
  readonly seed: number;
  readonly isShort: boolean;
}

interface RowResult {
  readonly failures: readonly string[];
  readonly text: string;
}

const failuresShownMax = 12;
/** The longest that writes may stand still after the leader is killed, as a median. */
const leaderGapMaxMs = 500;
/** The same in the short form, which shares its machine with everything else that CI does. */
const leaderGapOfShortFormMaxMs = 2_000;

async function runRow(row: FaultRow, { kind, workDir, seed, isShort }: Settings): Promise<RowResult> {
  const prng = new Prng(seed);
  const cluster = await Cluster.start({ kind, workDir, hasLinks: true });
  const notes: string[] = [];
  try {
    const ports = cluster.members.map(({ port }) => port);
    await makeRoot(ports[0] as number);
    const load = new Load({ ports, clients: 8, registers: 40, prng: new Prng(seed + 1), pauseMs: 5 });
    await sleep(500);
    let broken: string | null = null;
    try {
      await row.run({ cluster, prng, workDir, rounds: isShort ? 3 : 16, notes });
      await cluster.heal();
      await goesOn(load);
    } catch (error) {
      broken = (error as Error).message;
    }
    await load.end();
    if (broken !== null) return { failures: [broken, ...load.faults.slice(0, 3)], text: notes.join(', ') };
    const { failures, figures } = await judge(cluster, load);
    return { failures, text: [...figures.map(([label, value]) => `${value} ${label}`), ...notes].join(', ') };
  } finally {
    await cluster.stop();
  }
}

/** Every client gets a write through. */
async function goesOn(load: Load): Promise<void> {
  const from = load.history.length;
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const done = load.history.slice(from).filter(({ kind, outcome }) => kind !== 'read' && outcome !== 'unknown');
    if (new Set(done.map(({ client }) => client)).size === load.clients.length) return;
    if (performance.now() > deadlineMs) throw new Error('a client is not served 10 s after everything is healed');
    await sleep(50);
  }
}

/** In turns, so that a slow minute of the machine falls on both. */
async function failover({ kind, workDir, isShort }: Settings): Promise<RowResult> {
  const kinds: readonly PeerKind[] = kind === 'zoots' ? ['zoots', 'apache-3.8.0'] : [kind];
  const contestants: FailoverContestant[] = [];
  try {
    for (const each of kinds) contestants.push(await FailoverContestant.start(each, join(workDir, each)));
    for (let kill = 0; kill < (isShort ? 3 : 9); kill++) for (const each of contestants) await each.round();
  } finally {
    for (const each of contestants) await each.stop();
  }
  for (const each of contestants) console.log(`     ${failoverLine(each)}`);
  if (kind !== 'zoots') return { failures: [], text: '' };
  const [ours, apaches] = contestants.map(({ leaderGapsMs }) => Math.round(medianOf(leaderGapsMs)));
  const maxMs = isShort ? leaderGapOfShortFormMaxMs : leaderGapMaxMs;
  const failures = (ours as number) <= maxMs ? [] : [`writes stand still for ${ours} ms, not ${maxMs}`];
  return { failures, text: `median ${ours} ms, Apache's ${apaches} ms` };
}

const failoverRow = { word: 'failover', name: 'how long writes stand still' };

/** Without words all rows; the short form leaves out the one that measures. */
function chosenRows(
  words: string,
  isShort: boolean,
): readonly { word: string; name: string; run: (settings: Settings) => Promise<RowResult> }[] {
  const rows = [
    ...faultRows.map((row) => ({ ...row, run: (settings: Settings) => runRow(row, settings) })),
    { ...failoverRow, run: failover },
  ];
  if (words === '') return rows.filter((row) => !isShort || row.word !== failoverRow.word);
  return words.split(',').map((word) => {
    const row = rows.find((each) => each.word === word);
    if (row === undefined) throw new Error(`no row ${word}; there are ${rows.map((each) => each.word).join(', ')}`);
    return row;
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '' },
      server: { type: 'string', default: 'zoots' },
      seed: { type: 'string', default: '1' },
      keep: { type: 'boolean', default: false },
      ci: { type: 'boolean', default: false },
    },
  });
  const workDir = mkdtempSync(join(tmpdir(), 'zoots-faults-'));
  const settings = { kind: values.server as PeerKind, workDir, seed: Number(values.seed), isShort: values.ci };
  const tally = { passed: 0, failed: 0, skipped: 0 };
  console.log(`${settings.kind}, seed ${settings.seed}${settings.isShort ? ', short form' : ''}`);
  try {
    for (const [number, row] of chosenRows(values.rows, values.ci).entries()) {
      const beganMs = performance.now();
      const line = (mark: string): string =>
        `${mark} ${row.name} (${((performance.now() - beganMs) / 1000).toFixed(1)} s)`;
      try {
        const { failures, text } = await row.run({ ...settings, workDir: join(workDir, `${number + 1}-${row.word}`) });
        tally[failures.length === 0 ? 'passed' : 'failed']++;
        console.log(`${line(failures.length === 0 ? 'ok  ' : 'FAIL')}: ${text}`);
        for (const failure of failures.slice(0, failuresShownMax)) console.log(`       ${failure}`);
        if (failures.length > failuresShownMax) console.log(`       … and ${failures.length - failuresShownMax} more`);
      } catch (error) {
        const isSkipped = error instanceof PeerMissingError && process.env.ZOOTS_CI !== '1';
        tally[isSkipped ? 'skipped' : 'failed']++;
        console.log(`${line(isSkipped ? 'SKIPPED' : 'FAIL')}: ${isSkipped ? error.message : (error as Error).stack}`);
      }
    }
  } finally {
    if (values.keep) console.log(`files kept in ${workDir}`);
    else rmSync(workDir, { recursive: true, force: true });
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

process.exit(await main());
