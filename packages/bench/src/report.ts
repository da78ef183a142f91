/** From rounds to a table: medians over rounds, ratios, and the text or JSON that is printed. */
import type { ContestantName } from './contestants.js';
import type { LoadResult } from './load.js';
import type { Row } from './rows.js';

export interface Summary {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
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

/**
 * Throughput of one contestant as a multiple of another's; null when either was not measured. Rounds are compared in
 * pairs, each with the one beside it in time, and the median of those is taken: a slow minute of the machine then spoils
 * one pair instead of one side.
 */
export function ratio(report: RowReport, over: ContestantName, under: ContestantName): number | null {
  const a = report.results.get(over);
  const b = report.results.get(under);
  if (a === undefined || b === undefined) return null;
  const pairs = a.rounds.flatMap((round, i) => {
    const other = b.rounds[i];
    return other === undefined || other.perSecond === 0 ? [] : [round.perSecond / other.perSecond];
  });
  return pairs.length === 0 ? null : median(pairs);
}

const HEAD = ['', 'server', 'ops/s', 'p50 ms', 'p99 ms', 'p99.9 ms', 'of Apache', 'of limit'];

/** The lines of one row: a line per contestant. */
export function rowLines(report: RowReport, titles: ReadonlyMap<ContestantName, string>): string[] {
  const lines: string[] = [];
  for (const [name, summary] of report.results) {
    const ours = name === 'ours';
    lines.push(
      cells([
        lines.length === 0 ? report.row.title : '',
        titles.get(name) ?? name,
        Math.round(summary.perSecond).toLocaleString('en-US'),
        summary.p50Ms.toFixed(3),
        summary.p99Ms.toFixed(3),
        summary.p999Ms.toFixed(3),
        ours ? times(ratio(report, 'ours', 'apache')) : '',
        ours ? times(ratio(report, 'ours', 'limit')) : '',
      ]) + (summary.errors > 0 ? `  ${summary.errors} ERRORS` : ''),
    );
  }
  return lines;
}

export function headLine(): string {
  return cells(HEAD);
}

function times(value: number | null): string {
  return value === null ? '–' : `${value.toFixed(2)} ×`;
}

const WIDTHS = [46, 14, 11, 10, 10, 10, 11, 10];

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
    ofLimit: ratio(report, 'ours', 'limit'),
    results: Object.fromEntries(report.results),
  }));
  return JSON.stringify({ node: process.version, servers: Object.fromEntries(titles), rows }, null, 2);
}
