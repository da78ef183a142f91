/**
 * Fast leader election, as a machine: notifications and time go in, notifications and in the end a vote come out.
 *
 * Everybody who looks for a leader tells all voters whom he proposes, and adopts the better proposal he hears of: the higher epoch, then
 * the higher last zxid, then the higher id. Who sees a quorum for his own proposal, and hears of no better one for a moment, is done.
 * Servers that have a leader answer those who look; a newcomer believes them when a quorum, with the leader itself, says the same.
 *
 * It goes on answering when this server has a role. Source: ZooKeeper's FastLeaderElection; reference, quorum protocol section 3.
 */
import { NO_VOTE, type Notification, PEER_STATE } from '@zoots/protocol';
import type { QuorumRule } from './quorum.js';

/** A server proposed as leader, by what is known of its history. */
export interface Vote {
  readonly leader: number;
  /** The last zxid that the leader has logged. */
  readonly zxid: number;
  /** The leader's current epoch. */
  readonly peerEpoch: number;
  /** The election round that it belongs to. */
  readonly round: number;
}

export type PeerState = keyof typeof PEER_STATE;

export interface ElectionHost {
  /** Replaces what may still wait to be sent to that server. */
  send(server: number, notification: Omit<Notification, 'version'>): void;
  /** Nothing was heard for a while: connections that are missing should be tried again. */
  connectAll(): void;
  /** The end of a round. Not called from within an input that the caller makes for a vote of his own. */
  onElected(vote: Vote): void;
}

export interface ElectionSettings {
  readonly serverId: number;
  readonly rule: QuorumRule;
  /** The configuration as servers send it. */
  readonly configText: string;
  /** First and longest pause before notifications are repeated. */
  readonly notifyMinMs: number;
  readonly notifyMaxMs: number;
}

export const NOTIFY_MIN_MS = 200;
export const NOTIFY_MAX_MS = 60_000;
/** So long nothing better may be heard of before a quorum is believed; less where votes are repeated sooner. */
const FINALIZE_MS = 200;

/** What a voter said last. */
interface Heard extends Vote {
  readonly state: number;
  /** Of its message: servers before 3.5 fill the epoch in another way. */
  readonly version: number;
}

/** A server that cannot tell what it has. */
const UNKNOWN_ZXID = -1;

export class Election {
  readonly #settings: ElectionSettings;
  readonly #host: ElectionHost;
  #state: PeerState = 'looking';
  /** Rounds are counted by each server for itself, and the highest counts. */
  #round = 0;
  #own: Vote = { leader: NO_VOTE, zxid: NO_VOTE, peerEpoch: NO_VOTE, round: 0 };
  /** While looking, whom we propose; afterwards who was elected. */
  #vote: Vote = this.#own;
  /** By voter: those who look in our round, or have a leader in it. */
  #inRound = new Map<number, Heard>();
  /** By voter: those who have a leader, whatever their round. */
  #settled = new Map<number, Heard>();
  #pauseMs: number;
  #repeatAtMs = Number.POSITIVE_INFINITY;
  #finalizeAtMs = Number.POSITIVE_INFINITY;

  constructor(settings: ElectionSettings, host: ElectionHost) {
    this.#settings = settings;
    this.#host = host;
    this.#pauseMs = settings.notifyMinMs;
  }

  get state(): PeerState {
    return this.#state;
  }

  get vote(): Vote {
    return this.#vote;
  }

  get round(): number {
    return this.#round;
  }

  /** `onTime` is due then. */
  get deadlineMs(): number {
    return this.#isDeciding ? this.#finalizeAtMs : this.#repeatAtMs;
  }

  /** A quorum was seen: nothing is said until it is believed, or something better is heard of. */
  get #isDeciding(): boolean {
    return this.#finalizeAtMs !== Number.POSITIVE_INFINITY;
  }

  get #isVoter(): boolean {
    return this.#settings.rule.voters.has(this.#settings.serverId);
  }

  // ---- looking ----

  /** Begins a round. `zxid` is the last one in the log, committed or not; observers have no vote. */
  look(zxid: number, currentEpoch: number, nowMs: number): void {
    const { serverId, notifyMinMs } = this.#settings;
    this.#round++;
    this.#state = 'looking';
    const own = { leader: serverId, zxid, peerEpoch: currentEpoch };
    this.#own = { ...(this.#isVoter ? own : NOTHING), round: this.#round };
    this.#inRound = new Map();
    this.#settled = new Map();
    this.#pauseMs = notifyMinMs;
    this.#finalizeAtMs = Number.POSITIVE_INFINITY;
    this.#propose(this.#own);
    this.#repeatAtMs = nowMs + this.#pauseMs;
    // Alone, the own vote is the quorum.
    this.#checkQuorum(nowMs);
  }

  /** Adopts a proposal in the current round, and tells everybody. */
  #propose({ leader, zxid, peerEpoch }: Vote): void {
    const { serverId } = this.#settings;
    this.#vote = { leader, zxid, peerEpoch, round: this.#round };
    this.#finalizeAtMs = Number.POSITIVE_INFINITY;
    if (this.#isVoter) this.#inRound.set(serverId, { ...this.#vote, state: PEER_STATE.looking, version: 2 });
    this.#tellAll();
  }

  #tellAll(): void {
    for (const voter of this.#settings.rule.voters) {
      if (voter !== this.#settings.serverId) this.#tell(voter, this.#vote, this.#round);
    }
  }

  #tell(server: number, { leader, zxid, peerEpoch }: Vote, round: number): void {
    const state = PEER_STATE[this.#state];
    this.#host.send(server, { state, leader, zxid, round, peerEpoch, config: this.#settings.configText });
  }

  onTime(nowMs: number): void {
    if (this.#state !== 'looking') return;
    if (nowMs >= this.#finalizeAtMs) this.#finish(this.#vote);
    else if (nowMs >= this.#repeatAtMs && !this.#isDeciding) {
      this.#host.connectAll();
      this.#tellAll();
      this.#pauseMs = Math.min(this.#pauseMs * 2, this.#settings.notifyMaxMs);
      this.#repeatAtMs = nowMs + this.#pauseMs;
    }
  }

  // ---- hearing ----

  onNotification(from: number, notification: Notification, nowMs: number): void {
    const { rule } = this.#settings;
    const isLooking = notification.state === PEER_STATE.looking;
    if (from === this.#settings.serverId) return;
    if (!rule.voters.has(from)) this.#answer(from, this.#round);
    else if (this.#state !== 'looking') {
      // Whoever looks learns who was elected, in the words of the round that he is in.
      if (isLooking) this.#answer(from, this.#vote.round);
    } else {
      if (isLooking && notification.round < this.#round) this.#answer(from, this.#round);
      if (rule.voters.has(notification.leader)) this.#consider(from, notification, nowMs);
    }
  }

  /**
   * Observers listen, and answer nobody: their word decides nothing, and a voter that looks answers whatever an observer says, so that the two
   * would go on for ever. Apache's do.
   */
  #answer(to: number, round: number): void {
    if (this.#isVoter) this.#tell(to, this.#vote, round);
  }

  #consider(from: number, notification: Notification, nowMs: number): void {
    if (notification.state === PEER_STATE.observing) return;
    const heard = heardOf(notification);
    // What is no better is no news, and does not make anybody wait for longer: repetitions would, of which a round has many.
    if (this.#isDeciding && !this.#isBetter(heard, this.#vote)) return;
    if (notification.state === PEER_STATE.looking) this.#onLooking(from, heard, nowMs);
    else this.#onSettled(from, heard);
  }

  #onLooking(from: number, heard: Heard, nowMs: number): void {
    if (heard.zxid === UNKNOWN_ZXID || this.#own.zxid === UNKNOWN_ZXID || heard.round < this.#round) return;
    if (heard.round > this.#round) {
      this.#round = heard.round;
      this.#inRound.clear();
      this.#propose(this.#isBetter(heard, this.#own) ? heard : this.#own);
    } else if (this.#isBetter(heard, this.#vote)) this.#propose(heard);
    const known = this.#inRound.get(from);
    this.#inRound.set(from, heard);
    if (known === undefined || !isSameProposal(known, heard)) this.#onNews(nowMs);
    this.#checkQuorum(nowMs);
  }

  /**
   * Whoever says something new may not have heard us: what we say is repeated soon. What is not new changes nothing, so that somebody
   * who talks all the time keeps nobody else from repeating a vote that was lost.
   */
  #onNews(nowMs: number): void {
    this.#pauseMs = this.#settings.notifyMinMs;
    this.#repeatAtMs = Math.min(this.#repeatAtMs, nowMs + this.#pauseMs);
  }

  /** A server without weight never leads. */
  #isBetter(candidate: Vote, current: Vote): boolean {
    if (this.#settings.rule.weightOf(candidate.leader) === 0) return false;
    if (candidate.peerEpoch !== current.peerEpoch) return candidate.peerEpoch > current.peerEpoch;
    if (candidate.zxid !== current.zxid) return candidate.zxid > current.zxid;
    return candidate.leader > current.leader;
  }

  #checkQuorum(nowMs: number): void {
    const isSame = (heard: Heard): boolean => isSameProposal(heard, this.#vote);
    if (!this.#hasQuorum(this.#inRound, isSame)) return;
    this.#finalizeAtMs = nowMs + Math.min(FINALIZE_MS, this.#settings.notifyMinMs);
  }

  #hasQuorum(votes: ReadonlyMap<number, Heard>, accepts: (heard: Heard) => boolean): boolean {
    const ids = new Set<number>();
    for (const [id, heard] of votes) if (accepts(heard)) ids.add(id);
    return this.#settings.rule.isQuorum(ids);
  }

  /** Somebody who has a leader: of this round, or of one that ended before we came. */
  #onSettled(from: number, heard: Heard): void {
    const isSame = (other: Heard): boolean => isSameLeader(other, heard);
    if (heard.round === this.#round) {
      this.#inRound.set(from, heard);
      if (this.#hasQuorum(this.#inRound, isSame) && this.#leads(this.#inRound, heard)) {
        this.#finish(heard);
        return;
      }
    }
    this.#settled.set(from, heard);
    if (this.#hasQuorum(this.#settled, isSame) && this.#leads(this.#settled, heard)) {
      this.#round = heard.round;
      this.#finish(heard);
    }
  }

  /** The leader must say so itself: others may not have noticed that it is gone. */
  #leads(votes: ReadonlyMap<number, Heard>, { leader, round }: Heard): boolean {
    if (leader === this.#settings.serverId) return round === this.#round;
    return votes.get(leader)?.state === PEER_STATE.leading;
  }

  #finish({ leader, zxid, peerEpoch, round }: Vote): void {
    this.#vote = { leader, zxid, peerEpoch, round };
    this.#repeatAtMs = Number.POSITIVE_INFINITY;
    this.#finalizeAtMs = Number.POSITIVE_INFINITY;
    if (leader === this.#settings.serverId) this.#state = 'leading';
    else this.#state = this.#isVoter ? 'following' : 'observing';
    this.#host.onElected(this.#vote);
  }

  /** Who was heard to name the leader that was elected, by id; this server among them, if it votes. */
  get supporters(): number[] {
    const ids = new Set<number>();
    for (const heard of [this.#inRound, this.#settled]) {
      for (const [id, { leader }] of heard) if (leader === this.#vote.leader) ids.add(id);
    }
    return [...ids].sort((left, right) => left - right);
  }

  /** The new epoch is established: from now on answers name it, so that all members say the same. */
  onEpoch(epoch: number): void {
    this.#vote = { ...this.#vote, peerEpoch: epoch };
  }
}

const NOTHING = { leader: NO_VOTE, zxid: NO_VOTE, peerEpoch: NO_VOTE };

function heardOf({ state, leader, zxid, round, peerEpoch, version }: Notification): Heard {
  return { state, leader, zxid, round, peerEpoch, version };
}

function isSameProposal(left: Vote, right: Vote): boolean {
  return (
    left.leader === right.leader &&
    left.zxid === right.zxid &&
    left.round === right.round &&
    left.peerEpoch === right.peerEpoch
  );
}

/** Of servers that have a leader: zxid and round may differ. One of an old version and one of a new agree by the leader alone. */
function isSameLeader(left: Heard, right: Heard): boolean {
  if (left.leader !== right.leader) return false;
  const isMixed = (left.version === 0) !== (right.version === 0);
  return isMixed || left.peerEpoch === right.peerEpoch;
}
