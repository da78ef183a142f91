/**
 * Every write that was sent, and what is known of its outcome: the judge's memory.
 *
 * Writes to one key come from one session, so they happen in the order sent or not at all from some point on. Per key
 * the ledger keeps that order; each entry holds the state it leaves (a value, or null for "no such node"), and, once it
 * was acknowledged, the zxid and the length of the disk journal at that time (Infinity: no journal is kept).
 *
 * A recovered server says its zxid Z. Then two things must hold:
 *   - nothing acknowledged before the cut has a zxid above Z: otherwise it is *lost*;
 *   - the tree is exactly the one after Z: every entry with a known zxid up to Z is in it, none above. Otherwise it is
 *     *wrong*: a hole, a fork, or damage served as if it were data.
 */

export interface Entry {
  readonly key: string;
  /** Data of the node after this write; null after a delete. */
  readonly state: string | null;
  /** 0 while unacknowledged. */
  zxid: number;
  ackedAtJournalBytes: number;
}

export interface Verdict {
  readonly lost: string[];
  readonly wrong: string[];
  readonly checked: number;
}

export class Ledger {
  readonly #keys = new Map<string, Entry[]>();
  ackCount = 0;

  send(key: string, state: string | null): Entry {
    const entry: Entry = { key, state, zxid: 0, ackedAtJournalBytes: Number.POSITIVE_INFINITY };
    const entries = this.#keys.get(key);
    if (entries === undefined) this.#keys.set(key, [entry]);
    else entries.push(entry);
    return entry;
  }

  acknowledge(entry: Entry, zxid: number, journalBytes: number): void {
    entry.zxid = zxid;
    entry.ackedAtJournalBytes = journalBytes;
    this.ackCount += 1;
  }

  /**
   * Judges a tree that a server recovered. `tree` holds the data by key; `zxid` is the server's own;
   * `cutAtJournalBytes` is where the disk was cut (Infinity: the process died, the disk did not).
   */
  judge(tree: ReadonlyMap<string, string>, zxid: number, cutAtJournalBytes = Number.POSITIVE_INFINITY): Verdict {
    const lost: string[] = [];
    const wrong: string[] = [];
    for (const [key, entries] of this.#keys) {
      for (const entry of entries) {
        const hadToBeDurable = entry.zxid > 0 && entry.ackedAtJournalBytes <= cutAtJournalBytes;
        if (hadToBeDurable && entry.zxid > zxid) lost.push(`${key}=${entry.state} zxid 0x${entry.zxid.toString(16)}`);
      }
      const seen = tree.get(key) ?? null;
      if (!allowedStates(entries, zxid).includes(seen)) {
        wrong.push(`${key} is ${seen}, not ${allowedStates(entries, zxid).join(' or ')}`);
      }
    }
    for (const key of tree.keys()) if (!this.#keys.has(key)) wrong.push(`${key} was never written`);
    return { lost, wrong, checked: this.#keys.size };
  }

  /**
   * Takes the recovered state as the truth to go on from: what it does not hold never happened, what it holds is
   * acknowledged by now (another cut may not take it back).
   */
  settle(tree: ReadonlyMap<string, string>): void {
    this.#keys.clear();
    for (const [key, state] of tree) {
      this.#keys.set(key, [{ key, state, zxid: 1, ackedAtJournalBytes: 0 }]);
    }
  }
}

/** States that a key may have in the tree after `zxid`: that of its last entry up to there, or of an unknown one next. */
function allowedStates(entries: readonly Entry[], zxid: number): (string | null)[] {
  let states: (string | null)[] = [null];
  for (const entry of entries) {
    if (entry.zxid > 0) {
      if (entry.zxid > zxid) break;
      states = [entry.state];
    } else {
      // Its outcome is unknown: it may have happened, with everything before it.
      states.push(entry.state);
    }
  }
  return states;
}
