/** What a member counts for people: how long its elections took, and how big its proposals are while it leads. */

/** Least, greatest and last of a row of numbers; -1 before the first one. */
export class Extent {
  last = -1;
  min = -1;
  max = -1;
  count = 0;
  sum = 0;

  add(value: number): void {
    this.last = value;
    this.count++;
    this.sum += value;
    if (value > this.max) this.max = value;
    if (this.min < 0 || value < this.min) this.min = value;
  }
}

export class PeerStatistics {
  /** Milliseconds from the begin of looking to a role. */
  readonly elections = new Extent();
  /** Bytes; of this term as leader. */
  proposalSizes = new Extent();
  leadingSinceMs = 0;

  /** A quorum follows: a term begins. */
  onLeading(nowMs: number): void {
    this.leadingSinceMs = nowMs;
    this.proposalSizes = new Extent();
  }
}
