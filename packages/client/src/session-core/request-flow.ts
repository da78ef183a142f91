/**
 * The requests of a session: a line of those that wait, and a line of those in flight, which are answered in its order.
 *
 * The window bounds what is in flight, in number and bytes. When a connection breaks, requests in flight that ask for nothing
 * lasting go back to the head of those that wait.
 */
import type { ByteWriter } from '@zoots/base';
import type { FailureOutcome, FailureReason, SessionRequest } from './request.js';
import { RequestQueue } from './request-queue.js';
import { IN_FLIGHT_BYTES_MAX, type SessionOptions } from './session-ports.js';

const LENGTH_BYTES = 4;
const XID_MAX = 0x7fffffff;
/** Cancelled requests stay in the line until they are reached, or until there are so many. */
const CANCELLED_MAX = 1024;

export class RequestFlow {
  /** Of the current connection: requests sent, and answered. */
  sentCount = 0;
  answeredCount = 0;
  readonly #options: SessionOptions;
  readonly #waiting = new RequestQueue();
  readonly #inFlight = new RequestQueue();
  #xid = 0;
  #inFlightBytes = 0;
  #cancelledCount = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Requests that were not answered yet. */
  get pendingCount(): number {
    return this.#inFlight.length + this.#waiting.length - this.#cancelledCount;
  }

  /** A request could be sent at once: nobody waits, and the window has room. */
  get isFree(): boolean {
    return this.#waiting.length === 0 && this.#hasRoom();
  }

  /** No more may wait. */
  get isFull(): boolean {
    return this.#waiting.length - this.#cancelledCount >= this.#options.waitingMax;
  }

  #hasRoom(): boolean {
    return (
      this.#inFlight.length < this.#options.inFlightMax &&
      (this.#inFlightBytes < IN_FLIGHT_BYTES_MAX || this.#inFlight.length === 0)
    );
  }

  onEstablished(): void {
    this.sentCount = 0;
    this.answeredCount = 0;
  }

  // ---- on the way out ----

  wait(request: SessionRequest): void {
    request.stage = 'waiting';
    this.#waiting.push(request);
  }

  /** The next that may be sent now; undefined if there is none. */
  next(): SessionRequest | undefined {
    while (this.#waiting.length > 0 && this.#hasRoom()) {
      const request = this.#waiting.shift() as SessionRequest;
      if (request.stage === 'waiting') return request;
      this.#cancelledCount--;
    }
    return undefined;
  }

  /** Writes its frame; one that is too large fails. */
  send(request: SessionRequest, out: ByteWriter): void {
    const lengthAt = out.length;
    const xid = this.#xid === XID_MAX ? 1 : this.#xid + 1;
    out.int32(0);
    out.int32(xid);
    out.int32(request.op);
    request.write(out);
    const frameBytes = out.length - lengthAt - LENGTH_BYTES;
    if (frameBytes > this.#options.requestBytesMax) {
      // A server would end the connection without a word, and everything in flight with it.
      out.length = lengthAt;
      fail(request, 'request-too-large', 'not-sent');
      return;
    }
    out.setInt32At(lengthAt, frameBytes);
    this.#xid = xid;
    request.xid = xid;
    request.frameBytes = frameBytes;
    request.stage = 'sent';
    this.#inFlight.push(request);
    this.#inFlightBytes += frameBytes;
    this.sentCount++;
  }

  /** Nobody waits for it any more. Says whether a server may have seen it; null if it has ended. */
  cancel(request: SessionRequest): FailureOutcome | null {
    if (request.stage === 'sent') {
      request.stage = 'abandoned';
      return 'unknown';
    }
    if (request.stage !== 'waiting') return null;
    request.stage = 'done';
    this.#cancelledCount++;
    if (this.#cancelledCount > CANCELLED_MAX && this.#cancelledCount > this.#waiting.length / 2) this.#sweep();
    return 'not-sent';
  }

  /** Takes cancelled requests out of the line. */
  #sweep(): void {
    for (const request of this.drainWaiting()) if (request.stage === 'waiting') this.#waiting.push(request);
  }

  // ---- on the way in ----

  /** Takes the oldest request in flight out, if the reply is to it. */
  answer(xid: number): SessionRequest | undefined {
    const request = this.#inFlight.peek();
    return request === undefined || request.xid !== xid ? undefined : this.takeOldest();
  }

  takeOldest(): SessionRequest | undefined {
    const request = this.#inFlight.shift();
    if (request === undefined) return undefined;
    this.answeredCount++;
    this.#inFlightBytes -= request.frameBytes;
    return request;
  }

  /** A request in flight, wherever it stands. */
  inFlight(xid: number): SessionRequest | undefined {
    for (let i = 0; i < this.#inFlight.length; i++) {
      const request = this.#inFlight.at(i);
      if (request.xid === xid && request.stage === 'sent') return request;
    }
    return undefined;
  }

  // ---- ends ----

  /** The connection broke. What can be sent again waits; the others are returned, and their outcome is unknown. */
  interrupt(): SessionRequest[] {
    const interrupted = this.#drainInFlight();
    for (let i = interrupted.length - 1; i >= 0; i--) {
      const request = interrupted[i] as SessionRequest;
      if (request.stage !== 'sent' || !request.isRepeatable || this.#options.failWhenSuspended) continue;
      request.stage = 'waiting';
      this.#waiting.unshift(request);
    }
    return interrupted.filter(({ stage }) => stage === 'sent');
  }

  #drainInFlight(): SessionRequest[] {
    this.#inFlightBytes = 0;
    return this.#inFlight.drain();
  }

  drainWaiting(): SessionRequest[] {
    this.#cancelledCount = 0;
    return this.#waiting.drain();
  }

  /** All of them, those in flight first. */
  drain(): SessionRequest[] {
    return [...this.#drainInFlight(), ...this.drainWaiting()];
  }
}

export function fail(request: SessionRequest, reason: FailureReason, outcome: FailureOutcome): void {
  request.stage = 'done';
  request.onFailed(reason, outcome);
}

/** Those that nobody waits for are left out. */
export function failAll(requests: readonly SessionRequest[], reason: FailureReason): void {
  for (const request of requests) {
    if (request.stage === 'waiting') fail(request, reason, 'not-sent');
    else if (request.stage === 'sent') fail(request, reason, 'unknown');
  }
}
