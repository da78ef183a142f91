/**
 * What the members of a simulated ensemble do, as a list of events in the order in which it happens: the language between the world
 * (`history.ts` makes them) and the checkers (`checkers/zab-invariants.ts`, `checkers/agreement.ts` read them).
 *
 * A server is named by its myid. Zxids are safe integers (epoch × 2^32 + counter), as everywhere. A `crashed` server loses what is in
 * its memory; `recovered` says what it has read from its disk again, and everything that it had applied counts up to that zxid only.
 */

/** `looking` and `read-only` have no leader. */
export type MemberRole = 'looking' | 'leading' | 'following' | 'observing' | 'read-only';

export interface ProposedEvent {
  readonly kind: 'proposed';
  readonly server: number;
  /** The epoch that the leader has established. */
  readonly epoch: number;
  readonly zxid: number;
  /** CRC-32 of the entry's bytes: header, body and digest. */
  readonly hash: number;
}

/** A transaction is in the tree: committed, as far as this server knows. */
export interface AppliedEvent {
  readonly kind: 'applied';
  readonly server: number;
  readonly zxid: number;
  /** As of the same zxid in a `proposed`; -1 where the entry's bytes are not at hand (read from a log at the start). */
  readonly hash: number;
  /** Of the whole tree behind it, two unsigned 32-bit halves. */
  readonly digestHigh: number;
  readonly digestLow: number;
  readonly role: MemberRole;
  /** The epoch in which the server leads or follows; of the last one while it does neither. */
  readonly epoch: number;
}

export type ZabEvent =
  | ProposedEvent
  | AppliedEvent
  | { readonly kind: 'role'; readonly server: number; readonly role: MemberRole; readonly why: string }
  /** As leader: a quorum acknowledged NEWLEADER, its transactions begin. */
  | { readonly kind: 'leading'; readonly server: number; readonly epoch: number }
  /** As learner: UPTODATE came. */
  | { readonly kind: 'following'; readonly server: number; readonly leader: number; readonly epoch: number }
  /** On the server's disk. */
  | {
      readonly kind: 'epoch-written';
      readonly server: number;
      readonly which: 'accepted' | 'current';
      readonly epoch: number;
    }
  /** As learner: the leader is told that everything up to this zxid is on this server's disk; counter 0: NEWLEADER of that epoch. */
  | { readonly kind: 'acknowledged'; readonly server: number; readonly zxid: number }
  /** The learner's history was cut behind this zxid, or replaced by a snapshot of it. What it had applied counts up to there. */
  | {
      readonly kind: 'replaced';
      readonly server: number;
      readonly how: 'truncated' | 'snapshot';
      readonly zxid: number;
      readonly digestHigh: number;
      readonly digestLow: number;
    }
  /** The process is gone: killed, power cut, stopped in order, or given up. */
  | { readonly kind: 'crashed'; readonly server: number; readonly isPowerLost: boolean }
  /** Its disk was emptied while it was down. */
  | { readonly kind: 'wiped'; readonly server: number }
  /** The database is open again; it holds everything up to `zxid` (logged, committed or not). */
  | {
      readonly kind: 'recovered';
      readonly server: number;
      readonly zxid: number;
      readonly acceptedEpoch: number;
      readonly currentEpoch: number;
      readonly digestHigh: number;
      readonly digestLow: number;
    };

export type ZabEventKind = ZabEvent['kind'];
