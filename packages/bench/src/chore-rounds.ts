/** Chores in rounds: each contestant in turn with a fresh server of its own, medians of the figures, ratios of neighbours. */
import fs from 'node:fs';
import path from 'node:path';
import { type Chore, Job, type Metric, pickChores } from './chores.js';
import {
  type ContestantName,
  findApache,
  type LoneContestant,
  startApache,
  startLimit,
  startOurs,
} from './contestants.js';
import { median, pairedRatio, times } from './report.js';
import { DATA_BYTES } from './rows.js';
import type { Settings } from './settings.js';

/** One line of the table of chores. */
export interface Finding {
  readonly chore: string;
  readonly title: string;
  readonly metric: Metric;
  /** Medians; what was not measured is left out. */
  readonly figures: Readonly<Partial<Record<ContestantName, number>>>;
  /** Ours as a multiple of Apache's, of neighbouring rounds. */
  readonly ofApache: number | null;
}

export interface ChoresMeasured {
  readonly findings: Finding[];
  /** Goals that were missed, in words. */
  readonly missed: string[];
}

export async function measureChores(settings: Settings): Promise<ChoresMeasured> {
  const findings: Finding[] = [];
  for (const chore of pickChores(settings.words, settings.big)) {
    const measured = await measureChore(chore, settings);
    findings.push(...measured);
    for (const [i, finding] of measured.entries()) settings.note((i === 0 ? `${finding.title}\n` : '') + line(finding));
  }
  if (settings.json) console.log(JSON.stringify(findings, null, 2));
  return { findings, missed: findings.flatMap(missedGoals) };
}

type Figures = Readonly<Record<string, number>>;

async function measureChore(chore: Chore, settings: Settings): Promise<Finding[]> {
  const names = contestantsOf(settings);
  const rounds = new Map<ContestantName, Figures[]>(names.map((name) => [name, []] as const));
  for (let round = 0; round < settings.rounds; round++) {
    for (const name of names) rounds.get(name)?.push(await runChore(chore, name, settings));
  }
  return findingsOf(chore, chore.title(settings), rounds);
}

/** From the figures of all rounds to one line per metric. */
export function findingsOf(
  chore: Pick<Chore, 'name' | 'metrics'>,
  title: string,
  rounds: ReadonlyMap<ContestantName, readonly Figures[]>,
): Finding[] {
  return chore.metrics.map((metric) => {
    const of = (name: ContestantName): number[] =>
      (rounds.get(name) ?? []).flatMap((figures) =>
        figures[metric.key] === undefined ? [] : [figures[metric.key] as number],
      );
    const figures = Object.fromEntries(
      [...rounds.keys()].filter((name) => of(name).length > 0).map((name) => [name, median(of(name))]),
    );
    return { chore: chore.name, title, metric, figures, ofApache: pairedRatio(of('ours'), of('apache')) };
  });
}

function contestantsOf(settings: Settings): ContestantName[] {
  const all: ContestantName[] = ['ours', 'apache', 'limit'];
  return all.filter((name) => settings.only.has(name) && (name !== 'apache' || findApache() !== null));
}

async function runChore(chore: Chore, name: ContestantName, settings: Settings): Promise<Figures> {
  const directory = path.join(settings.directory, `${chore.name}-${name}`);
  let server: LoneContestant | null = null;
  try {
    server = await startOne(name, directory, settings, chore);
    return await chore.run(new Job(server, settings));
  } finally {
    await server?.stop();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

async function startOne(
  name: ContestantName,
  directory: string,
  settings: Settings,
  chore: Chore,
): Promise<LoneContestant> {
  if (name === 'ours') return startOurs(directory, settings.port);
  if (name === 'limit') return startLimit(directory, settings.port + 2, DATA_BYTES, chore.children?.(settings));
  const apache = await startApache(directory, settings.port + 1, settings.heap);
  if (apache === null) throw new Error('Apache ZooKeeper is not installed');
  return apache;
}

/** What a finding misses of its goals, in words. */
export function missedGoals({ title, metric, figures, ofApache }: Finding): string[] {
  const missed: string[] = [];
  if (metric.ofApache !== undefined && ofApache !== null && ofApache > metric.ofApache)
    missed.push(`${times(ofApache)} Apache's, goal ${metric.ofApache}`);
  if (metric.atMost !== undefined && figures.ours !== undefined && figures.ours > metric.atMost)
    missed.push(`${format(figures.ours)} ${metric.unit}, goal ${metric.atMost}`);
  return missed.map((text) => `${title}, ${metric.title}: ${text}`);
}

/** `≤ 0.4 of Apache's`, `≤ 20 ms`, or nothing. */
export function goalText(metric: Metric): string {
  if (metric.ofApache !== undefined) return `≤ ${metric.ofApache} of Apache's`;
  return metric.atMost === undefined ? '' : `≤ ${metric.atMost} ${metric.unit}`;
}

/** Three digits that count. */
export function format(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString('en-US');
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function line({ metric, figures, ofApache }: Finding): string {
  const figure = (name: ContestantName): string => {
    const value = figures[name];
    return `${name} ${value === undefined ? '–' : format(value)}`.padEnd(17);
  };
  const cells = [`  ${metric.title} (${metric.unit})`.padEnd(62), figure('ours'), figure('apache'), figure('limit')];
  return `${cells.join('')}${times(ofApache).padEnd(9)} ${goalText(metric)}`.trimEnd();
}
