/**
 * `npm run bench -- --guard`: fails when a request costs the server more than it used to. The measure is processor time
 * per request, read from /proc, as a multiple of what the bare server spends on the same request in the neighbouring
 * moment. Seconds do not come into it: a slow or busy machine slows both, and time without a processor is not counted.
 *
 * Rounds are short and go on until the cheapest of ours against the cheapest of the bare server's is within the limit: a
 * busy machine adds to what a request costs, now to this side and now to that. What a change to the code adds, it adds to
 * every round.
 */

import path from 'node:path';
import { type Contestant, startLimit, startOurs } from './contestants.js';
import { runLoad } from './rounds.js';
import { DATA_BYTES, pickRows, type Row } from './rows.js';
import type { Settings } from './settings.js';

/**
 * The most that a request may cost, in requests of the bare server: half as much again as runs came to on two cores that had other tests
 * to run beside it (0.9 to 1.1, 1.2 to 1.5, 1.0 to 1.5, 2.0 to 3.3, 1.2 to 1.5, in this order). Lower a number when the server has become
 * faster; raise one only with the reason in the commit.
 */
const COST_MAX: Readonly<Record<string, number>> = {
  'get-50x1': 1.7,
  'get-50x20': 2,
  'set-50x1': 2,
  'set-50x20': 5,
  'mixed-200x10': 2.4,
};

const ROUNDS_MIN = 2;
const ROUNDS_MAX = 8;
const ROUND = { warmUpSeconds: 0.2, seconds: 0.5 } as const;

export async function guard(settings: Settings): Promise<number> {
  const ours = await startOurs(path.join(settings.directory, 'ours'), settings.port);
  let limit: Contestant | null = null;
  try {
    limit = await startLimit(path.join(settings.directory, 'limit'), settings.port + 2, DATA_BYTES);
    let failed = 0;
    for (const name of Object.keys(COST_MAX)) {
      const [row] = pickRows(name);
      if (row === undefined) throw new Error(`the guard has no row ${name}`);
      if (!(await passes(row, ours, limit, settings))) failed += 1;
    }
    console.log(`${Object.keys(COST_MAX).length - failed} passed, ${failed} failed`);
    return failed === 0 ? 0 : 1;
  } finally {
    await ours.stop();
    await limit?.stop();
  }
}

async function passes(row: Row, ours: Contestant, limit: Contestant, settings: Settings): Promise<boolean> {
  const costMax = COST_MAX[row.name] as number;
  const ourMicros: number[] = [];
  const bareMicros: number[] = [];
  const cost = (): number => Math.min(...ourMicros) / Math.min(...bareMicros);
  // With more rounds than it needs, the guard goes through all of them: for whoever sets the numbers.
  const isSurvey = settings.rounds > ROUNDS_MAX;
  const rounds = isSurvey ? settings.rounds : ROUNDS_MAX;
  for (let round = 0; round < rounds; round++) {
    if (!isSurvey && ourMicros.length >= ROUNDS_MIN && cost() <= costMax) break;
    const our = (await runLoad(row, ours, ROUND)).cpuMicros;
    const bare = (await runLoad(row, limit, ROUND)).cpuMicros;
    // On a machine that stands still for a whole round, the kernel has counted none of the processor's ticks.
    if (!(our > 0 && bare > 0)) continue;
    ourMicros.push(our);
    bareMicros.push(bare);
  }
  const isFine = cost() <= costMax;
  const shown = (micros: readonly number[]): string => micros.map((each) => each.toFixed(2)).join(' ');
  console.log(
    `${isFine ? 'ok' : 'FAILED'} ${row.name}: a request costs ${cost().toFixed(2)} bare ones, at most ${costMax}` +
      ` (µs of processor: ${shown(ourMicros)}; bare: ${shown(bareMicros)})`,
  );
  return isFine;
}
