/** The core's member of an ensemble, as the shell sees it. */
import type { PeerInputs, PeerStatus, Role, Server } from '@zoots/core';

/** On the leader: one learner, for people. */
export interface LearnerView {
  readonly serverId: number;
  readonly isObserver: boolean;
  readonly isSynced: boolean;
  readonly lagTxns: number;
}

export interface PeerView extends PeerInputs {
  readonly status: PeerStatus;
  /** Empty unless this server leads. */
  readonly learners: readonly LearnerView[];
}

/** Null: a stand-alone server. */
export function peerOf(server: Server): PeerView | null {
  return (server as Server & { readonly peer?: PeerView | null }).peer ?? null;
}

export function roleOf(server: Server): Role {
  return (server as Server & { readonly role?: Role }).role ?? peerOf(server)?.status.role ?? 'standalone';
}
