/** What a planted bug of an ensemble is: a collaborator patched from outside, to see whether the checkers find it. */
import type { Server } from '@zoots/core';
import type { DiskManner } from '../sim-disk.js';
import type { Member } from './member.js';

export interface EnsembleMutant {
  readonly name: string;
  /** What is wrong, for people. */
  readonly bug: string;
  readonly disk?: Partial<DiskManner>;
  /** Patches classes; returns the undo. */
  readonly plant?: () => () => void;
  /** Changes one server's own objects as it is made. */
  readonly onServer?: (server: Server, member: Member) => void;
}
