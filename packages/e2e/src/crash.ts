/**
 * Real crashes of a real server: kill -9 under load, power cuts, damaged files, a disk that is full or fails.
 * Run: node packages/e2e/dist/crash.js [--server zoots|apache|apache-3.9.5] [--chapter kill,cut,cut-posix,canary,fault,damage,damage-all]
 *      [--ci] [--full] [--seed n] [--keep]
 *
 * The exit code is 1 when a promise was broken. `--ci` is the short form (a few minutes); without it the run is long;
 * `--full` damages every byte and every bit.
 * Apache's server runs here too, as the measure: docs/compatibility.md has its figures beside ours.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { damageSweep } from './crash/damage.js';
import { damageSweepInProcess } from './crash/damage-in-process.js';
import { diskFaults } from './crash/disk-faults.js';
import { killLoop } from './crash/kill-loop.js';
import { powerCutCanary, powerCuts } from './crash/power-cuts.js';
import { type ChapterResult, printChapter } from './crash/report.js';
import { type PeerKind, PeerMissingError, skipMissingPeer } from './peers/peer.js';

interface Settings {
  readonly kind: PeerKind;
  readonly workDir: string;
  readonly ci: boolean;
  /** Every byte and bit of the damage sweep. */
  readonly full: boolean;
  readonly seed: number;
}

type Chapter = (settings: Settings) => Promise<ChapterResult>;

const chapters: Readonly<Record<string, Chapter>> = {
  kill: ({ kind, workDir, ci, seed }) =>
    killLoop({ kind, workDir: join(workDir, 'kill'), kills: ci ? 12 : 120, writers: 8, seed }),
  cut: ({ kind, workDir, ci, seed }) =>
    powerCuts({
      kind,
      workDir: join(workDir, 'cut-journaled'),
      runs: ci ? 3 : 16,
      cutsPerRun: ci ? 16 : 40,
      writers: 6,
      names: 'journaled',
      seed,
    }),
  'cut-posix': ({ kind, workDir, ci, seed }) =>
    powerCuts({
      kind,
      workDir: join(workDir, 'cut-posix'),
      runs: ci ? 3 : 16,
      cutsPerRun: ci ? 16 : 40,
      writers: 6,
      names: 'posix',
      seed: seed + 1,
    }),
  canary: ({ kind, workDir, seed }) =>
    powerCutCanary({
      kind,
      workDir: join(workDir, 'canary'),
      runs: 1,
      cutsPerRun: 6,
      writers: 6,
      names: 'journaled',
      seed,
    }),
  fault: ({ kind, workDir, ci, seed }) =>
    diskFaults({ kind, workDir: join(workDir, 'fault'), rounds: ci ? 3 : 25, seed }),
  damage: ({ kind, workDir, ci, seed }) =>
    damageSweep({ kind, workDir: join(workDir, 'damage'), samples: ci ? 2 : 30, seed }),
  'damage-all': async (settings) => {
    const { kind, workDir, ci, full, seed } = settings;
    // Only our own recovery can be run in this process.
    if (kind !== 'zoots') throw new PeerMissingError('damage-all: only for zoots; `damage` starts real servers');
    const samples = full ? Number.POSITIVE_INFINITY : ci ? 60 : 2_000;
    return damageSweepInProcess({ kind, workDir: join(workDir, 'damage-all'), samples, seed });
  },
};

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      server: { type: 'string', default: 'zoots' },
      chapter: { type: 'string', default: Object.keys(chapters).join(',') },
      seed: { type: 'string', default: '1' },
      keep: { type: 'boolean', default: false },
      ci: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
    },
  });
  const kind = (values.server === 'apache' ? 'apache-3.8.0' : values.server) as PeerKind;
  const workDir = mkdtempSync(join(tmpdir(), 'zoots-crash-'));
  const settings = { kind, workDir, ci: values.ci, full: values.full, seed: Number(values.seed) };
  console.log(`${kind}, seed ${settings.seed}${settings.ci ? ', short form' : ''}`);
  let failed = 0;
  try {
    for (const name of values.chapter.split(',')) {
      const chapter = chapters[name];
      if (chapter === undefined) throw new Error(`no chapter ${name}; there are ${Object.keys(chapters).join(', ')}`);
      try {
        const result = await chapter(settings);
        printChapter(result);
        failed += result.failures.length > 0 ? 1 : 0;
      } catch (error) {
        if (error instanceof PeerMissingError) skipMissingPeer(error);
        else printChapter({ name, figures: [], failures: [`broke off: ${(error as Error).stack}`] });
        failed += error instanceof PeerMissingError ? 0 : 1;
      }
    }
  } finally {
    if (values.keep) console.log(`files kept in ${workDir}`);
    else rmSync(workDir, { recursive: true, force: true });
  }
  return failed === 0 ? 0 : 1;
}

process.exit(await main());
