/**
 * What is measured but is no loop of requests: starts, memory, a million znodes, thousands of sessions, watches, and the
 * longest stall of the server while it does something large. Each chore gets a fresh server, alone, and returns its
 * figures by metric; smaller is better in all of them.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { LoneContestant } from './contestants.js';
import type { LoadPlan, Mode } from './load.js';
import type { LoadResult } from './meter.js';
import { costOf, openFilesMax } from './proc.js';
import { planOf } from './rounds.js';
import { runChild, startChild } from './run-child.js';
import type { Settings } from './settings.js';

export interface Metric {
  readonly key: string;
  readonly title: string;
  readonly unit: 'ms' | 's' | 'MB' | '% CPU';
  /** At most this share of Apache's. */
  readonly ofApache?: number;
  /** At most this, on any machine like the one of the goals. */
  readonly atMost?: number;
}

export interface Chore {
  readonly name: string;
  title(settings: Settings): string;
  readonly metrics: readonly Metric[];
  /** Only with `--big`. */
  readonly isBig?: boolean;
  /** Names that the bare server answers getChildren with. */
  children?(settings: Settings): number;
  run(job: Job): Promise<Readonly<Record<string, number>>>;
}

const SETTLE_MS = 3_000;
/** Creates, as connections × in flight. */
const BULK = { connections: 20, inFlight: 50 } as const;
/** Sockets and files that are not the sessions'. */
const OTHER_FILES = 300;

/** One chore with one server. */
export class Job {
  readonly server: LoneContestant;
  readonly settings: Settings;

  constructor(server: LoneContestant, settings: Settings) {
    this.server = server;
    this.settings = settings;
  }

  get isLimit(): boolean {
    return this.server.name === 'limit';
  }

  load(mode: Mode, connections: number, inFlight: number, change: Partial<LoadPlan> = {}): Promise<LoadResult> {
    return runChild<LoadResult>(
      'load-process.js',
      this.#plan(mode, connections, inFlight, change),
      `${mode} against ${this.server.title}`,
    );
  }

  create(count: number): Promise<LoadResult> {
    return this.load('bulk', BULK.connections, BULK.inFlight, { count, keys: 0 });
  }

  /** The longest time without an answer to a second client while `work` is going on. */
  async withProbe<Result>(work: () => Promise<Result>): Promise<{ result: Result; stallMs: number }> {
    const plan = this.#plan('probe', 1, 1, {});
    const probe = startChild<LoadResult>('load-process.js', plan, `probe of ${this.server.title}`);
    await probe.ready;
    try {
      const result = await work();
      return { result, stallMs: (await probe.stop()).maxMs };
    } catch (error) {
      await probe.stop().catch(() => {});
      throw error;
    }
  }

  async settledMb(): Promise<number> {
    await sleep(this.settings.quick ? SETTLE_MS / 3 : SETTLE_MS);
    return costOf(this.server.pids).residentMb;
  }

  #plan(mode: Mode, connections: number, inFlight: number, change: Partial<LoadPlan>): LoadPlan {
    return planOf({ mode, connections, inFlight, readPercent: 100 }, this.server, this.settings, change);
  }
}

const thousands = (count: number): string => count.toLocaleString('en-US');
const scaled = (full: number, quick: number) => (settings: Settings) => (settings.quick ? quick : full);
const znodes = scaled(1_000_000, 50_000);
const manyZnodes = scaled(10_000_000, 200_000);
const sessions = scaled(10_000, 1_000);
const childCount = scaled(100_000, 10_000);

/** One watch is one session here, so the machine's limit on open files is the limit. */
function watchCount(settings: Settings): number {
  if (settings.quick) return 1_000;
  return settings.big ? Math.min(100_000, openFilesMax() - OTHER_FILES) : 10_000;
}

/** For more watches than one process may have open files. */
const WATCHES_EACH = 10;

const STALL_TITLE = 'longest time without an answer to another client';

export const CHORES: readonly Chore[] = [
  {
    name: 'start',
    title: () => 'start on empty data',
    metrics: [
      { key: 'startMs', title: 'to the first reply', unit: 'ms', ofApache: 0.4 },
      { key: 'residentMb', title: 'resident when idle', unit: 'MB', atMost: 80 },
    ],
    async run(job) {
      return { startMs: job.server.startMs, residentMb: await job.settledMb() };
    },
  },
  {
    name: 'creates',
    title: (settings) => `${thousands(znodes(settings))} creates of 128 B, 20 × 50`,
    metrics: [
      { key: 'seconds', title: 'time', unit: 's', ofApache: 0.25 },
      { key: 'stallMs', title: STALL_TITLE, unit: 'ms' },
      { key: 'restartMs', title: 'restart to the first reply', unit: 'ms', ofApache: 0.35 },
      { key: 'residentMb', title: 'resident after the restart', unit: 'MB', ofApache: 0.35 },
    ],
    async run(job) {
      const { result, stallMs } = await job.withProbe(() => job.create(znodes(job.settings)));
      const created = { seconds: result.roundMs / 1000, stallMs };
      if (job.isLimit) return created;
      return { ...created, restartMs: await job.server.restart(), residentMb: await job.settledMb() };
    },
  },
  {
    name: 'idle-sessions',
    title: (settings) => `${thousands(sessions(settings))} idle sessions, a ping each every 10 s`,
    metrics: [
      { key: 'cpuPercent', title: 'processor', unit: '% CPU', ofApache: 0.5 },
      { key: 'residentMb', title: 'resident', unit: 'MB', ofApache: 0.5 },
    ],
    async run(job) {
      const [warmUpMs, measureMs] = job.settings.quick ? [500, 3_000] : [5_000, 20_000];
      const result = await job.load('idle', sessions(job.settings), 2, { warmUpMs, measureMs });
      return { cpuPercent: result.cpuShare * 100, residentMb: result.residentMb };
    },
  },
  {
    name: 'watches',
    title: (settings) => `${thousands(watchCount(settings))} watches on one znode, one per session, fired by one set`,
    metrics: [{ key: 'lastMs', title: 'until the last event is out', unit: 'ms', ofApache: 0.5 }],
    async run(job) {
      const measureMs = job.settings.quick ? 1_000 : 10_000;
      const result = await job.load('watches', watchCount(job.settings), 1, { measureMs, keys: 0 });
      if (result.roundMs === 0) throw new Error(`no round of watches ended within ${measureMs} ms`);
      return { lastMs: result.roundMs };
    },
  },
  {
    name: 'many-watches',
    title: (settings) =>
      `${thousands(sessions(settings) * WATCHES_EACH)} watches, ${WATCHES_EACH} on each of ${thousands(sessions(settings))} sessions, fired by ${WATCHES_EACH} sets`,
    metrics: [{ key: 'lastMs', title: 'until the last event is out', unit: 'ms', ofApache: 0.5 }],
    async run(job) {
      const measureMs = job.settings.quick ? 1_000 : 10_000;
      const change = { measureMs, keys: WATCHES_EACH, watchesEach: WATCHES_EACH };
      const result = await job.load('watches', sessions(job.settings), 1, change);
      if (result.roundMs === 0) throw new Error(`no round of watches ended within ${measureMs} ms`);
      return { lastMs: result.roundMs };
    },
  },
  {
    name: 'children',
    title: (settings) => `getChildren of ${thousands(childCount(settings))} children`,
    metrics: [
      { key: 'medianMs', title: 'time', unit: 'ms', ofApache: 0.5 },
      { key: 'stallMs', title: STALL_TITLE, unit: 'ms', atMost: 20 },
    ],
    children: childCount,
    async run(job) {
      const keys = childCount(job.settings);
      // Makes them; the second run finds them.
      await job.load('children', 1, 1, { keys, measureMs: 0 });
      const { result, stallMs } = await job.withProbe(() => job.load('children', 1, 1, { keys }));
      return { medianMs: result.p50Ms, stallMs };
    },
  },
  {
    name: 'snapshot',
    title: (settings) => `a snapshot of ${thousands(znodes(settings))} znodes`,
    metrics: [
      { key: 'stallMs', title: STALL_TITLE, unit: 'ms', atMost: 10 },
      { key: 'seconds', title: 'until it is on disk', unit: 's' },
    ],
    run: watchSnapshot,
  },
  {
    name: 'ten-million',
    title: (settings) => `${thousands(manyZnodes(settings))} znodes loaded, 128 B`,
    isBig: true,
    metrics: [
      { key: 'stallMs', title: STALL_TITLE, unit: 'ms', atMost: 10 },
      { key: 'seconds', title: 'time', unit: 's' },
      { key: 'residentMb', title: 'resident afterwards', unit: 'MB' },
    ],
    async run(job) {
      const { result, stallMs } = await job.withProbe(() => job.create(manyZnodes(job.settings)));
      return { stallMs, seconds: result.roundMs / 1000, residentMb: result.residentMb };
    },
  },
];

/** After so many txns a snapshot begins, at the latest. */
const SNAPSHOT_TXNS = 1_000;
const SNAPSHOT_TIMEOUT_MS = 120_000;
const LOOK_AGAIN_MS = 50;
/** A file that has not grown for so long is complete. */
const STILL_MS = 1_500;

/** The server starts again with a low threshold, so that a thousand sets bring about the one snapshot that is watched. */
async function watchSnapshot(job: Job): Promise<Record<string, number>> {
  if (job.isLimit) return { stallMs: (await job.withProbe(() => sleep(2_000))).stallMs };
  await job.create(znodes(job.settings));
  await job.server.restart([`snapCount=${SNAPSHOT_TXNS}`]);
  await job.settledMb();
  const before = new Set(snapshotsIn(job.server.directory).keys());
  const { result, stallMs } = await job.withProbe(async () => {
    const startedAtMs = performance.now();
    // The keys are new here, so that making them is enough.
    await job.load('set', 1, 10, { keys: SNAPSHOT_TXNS, root: '/snapshot', warmUpMs: 0, measureMs: 500 });
    return (await newSnapshot(job.server.directory, before)) - startedAtMs;
  });
  return { stallMs, seconds: result / 1000 };
}

/** Resolves when a snapshot is there that was not and has stopped growing, with the moment when it last grew. */
async function newSnapshot(directory: string, before: ReadonlySet<string>): Promise<number> {
  const deadlineMs = performance.now() + SNAPSHOT_TIMEOUT_MS;
  let lastBytes = 0;
  let grewAtMs = performance.now();
  while (performance.now() < deadlineMs) {
    const fresh = [...snapshotsIn(directory)].filter(([name]) => !before.has(name));
    const bytes = fresh.reduce((sum, [, size]) => sum + size, 0);
    if (bytes !== lastBytes) grewAtMs = performance.now();
    else if (bytes > 0 && performance.now() - grewAtMs > STILL_MS) return grewAtMs;
    lastBytes = bytes;
    await sleep(LOOK_AGAIN_MS);
  }
  throw new Error(`no snapshot in ${directory} after ${SNAPSHOT_TIMEOUT_MS / 1000} s`);
}

/** Bytes by name; without those that get their name when they are complete. */
function snapshotsIn(directory: string): Map<string, number> {
  const version = path.join(directory, 'data', 'version-2');
  const names = fs.readdirSync(version).filter((name) => name.startsWith('snapshot.') && !name.endsWith('.tmp'));
  return new Map(names.map((name) => [name, fs.statSync(path.join(version, name)).size] as const));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The chores that a list of names or their starts picks; without one, all that the settings allow. */
export function pickChores(words: readonly string[], isBig: boolean): Chore[] {
  for (const word of words) {
    if (!CHORES.some((chore) => chore.name.startsWith(word)))
      throw new Error(`no chore named ${word}; there are ${CHORES.map((chore) => chore.name).join(', ')}`);
  }
  return CHORES.filter((chore) =>
    words.length === 0 ? isBig || chore.isBig !== true : words.some((word) => chore.name.startsWith(word)),
  );
}
