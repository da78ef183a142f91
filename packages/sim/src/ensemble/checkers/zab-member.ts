/** What the invariants keep of one server: its history as far as events told of it, its promises, and where it stands. */
import { NO_HASH } from './zab-committed.js';

export class Member {
  readonly id: number;
  /** The process lives, and its database is open. */
  isUp = true;
  /** It has recovered at least once: before that, a disk may come with anything. */
  isKnown = false;
  /** The epoch that it leads: a quorum follows. */
  leads: number | null = null;
  /** The epoch in which it is up to date. */
  follows: number | null = null;
  /** It has broadcast in the epoch that it leads. */
  hasBroadcast = false;
  acceptedEpoch = 0;
  currentEpoch = 0;
  /** Everything up to here is in its history, but nobody told what. */
  opaqueZxid = 0;
  /** It was read from a disk, where transactions may have been that nobody applied yet; otherwise it came from a leader. */
  isOpaqueOwn = false;
  /** Applied behind that, ascending, with their hashes. */
  readonly entries = new Map<number, number>();
  /** The last applied one. */
  tipZxid = 0;
  /** Everything up to here counts as delivered by it. */
  deliveredZxid = 0;
  /** Said to be on its disk. */
  promisedZxid = 0;
  /** By epoch: up to where it has acknowledged. An acknowledgement may reach its leader when its sender is gone already. */
  readonly acked = new Map<number, number>();

  constructor(id: number) {
    this.id = id;
  }

  has(zxid: number): boolean {
    return zxid <= this.opaqueZxid || this.entries.has(zxid);
  }

  apply(zxid: number, hash: number): void {
    this.entries.set(zxid, hash);
    this.tipZxid = zxid;
  }

  hashOf(zxid: number): number {
    return this.entries.get(zxid) ?? NO_HASH;
  }

  /** Behind a zxid, in order: the map's own, since nothing is applied out of order. */
  entriesAfter(zxid: number): number[] {
    return [...this.entries.keys()].filter((one) => one > zxid);
  }

  // ---- another history ----

  /** What a leader's snapshot takes the place of, until it is on disk; null otherwise. */
  #before: { opaqueZxid: number; isOpaqueOwn: boolean; entries: ReadonlyMap<number, number>; tipZxid: number } | null =
    null;

  /** A leader's snapshot comes. It is this server's only once it is on its disk: if the role ends before, the old history is back. */
  beginSnapshot(zxid: number): void {
    const { opaqueZxid, isOpaqueOwn, entries, tipZxid } = this;
    this.#before ??= { opaqueZxid, isOpaqueOwn, entries: new Map(entries), tipZxid };
    this.become(zxid, false);
  }

  /** The snapshot is on disk, or nobody asks any more. */
  keepSnapshot(): void {
    this.#before = null;
  }

  /** Nobody tells whether the snapshot came to the disk: what follows does. True if the old history is back. */
  fallBack(): boolean {
    if (this.#before === null || this.follows !== null) return false;
    const { opaqueZxid, isOpaqueOwn, entries, tipZxid } = this.#before;
    this.#before = null;
    this.become(opaqueZxid, isOpaqueOwn);
    for (const [zxid, hash] of entries) this.entries.set(zxid, hash);
    this.tipZxid = tipZxid;
    return true;
  }

  /** The history ends here now. */
  cut(zxid: number): void {
    for (const one of this.entries.keys()) if (one > zxid) this.entries.delete(one);
    this.tipZxid = zxid;
    this.deliveredZxid = Math.min(this.deliveredZxid, zxid);
    this.opaqueZxid = Math.min(this.opaqueZxid, zxid);
  }

  /** Up to here there is a history of which nobody told the parts. */
  become(zxid: number, isOwn: boolean): void {
    this.entries.clear();
    this.isOpaqueOwn = isOwn;
    this.opaqueZxid = zxid;
    this.tipZxid = zxid;
    this.deliveredZxid = Math.min(this.deliveredZxid, zxid);
  }

  /** It neither leads nor follows. */
  leave(): void {
    this.leads = null;
    this.follows = null;
    this.hasBroadcast = false;
  }
}
