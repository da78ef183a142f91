/**
 * Who held when, and what the guarded resource was told: the record of a contest, and the checks on it. Times are of the machine's
 * monotonic clock, which all processes share, in milliseconds.
 */

/** From when somebody learned that it holds, to when it knew that it does not, or could do nothing any more. */
export interface Interval {
  readonly who: string;
  readonly token: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** The most that held at the same time, with those who did. */
export function mostAtOnce(intervals: readonly Interval[]): readonly Interval[] {
  const byStart = [...intervals].sort((a, b) => a.fromMs - b.fromMs);
  let most: readonly Interval[] = [];
  let open: Interval[] = [];
  for (const interval of byStart) {
    open = open.filter((other) => other.toMs > interval.fromMs);
    open.push(interval);
    if (open.length > most.length) most = [...open];
  }
  return most;
}

/** The longest time during which nobody began to hold, between `fromMs` and `toMs`. */
export function longestWithoutStart(intervals: readonly Interval[], fromMs: number, toMs: number): number {
  const starts = intervals.map((interval) => interval.fromMs).filter((ms) => ms >= fromMs && ms <= toMs);
  const marks = [fromMs, ...starts.sort((a, b) => a - b), toMs];
  return Math.max(...marks.slice(1).map((mark, i) => mark - (marks[i] as number)));
}

/** What is wrong with these tokens: one that two had, or one lower than that of somebody who held before. */
export function wrongTokens(intervals: readonly Interval[]): string[] {
  const problems: string[] = [];
  const owners = new Map<number, string>();
  for (const { who, token } of intervals) {
    const owner = owners.get(token);
    if (owner !== undefined) problems.push(`token ${token} was given twice: to ${owner} and to ${who}`);
    owners.set(token, who);
  }
  const byStart = [...intervals].sort((a, b) => a.fromMs - b.fromMs);
  for (const [i, { who, token }] of byStart.entries()) {
    const before = byStart[i - 1];
    if (before !== undefined && before.token > token) {
      problems.push(`${who} began with token ${token} after ${before.who} with ${before.token}`);
    }
  }
  return problems;
}

/** A resource that takes no writes from those who were overtaken: it remembers the highest token. */
export class GuardedResource {
  #highest = 0;
  writes = 0;
  refusals = 0;

  write(token: number): boolean {
    if (token < this.#highest) {
      this.refusals++;
      return false;
    }
    this.#highest = token;
    this.writes++;
    return true;
  }
}
