/**
 * Planted bugs: collaborators patched from outside, to see whether the checkers find them. None touches the simulator's own
 * code; `plant` patches a class of the core and returns how to take that back.
 */
import type { DiskManner } from './sim-disk.js';

export interface Mutant {
  readonly name: string;
  /** What is wrong, for people. */
  readonly bug: string;
  readonly disk?: Partial<DiskManner>;
  readonly plant?: () => () => void;
}

export const MUTANTS: readonly Mutant[] = [
  { name: 'lying-sync', bug: 'syncs are acknowledged and not done', disk: { liesAboutSync: true } },
];
