/**
 * What is measured: one row of the table each. Those with a goal are the ones that a release must reach; the rest show the
 * shape of the server elsewhere. What is no loop of requests (starts, memory, a million znodes) is in chores.ts. `npm run bench -- --rows get-50x1,set` picks rows by name or by
 * the start of it.
 */
import type { Mode } from './load.js';

export interface Row {
  readonly name: string;
  readonly title: string;
  readonly mode: Mode;
  readonly connections: number;
  readonly inFlight: number;
  readonly readPercent: number;
  /** Throughput as a multiple of Apache's that is the goal; `--check` asks for it. Null where there is none. */
  readonly goal: number | null;
  /** Throughput as a share of the bare server's that is the goal. */
  readonly limitGoal: number | null;
  /** Measured unless `--rows` says otherwise. */
  readonly byDefault: boolean;
  /** Played by three servers, with the connections dealt over them. */
  readonly isEnsemble: boolean;
}

export const DATA_BYTES = 128;
export const KEYS = 1000;

/** The goal of every row that has one: p99.9 as a share of Apache's, at most. */
export const P999_GOAL = 0.5;

const ENSEMBLE = { isEnsemble: true } as const;

export const ROWS: readonly Row[] = [
  row('get-50x1', 'getData 128 B, 50 × 1', 'get', 50, 1, { goal: 2.5, limitGoal: 0.85 }),
  row('get-50x20', 'getData 128 B, 50 × 20', 'get', 50, 20, { goal: 10, limitGoal: 0.6 }),
  row('set-50x1', 'setData 128 B, 50 × 1', 'set', 50, 1, { goal: 2 }),
  row('set-50x20', 'setData 128 B, 50 × 20', 'set', 50, 20, { goal: 4, limitGoal: 0.5 }),
  row('mixed-200x10', '70 % getData, 30 % setData, 200 × 10', 'mixed', 200, 10, { goal: 5 }),
  row('get-1x1', 'getData 128 B, 1 × 1', 'get', 1, 1, { goal: 1.5 }),
  row('set-1x1', 'setData 128 B, 1 × 1', 'set', 1, 1, { goal: 1.2 }),
  row('connect-50', 'open and close a session, 50 at once', 'connect', 50, 1, { goal: 3 }),
  row('create-50x20', 'create 128 B, 50 × 20', 'create', 50, 20, { byDefault: false }),
  row('exists-50x20', 'exists, 50 × 20', 'exists', 50, 20, { byDefault: false }),
  row('children-10x1', 'getChildren of 1,000, 10 × 1', 'children', 10, 1, { byDefault: false }),
  row('ping-50x20', 'ping, 50 × 20', 'ping', 50, 20, { byDefault: false }),
  row('watches-1000', 'one set fires 1,000 watches on 1,000 sessions', 'watches', 1000, 1, {
    byDefault: false,
  }),
  row('ensemble-get-48x1', 'three servers: getData 128 B, 48 × 1', 'get', 48, 1, { ...ENSEMBLE, goal: 2.5 }),
  row('ensemble-get-48x20', 'three servers: getData 128 B, 48 × 20', 'get', 48, 20, { ...ENSEMBLE, goal: 6 }),
  row('ensemble-set-48x1', 'three servers: setData 128 B, 48 × 1', 'set', 48, 1, { ...ENSEMBLE, goal: 3 }),
  row('ensemble-set-48x20', 'three servers: setData 128 B, 48 × 20', 'set', 48, 20, { ...ENSEMBLE, goal: 3 }),
  row('ensemble-set-1x1', 'three servers: setData 128 B, 1 × 1', 'set', 1, 1, { ...ENSEMBLE, goal: 1.2 }),
];

interface RowOptions {
  readonly goal?: number;
  readonly limitGoal?: number;
  readonly byDefault?: boolean;
  readonly isEnsemble?: boolean;
}

function row(name: string, title: string, mode: Mode, connections: number, inFlight: number, options: RowOptions): Row {
  const { goal = null, limitGoal = null, byDefault = true, isEnsemble = false } = options;
  const shape = { name, title, mode, connections, inFlight, readPercent: 70 };
  return { ...shape, goal, limitGoal, byDefault, isEnsemble };
}

/** The rows that a `--rows` list names (`all` for every one); throws when a word matches none. */
export function pickRows(words: string | null): Row[] {
  if (words === null) return ROWS.filter((each) => each.byDefault);
  if (words === 'all') return [...ROWS];
  const picked = new Set<Row>();
  for (const word of words.split(',')) {
    const matching = ROWS.filter((each) => each.name.startsWith(word.trim()));
    if (matching.length === 0) {
      throw new Error(`no row named ${word}; there are ${ROWS.map((each) => each.name).join(', ')}`);
    }
    for (const each of matching) picked.add(each);
  }
  return ROWS.filter((each) => picked.has(each));
}
