/**
 * What a member of an ensemble asks of the network, and what it must know of its ensemble.
 *
 * Two ports stand between servers. On the election port short messages go to and fro; the shell knows who dials whom there and keeps
 * the newest message for each server. On the quorum port a learner holds one byte stream to its leader; the core reads and writes
 * {@link PeerStream}s, and the shell moves their bytes. Inputs come back through `zab/peer.ts`.
 */
import type { EnsembleConfiguration } from '@zoots/protocol';
import type { PeerStream } from './peer-stream.js';

export interface QuorumNet {
  /** Election port: replaces a message to the same server that has not left yet. Message: a frame's body. */
  sendElection(serverId: number, message: Uint8Array): void;
  /** Election port: dials every member that is not connected. */
  connectElection(): void;
  /** Quorum port: learners are accepted from now on, or no more. Streams that are open stay. */
  listen(isListening: boolean): void;
  /** Quorum port: dials this member once, its name resolved anew. `Peer.onConnected` or `Peer.onClosed` follows. */
  dial(serverId: number, stream: PeerStream): void;
}

/** How this server takes part in its ensemble; times in milliseconds, limits in ticks. */
export interface EnsembleRules {
  /** myid, 0 to 255. */
  readonly serverId: number;
  readonly configuration: EnsembleConfiguration;
  readonly initLimit: number;
  readonly syncLimit: number;
  /** To reach the leader's quorum port; 0: initLimit. */
  readonly connectToLearnerMasterLimit: number;
  readonly leaderConnectDelayMs: number;
  readonly leaderServes: boolean;
  readonly readOnlyEnabled: boolean;
  readonly localSessionsEnabled: boolean;
  readonly localSessionsUpgradingEnabled: boolean;
  /** Pauses between repeated notifications of an election: first and longest. */
  readonly notifyMinMs: number;
  readonly notifyMaxMs: number;
  /** Committed transactions kept in memory for learners. */
  readonly committedLogCount: number;
  /** A learner gets transactions from the log on disk up to this share of a snapshot's size; negative: never. */
  readonly snapshotSizeFactor: number;
  readonly forceSnapshotSync: boolean;
  /** Syncs of observers at a time. */
  readonly snapSyncsMax: number;
  readonly diffSyncsMax: number;
}
