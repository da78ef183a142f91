/**
 * What a leader needs of its server ({@link LeaderHost}), made of the server's parts: who orders the writes is here.
 */
import { type ByteReader, logLevels } from '@zoots/base';
import { formatEnsemble } from '@zoots/protocol';
import type { EachEntry, LeaderHost } from './leader.js';
import { Leader } from './leader.js';
import type { StepDone } from './learner.js';
import type { LearnerHandle } from './learner-handle.js';
import { LearnerSyncs } from './learner-sync.js';
import type { MemberParts, RoleHost } from './member.js';
import type { PeerStream } from './peer-stream.js';
import type { QuorumRule } from './quorum.js';

export class LeaderRole implements LeaderHost {
  readonly leader: Leader;
  readonly syncs: LearnerSyncs;
  readonly rule: QuorumRule;
  readonly configText: string;
  readonly #parts: MemberParts;
  readonly #role: RoleHost;

  constructor(parts: MemberParts, role: RoleHost, rule: QuorumRule) {
    this.#parts = parts;
    this.#role = role;
    this.rule = rule;
    this.configText = formatEnsemble(parts.rules.configuration);
    this.leader = new Leader(this, { ...parts.rules, tickTimeMs: parts.config.tickTimeMs });
    this.syncs = new LearnerSyncs({
      ...parts,
      disk: parts.ports.disk,
      logger: parts.ports.logger,
      nowMs: () => parts.host.nowMs,
      openTurn: () => parts.host.openTurn(),
      onSynchronised: (handle) => this.leader.onSynchronised(handle),
      drop: (handle, why) => this.leader.drop(handle, why),
    });
  }

  get serverId(): number {
    return this.#parts.rules.serverId;
  }

  get configVersion(): number {
    return this.#parts.rules.configuration.version;
  }

  get acceptedEpoch(): number {
    return this.#role.epochs.accepted;
  }

  get currentEpoch(): number {
    return this.#role.epochs.current;
  }

  get lastProcessedZxid(): number {
    return this.#parts.tree.lastProcessedZxid;
  }

  get lastLoggedZxid(): number {
    return this.#parts.database.lastLoggedZxid;
  }

  get nowMs(): number {
    return this.#parts.host.nowMs;
  }

  setAcceptedEpoch(epoch: number, done: StepDone): void {
    this.#role.writeEpoch(this, 'accepted', epoch, done);
  }

  setCurrentEpoch(epoch: number, done: StepDone): void {
    this.#role.writeEpoch(this, 'current', epoch, done);
  }

  synchronise(handle: LearnerHandle): void {
    this.syncs.begin(handle);
  }

  forEachOutstanding(upTo: number, visit: EachEntry): void {
    this.#parts.database.pipeline.forEachUnapplied(upTo, visit);
  }

  commitUpTo(zxid: number): void {
    this.#parts.host.commitUpTo(zxid);
  }

  serve(epoch: number): void {
    this.#role.onLeading(this, epoch);
  }

  onRequest(handle: LearnerHandle, high: number, low: number, cxid: number, op: number, reader: ByteReader): void {
    const identities = handle.stream.packets.identities ?? [];
    const { bytes, offset, end } = reader;
    this.#parts.submission.remote(handle, high, low, cxid, op, identities, bytes, offset, end);
  }

  touch(high: number, low: number, timeoutMs: number): void {
    const { sessions } = this.#parts;
    const session = sessions.get(high, low);
    if (session === undefined) return;
    session.timeoutMs = timeoutMs;
    sessions.touch(session, this.nowMs);
  }

  /** The learner owns the session from now on, if it lives. */
  revalidate(handle: LearnerHandle, high: number, low: number, timeoutMs: number): boolean {
    const session = this.#parts.sessions.get(high, low);
    if (session === undefined || session.isClosing || session.isLocal) return false;
    session.owner = handle;
    this.touch(high, low, timeoutMs);
    return true;
  }

  close(stream: PeerStream): void {
    this.#role.closeStream(stream);
  }

  onDropped({ serverId, stage }: LearnerHandle, why: string): void {
    this.#parts.ports.logger.log(logLevels.warn, 'a learner is dropped', { serverId, stage, why });
  }

  onEnded(reason: string): void {
    this.syncs.end();
    this.#role.onRoleEnded(this, reason);
  }
}
