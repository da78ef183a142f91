/** Who asks for a write: the part of a connection or of the server itself that preparation needs. */
import type { Id } from '@zoots/protocol';
import type { Session } from './session-table.js';

/** Internal requests (expiry, containers) have no identities and no session object. */
export interface Requester {
  readonly sessionHigh: number;
  readonly sessionLow: number;
  readonly identities: readonly Id[];
  readonly session: Session | null;
  /** Made by the server itself: no permission is checked. */
  readonly isInternal: boolean;
}
