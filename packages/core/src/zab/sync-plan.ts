/**
 * How a learner gets the leader's history: nothing, what it lacks (DIFF), a cut of what it has too much (TRUNC) and then what it lacks, or
 * everything (SNAP). Pure decisions; learner-sync carries them out.
 *
 * The learner says the last zxid that it has logged. A zxid with counter 0 is no transaction: it stands for an epoch that had begun
 * (the learner took a snapshot from a leader that had just started), so there is nothing behind it to cut.
 * Source: ZooKeeper's LearnerHandler.syncFollower; reference, quorum protocol section 6.1.
 */
import { counterOf, epochOf } from '@zoots/protocol';

export type SyncPlan =
  /** The learner has it all. */
  | { readonly kind: 'none' }
  /** It lacks what comes behind its zxid; `upTo` goes into the DIFF. */
  | { readonly kind: 'diff'; readonly upTo: number }
  /** It has what was never committed: cut behind `to`, then send what comes behind `to`. */
  | { readonly kind: 'trunc'; readonly to: number }
  /** Its place may be in the log on disk: walk there, from its zxid on. */
  | { readonly kind: 'disk' }
  | { readonly kind: 'snap' };

/** What the leader has. */
export interface LeaderHistory {
  readonly lastProcessedZxid: number;
  /** Of the committed log in memory; null if it is empty. */
  readonly minCommittedZxid: number | null;
  readonly maxCommittedZxid: number | null;
  /** The log on disk may be read for learners (snapshotSizeFactor is not negative). */
  readonly mayUseDisk: boolean;
  /** forceSnapshotSync. */
  readonly mustSnap: boolean;
}

/** The first decision; `diff` and `trunc` inside the committed log are refined by a {@link HistoryWalk}. */
export function planSync(learnerZxid: number, history: LeaderHistory): SyncPlan | 'walk' {
  const { lastProcessedZxid, mustSnap, mayUseDisk } = history;
  const minZxid = history.minCommittedZxid ?? lastProcessedZxid;
  const maxZxid = history.maxCommittedZxid ?? lastProcessedZxid;
  if (mustSnap) return { kind: 'snap' };
  if (learnerZxid === lastProcessedZxid) return { kind: 'none' };
  if (learnerZxid > maxZxid && counterOf(learnerZxid) !== 0) return { kind: 'trunc', to: maxZxid };
  if (learnerZxid >= minZxid && learnerZxid <= maxZxid) return 'walk';
  if (learnerZxid < minZxid && mayUseDisk) return { kind: 'disk' };
  return { kind: 'snap' };
}

/**
 * Finds the learner's place in a history that is fed zxid by zxid, ascending: from memory, or from disk. Once it is decided, every
 * entry behind {@link sendAfter} is to be sent.
 */
export class HistoryWalk {
  plan: SyncPlan | null = null;
  /** Entries with a higher zxid are sent; meaningful once there is a plan. */
  readonly learnerZxid: number;
  readonly #upTo: number;
  #previous: number | null = null;

  /** `upTo`: the last zxid that will be sent. */
  constructor(learnerZxid: number, upTo: number) {
    this.learnerZxid = learnerZxid;
    this.#upTo = upTo;
  }

  get sendAfter(): number {
    return this.plan?.kind === 'trunc' ? this.plan.to : this.learnerZxid;
  }

  /** The next zxid of the history. */
  feed(zxid: number): void {
    if (this.plan !== null) return;
    if (zxid < this.learnerZxid) this.#previous = zxid;
    else this.plan = zxid === this.learnerZxid ? this.#diff() : this.#planForMissing(zxid);
  }

  /** The learner's last entry is not in the history. */
  #planForMissing(zxid: number): SyncPlan {
    if (counterOf(this.learnerZxid) === 0) return this.#diff();
    // Across epochs a cut could go too far back; and without an entry before, nobody knows where to cut.
    if (epochOf(zxid) !== epochOf(this.learnerZxid) || this.#previous === null) return { kind: 'snap' };
    return { kind: 'trunc', to: this.#previous };
  }

  #diff(): SyncPlan {
    return { kind: 'diff', upTo: this.#upTo };
  }

  /** The history is over. */
  end(): SyncPlan {
    this.plan ??= counterOf(this.learnerZxid) === 0 ? this.#diff() : { kind: 'snap' };
    return this.plan;
  }
}
