/** From rounds to a table: medians over rounds, ratios, and the text or JSON that is printed. */
import type { ContestantName } from './contestants.js';
import type { LoadResult } from './meter.js';
import { P999_GOAL, type Row } from './rows.js';

export interface Summary {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Processor time of the servers per operation. */
  readonly cpuMicros: number;
  readonly errors: number;
  readonly rounds: readonly LoadResult[];
}

export interface RowReport {
  readonly row: Row;
  readonly results: ReadonlyMap<ContestantName, Summary>;
}

export function summarise(rounds: readonly LoadResult[]): Summary {
  const of = (pick: (round: LoadResult) => number): number => median(rounds.map(pick));
  return {
    perSecond: of((round) => round.perSecond),
    p50Ms: of((round) => round.p50Ms),
    p99Ms: of((round) => round.p99Ms),
    p999Ms: of((round) => round.p999Ms),
    cpuMicros: of((round) => round.cpuMicros),
    errors: rounds.reduce((sum, round) => sum + round.errors, 0),
    rounds,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return 0;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** What two contestants are compared by. */
type Figure = 'perSecond' | 'p999Ms' | 'cpuMicros';

/**
 * A figure of one contestant, by default the throughput, as a multiple of another's; null when either was not measured.
 * Rounds are compared in pairs, each with the one beside it in time, and the median of those is taken: a slow minute of
 * the machine then spoils one pair instead of one side.
 */
export function ratio(
  report: RowReport,
  over: ContestantName,
  under: ContestantName,
  figure: Figure = 'perSecond',
): number | null {
  const a = report.results.get(over);
  const b = report.results.get(under);
  if (a === undefined || b === undefined) return null;
  return pairedRatio(
    a.rounds.map((round) => round[figure]),
    b.rounds.map((round) => round[figure]),
  );
}

/** The median of the ratios of neighbours; null without a pair. */
export function pairedRatio(overs: readonly number[], unders: readonly number[]): number | null {
  const pairs = overs.flatMap((over, i) => {
    const under = unders[i];
    return under === undefined || under === 0 ? [] : [over / under];
  });
  return pairs.length === 0 ? null : median(pairs);
}

/** What a row misses of its goals, in words; nothing when there is nothing to compare with. */
export function shortfalls(report: RowReport): string[] {
  const { row } = report;
  const ofApache = ratio(report, 'ours', 'apache');
  const ofLimit = ratio(report, 'ours', 'limit');
  const p999 = ratio(report, 'ours', 'apache', 'p999Ms');
  const missed: string[] = [];
  if (row.goal !== null && ofApache !== null && ofApache < row.goal)
    missed.push(`${times(ofApache)} Apache, goal ${row.goal}`);
  if (row.goal !== null && p999 !== null && p999 > P999_GOAL)
    missed.push(`p99.9 ${times(p999)} Apache's, goal ${P999_GOAL}`);
  if (row.limitGoal !== null && ofLimit !== null && ofLimit < row.limitGoal)
    missed.push(`${times(ofLimit)} the limit, goal ${row.limitGoal}`);
  return missed.map((text) => `${row.title}: ${text}`);
}

const HEAD = [
  '',
  'server',
  'ops/s',
  'p50 ms',
  'p99 ms',
  'p99.9 ms',
  'CPU µs',
  'of Apache (goal)',
  'p99.9 (goal)',
  'of limit (goal)',
];

/** The lines of one row: a line per contestant. */
export function rowLines(report: RowReport, titles: ReadonlyMap<ContestantName, string>): string[] {
  const { row } = report;
  const lines: string[] = [];
  for (const [name, summary] of report.results) {
    const ours = name === 'ours';
    const goals = [
      withGoal(ratio(report, 'ours', 'apache'), row.goal, '≥'),
      withGoal(ratio(report, 'ours', 'apache', 'p999Ms'), row.goal === null ? null : P999_GOAL, '≤'),
      withGoal(ratio(report, 'ours', 'limit'), row.limitGoal, '≥'),
    ];
    lines.push(
      cells([
        lines.length === 0 ? row.title : '',
        titles.get(name) ?? name,
        Math.round(summary.perSecond).toLocaleString('en-US'),
        summary.p50Ms.toFixed(3),
        summary.p99Ms.toFixed(3),
        summary.p999Ms.toFixed(3),
        summary.cpuMicros.toFixed(1),
        ...(ours ? goals : []),
      ]) + (summary.errors > 0 ? `  ${summary.errors} ERRORS` : ''),
    );
  }
  return lines;
}

export function headLine(): string {
  return cells(HEAD);
}

/** `2.31 × (≥ 2.5)`; the goal is left out where there is none. */
export function withGoal(value: number | null, goal: number | null, sign: '≥' | '≤'): string {
  return times(value) + (goal === null ? '' : ` (${sign} ${goal})`);
}

export function times(value: number | null): string {
  return value === null ? '–' : `${value.toFixed(2)} ×`;
}

const WIDTHS = [46, 14, 11, 9, 9, 10, 8, 18, 16, 17];

function cells(texts: readonly string[]): string {
  return texts
    .map((text, i) => (i < 2 ? text.padEnd(WIDTHS[i] as number) : text.padStart(WIDTHS[i] as number)))
    .join('')
    .trimEnd();
}

export function toJson(reports: readonly RowReport[], titles: ReadonlyMap<ContestantName, string>): string {
  const rows = reports.map((report) => ({
    name: report.row.name,
    title: report.row.title,
    ofApache: ratio(report, 'ours', 'apache'),
    p999OfApache: ratio(report, 'ours', 'apache', 'p999Ms'),
    ofLimit: ratio(report, 'ours', 'limit'),
    goals: { ofApache: report.row.goal, ofLimit: report.row.limitGoal },
    results: Object.fromEntries(report.results),
  }));
  return JSON.stringify({ node: process.version, servers: Object.fromEntries(titles), rows }, null, 2);
}
