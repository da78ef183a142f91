/**
 * How long a message on the election port may go without an effect before the member is called (anew).
 *
 * Votes are repeated by the core, at last once a minute. A connection that broke without a word, as a partition or a machine without
 * power breaks it, would swallow all of them; and a member that was away would be called only with the next one. So a
 * member is called again soon, for as long as somebody has something to say to it:
 * - if there is no connection, and a message for it has not left;
 * - if there is one, and several messages in a row got no answer. A lone one says nothing: votes that change nothing are not answered.
 */

interface Silence {
  lastSentMs: number;
  /** Messages since the member was heard, or connected. */
  count: number;
  firstSentMs: number;
}

/** Who has not been spoken to for so long is not called: its own next message will come, or ours. */
const RECENT_MS = 120_000;
const UNANSWERED_MIN = 2;

export class ElectionPatience {
  readonly #silences = new Map<number, Silence>();
  readonly #silenceMs: number;

  /** A connection is given up after so much silence. */
  constructor(silenceMs: number) {
    this.#silenceMs = silenceMs;
  }

  onSent(id: number, nowMs: number): void {
    const silence = this.#silences.get(id);
    if (silence === undefined) this.#silences.set(id, { lastSentMs: nowMs, count: 1, firstSentMs: nowMs });
    else {
      silence.lastSentMs = nowMs;
      if (silence.count++ === 0) silence.firstSentMs = nowMs;
    }
  }

  /** Its words came, or a fresh connection. */
  onSign(id: number): void {
    const silence = this.#silences.get(id);
    if (silence !== undefined) silence.count = 0;
  }

  /** Whom to call now. */
  due(nowMs: number, isConnected: (id: number) => boolean, isUnsent: (id: number) => boolean): number[] {
    const ids: number[] = [];
    for (const [id, { lastSentMs, count, firstSentMs }] of this.#silences) {
      if (nowMs - lastSentMs > RECENT_MS) continue;
      const isSilent = count >= UNANSWERED_MIN && nowMs - firstSentMs >= this.#silenceMs;
      if (isConnected(id) ? isSilent : isUnsent(id)) ids.push(id);
    }
    return ids;
  }
}
