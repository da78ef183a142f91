/**
 * A learner: a server that follows or observes. From dialling the leader to serving:
 *
 *   connecting ─► registering ─► accepting ─► syncing ─► settling ─► waiting ─► serving
 *                 FOLLOWERINFO   (epoch to    DIFF,      (durable,   ACK of     UPTODATE
 *                 LEADERINFO     disk)        TRUNC,     epoch to    NEWLEADER
 *                                ACKEPOCH     SNAP …     disk)
 *
 * What it promises, and when:
 * - ACKEPOCH: no older leader is accepted any more. The accepted epoch is on disk before it is sent.
 * - ACK of NEWLEADER: the leader's history is ours. All of it, and then the current epoch, is on disk before it is sent.
 * - ACK of a proposal: it is on disk.
 * While something goes to disk the stream waits: packets are taken one by one, and none overtakes.
 *
 * Any failure ends it (`onEnded`), and the server looks for a leader again. Source: ZooKeeper's Learner and Follower as of 3.9.3; reference,
 * quorum protocol sections 5 to 8.
 */
import { ByteReader, ByteWriter } from '@zoots/base';
import { EPOCH_MAX, epochOf, formatZxid, makeZxid, PACKET, TXN_HEADER_BYTES, writeLearnerInfo } from '@zoots/protocol';
import { follows } from '@zoots/storage';
import type { PeerStream } from './peer-stream.js';

export type LearnerStage =
  | 'connecting'
  | 'registering'
  | 'accepting'
  | 'syncing'
  | 'settling'
  | 'waiting'
  | 'serving'
  | 'ended';

/** Called when it is done, or with a reason why it cannot be. */
export type StepDone = (problem: string | null) => void;

/** What a learner needs of its server. */
export interface LearnerHost {
  readonly serverId: number;
  /** Of the configuration; goes into the registration. */
  readonly configVersion: number;
  readonly acceptedEpoch: number;
  readonly currentEpoch: number;
  /** The last zxid in the log, committed or not. */
  readonly lastLoggedZxid: number;
  readonly nowMs: number;
  setAcceptedEpoch(epoch: number, done: StepDone): void;
  setCurrentEpoch(epoch: number, done: StepDone): void;
  /** Forgets everything behind this zxid, in the log and in the tree. */
  truncate(zxid: number, done: StepDone): void;
  /** Empties the tree for a snapshot that comes over the stream. */
  beginSnapshot(zxid: number): void;
  /** Bytes of it; says how many of them belong to it, and whether it is whole now. A text: it cannot be read. */
  snapshotBytes(bytes: Uint8Array): { readonly usedBytes: number; readonly isWhole: boolean } | string;
  /** Makes the tree durable as a snapshot of its own. */
  writeSnapshot(done: StepDone): void;
  /** Appends an entry to the log. */
  append(zxid: number, bytes: Uint8Array, start: number, end: number): void;
  /** Everything appended so far is on disk. */
  whenDurable(done: StepDone): void;
  /** Applies entries up to this one. */
  commitUpTo(zxid: number): void;
  /** Clients may come. */
  serve(epoch: number): void;
  /** Sessions heard of since the last call, as they go into an answer to PING. */
  takeTouched(out: ByteWriter): void;
  onRevalidated(sessionHigh: number, sessionLow: number, isValid: boolean): void;
  /** The oldest sync that was forwarded is answered. */
  onSynced(): void;
  onAcknowledged(zxid: number): void;
  onEnded(reason: string): void;
}

export interface LearnerTimes {
  readonly tickTimeMs: number;
  readonly initLimit: number;
  readonly syncLimit: number;
}

const INT_BYTES = 4;

export class Learner {
  stage: LearnerStage = 'connecting';
  readonly #host: LearnerHost;
  readonly #stream: PeerStream;
  readonly #isObserver: boolean;
  readonly #times: LearnerTimes;
  readonly #scratch = new ByteWriter(64);
  readonly #reader = new ByteReader();
  /** The epoch that the leader proposed. */
  #epoch = 0;
  /** Something goes to disk; packets wait. */
  #isBusy = false;
  /** The way to the leader's history is taken: there is no other from here. */
  #isHistoryBegun = false;
  /** A snapshot comes over the stream instead of packets. */
  #isReceivingSnapshot = false;
  #mustWriteSnapshot = false;
  /** Proposals in the log that were not committed, oldest first. */
  #uncommitted: number[] = [];
  /** Proposals that were not acknowledged, oldest first: those of the synchronisation wait for UPTODATE. */
  #unacknowledged: number[] = [];

  constructor(host: LearnerHost, stream: PeerStream, isObserver: boolean, times: LearnerTimes) {
    this.#host = host;
    this.#stream = stream;
    this.#isObserver = isObserver;
    this.#times = times;
  }

  // ---- discovery ----

  /** The connection to the leader is there. */
  onConnected(): void {
    this.stage = 'registering';
    const { serverId, configVersion, acceptedEpoch } = this.#host;
    const type = this.#isObserver ? PACKET.observerInfo : PACKET.followerInfo;
    this.#scratch.clear();
    writeLearnerInfo(this.#scratch, serverId, configVersion);
    this.#stream.send(type, makeZxid(acceptedEpoch, 0), this.#scratch.bytes, 0, this.#scratch.length);
  }

  #onLeaderInfo(zxid: number): void {
    const { acceptedEpoch, currentEpoch } = this.#host;
    this.#epoch = epochOf(zxid);
    if (this.#epoch > EPOCH_MAX) this.end(`the leader proposes epoch ${this.#epoch}, which is beyond every limit`);
    else if (this.#epoch < acceptedEpoch) {
      this.end(`the leader proposes epoch ${this.#epoch}, and ${acceptedEpoch} was promised to another one`);
    } else if (this.#epoch === acceptedEpoch) this.#acknowledgeEpoch(-1);
    else {
      this.stage = 'accepting';
      this.#whileBusy(
        (done) => this.#host.setAcceptedEpoch(this.#epoch, done),
        () => this.#acknowledgeEpoch(currentEpoch),
      );
    }
  }

  /** Epoch -1: promised before, so that it does not count as a voice for this leader. */
  #acknowledgeEpoch(currentEpoch: number): void {
    this.stage = 'syncing';
    this.#scratch.clear();
    this.#scratch.int32(currentEpoch);
    this.#stream.send(PACKET.ackEpoch, this.#host.lastLoggedZxid, this.#scratch.bytes, 0, INT_BYTES);
  }

  // ---- the stream ----

  onBytes(bytes: Uint8Array, start: number, end: number): void {
    if (this.stage === 'ended') return;
    this.#stream.heardMs = this.#host.nowMs;
    this.#stream.packets.push(bytes, start, end);
    this.#process();
  }

  #process(): void {
    const { packets } = this.#stream;
    while (!this.#isBusy && this.stage !== 'ended') {
      if (this.#isReceivingSnapshot) {
        if (!this.#receiveSnapshot()) return;
        continue;
      }
      const result = packets.next();
      if (result === 'more') return;
      if (result === 'malformed') this.end('the leader sent what is no packet');
      else this.#onPacket(packets.type, packets.zxid);
    }
    // The bytes belong to the socket again while this waits for the disk.
    packets.keepRest();
  }

  #onPacket(type: number, zxid: number): void {
    if (this.stage === 'registering') {
      if (type === PACKET.leaderInfo) this.#onLeaderInfo(zxid);
      else this.end(`packet ${type} came where LEADERINFO was due`);
    } else if (this.stage === 'syncing' && this.#onSyncPacket(type, zxid)) return;
    else this.#onStreamPacket(type, zxid);
  }

  /** What comes only before NEWLEADER, and that itself. */
  #onSyncPacket(type: number, zxid: number): boolean {
    const isBegun = this.#isHistoryBegun;
    this.#isHistoryBegun = true;
    if (isBegun && isWay(type)) {
      this.end(`packet ${type} came in the middle of the history`);
      return true;
    }
    switch (type) {
      case PACKET.diff:
        return true;
      case PACKET.trunc:
        this.#whileBusy((done) => this.#host.truncate(zxid, done));
        return true;
      case PACKET.snap:
        this.#host.beginSnapshot(zxid);
        this.#isReceivingSnapshot = true;
        this.#mustWriteSnapshot = true;
        return true;
      case PACKET.newLeader:
        this.#onNewLeader(zxid);
        return true;
      default:
        return false;
    }
  }

  /** False if more bytes are needed. */
  #receiveSnapshot(): boolean {
    const { packets } = this.#stream;
    const bytes = packets.takeRest();
    if (bytes.length === 0) return false;
    const result = this.#host.snapshotBytes(bytes);
    if (typeof result === 'string') {
      this.end(`the leader's snapshot cannot be read: ${result}`);
      return false;
    }
    if (!result.isWhole) return false;
    this.#isReceivingSnapshot = false;
    packets.push(bytes, result.usedBytes, bytes.length);
    return true;
  }

  /** The leader's history is complete: all of it to disk, then the epoch, then the promise. */
  #onNewLeader(zxid: number): void {
    if (epochOf(zxid) !== this.#epoch) {
      this.end(`NEWLEADER names epoch ${epochOf(zxid)} instead of ${this.#epoch}`);
      return;
    }
    this.stage = 'settling';
    const { currentEpoch } = this.#host;
    const setEpoch = (done: StepDone): void => {
      if (currentEpoch === this.#epoch) done(null);
      else this.#host.setCurrentEpoch(this.#epoch, done);
    };
    this.#whileBusy(
      (done) =>
        this.#settleHistory((problem) => {
          if (problem === null) setEpoch(done);
          else done(problem);
        }),
      () => {
        this.stage = 'waiting';
        this.#host.onAcknowledged(makeZxid(this.#epoch, 0));
        this.#stream.send(PACKET.ack, makeZxid(this.#epoch, 0));
      },
    );
  }

  #settleHistory(done: StepDone): void {
    if (!this.#mustWriteSnapshot) {
      this.#host.whenDurable(done);
      return;
    }
    // The snapshot first: the log behind it means nothing without it.
    this.#host.writeSnapshot((problem) => {
      this.#mustWriteSnapshot = false;
      if (problem === null) this.#host.whenDurable(done);
      else done(problem);
    });
  }

  // ---- transactions ----

  #onStreamPacket(type: number, zxid: number): void {
    const { packets } = this.#stream;
    switch (type) {
      case PACKET.proposal:
        this.#onProposal(zxid, packets.bytes, packets.dataStart, packets.dataEnd);
        break;
      case PACKET.commit:
      case PACKET.commitAndActivate:
        this.#onCommit(zxid);
        break;
      case PACKET.inform:
        this.#onInform(zxid, packets.bytes, packets.dataStart, packets.dataEnd);
        break;
      case PACKET.informAndActivate:
        this.#onInform(zxid, packets.bytes, packets.dataStart + 8, packets.dataEnd);
        break;
      case PACKET.upToDate:
        this.#onUpToDate();
        break;
      case PACKET.ping:
        this.#onPing(zxid);
        break;
      case PACKET.revalidate:
        this.#onRevalidate(packets.bytes, packets.dataStart, packets.dataEnd);
        break;
      case PACKET.sync:
        this.#host.onSynced();
        break;
      default:
        // A packet of a later version; Apache's learners pass over it, too.
        break;
    }
  }

  #append(zxid: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (start < 0 || end - start < TXN_HEADER_BYTES) this.end(`a transaction of ${end - start} bytes`);
    else if (!follows(this.#host.lastLoggedZxid, zxid)) {
      this.end(
        `transaction ${formatZxid(zxid)} behind ${formatZxid(this.#host.lastLoggedZxid)}: some are missing, or repeated`,
      );
    } else this.#host.append(zxid, bytes, start, end);
    return this.stage !== 'ended';
  }

  #onProposal(zxid: number, bytes: Uint8Array, start: number, end: number): void {
    // A leader that begins to forward while it sends history may propose one twice.
    if (zxid <= this.#host.lastLoggedZxid && this.#uncommitted.includes(zxid)) return;
    if (!this.#append(zxid, bytes, start, end)) return;
    this.#uncommitted.push(zxid);
    this.#unacknowledged.push(zxid);
  }

  #onCommit(zxid: number): void {
    const due = this.#uncommitted.shift();
    if (due !== zxid) {
      this.end(`COMMIT of ${zxid} where ${due ?? 'nothing'} was due`);
      return;
    }
    // History that the leader says is committed needs no voice of ours.
    if (this.stage !== 'serving' && this.#unacknowledged[0] === zxid) this.#unacknowledged.shift();
    this.#host.commitUpTo(zxid);
  }

  /** Observers hear of a transaction when it is committed. */
  #onInform(zxid: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#append(zxid, bytes, start, end)) this.#host.commitUpTo(zxid);
  }

  /** The log is on disk up to this zxid. */
  onDurable(zxid: number): void {
    if (this.stage !== 'serving') return;
    while (this.#unacknowledged.length > 0 && (this.#unacknowledged[0] as number) <= zxid) {
      const acknowledged = this.#unacknowledged.shift() as number;
      this.#host.onAcknowledged(acknowledged);
      this.#stream.send(PACKET.ack, acknowledged);
    }
  }

  #onUpToDate(): void {
    if (this.stage !== 'waiting') {
      this.end('UPTODATE came before the history was acknowledged');
      return;
    }
    this.stage = 'serving';
    this.#stream.send(PACKET.ack, makeZxid(this.#epoch, 0));
    this.#host.serve(this.#epoch);
    // Not what comes to the log meanwhile: that is on its way to the disk.
    const upTo = this.#host.lastLoggedZxid;
    this.#host.whenDurable((problem) => {
      if (problem === null) this.onDurable(upTo);
    });
  }

  // ---- the rest ----

  /** Before UPTODATE nobody is served, and the leader takes any other answer for the ACK it waits for. */
  #onPing(zxid: number): void {
    if (this.stage !== 'serving') return;
    this.#scratch.clear();
    this.#host.takeTouched(this.#scratch);
    this.#stream.send(PACKET.ping, zxid, this.#scratch.bytes, 0, this.#scratch.length);
  }

  #onRevalidate(bytes: Uint8Array, start: number, end: number): void {
    const reader = this.#reader.reset(bytes, Math.max(start, 0), Math.max(end, 0));
    const high = reader.int32();
    const low = reader.int32();
    const isValid = reader.bool();
    if (!reader.failed) this.#host.onRevalidated(high, low, isValid);
  }

  // ---- time and ends ----

  /** The leader must be heard of by then. */
  get deadlineMs(): number {
    const { tickTimeMs, initLimit, syncLimit } = this.#times;
    const isSettled = this.stage === 'waiting' || this.stage === 'serving';
    return this.#stream.heardMs + tickTimeMs * (isSettled ? syncLimit : initLimit);
  }

  onTime(): void {
    if (this.stage === 'ended' || this.#host.nowMs < this.deadlineMs) return;
    // While this server is busy with its disk, nothing that the leader said is heard.
    if (this.#isBusy) this.#stream.heardMs = this.#host.nowMs;
    else this.end('the leader is silent');
  }

  onDisconnected(): void {
    this.end('the connection to the leader broke');
  }

  /** Runs a step that takes time; packets wait until it is done. */
  #whileBusy(step: (done: StepDone) => void, then: () => void = () => {}): void {
    this.#isBusy = true;
    step((problem) => {
      if (this.stage === 'ended') return;
      this.#isBusy = false;
      if (problem !== null) {
        this.end(problem);
        return;
      }
      then();
      this.#process();
    });
  }

  end(reason: string): void {
    if (this.stage === 'ended') return;
    this.stage = 'ended';
    this.#stream.isClosed = true;
    this.#host.onEnded(reason);
  }
}

/** How a learner comes to the leader's history. */
function isWay(type: number): boolean {
  return type === PACKET.diff || type === PACKET.trunc || type === PACKET.snap;
}
