/**
 * What a learner needs of its server ({@link LearnerHost}), made of the server's parts; and how it reaches its leader: a few
 * attempts, because whoever was elected may need a moment to open its port.
 */
import { type ByteWriter, logLevels } from '@zoots/base';
import { formatZxid, PACKET } from '@zoots/protocol';
import type { Session } from '../session/session-table.js';
import type { LearnerHost, StepDone } from './learner.js';
import { Learner } from './learner.js';
import type { MemberParts, RoleHost } from './member.js';
import type { PeerStream } from './peer-stream.js';

/** As many pauses as Apache's learners make; the first ones here are shorter. */
const DIAL_PAUSES_MAX = 5;
/** A leader often opens its port a moment after its learners know of it. */
const DIAL_PAUSE_MIN_MS = 10;

export class LearnerRole implements LearnerHost {
  readonly leaderId: number;
  readonly isObserver: boolean;
  learner: Learner;
  stream: PeerStream;
  readonly #parts: MemberParts;
  readonly #role: RoleHost;
  readonly #giveUpMs: number;
  /** Pauses between attempts so far, together. */
  #pausedMs = 0;
  /** The next attempt is due then. */
  #dialAtMs = Number.POSITIVE_INFINITY;
  #isConnected = false;

  constructor(parts: MemberParts, role: RoleHost, leaderId: number, isObserver: boolean) {
    this.#parts = parts;
    this.#role = role;
    this.leaderId = leaderId;
    this.isObserver = isObserver;
    const { initLimit, connectToLearnerMasterLimit } = parts.rules;
    const limitTicks = connectToLearnerMasterLimit > 0 ? connectToLearnerMasterLimit : initLimit;
    this.#giveUpMs = parts.host.nowMs + limitTicks * parts.config.tickTimeMs;
    this.stream = role.newStream();
    this.learner = this.#newLearner();
  }

  #newLearner(): Learner {
    const { rules, config } = this.#parts;
    return new Learner(this, this.stream, this.isObserver, { ...rules, tickTimeMs: config.tickTimeMs });
  }

  // ---- reaching the leader ----

  dial(): void {
    this.#dialAtMs = Number.POSITIVE_INFINITY;
    this.#parts.net.dial(this.leaderId, this.stream);
  }

  onConnected(): void {
    this.#isConnected = true;
    this.stream.heardMs = this.nowMs;
    this.learner.onConnected();
  }

  onClosed(reason: string): void {
    // A proxy on the way accepts for a leader that does not listen yet, and breaks off: that counts as not reached.
    if (this.#isConnected && this.learner.stage !== 'registering') {
      this.learner.onDisconnected();
      return;
    }
    this.#isConnected = false;
    const { leaderConnectDelayMs } = this.#parts.rules;
    if (this.#pausedMs >= DIAL_PAUSES_MAX * Math.max(leaderConnectDelayMs, 1) || this.nowMs >= this.#giveUpMs) {
      this.learner.end(`server ${this.leaderId} was elected and cannot be reached: ${reason}`);
      return;
    }
    this.stream = this.#role.newStream();
    this.learner = this.#newLearner();
    const pauseMs = Math.min(leaderConnectDelayMs, Math.max(DIAL_PAUSE_MIN_MS, this.#pausedMs));
    this.#pausedMs += Math.max(pauseMs, 1);
    this.#dialAtMs = this.nowMs + pauseMs;
  }

  get deadlineMs(): number {
    return this.#isConnected ? this.learner.deadlineMs : Math.min(this.#dialAtMs, this.#giveUpMs);
  }

  onTime(): void {
    if (this.#isConnected) this.learner.onTime();
    else if (this.nowMs >= this.#giveUpMs)
      this.learner.end(`server ${this.leaderId} was elected and cannot be reached`);
    else if (this.nowMs >= this.#dialAtMs) this.dial();
  }

  // ---- LearnerHost ----

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

  /** What is on this server's disk is about to change: the log must tell. A DIFF only adds. */
  #logReplacement(how: 'TRUNC' | 'SNAP', zxid: number): void {
    const { logger } = this.#parts.ports;
    const fields = { leader: this.leaderId, how, its: formatZxid(zxid), ours: formatZxid(this.lastLoggedZxid) };
    logger.log(logLevels.info, 'the leader replaces history', fields);
  }

  truncate(zxid: number, done: StepDone): void {
    this.#logReplacement('TRUNC', zxid);
    this.#role.runStep(this, (ended) => this.#parts.database.truncate(zxid, this.nowMs, ended), done);
    this.#role.observer?.onReplaced?.('truncated', zxid);
  }

  beginSnapshot(zxid: number): void {
    this.#logReplacement('SNAP', zxid);
    this.#parts.database.beginReplacement(zxid, this.nowMs);
    this.#role.observer?.onReplaced?.('snapshot', zxid);
  }

  snapshotBytes(bytes: Uint8Array): { readonly usedBytes: number; readonly isWhole: boolean } | string {
    return this.#parts.database.replacementBytes(bytes);
  }

  writeSnapshot(done: StepDone): void {
    this.#role.runStep(this, (ended) => this.#parts.database.writeSnapshot(ended), done);
  }

  append(zxid: number, bytes: Uint8Array, start: number, end: number): void {
    const problem = this.#parts.applier.check(bytes, start, end, zxid);
    if (problem !== null) {
      this.learner.end(`the leader's transaction ${zxid} makes no sense: ${problem}`);
      return;
    }
    const { batch } = this.#parts.database.log;
    batch.openEntry().raw(bytes, start, end);
    batch.closeEntry(zxid);
  }

  whenDurable(done: StepDone): void {
    this.#parts.database.whenDurable(done);
  }

  commitUpTo(zxid: number): void {
    this.#parts.host.commitUpTo(zxid);
  }

  serve(epoch: number): void {
    this.#role.onFollowing(this, epoch);
  }

  takeTouched(out: ByteWriter): void {
    for (const session of this.#parts.touched) {
      out.int32(session.high);
      out.int32(session.low);
      out.int32(session.timeoutMs);
    }
    this.#parts.touched.clear();
  }

  onRevalidated(sessionHigh: number, sessionLow: number, isValid: boolean): void {
    this.#parts.host.onRevalidated(sessionHigh, sessionLow, isValid);
  }

  onSynced(): void {
    this.#parts.host.onSynced();
  }

  onAcknowledged(zxid: number): void {
    this.#role.observer?.onAcknowledged?.(zxid);
  }

  onEnded(reason: string): void {
    this.#role.onRoleEnded(this, reason);
  }

  // ---- to the leader ----

  askToRevalidate(session: Session, timeoutMs: number): void {
    const data = new Uint8Array(12);
    const view = new DataView(data.buffer);
    view.setInt32(0, session.high);
    view.setInt32(4, session.low);
    view.setInt32(8, timeoutMs);
    this.stream.send(PACKET.revalidate, -1, data);
  }
}
