/** Contention with faults, a row for each kind of thing that can be held. */
import type { ContestKind } from './contender.js';
import { runContest } from './contest.js';
import type { RecipeRow } from './row.js';

function contest(name: string, kind: ContestKind, permits: number, durationMs: number, seed: number): RecipeRow {
  const settings = { kind, permits, contenders: 4, durationMs, seed };
  return { name: `contest with kills: ${name}`, run: (stage) => runContest(stage, settings), isForEnsembles: true };
}

export const contentionRows: readonly RecipeRow[] = [
  contest('lock', 'lock', 1, 8_000, 1),
  contest('write lock', 'writer', 1, 5_000, 2),
  contest('leader latch', 'latch', 1, 8_000, 3),
  contest('leader selector', 'selector', 1, 5_000, 4),
  contest('semaphore of two', 'semaphore', 2, 6_000, 5),
];
