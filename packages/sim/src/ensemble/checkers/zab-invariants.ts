/**
 * Zab's invariants, after every event: I1 to I16 of docs/zab.md, under the names and numbers used there. The first nine are those that
 * ZooKeeper's TLA+ specifications check.
 *
 * A transaction is *delivered* when a leader that a quorum acknowledged applies it, or a learner that is up to date. What a server
 * applied before that (the tail of its log, a history on its way from a leader that may not last) is its own affair: it is delivered when
 * the server gets there, and may be cut until then. Each event costs a few look-ups, not a comparison of histories.
 */
import { COUNTER_MAX, counterOf, epochOf, makeZxid } from '@zoots/protocol';
import { fail, hex } from '../../checkers/violation.js';
import type { AppliedEvent, ProposedEvent, ZabEvent, ZabEventKind } from '../zab-events.js';
import { CommittedOrder, NO_HASH } from './zab-committed.js';
import { Member } from './zab-member.js';

type EventOf<K extends ZabEventKind> = Extract<ZabEvent, { readonly kind: K }>;
type Handlers = { readonly [K in ZabEventKind]: (member: Member, event: EventOf<K>) => void };

export interface ZabRules {
  /** Of sets of server ids; null: I16 is not judged, for event lists that leave acknowledgements out. */
  readonly isQuorum: ((ids: ReadonlySet<number>) => boolean) | null;
}

interface Digest {
  readonly high: number;
  readonly low: number;
  readonly server: number;
}

export class ZabInvariants {
  readonly #rules: ZabRules;
  readonly #members = new Map<number, Member>();
  readonly #committed = new CommittedOrder();
  readonly #proposed = new Map<number, number>();
  readonly #lastProposed = new Map<number, number>();
  readonly #leaderOf = new Map<number, number>();
  readonly #digests = new Map<number, Digest>();
  /** Disks came with transactions up to here: nobody saw them proposed. */
  #initialZxid = 0;

  constructor(rules: ZabRules = { isQuorum: null }) {
    this.#rules = rules;
  }

  /** The newest zxid that any server has delivered; 0 if none. */
  get committedZxid(): number {
    return this.#committed.tip;
  }

  onEvent(event: ZabEvent): void {
    const member = this.#memberOf(event.server);
    (this.#handlers[event.kind] as (member: Member, event: ZabEvent) => void)(member, event);
  }

  #memberOf(id: number): Member {
    let member = this.#members.get(id);
    if (member === undefined) {
      member = new Member(id);
      this.#members.set(id, member);
    }
    return member;
  }

  readonly #handlers: Handlers = {
    role: (member, { role }) => {
      if (role === 'looking' || role === 'read-only') member.leave();
    },
    leading: (member, { epoch }) => this.#onLeading(member, epoch),
    following: (member, { epoch }) => this.#onFollowing(member, epoch),
    proposed: (member, event) => this.#onProposed(member, event),
    applied: (member, event) => this.#onApplied(member, event),
    acknowledged: (member, { zxid }) => this.#onAcknowledged(member, zxid),
    'epoch-written': (member, { which, epoch }) => this.#onEpochWritten(member, which, epoch),
    replaced: (member, event) => this.#onReplaced(member, event),
    crashed: (member) => {
      member.isUp = false;
      member.leave();
    },
    wiped: (member) => this.#members.set(member.id, new Member(member.id)),
    recovered: (member, event) => this.#onRecovered(member, event),
  };

  // ---- epochs ----

  #onEpochWritten(member: Member, which: 'accepted' | 'current', epoch: number): void {
    const before = which === 'accepted' ? member.acceptedEpoch : member.currentEpoch;
    if (epoch < before) fail('I11 PromisesKept', `server ${member.id}'s ${which}Epoch goes from ${before} to ${epoch}`);
    if (which === 'accepted') member.acceptedEpoch = epoch;
    else member.currentEpoch = epoch;
    this.#checkEpochs(member);
  }

  #checkEpochs({ id, acceptedEpoch, currentEpoch }: Member): void {
    if (currentEpoch <= acceptedEpoch) return;
    fail('I11 PromisesKept', `server ${id} is in epoch ${currentEpoch} and has accepted only ${acceptedEpoch}`);
  }

  #checkEntered({ id, acceptedEpoch, currentEpoch }: Member, epoch: number, what: string): void {
    if (currentEpoch === epoch && acceptedEpoch >= epoch) return;
    const onDisk = `accepted ${acceptedEpoch}, current ${currentEpoch}`;
    fail('I11 PromisesKept', `server ${id} ${what} epoch ${epoch}, but on its disk is: ${onDisk}`);
  }

  #onLeading(member: Member, epoch: number): void {
    for (const other of this.#members.values()) {
      if (other !== member && other.leads === epoch) {
        fail('I1 Leadership1', `servers ${other.id} and ${member.id} both lead epoch ${epoch}`);
      }
    }
    const former = this.#leaderOf.get(epoch);
    if (former !== undefined) {
      fail('I2 Leadership2', `server ${former} led epoch ${epoch}, and now server ${member.id} begins it`);
    }
    this.#leaderOf.set(epoch, member.id);
    this.#checkEntered(member, epoch, 'leads');
    this.#checkQuorum(member, makeZxid(epoch, 0), `server ${member.id} leads epoch ${epoch}`);
    member.leads = epoch;
    // Of earlier epochs: a process that stood still may find its quorum's acknowledgements when others lead a later one already.
    this.#checkHasAll(member, makeZxid(epoch, 0));
    this.#deliverHistory(member);
    member.tipZxid = makeZxid(epoch, 0);
    member.deliveredZxid = member.tipZxid;
  }

  #onFollowing(member: Member, epoch: number): void {
    this.#checkEntered(member, epoch, 'follows in');
    member.follows = epoch;
    this.#deliverHistory(member);
  }

  #onAcknowledged(member: Member, zxid: number): void {
    const epoch = epochOf(zxid);
    if (counterOf(zxid) === 0) {
      this.#checkEntered(member, epoch, 'acknowledges the history of');
      // What it has applied of that history must survive; what it only logged is not told.
      member.promisedZxid = Math.max(member.promisedZxid, member.tipZxid);
      member.keepSnapshot();
    } else member.promisedZxid = Math.max(member.promisedZxid, zxid);
    member.acked.set(epoch, Math.max(member.acked.get(epoch) ?? -1, zxid));
  }

  // ---- broadcast ----

  #onProposed(member: Member, { epoch, zxid, hash }: ProposedEvent): void {
    if (this.#leaderOf.get(epoch) !== member.id || member.leads !== epoch) {
      fail('I2 Leadership2', `server ${member.id} broadcasts ${hex(zxid)} in epoch ${epoch}, which it does not lead`);
    }
    const due = (this.#lastProposed.get(epoch) ?? makeZxid(epoch, 0)) + 1;
    if (zxid !== due || counterOf(zxid) > COUNTER_MAX || epochOf(zxid) !== epoch) {
      fail('I14 ZxidsOnce', `server ${member.id} broadcasts ${hex(zxid)} in epoch ${epoch} where ${hex(due)} is due`);
    }
    if (!member.hasBroadcast) this.#checkHasAll(member, makeZxid(epoch, 0));
    member.hasBroadcast = true;
    this.#lastProposed.set(epoch, zxid);
    this.#proposed.set(zxid, hash);
  }

  /** Has it delivered what anybody delivered, up to there? */
  #checkHasAll(member: Member, upTo: number): void {
    for (let at = member.deliveredZxid; ; ) {
      const next = this.#committed.after(at);
      if (next === undefined || next > upTo) return;
      if (!member.has(next)) {
        fail(
          'I9 PrimaryIntegrity',
          `server ${member.id} leads epoch ${member.leads} without the committed ${hex(next)}`,
        );
      }
      at = next;
    }
  }

  #checkQuorum(leader: Member | undefined, zxid: number, what: string): void {
    const { isQuorum } = this.#rules;
    if (isQuorum === null) return;
    const ids = new Set<number>();
    for (const { id, acked } of this.#members.values()) if ((acked.get(epochOf(zxid)) ?? -1) >= zxid) ids.add(id);
    // The others alone may be enough; otherwise the leader has counted its own disk.
    if (isQuorum(ids)) return;
    if (leader !== undefined) {
      ids.add(leader.id);
      if (counterOf(zxid) !== 0) leader.promisedZxid = Math.max(leader.promisedZxid, zxid);
    }
    if (!isQuorum(ids)) fail('I16 QuorumBehindCommit', `${what}; only {${[...ids].join(', ')}} acknowledged it`);
  }

  // ---- application ----

  #onApplied(member: Member, event: AppliedEvent): void {
    // While the database is read, everything is applied anew; `recovered` sums it up.
    if (!member.isUp) return;
    const { zxid, hash } = event;
    const isDelivery = member.leads !== null || member.follows !== null;
    this.#checkSequence(member, zxid, isDelivery);
    const before = member.deliveredZxid;
    member.apply(zxid, hash);
    if (isDelivery) {
      this.#deliver(member, before, zxid, hash);
      member.deliveredZxid = zxid;
    }
    this.#checkDigest(member, zxid, event.digestHigh, event.digestLow);
  }

  #checkSequence(member: Member, zxid: number, isDelivery: boolean): void {
    if (isNext(member.tipZxid, zxid) || (member.fallBack() && isNext(member.tipZxid, zxid))) return;
    const { id, tipZxid } = member;
    const told = `server ${id} applies ${hex(zxid)} behind ${hex(tipZxid)}`;
    if (isDelivery && epochOf(zxid) < epochOf(tipZxid)) fail('I8 GlobalPrimaryOrder', told);
    fail(isDelivery ? 'I7 LocalPrimaryOrder' : 'I15 NoHoles', told);
  }

  /** The server gets to where its history counts. */
  #deliverHistory(member: Member): void {
    let before = member.deliveredZxid;
    if (member.opaqueZxid > before) {
      this.#deliverOpaque(member);
      before = member.opaqueZxid;
    }
    for (const zxid of member.entriesAfter(before)) {
      this.#deliver(member, before, zxid, member.hashOf(zxid));
      before = zxid;
    }
    member.deliveredZxid = Math.max(member.tipZxid, before);
  }

  #deliverOpaque({ id, opaqueZxid, leads }: Member): void {
    if (opaqueZxid <= this.#committed.tip) return;
    // A leader commits whatever its log holds. A learner has nothing that its leader has not.
    if (leads !== null) this.#committed.addUnknown(opaqueZxid);
    else if (counterOf(opaqueZxid) !== 0 && opaqueZxid > this.#initialZxid) {
      fail('I16 QuorumBehindCommit', `server ${id} serves ${hex(opaqueZxid)}, which no leader has committed`);
    }
  }

  #deliver(member: Member, before: number, zxid: number, hash: number): void {
    const committed = this.#committed;
    const known = committed.hashOf(zxid);
    const place = `server ${member.id} delivers ${hex(zxid)}`;
    if (known !== undefined && known !== hash && known !== NO_HASH && hash !== NO_HASH) {
      fail('I3 PrefixConsistency', `${place}, and others have delivered another transaction with this zxid`);
    }
    const isNew = known === undefined;
    if (isNew && zxid <= committed.tip && !committed.isUnknown(zxid)) {
      fail('I5 Agreement', `${place}; others have delivered up to ${hex(committed.tip)} without it`);
    }
    const due = committed.after(before);
    if (due !== undefined && due < zxid) {
      fail('I6 TotalOrder', `${place} behind ${hex(before)}; others have delivered ${hex(due)} in between`);
    }
    if (isNew) this.#commit(member, zxid, hash, place);
    else committed.learn(zxid, hash);
  }

  /** The first server to deliver it. */
  #commit(member: Member, zxid: number, hash: number, place: string): void {
    const proposed = this.#proposed.get(zxid);
    const isExplained = proposed !== undefined && (hash === NO_HASH || proposed === NO_HASH || proposed === hash);
    if (!isExplained && zxid > this.#initialZxid)
      fail('I4 Integrity', `${place}, which nobody has broadcast like this`);
    const epoch = epochOf(zxid);
    // A leader's history was delivered when it began to lead.
    if (member.follows !== null && epoch < member.follows && !this.#committed.isUnknown(zxid)) {
      fail('I5 Agreement', `${place}; epoch ${member.follows} began without it`);
    }
    if (epoch === member.leads || epoch === member.follows) {
      this.#checkQuorum(this.#members.get(this.#leaderOf.get(epoch) ?? Number.NaN), zxid, place);
    }
    for (const { id, leads, hasBroadcast } of this.#members.values()) {
      if (hasBroadcast && leads !== null && leads > epoch && !this.#memberOf(id).has(zxid)) {
        fail('I9 PrimaryIntegrity', `${place}; server ${id} broadcasts in epoch ${leads} and has not delivered it`);
      }
    }
    this.#committed.add(zxid, hash);
  }

  // ---- other histories ----

  #onReplaced(member: Member, event: EventOf<'replaced'>): void {
    const { how, zxid } = event;
    const lost = this.#committed.upTo(member.deliveredZxid);
    if (lost !== undefined && lost > zxid) {
      fail('I13 CommittedStays', `server ${member.id} is ${how} to ${hex(zxid)} and loses the committed ${hex(lost)}`);
    }
    // Told when it begins, so that the tree is still the old one: its digest is compared with what comes next.
    if (how === 'snapshot') member.beginSnapshot(zxid);
    else this.#truncate(member, zxid);
    member.promisedZxid = Math.min(member.promisedZxid, zxid);
  }

  #truncate(member: Member, zxid: number): void {
    if (zxid > member.tipZxid) member.fallBack();
    if (zxid > member.tipZxid) member.become(zxid, true);
    else member.cut(zxid);
  }

  #onRecovered(member: Member, event: EventOf<'recovered'>): void {
    const zxid = Math.max(0, event.zxid);
    const { acceptedEpoch, currentEpoch } = event;
    if (!member.isKnown) this.#initialZxid = Math.max(this.#initialZxid, zxid);
    if (zxid < member.promisedZxid) {
      const told = `server ${member.id} comes back with ${hex(zxid)} and had acknowledged ${hex(member.promisedZxid)}`;
      fail('I10 AcknowledgedIsDurable', told);
    }
    if (acceptedEpoch < member.acceptedEpoch || currentEpoch < member.currentEpoch) {
      const before = `accepted ${member.acceptedEpoch}, current ${member.currentEpoch}`;
      const told = `server ${member.id} comes back with accepted ${acceptedEpoch}, current ${currentEpoch}`;
      fail('I11 PromisesKept', `${told}; before: ${before}`);
    }
    member.isUp = true;
    member.isKnown = true;
    member.leave();
    member.acceptedEpoch = acceptedEpoch;
    member.currentEpoch = currentEpoch;
    this.#checkEpochs(member);
    if (zxid !== member.tipZxid) member.fallBack();
    member.keepSnapshot();
    this.#truncate(member, zxid);
    this.#checkDigest(member, zxid, event.digestHigh, event.digestLow);
  }

  #checkDigest(member: Member, zxid: number, high: number, low: number): void {
    const known = this.#digests.get(zxid);
    if (known === undefined) this.#digests.set(zxid, { high, low, server: member.id });
    else if (known.high !== high || known.low !== low) {
      const own = `server ${member.id} has ${high.toString(16)}:${low.toString(16)}`;
      const other = `server ${known.server} had ${known.high.toString(16)}:${known.low.toString(16)}`;
      fail('I12 EqualDigests', `at ${hex(zxid)} ${own}, ${other}`);
    }
  }
}

/** Behind the last one of its epoch, or the first of a later one. */
function isNext(tipZxid: number, zxid: number): boolean {
  if (epochOf(zxid) === epochOf(tipZxid)) return zxid === tipZxid + 1;
  return zxid > tipZxid && counterOf(zxid) === 1;
}
