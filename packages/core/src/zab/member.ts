/**
 * What the roles of a member share: the parts of its server that they work on, and what they may ask of the peer that holds them.
 */
import type { Epochs } from '@zoots/storage';
import type { Database } from '../database.js';
import type { CoreConfig, Ports } from '../ports.js';
import type { Applier } from '../request/apply.js';
import type { Submission } from '../request/submission.js';
import type { Session, SessionTable } from '../session/session-table.js';
import type { Tree } from '../tree/tree.js';
import type { CommittedLog } from './committed-log.js';
import type { StepDone } from './learner.js';
import type { PeerObserver } from './peer-contract.js';
import type { PeerStream } from './peer-stream.js';
import type { EnsembleRules, QuorumNet } from './quorum-net.js';

/** What the ensemble's side of a server asks of the rest of it. */
export interface MemberHost {
  readonly nowMs: number;
  readonly wallMs: number;
  openTurn(): void;
  /** Clients may come; their writes are ordered here. */
  serveAsLeader(epoch: number): void;
  /** Clients may come; their writes go to the leader on this stream. */
  serveAsLearner(stream: PeerStream): void;
  /** Clients that want to read may come; there is no leader. */
  serveReadOnly(): void;
  /** Nobody is served any more: clients are disconnected, whatever was in flight for them is dropped. */
  withdraw(): void;
  /** Everything in the log is applied: nothing is left of the role. */
  onWithdrawn(): void;
  /** Entries up to here are committed. */
  commitUpTo(zxid: number): void;
  onRevalidated(sessionHigh: number, sessionLow: number, isValid: boolean): void;
  /** The oldest sync that was forwarded is answered. */
  onSynced(): void;
  fail(reason: string, exitCode: number): void;
}

export interface MemberParts {
  readonly config: CoreConfig;
  readonly rules: EnsembleRules;
  readonly ports: Ports;
  readonly net: QuorumNet;
  readonly tree: Tree;
  readonly sessions: SessionTable;
  readonly database: Database;
  readonly committedLog: CommittedLog;
  readonly applier: Applier;
  readonly submission: Submission;
  /** On a learner: sessions heard of since the leader was told last. */
  readonly touched: Set<Session>;
  readonly host: MemberHost;
}

/** The peer, as a role sees it. A role that has ended is not listened to any more. */
export interface RoleHost {
  readonly epochs: Epochs;
  readonly observer: PeerObserver | null;
  newStream(): PeerStream;
  closeStream(stream: PeerStream): void;
  /** `done` comes when it is on disk, and only while the role lasts. */
  writeEpoch(role: object, kind: 'accepted' | 'current', epoch: number, done: StepDone): void;
  /** Something that must be over before the next role begins. `done` comes only while the role lasts. */
  runStep(role: object, step: (ended: StepDone) => void, done: StepDone): void;
  onLeading(role: object, epoch: number): void;
  onFollowing(role: { readonly leaderId: number; readonly stream: PeerStream }, epoch: number): void;
  onRoleEnded(role: object, reason: string): void;
}
