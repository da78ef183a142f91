/**
 * How cost grows: one figure of the load goes through its values, everything else stays. Each sweep becomes a table and
 * two plots, of throughput and of p99.9 (performance-page.ts).
 */
import type { ContestantName } from './contestants.js';
import type { LoadPlan, Mode } from './load.js';
import { median } from './report.js';
import { type Field, inTurn, runLoad, startContestants, stopAll } from './rounds.js';
import type { Settings } from './settings.js';
import type { ScaleKind } from './svg.js';

/** Values of x: `quick` is the coarse grid, `big` comes on top with `--big`. */
interface Grid {
  readonly full: readonly number[];
  readonly quick: readonly number[];
  readonly big?: readonly number[];
}

/** What is drawn as a line per contestant. */
interface Kind {
  readonly name: string;
  readonly title: string;
  readonly mode: Mode;
  /** Servers together, where the kind says it and not x. */
  readonly members?: number;
}

interface Shape {
  readonly connections: number;
  readonly inFlight: number;
  readonly readPercent?: number;
  readonly members?: number;
  /** Servers of their own for this x, since what the bare server answers with depends on it. */
  readonly field?: Pick<Field, 'dataBytes' | 'children'>;
  readonly change?: Partial<LoadPlan>;
}

export interface Sweep {
  readonly name: string;
  readonly title: string;
  readonly xTitle: string;
  readonly xScale: ScaleKind;
  readonly yScale: ScaleKind;
  readonly grid: Grid;
  readonly kinds: readonly Kind[];
  readonly note?: string;
  /** The limit is in the table alone: on a linear axis it leaves no room for the others. */
  readonly drawsNoLimit?: boolean;
  shape(x: number): Shape;
}

const GET_AND_SET: readonly Kind[] = [
  { name: 'get', title: 'getData', mode: 'get' },
  { name: 'set', title: 'setData', mode: 'set' },
];

/** Values of one size take no more memory than this altogether. */
const VALUES_BYTES_MAX = 20_000_000;

export const SWEEPS: readonly Sweep[] = [
  {
    name: 'connections',
    title: 'Connections, one request in flight on each, 128 B',
    xTitle: 'connections',
    xScale: 'log',
    yScale: 'log',
    grid: { full: [1, 10, 50, 200, 1_000, 3_000, 10_000], quick: [1, 30, 1_000] },
    kinds: GET_AND_SET,
    shape: (x) => ({ connections: x, inFlight: 1 }),
  },
  {
    name: 'depth',
    title: 'Requests in flight on each of 50 connections, 128 B',
    xTitle: 'requests in flight per connection',
    xScale: 'log',
    yScale: 'log',
    grid: { full: [1, 2, 5, 10, 20, 50, 100], quick: [1, 10, 50] },
    kinds: GET_AND_SET,
    shape: (x) => ({ connections: 50, inFlight: x }),
  },
  {
    name: 'value-size',
    title: 'Size of the value, 20 connections × 1',
    xTitle: 'bytes',
    xScale: 'log',
    yScale: 'log',
    grid: { full: [0, 128, 1_000, 10_000, 100_000, 1_000_000], quick: [0, 1_000, 100_000] },
    kinds: GET_AND_SET,
    note: 'The value of 0 bytes has no place on a logarithmic axis: it is in the table alone.',
    shape: (x) => ({
      connections: 20,
      inFlight: 1,
      field: { dataBytes: x },
      change: { dataBytes: x, keys: Math.max(10, Math.min(1_000, Math.floor(VALUES_BYTES_MAX / Math.max(x, 1)))) },
    }),
  },
  {
    name: 'znodes',
    title: 'Znodes in the tree, 128 B, requests go to all of them, 50 × 20',
    xTitle: 'znodes',
    xScale: 'log',
    yScale: 'log',
    grid: { full: [1_000, 10_000, 100_000, 1_000_000], quick: [1_000, 30_000], big: [10_000_000] },
    kinds: GET_AND_SET,
    shape: (x) => ({ connections: 50, inFlight: 20, change: { keys: x, root: `/znodes-${x}` } }),
  },
  {
    name: 'children',
    title: 'Children of one znode, getChildren, 10 × 1',
    xTitle: 'children',
    xScale: 'log',
    yScale: 'log',
    grid: { full: [10, 100, 1_000, 10_000, 100_000], quick: [10, 1_000] },
    kinds: [{ name: 'children', title: 'getChildren', mode: 'children' }],
    shape: (x) => ({
      connections: 10,
      inFlight: 1,
      field: { children: x },
      change: { keys: x, dataBytes: 0, root: `/children-${x}` },
    }),
  },
  {
    name: 'watches',
    title: 'Watches that one set fires, one per session',
    xTitle: 'watches',
    xScale: 'log',
    yScale: 'log',
    grid: { full: [1, 10, 100, 1_000, 10_000], quick: [10, 1_000] },
    kinds: [{ name: 'watches', title: 'events', mode: 'watches' }],
    note: 'An operation is one event; its latency goes from the set until the event is there.',
    shape: (x) => ({ connections: x, inFlight: 1, change: { keys: 0 } }),
  },
  {
    name: 'ensemble',
    title: 'Servers in the ensemble, 128 B, 48 × 20 over all of them',
    xTitle: 'servers',
    xScale: 'linear',
    yScale: 'log',
    grid: { full: [1, 3, 5, 7], quick: [1, 3] },
    kinds: GET_AND_SET,
    note: 'All servers share the cores of one machine: this shows what an ensemble costs, not what several machines gain.',
    shape: (x) => ({ connections: 48, inFlight: 20, members: x }),
  },
  {
    name: 'read-share',
    title: 'Share of reads, 1 kB, 250 × 20',
    xTitle: 'percentage of read requests',
    xScale: 'linear',
    yScale: 'linear',
    grid: { full: [0, 20, 40, 60, 80, 100], quick: [0, 50, 100] },
    kinds: [1, 3, 5, 7].map((members) => ({
      name: `servers-${members}`,
      title: members === 1 ? '1 server' : `${members} servers`,
      mode: 'mixed',
      members,
    })),
    drawsNoLimit: true,
    note: 'The axes of figure 5 in “ZooKeeper: Wait-free coordination for Internet-scale systems” (2010), whose servers had a machine each.',
    shape: (x) => ({ connections: 250, inFlight: 20, readPercent: x, change: { dataBytes: 1_000 } }),
  },
];

export interface SweepPoint {
  readonly x: number;
  readonly perSecond: number;
  readonly p999Ms: number;
  readonly cpuMicros: number;
}

export interface SweepLine {
  readonly kind: string;
  readonly contestant: ContestantName;
  readonly points: SweepPoint[];
}

/** Values of x that the settings ask for, ascending. */
export function gridOf(sweep: Sweep, settings: Pick<Settings, 'quick' | 'big'>): number[] {
  const { full, quick, big = [] } = sweep.grid;
  return [...(settings.quick ? quick : full), ...(settings.big ? big : [])];
}

/** Kinds that the settings ask for: more than three servers are not for a quick look. */
function kindsOf(sweep: Sweep, settings: Pick<Settings, 'quick'>): Kind[] {
  return sweep.kinds.filter(({ members = 1 }) => !settings.quick || members <= 3);
}

/** One start of servers, and all that is measured with them. */
interface Stage {
  readonly field: Field;
  readonly visits: { readonly kind: Kind; readonly x: number; readonly shape: Shape }[];
}

/** In the order of kinds and x, with neighbours that need the same servers put together. */
export function stagesOf(sweep: Sweep, settings: Pick<Settings, 'quick' | 'big'>): Stage[] {
  const stages = new Map<string, Stage>();
  for (const x of gridOf(sweep, settings)) {
    for (const kind of kindsOf(sweep, settings)) {
      const shape = sweep.shape(x);
      const members = kind.members ?? shape.members ?? 1;
      const name = `${sweep.name}-${members}${shape.field === undefined ? '' : `-${x}`}`;
      const dataBytes = shape.change?.dataBytes;
      const field = { name, members, ...(dataBytes === undefined ? {} : { dataBytes }), ...shape.field };
      const stage = stages.get(name) ?? { field, visits: [] };
      stage.visits.push({ kind, x, shape });
      stages.set(name, stage);
    }
  }
  return [...stages.values()];
}

export async function measureSweep(sweep: Sweep, settings: Settings): Promise<SweepLine[]> {
  const lines = new Map<string, SweepLine>();
  for (const { field, visits } of stagesOf(sweep, settings)) {
    const contestants = await startContestants(settings, field);
    try {
      for (const { kind, x, shape } of visits) {
        const row = { name: `${sweep.name} ${kind.name} ${x}`, mode: kind.mode, readPercent: 100, ...shape };
        const rounds = await inTurn(contestants, settings.rounds, (each) => runLoad(row, each, settings, shape.change));
        for (const [contestant, results] of rounds) {
          const key = `${kind.name} ${contestant}`;
          const line = lines.get(key) ?? { kind: kind.name, contestant, points: [] };
          const of = (figure: 'perSecond' | 'p999Ms' | 'cpuMicros'): number =>
            Number(median(results.map((result) => result[figure])).toPrecision(4));
          line.points.push({ x, perSecond: of('perSecond'), p999Ms: of('p999Ms'), cpuMicros: of('cpuMicros') });
          lines.set(key, line);
          settings.note(`${row.name} ${contestant}: ${of('perSecond')} /s, p99.9 ${of('p999Ms')} ms`);
        }
      }
    } finally {
      await stopAll(contestants, settings);
    }
  }
  return [...lines.values()];
}
