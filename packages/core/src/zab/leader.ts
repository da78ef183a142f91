/**
 * A leader: from the end of an election to being followed.
 *
 *   gathering ─► proposing ─► establishing ─► leading
 *   a quorum     LEADERINFO   learners are     UPTODATE,
 *   registers:   ACKEPOCH     synchronised;    broadcast
 *   the epoch    of a quorum  NEWLEADER and
 *                             ACK of a quorum
 *
 * What it promises, and when:
 * - the new epoch is in its accepted epoch on disk before anybody hears of it (LEADERINFO);
 * - it is in its current epoch on disk before it counts itself among those who acknowledged NEWLEADER;
 * - a transaction is committed when a quorum has it on disk, in zxid order, and never before the ones ahead of it.
 *
 * Losing the quorum, or not getting it in time, ends it (`onEnded`). Source: ZooKeeper's Leader and LearnerHandler; reference, quorum
 * protocol sections 5 to 8.
 */
import { ByteReader, encodeUtf8 } from '@zoots/base';
import { EPOCH_MAX, epochOf, makeZxid, PACKET, QUORUM_PROTOCOL_VERSION, readLearnerInfo } from '@zoots/protocol';
import type { LearnerTimes, StepDone } from './learner.js';
import { LearnerHandle } from './learner-handle.js';
import type { PeerStream } from './peer-stream.js';
import type { QuorumRule } from './quorum.js';

export type LeaderStage = 'gathering' | 'proposing' | 'establishing' | 'leading' | 'ended';

export type EachEntry = (zxid: number, bytes: Uint8Array, start: number, end: number) => void;

/** What a leader needs of its server. */
export interface LeaderHost {
  readonly serverId: number;
  readonly rule: QuorumRule;
  readonly configText: string;
  readonly configVersion: number;
  readonly acceptedEpoch: number;
  readonly currentEpoch: number;
  readonly lastProcessedZxid: number;
  readonly lastLoggedZxid: number;
  readonly nowMs: number;
  setAcceptedEpoch(epoch: number, done: StepDone): void;
  setCurrentEpoch(epoch: number, done: StepDone): void;
  /**
   * Brings a learner to this server's history: DIFF, TRUNC or SNAP and what belongs to it, then {@link Leader.onSynchronised}.
   * Live traffic joins without a gap: `handle.isForwarding` is set in the same step in which the history ends.
   */
  synchronise(handle: LearnerHandle): void;
  /** Transactions that were proposed and not committed, oldest first. */
  forEachOutstanding(upTo: number, visit: EachEntry): void;
  commitUpTo(zxid: number): void;
  /** The epoch is established: new transactions begin behind its zero, and clients may come. */
  serve(epoch: number): void;
  /** A learner's client asks; the answer is one transaction, in the order of the requests. `reader` stands behind the request's head. */
  onRequest(handle: LearnerHandle, high: number, low: number, cxid: number, op: number, reader: ByteReader): void;
  touch(high: number, low: number, timeoutMs: number): void;
  revalidate(handle: LearnerHandle, high: number, low: number, timeoutMs: number): boolean;
  close(stream: PeerStream): void;
  /** For people: the leader has broken with a learner. */
  onDropped(handle: LearnerHandle, why: string): void;
  onEnded(reason: string): void;
}

const SESSION_AND_TIMEOUT_BYTES = 12;
const OP_SYNC = 9;

interface PendingSync {
  /** Null: a client of this server asked. */
  readonly handle: LearnerHandle | null;
  readonly done: () => void;
  /** Everything proposed before the sync came must be committed first. */
  readonly afterZxid: number;
}

export class Leader {
  stage: LeaderStage = 'gathering';
  readonly handles = new Set<LearnerHandle>();
  /** The epoch that is proposed, once there is one. */
  epoch = -1;
  committedZxid: number;
  #proposedZxid: number;
  #durableZxid: number;
  #hasNewAcks = false;
  readonly #host: LeaderHost;
  readonly #times: LearnerTimes;
  /** Accepted epochs by participant, this server among them. */
  readonly #gathered = new Map<number, number>();
  readonly #epochAcks = new Set<number>();
  readonly #newLeaderAcks = new Set<number>();
  #syncs: PendingSync[] = [];
  #stageUntilMs: number;
  #nextPingMs = Number.POSITIVE_INFINITY;
  #nextCheckMs = Number.POSITIVE_INFINITY;
  #anonymousId = -1;
  readonly #reader = new ByteReader();

  constructor(host: LeaderHost, times: LearnerTimes) {
    this.#host = host;
    this.#times = times;
    this.committedZxid = host.lastProcessedZxid;
    this.#proposedZxid = host.lastProcessedZxid;
    this.#durableZxid = host.lastLoggedZxid;
    this.#stageUntilMs = host.nowMs + this.#initMs;
  }

  get #initMs(): number {
    return this.#times.initLimit * this.#times.tickTimeMs;
  }

  get #syncMs(): number {
    return this.#times.syncLimit * this.#times.tickTimeMs;
  }

  /** The election named this server. */
  start(): void {
    this.#gathered.set(this.#host.serverId, this.#host.acceptedEpoch);
    this.#checkGathered();
  }

  // ---- learners come and go ----

  onLearner(stream: PeerStream): LearnerHandle {
    const handle = new LearnerHandle(stream);
    this.handles.add(handle);
    return handle;
  }

  onBytes(handle: LearnerHandle, bytes: Uint8Array, start: number, end: number): void {
    if (handle.stage === 'closed' || this.stage === 'ended') return;
    const { packets } = handle.stream;
    handle.stream.heardMs = this.#host.nowMs;
    packets.push(bytes, start, end);
    while ((handle.stage as string) !== 'closed') {
      const result = packets.next();
      if (result === 'more') break;
      if (result === 'malformed') this.drop(handle, 'it sent what is no packet');
      else this.#onPacket(handle);
    }
    // Once for all acknowledgements that came together.
    if (this.#hasNewAcks) this.#advance();
  }

  onDisconnected(handle: LearnerHandle): void {
    handle.stage = 'closed';
    this.handles.delete(handle);
    this.#syncs = this.#syncs.filter((sync) => sync.handle !== handle);
    this.#checkConnected();
  }

  /** Learners that left look for a leader again: to wait for them, or for the next check, would keep the ensemble without one. */
  #checkConnected(): void {
    if (this.stage === 'gathering' || this.stage === 'ended') return;
    const connected = new Set([this.#host.serverId]);
    for (const handle of this.handles) {
      if (handle.stage !== 'new' && this.#isVoter(handle)) connected.add(handle.serverId);
    }
    if (!this.#host.rule.isQuorum(connected)) this.end(`the connections to a quorum broke while ${this.stage}`);
  }

  drop(handle: LearnerHandle, why: string): void {
    if (handle.stage === 'closed') return;
    this.#host.onDropped(handle, why);
    this.#close(handle);
  }

  #close(handle: LearnerHandle): void {
    this.onDisconnected(handle);
    handle.stream.isClosed = true;
    this.#host.close(handle.stream);
  }

  #isVoter(handle: LearnerHandle): boolean {
    return this.#host.rule.voters.has(handle.serverId);
  }

  #onPacket(handle: LearnerHandle): void {
    const { type, zxid, bytes, dataStart, dataEnd } = handle.stream.packets;
    if (handle.stage === 'new') this.#onInfo(handle, type, zxid);
    else if (handle.stage === 'informed' && type === PACKET.ackEpoch) this.#onEpochAck(handle, zxid);
    else if (type === PACKET.ack) this.#onAck(handle, zxid);
    else if (type === PACKET.ping) this.#onPong(bytes, dataStart, dataEnd);
    else if (type === PACKET.request) this.#onRequest(handle, bytes, dataStart, dataEnd);
    else if (type === PACKET.revalidate) this.#onRevalidate(handle, bytes, dataStart, dataEnd);
    else this.drop(handle, `packet ${type} came while it is ${handle.stage}`);
  }

  // ---- discovery ----

  #onInfo(handle: LearnerHandle, type: number, zxid: number): void {
    if (type !== PACKET.followerInfo && type !== PACKET.observerInfo) {
      this.drop(handle, `packet ${type} came where its registration was due`);
      return;
    }
    const { bytes, dataStart, dataEnd } = handle.stream.packets;
    const { serverId, configVersion } = readLearnerInfo(bytes, dataStart, dataEnd);
    // Behind the last epoch there is none to propose.
    if (configVersion > this.#host.configVersion || epochOf(zxid) >= EPOCH_MAX) {
      this.drop(handle, `its configuration ${configVersion} or epoch ${epochOf(zxid)} is beyond this server's`);
      return;
    }
    handle.serverId = serverId ?? this.#anonymousId--;
    handle.isObserver = type === PACKET.observerInfo;
    handle.stage = 'registered';
    // A server that comes again has lost the connection it had.
    for (const other of [...this.handles]) {
      if (other !== handle && other.serverId === handle.serverId) this.drop(other, 'it has connected anew');
    }
    if (this.stage !== 'gathering') this.#inform(handle);
    else if (this.#isVoter(handle)) {
      this.#gathered.set(handle.serverId, epochOf(zxid));
      this.#checkGathered();
    }
  }

  /** A quorum tells what it has accepted: the new epoch is higher than all of it. */
  #checkGathered(): void {
    if (this.stage !== 'gathering' || !this.#host.rule.isQuorum(new Set(this.#gathered.keys()))) return;
    this.#enter('proposing');
    this.epoch = Math.max(...this.#gathered.values()) + 1;
    this.#host.setAcceptedEpoch(this.epoch, (problem) => {
      if (problem !== null) {
        this.end(problem);
        return;
      }
      this.#epochAcks.add(this.#host.serverId);
      for (const handle of [...this.handles]) if (handle.stage === 'registered') this.#inform(handle);
      this.#checkEpochAcks();
    });
  }

  #inform(handle: LearnerHandle): void {
    // While the epoch goes to disk nobody hears of it; the others are informed when it is there.
    if (this.epoch < 0 || this.#host.acceptedEpoch !== this.epoch) return;
    handle.stage = 'informed';
    const data = new Uint8Array(4);
    new DataView(data.buffer).setInt32(0, QUORUM_PROTOCOL_VERSION);
    handle.send(PACKET.leaderInfo, makeZxid(this.epoch, 0), data);
  }

  #onEpochAck(handle: LearnerHandle, zxid: number): void {
    const { bytes, dataStart, dataEnd } = handle.stream.packets;
    const reader = this.#reader.reset(bytes, Math.max(dataStart, 0), Math.max(dataEnd, 0));
    const currentEpoch = reader.int32();
    const counts = !reader.failed && currentEpoch !== -1 && zxid !== -1 && this.#isVoter(handle);
    if (counts && this.#isAhead(currentEpoch, zxid)) {
      this.drop(handle, `it is ahead of this leader: in epoch ${currentEpoch}, its zxid is 0x${zxid.toString(16)}`);
      return;
    }
    handle.lastZxid = zxid;
    handle.stage = 'acknowledged';
    if (counts) this.#epochAcks.add(handle.serverId);
    if (this.stage === 'proposing') this.#checkEpochAcks();
    else if (this.stage === 'establishing' || this.stage === 'leading') this.#synchronise(handle);
  }

  /** A voter that has more than this server should have been elected. */
  #isAhead(currentEpoch: number, zxid: number): boolean {
    const { currentEpoch: ownEpoch, lastProcessedZxid } = this.#host;
    const before = this.stage === 'proposing' ? ownEpoch : this.epoch;
    return currentEpoch > before || (currentEpoch === before && zxid > lastProcessedZxid && this.stage === 'proposing');
  }

  #checkEpochAcks(): void {
    if (this.stage !== 'proposing' || !this.#host.rule.isQuorum(this.#epochAcks)) return;
    this.#enter('establishing');
    this.#host.setCurrentEpoch(this.epoch, (problem) => {
      if (problem !== null) {
        this.end(problem);
        return;
      }
      this.#newLeaderAcks.add(this.#host.serverId);
      for (const handle of [...this.handles]) if (handle.stage === 'acknowledged') this.#synchronise(handle);
      this.#checkEstablished();
    });
  }

  // ---- synchronisation ----

  #synchronise(handle: LearnerHandle): void {
    if (this.#host.currentEpoch !== this.epoch) return;
    handle.stage = 'syncing';
    this.#host.synchronise(handle);
  }

  /** The learner has been sent the history, and gets the live traffic: NEWLEADER closes the history. */
  onSynchronised(handle: LearnerHandle): void {
    if (handle.stage !== 'syncing') return;
    handle.stage = 'synced';
    handle.holdCommits();
    handle.send(PACKET.newLeader, makeZxid(this.epoch, 0), encodeUtf8(this.#host.configText));
  }

  #onNewLeaderAck(handle: LearnerHandle): void {
    handle.stage = 'ready';
    if (this.stage === 'leading') {
      handle.release();
      // What it acknowledged before counts from now on.
      this.#hasNewAcks = true;
      return;
    }
    if (this.#isVoter(handle)) this.#newLeaderAcks.add(handle.serverId);
    this.#checkEstablished();
  }

  #checkEstablished(): void {
    if (this.stage !== 'establishing' || !this.#host.rule.isQuorum(this.#newLeaderAcks)) return;
    this.#enter('leading');
    const { nowMs } = this.#host;
    const { tickTimeMs } = this.#times;
    this.#nextPingMs = nowMs + tickTimeMs / 2;
    this.#nextCheckMs = nowMs + tickTimeMs;
    this.#proposedZxid = makeZxid(this.epoch, 0);
    this.committedZxid = this.#proposedZxid;
    this.#durableZxid = this.#proposedZxid;
    this.#host.serve(this.epoch);
    for (const handle of this.handles) if (handle.stage === 'ready') handle.release();
  }

  // ---- broadcast ----

  /** A transaction was appended to this server's log batch. */
  onProposed(zxid: number, bytes: Uint8Array, start: number, end: number): void {
    this.#proposedZxid = zxid;
    const { nowMs } = this.#host;
    for (const handle of this.handles) handle.propose(zxid, bytes, start, end, nowMs);
  }

  /** This server's own log is on disk up to this zxid. */
  onDurable(zxid: number): void {
    this.#durableZxid = zxid;
    this.#advance();
  }

  #onAck(handle: LearnerHandle, zxid: number): void {
    const isEpoch = zxid === makeZxid(this.epoch, 0);
    if (isEpoch && handle.stage === 'synced') this.#onNewLeaderAck(handle);
    if (isEpoch || zxid <= handle.ackedZxid) return;
    handle.ackedZxid = zxid;
    handle.owedSinceMs = zxid >= this.#proposedZxid ? Number.POSITIVE_INFINITY : this.#host.nowMs;
    if (this.#isVoter(handle)) this.#hasNewAcks = true;
  }

  /** Commits what a quorum has. */
  #advance(): void {
    this.#hasNewAcks = false;
    if (this.stage !== 'leading') return;
    const upTo = this.#quorumZxid();
    // A sync comes between what was proposed before it and what came behind it: nobody behind it may be answered first.
    while (this.#syncs.length > 0 && (this.#syncs[0] as PendingSync).afterZxid < upTo) {
      this.#commit((this.#syncs[0] as PendingSync).afterZxid);
      this.#answerSyncs();
    }
    this.#commit(upTo);
    this.#answerSyncs();
  }

  #commit(upTo: number): void {
    if (upTo <= this.committedZxid) return;
    this.committedZxid = upTo;
    this.#host.forEachOutstanding(upTo, (zxid, bytes, start, end) => {
      for (const handle of this.handles) handle.commit(zxid, bytes, start, end);
    });
    this.#host.commitUpTo(upTo);
  }

  /** The highest zxid up to which a quorum has everything. */
  #quorumZxid(): number {
    const { serverId, rule } = this.#host;
    const acked: (readonly [number, number])[] = [[serverId, this.#durableZxid]];
    for (const handle of this.handles) {
      // Who has not taken over this epoch may still give way to a server that knows nothing of its transactions.
      const counts = handle.stage === 'ready' || handle.stage === 'current';
      if (counts && this.#isVoter(handle)) acked.push([handle.serverId, handle.ackedZxid]);
    }
    acked.sort((left, right) => right[1] - left[1]);
    const ids = new Set<number>();
    for (const [id, zxid] of acked) {
      ids.add(id);
      if (rule.isQuorum(ids)) return Math.min(zxid, this.#proposedZxid);
    }
    return -1;
  }

  // ---- requests ----

  #onRequest(handle: LearnerHandle, bytes: Uint8Array, start: number, end: number): void {
    const reader = this.#reader.reset(bytes, Math.max(start, 0), Math.max(end, 0));
    const high = reader.int32();
    const low = reader.int32();
    const cxid = reader.int32();
    const op = reader.int32();
    if (reader.failed || this.stage !== 'leading') this.drop(handle, 'a request that is short, or too early');
    else if (op === OP_SYNC) this.#onSync(handle);
    else this.#host.onRequest(handle, high, low, cxid, op, reader);
  }

  /** Answered behind the commits of everything that was proposed before it. */
  #onSync(handle: LearnerHandle): void {
    this.#syncs.push({ handle, done: () => handle.send(PACKET.sync, 0), afterZxid: this.#proposedZxid });
    this.#answerSyncs();
  }

  /** The same for a client of this server. */
  sync(done: () => void): void {
    this.#syncs.push({ handle: null, done, afterZxid: this.#proposedZxid });
    this.#answerSyncs();
  }

  get pendingSyncCount(): number {
    return this.#syncs.length;
  }

  #answerSyncs(): void {
    while (this.#syncs.length > 0 && (this.#syncs[0] as PendingSync).afterZxid <= this.committedZxid) {
      (this.#syncs.shift() as PendingSync).done();
    }
  }

  #onPong(bytes: Uint8Array, start: number, end: number): void {
    const reader = this.#reader.reset(bytes, Math.max(start, 0), Math.max(end, 0));
    while (reader.remaining >= SESSION_AND_TIMEOUT_BYTES) {
      this.#host.touch(reader.int32(), reader.int32(), reader.int32());
    }
  }

  #onRevalidate(handle: LearnerHandle, bytes: Uint8Array, start: number, end: number): void {
    const reader = this.#reader.reset(bytes, Math.max(start, 0), Math.max(end, 0));
    const high = reader.int32();
    const low = reader.int32();
    const timeoutMs = reader.int32();
    if (reader.failed) {
      this.drop(handle, 'a question about a session that is short');
      return;
    }
    const isValid = this.#host.revalidate(handle, high, low, timeoutMs);
    const answer = new Uint8Array(9);
    const view = new DataView(answer.buffer);
    view.setInt32(0, high);
    view.setInt32(4, low);
    view.setInt8(8, isValid ? 1 : 0);
    // Behind the commits of what the session asked elsewhere: the learner must not take them for answers to what it is asked from now on.
    const done = (): void => handle.send(PACKET.revalidate, -1, answer);
    this.#syncs.push({ handle, done, afterZxid: this.#proposedZxid });
    this.#answerSyncs();
  }

  // ---- time ----

  get deadlineMs(): number {
    if (this.stage === 'ended') return Number.POSITIVE_INFINITY;
    return this.stage === 'leading' ? Math.min(this.#nextPingMs, this.#nextCheckMs) : this.#stageUntilMs;
  }

  onTime(): void {
    const { nowMs } = this.#host;
    if (this.stage === 'ended') return;
    if (this.stage !== 'leading') {
      if (nowMs >= this.#stageUntilMs) this.end(`no quorum within initLimit while ${this.stage}`);
      return;
    }
    if (nowMs >= this.#nextPingMs) this.#ping(nowMs);
    if (nowMs >= this.#nextCheckMs) this.#check(nowMs);
  }

  #ping(nowMs: number): void {
    this.#nextPingMs = nowMs + this.#times.tickTimeMs / 2;
    for (const handle of [...this.handles]) {
      // Who owes an acknowledgement for too long has a disk that hangs: better without it.
      if (handle.owedSinceMs + this.#syncMs < nowMs) this.drop(handle, 'it owes an ACK for longer than syncLimit');
      else if (handle.isOverrun) this.drop(handle, 'too much waits for it');
      else if (handle.stage === 'ready' || handle.stage === 'current') handle.send(PACKET.ping, this.#proposedZxid);
    }
  }

  #check(nowMs: number): void {
    this.#nextCheckMs = nowMs + this.#times.tickTimeMs;
    const alive = new Set([this.#host.serverId]);
    for (const handle of [...this.handles]) {
      const limitMs = handle.stage === 'current' ? this.#syncMs : this.#initMs + this.#syncMs;
      if (handle.stream.heardMs + limitMs < nowMs) this.drop(handle, `nothing was heard of it for ${limitMs} ms`);
      // Also one that is still being brought up to date: it is on its way, and may take long for a large snapshot.
      else if (handle.stage !== 'new' && this.#isVoter(handle)) alive.add(handle.serverId);
    }
    if (!this.#host.rule.isQuorum(alive)) this.end('a quorum is not heard of any more');
  }

  #enter(stage: LeaderStage): void {
    this.stage = stage;
    this.#stageUntilMs = this.#host.nowMs + this.#initMs;
  }

  end(reason: string): void {
    if (this.stage === 'ended') return;
    this.stage = 'ended';
    for (const handle of [...this.handles]) this.#close(handle);
    this.#host.onEnded(reason);
  }
}
