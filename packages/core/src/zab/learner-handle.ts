/**
 * The leader's view of one learner: how far it has come, what it has acknowledged, and what it is still owed.
 *
 *   new ─► registered ─► informed ─► acknowledged ─► syncing ─► synced ─► ready ─► current
 *   INFO   LEADERINFO    ACKEPOCH    (epoch has      NEWLEADER   ACK       UPTODATE
 *                                     a quorum)
 */
import { ByteWriter } from '@zoots/base';
import { PACKET } from '@zoots/protocol';
import type { PeerStream } from './peer-stream.js';

export type HandleStage =
  | 'new'
  | 'registered'
  | 'informed'
  | 'acknowledged'
  | 'syncing'
  | 'synced'
  | 'ready'
  | 'current'
  | 'closed';

/** What may wait for one learner: behind a snapshot on its way, or for its socket. */
export const QUEUED_BYTES_MAX = 256 * 1024 * 1024;

export class LearnerHandle {
  stage: HandleStage = 'new';
  readonly stream: PeerStream;
  /** From its registration; anonymous observers get negative numbers. */
  serverId = Number.NaN;
  isObserver = false;
  /** What it said in ACKEPOCH. */
  lastZxid = -1;
  /** Proposals up to this zxid are on its disk. */
  ackedZxid = -1;
  /** The oldest proposal that it has not acknowledged was sent then; infinity if there is none. */
  owedSinceMs = Number.POSITIVE_INFINITY;
  /** Gets proposals and commits as they happen. */
  isForwarding = false;
  /** A snapshot is on the stream: packets wait here. */
  #queued: ByteWriter | null = null;
  /**
   * Between NEWLEADER and UPTODATE followers of 3.5.9 to 3.9.2 cannot bear a COMMIT of a proposal from before NEWLEADER: commits are
   * held back for all.
   */
  #heldCommits: number[] | null = null;

  constructor(stream: PeerStream) {
    this.stream = stream;
  }

  send(type: number, zxid: number, data?: Uint8Array, start?: number, end?: number): void {
    this.stream.send(type, zxid, data, start, end);
  }

  /** From now on packets wait until {@link endSnapshot}. */
  beginSnapshot(): void {
    this.#queued = new ByteWriter(4096);
    this.stream.diversion = this.#queued;
  }

  /** The snapshot is on the stream: what has waited follows. */
  endSnapshot(): void {
    const queued = this.#queued;
    this.#queued = null;
    this.stream.diversion = null;
    if (queued !== null && queued.length > 0) this.stream.sendRaw(queued.bytes, 0, queued.length);
  }

  /** It fell too far behind: what waits for it has no end. */
  get isOverrun(): boolean {
    const { out, unsentBytes } = this.stream;
    return (this.#queued?.length ?? 0) + out.length + unsentBytes > QUEUED_BYTES_MAX;
  }

  propose(zxid: number, bytes: Uint8Array, start: number, end: number, nowMs: number): void {
    if (!this.isForwarding || this.isObserver) return;
    if (this.owedSinceMs === Number.POSITIVE_INFINITY) this.owedSinceMs = nowMs;
    this.send(PACKET.proposal, zxid, bytes, start, end);
  }

  commit(zxid: number, bytes: Uint8Array, start: number, end: number): void {
    if (!this.isForwarding) return;
    if (this.isObserver) this.send(PACKET.inform, zxid, bytes, start, end);
    else if (this.#heldCommits !== null) this.#heldCommits.push(zxid);
    else this.send(PACKET.commit, zxid);
  }

  holdCommits(): void {
    this.#heldCommits = [];
  }

  /** UPTODATE, and what was held back. */
  release(): void {
    this.stage = 'current';
    this.send(PACKET.upToDate, -1);
    const held = this.#heldCommits ?? [];
    this.#heldCommits = null;
    for (const zxid of held) this.send(PACKET.commit, zxid);
  }
}
