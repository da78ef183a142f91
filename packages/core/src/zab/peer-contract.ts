/** What others tell a member of an ensemble, hear of it, and see of it. The member itself is peer.ts. */
import type { PeerStream } from './peer-stream.js';

/** What a server is in its ensemble now. `read-only`: looking, and serving reads meanwhile. */
export type Role = 'standalone' | 'looking' | 'leading' | 'following' | 'observing' | 'read-only';

/** What the shell tells the core about other servers. Each is an input of the turn. */
export interface PeerInputs {
  /** A frame's body from the election port. */
  onElectionFrame(from: number, bytes: Uint8Array, start: number, end: number): void;
  /** A learner dialled the quorum port; null: not now, close it. */
  accept(remoteAddress: string): PeerStream | null;
  /** A connection that `QuorumNet.dial` asked for is there. */
  onConnected(stream: PeerStream): void;
  /** Bytes of a stream. They belong to the caller again when this returns. */
  onBytes(stream: PeerStream, bytes: Uint8Array, start: number, end: number): void;
  /** The connection broke, or could not be made. */
  onClosed(stream: PeerStream, reason: string): void;
  /** The kernel took what was unsent. */
  onDrained(stream: PeerStream): void;
  /** Streams with something to send or to close; called at the end of each turn, after `Server.endTurn`. */
  takeDirty(): PeerStream[];
}

/** For people: what the role is, and why. */
export interface PeerStatus {
  readonly role: Role;
  readonly serverId: number;
  /** Id of the leader, or null. */
  readonly leader: number | null;
  /** The epoch that is established; of the last one while looking. */
  readonly epoch: number;
  /** One sentence: by which vote, since when, or what is being waited for. */
  readonly why: string;
}

/** Hears of what a member does, for measurements and for proofs; it changes nothing. Called in the order in which things happen. */
export interface PeerObserver {
  onRole?(role: Role, why: string): void;
  /** An epoch is on this server's disk. */
  onEpochWritten?(kind: 'accepted' | 'current', epoch: number): void;
  /** As leader: a quorum acknowledged NEWLEADER, and transactions of this epoch begin. */
  onLeading?(epoch: number): void;
  /** As learner: UPTODATE of the leader of this epoch came. */
  onFollowing?(leader: number, epoch: number): void;
  /** As leader: a transaction has its zxid and leaves for the followers. */
  onProposed?(zxid: number, bytes: Uint8Array, start: number, end: number): void;
  /** In any role: the transaction is applied to the tree. */
  onApplied?(zxid: number, bytes: Uint8Array, start: number, end: number): void;
  /** As learner: the leader is told that this one is on disk. */
  onAcknowledged?(zxid: number): void;
  /** History was cut behind this zxid, or replaced by a snapshot of it. */
  onReplaced?(kind: 'truncated' | 'snapshot', zxid: number): void;
}

/** A learner, as its leader sees it. */
export interface LearnerView {
  readonly serverId: number;
  readonly isObserver: boolean;
  readonly isSynced: boolean;
  /** Proposals of this epoch that it has not acknowledged; observers acknowledge none, and owe none. */
  readonly lagTxns: number;
}
