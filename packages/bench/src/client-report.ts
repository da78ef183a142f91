/** From rounds of client runs to a table: medians, ratios to the better of the other libraries, and the text or JSON. */
import type { ClientName, Operation } from './client-drivers.js';
import type { ClientResult } from './client-load.js';
import { median } from './report.js';

export interface ClientRow {
  readonly name: string;
  readonly title: string;
  readonly operations: readonly Operation[];
  readonly inFlight: number;
  /** For `--check`: our throughput is at least so many times that of the better library. */
  readonly goal: number;
}

const WINDOWS = [
  { inFlight: 100, goal: 5 },
  { inFlight: 1, goal: 1 },
];

const KINDS: readonly { readonly name: string; readonly title: string; readonly operations: readonly Operation[] }[] = [
  { name: 'get', title: 'getData 128 B', operations: ['get'] },
  { name: 'set', title: 'setData 128 B', operations: ['set'] },
  { name: 'exists', title: 'exists', operations: ['exists'] },
  { name: 'create', title: 'create 128 B, then delete', operations: ['create', 'delete'] },
];

export const CLIENT_ROWS: readonly ClientRow[] = WINDOWS.flatMap(({ inFlight, goal }) =>
  KINDS.map(({ name, title, operations }) => {
    return { name: `${name}-${inFlight}`, title: `${title}, ${inFlight} in flight`, operations, inFlight, goal };
  }),
);

export interface ClientRowReport {
  readonly row: ClientRow;
  /** By client, its results round by round. */
  readonly rounds: ReadonlyMap<ClientName, readonly ClientResult[]>;
}

/** The clients that users can choose instead of ours. */
const OTHERS: readonly ClientName[] = ['node-zookeeper-client', 'zookeeper'];

function medianOf(report: ClientRowReport, client: ClientName, figure: keyof ClientResult): number | null {
  const rounds = report.rounds.get(client);
  return rounds === undefined ? null : median(rounds.map((result) => result[figure]));
}

/** The other library with the higher throughput, or null when none was measured. */
function betterOther(report: ClientRowReport): ClientName | null {
  const speed = (client: ClientName): number => medianOf(report, client, 'perSecond') ?? 0;
  const [best] = OTHERS.filter((client) => report.rounds.has(client)).sort((a, b) => speed(b) - speed(a));
  return best ?? null;
}

/** Throughput of `over` as a multiple of that of `under`: the median over rounds, each beside its neighbour in time. */
function ratio(report: ClientRowReport, over: ClientName, under: ClientName | null): number | null {
  const overs = report.rounds.get(over);
  const unders = under === null ? undefined : report.rounds.get(under);
  if (overs === undefined || unders === undefined) return null;
  return median(overs.map((result, i) => result.perSecond / (unders[i] as ClientResult).perSecond));
}

/** Where the server is the brake, a client cannot be 5 times as fast as another: then it must be near what is possible. */
const ENOUGH_OF_LIMIT = 0.8;

/** What a row misses of the goals; nothing when there is nothing to compare. */
export function shortfalls(report: ClientRowReport): string[] {
  const { row } = report;
  const other = betterOther(report);
  const times = ratio(report, 'zoots', other);
  if (other === null || times === null) return [];
  const ours = medianOf(report, 'zoots', 'p99Ms') ?? 0;
  const theirs = Math.min(...OTHERS.map((client) => medianOf(report, client, 'p99Ms') ?? Number.POSITIVE_INFINITY));
  const isBehind = times < row.goal && (ratio(report, 'zoots', 'limit') ?? 0) < ENOUGH_OF_LIMIT;
  return [
    ...(isBehind ? [`${row.title}: ${times.toFixed(2)} × ${other}, not ${row.goal} ×`] : []),
    ...(row.goal > 1 && ours >= theirs
      ? [`${row.title}: p99 of ${ours.toFixed(2)} ms, the others' ${theirs.toFixed(2)} ms`]
      : []),
  ];
}

const HEAD = ['', 'client', 'ops/s', 'p50 ms', 'p99 ms', 'CPU µs/op', 'RSS MB', 'of others', 'of limit'];
const WIDTHS = [42, 24, 10, 10, 10, 11, 9, 11, 10];

export function clientHeadLine(): string {
  return cells(HEAD);
}

/** The lines of one row: a line per client. */
export function clientRowLines(report: ClientRowReport, titles: ReadonlyMap<ClientName, string>): string[] {
  return [...report.rounds.keys()].map((client, i) => {
    const figure = (name: keyof ClientResult, digits: number): string =>
      (medianOf(report, client, name) ?? 0).toFixed(digits);
    const ours = client === 'zoots';
    return cells([
      i === 0 ? report.row.title : '',
      titles.get(client) ?? client,
      Math.round(medianOf(report, client, 'perSecond') ?? 0).toLocaleString('en-US'),
      figure('p50Ms', 3),
      figure('p99Ms', 3),
      figure('cpuMicros', 1),
      figure('rssMb', 0),
      ours ? times(ratio(report, client, betterOther(report))) : '',
      client === 'limit' ? '' : times(ratio(report, client, 'limit')),
    ]);
  });
}

function times(value: number | null): string {
  return value === null ? '–' : `${value.toFixed(2)} ×`;
}

function cells(texts: readonly string[]): string {
  return texts
    .map((text, i) => (i < 2 ? text.padEnd(WIDTHS[i] as number) : text.padStart(WIDTHS[i] as number)))
    .join('')
    .trimEnd();
}

export function clientsToJson(reports: readonly ClientRowReport[], titles: ReadonlyMap<ClientName, string>): string {
  const rows = reports.map((report) => ({
    name: report.row.name,
    title: report.row.title,
    ofOthers: ratio(report, 'zoots', betterOther(report)),
    ofLimit: ratio(report, 'zoots', 'limit'),
    rounds: Object.fromEntries(report.rounds),
  }));
  return JSON.stringify({ node: process.version, clients: Object.fromEntries(titles), rows }, null, 2);
}

/** The rows that a list of names or their starts picks; throws when a word matches none. */
export function pickClientRows(words: string | null): ClientRow[] {
  if (words === null) return [...CLIENT_ROWS];
  const wanted = words.split(',').map((word) => word.trim());
  for (const word of wanted) {
    if (!CLIENT_ROWS.some((row) => row.name.startsWith(word))) {
      throw new Error(`no row named ${word}; there are ${CLIENT_ROWS.map((row) => row.name).join(', ')}`);
    }
  }
  return CLIENT_ROWS.filter((row) => wanted.some((word) => row.name.startsWith(word)));
}
