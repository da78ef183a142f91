/**
 * What an ensemble must survive, and what no ensemble could. The nemesis stays within this.
 *
 * | fault | must happen |
 * |---|---|
 * | any number of processes killed, any number of machines without power, at any moment | nothing acknowledged is lost; with a quorum back, it goes on |
 * | any partition, any pause, any clock | the same |
 * | a failed write, sync or directory change, or a full disk, of any servers | each stops or goes on, and has told nobody of what was not durable |
 * | the disk of an observer is emptied | it takes everything from the leader again |
 * | the disk of a participant is emptied | allowed only while every other participant is up, in step with the leader and has all that is agreed on: then a quorum keeps every acknowledged write and every promise of an epoch without it |
 * | one flipped bit in a file of one server, before a start | the exact state, or a refusal that names the file; never a state with a loss |
 *
 * Why an emptied participant is dangerous: it has promised epochs and acknowledged writes, and knows of neither. A quorum that counts
 * it could leave both out. So the copies of all others must be whole, and nothing may go wrong with another disk until it is in step again.
 */

import type { Member } from './member.js';
import type { EnsembleWorld } from './world.js';

export class FaultAtlas {
  /** Participants that lost their disk and are not in step again. */
  readonly wiped = new Set<Member>();
  /** A server whose files have a flipped bit. */
  rotten: Member | null = null;
  readonly #world: EnsembleWorld;

  constructor(world: EnsembleWorld) {
    this.#world = world;
  }

  /** May this member, which is down, lose its disk? */
  mayWipe(member: Member): boolean {
    if (member.isObserver) return true;
    const { leader } = this.#world;
    if (leader === null || this.wiped.size > 0 || this.rotten !== null) return false;
    return this.#world.participants.every((other) => other === member || this.#isInStep(other, leader));
  }

  /** Serves in the leader's epoch, and has applied all that is agreed on. */
  #isInStep(member: Member, leader: Member): boolean {
    const { history, oracle } = this.#world;
    const state = history.stateOf(member.id);
    const isSameEpoch = state.epoch === history.stateOf(leader.id).epoch && state.epoch === history.epoch;
    return member.isInStep && isSameEpoch && oracle.lastTxn(state.zxid) >= oracle.model.lastZxid;
  }

  onWiped(member: Member): void {
    if (!member.isObserver) this.wiped.add(member);
  }

  /** Those that lost their disk and follow again have everything. Until then no other participant may stop for long. */
  update(): void {
    const { leader } = this.#world;
    for (const member of this.wiped) if (leader !== null && this.#isInStep(member, leader)) this.wiped.delete(member);
  }

  /** May this member stop, crash, or be cut off? */
  mayDisturb(member: Member): boolean {
    this.update();
    return this.wiped.size === 0 || this.wiped.has(member) || member.isObserver;
  }

  mayRot(): boolean {
    return this.rotten === null && this.wiped.size === 0;
  }
}
