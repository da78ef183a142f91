/**
 * What is known of the session's life from clocks on this side alone.
 *
 * A server expires a session when it has not heard from it for the session timeout. When it heard something last can be
 * bounded from below: an answered request was sent at a known time, and heard later than that. So `lostAtMs`, the timeout after
 * the sending of the newest answered request, is never later than the server's own expiry (clocks that run at the same
 * rate assumed), and whoever stops working then, stops in time.
 */

/** A ping goes out after a third of the timeout without a request, and two thirds without a byte end the connection. */
const PING_PART = 3;
const SILENCE_PART = 2 / 3;

interface Mark {
  /** Requests sent up to here, counted over the connection's life … */
  readonly sentCount: number;
  /** … had left by this time. */
  readonly atMs: number;
}

export class Liveness {
  #timeoutMs = 0;
  #sentMs = 0;
  #receivedMs = 0;
  /** The server heard from us at this time or later. */
  #heardMs = 0;
  #marks: Mark[] = [];
  /** Of the newest mark, also when it is gone. */
  #markedCount = 0;
  #answeredCount = 0;
  #pingsSentMs: number[] = [];

  /** A server accepted the session; it heard the ConnectRequest after it was sent. */
  onEstablished(timeoutMs: number, requestSentMs: number, nowMs: number): void {
    this.#timeoutMs = timeoutMs;
    this.#heardMs = requestSentMs;
    this.#sentMs = nowMs;
    this.#receivedMs = nowMs;
    this.#marks = [];
    this.#markedCount = 0;
    this.#answeredCount = 0;
    this.#pingsSentMs = [];
  }

  onReceived(nowMs: number): void {
    this.#receivedMs = nowMs;
  }

  /**
   * An answer at hand, the so-manieth, came with the bytes received last. If this process stood still, it may have lain in the socket:
   * where even its request was sent longer ago than the session lives, nobody may act on it.
   */
  isStale(answeredCount: number): boolean {
    if (this.#receivedMs < this.lostAtMs) return false;
    this.onAnswered(answeredCount);
    return this.#receivedMs >= this.lostAtMs;
  }

  /** Bytes left; `sentCount` requests are among all that were sent so far. */
  onSent(sentCount: number, nowMs: number): void {
    this.#sentMs = nowMs;
    // A ping is no request: nothing but its own answer shows that it was heard.
    if (sentCount === this.#markedCount) return;
    this.#marks.push({ sentCount, atMs: nowMs });
    this.#markedCount = sentCount;
  }

  onPing(nowMs: number): void {
    this.#pingsSentMs.push(nowMs);
  }

  onPong(): void {
    const sentMs = this.#pingsSentMs.shift();
    if (sentMs !== undefined && sentMs > this.#heardMs) this.#heardMs = sentMs;
  }

  /** So many requests have been answered. */
  onAnswered(answeredCount: number): void {
    // Other frames say nothing of the requests that are still in flight.
    if (answeredCount === this.#answeredCount) return;
    this.#answeredCount = answeredCount;
    const marks = this.#marks;
    let i = 0;
    while (i < marks.length && (marks[i] as Mark).sentCount < answeredCount) i++;
    const mark = marks[i];
    if (mark !== undefined && mark.atMs > this.#heardMs) this.#heardMs = mark.atMs;
    const done = mark !== undefined && mark.sentCount === answeredCount ? i + 1 : i;
    if (done > 0) marks.splice(0, done);
  }

  /** From then on the session must be assumed gone. */
  get lostAtMs(): number {
    return this.#heardMs + this.#timeoutMs;
  }

  /** From then on the connection is taken for dead. */
  get silentAtMs(): number {
    return this.#receivedMs + this.#timeoutMs * SILENCE_PART;
  }

  get pingAtMs(): number {
    return this.#sentMs + this.#timeoutMs / PING_PART;
  }
}
