/** One call of the application: a request with a promise, a limit in time, perhaps a signal. */
import { setMaxListeners } from 'node:events';
import type { ByteReader, ByteWriter } from '@zoots/base';
import { ERROR } from '@zoots/protocol';
import { type OperationTrace, operationChannel } from './diagnostics.js';
import {
  AuthenticationError,
  ClientClosedError,
  ConnectionLossError,
  OverloadedError,
  ProtocolError,
  RequestAbortedError,
  RequestTimeoutError,
  SessionLostError,
  serverError,
  TooLargeError,
  type ZooKeeperError,
} from './errors.js';
import type { Operation } from './operations.js';
import { type FailureOutcome, type FailureReason, SessionRequest, type WatchAsk } from './session-core/index.js';

type Settle<R> = (value: R) => void;

/** Limits that the messages name. */
export interface CallLimits {
  readonly waitingMax: number;
  readonly requestBytesMax: number;
  readonly replyBytesMax: number;
}

export class Call<A extends { readonly path: string }, R> extends SessionRequest {
  readonly op: number;
  readonly isRepeatable: boolean;
  readonly watch: WatchAsk | null;
  readonly #operation: Operation<A, R>;
  readonly #args: A;
  readonly #base: string;
  readonly #limits: CallLimits;
  readonly #resolve: Settle<R>;
  readonly #reject: Settle<unknown>;
  /** Undoes what {@link limit} set up; null for most calls. */
  #release: (() => void) | null = null;
  #trace: OperationTrace | null = null;

  constructor(
    operation: Operation<A, R>,
    args: A,
    base: string,
    limits: CallLimits,
    watch: WatchAsk | null,
    resolve: Settle<R>,
    reject: Settle<unknown>,
  ) {
    super();
    this.op = operation.op(args);
    this.isRepeatable = operation.isRepeatable;
    this.watch = watch;
    this.#operation = operation;
    this.#args = args;
    this.#base = base;
    this.#limits = limits;
    this.#resolve = resolve;
    this.#reject = reject;
    if (operationChannel.start.hasSubscribers || operationChannel.asyncEnd.hasSubscribers) this.#startTrace();
  }

  write(writer: ByteWriter): void {
    this.#operation.write(writer, this.#args);
  }

  onReply(code: number, _zxid: number, reader: ByteReader): void {
    const { answer } = this.#operation;
    if (code === ERROR.ok) this.#onAnswer(reader);
    else if (answer !== undefined && code === answer.code) this.#succeed(answer.value);
    else if (code === ERROR.sessionExpired) this.#fail(new SessionLostError(EXPIRED, 'refused', this.#facts()));
    else this.#fail(serverError(code, this.#facts()));
  }

  override onLateReply(code: number): void {
    if (code === ERROR.ok) this.#operation.late?.(this.#args);
  }

  #onAnswer(reader: ByteReader): void {
    let value: R;
    try {
      value = this.#operation.read(reader, this.#base, this.#args);
    } catch (error) {
      // A transaction's answer may be a refusal, which `read` throws.
      this.#fail(error);
      return;
    }
    if (!reader.failed) this.#succeed(value);
    else this.#fail(new ProtocolError('the reply is shorter than it says', 'unknown', this.#facts()));
  }

  onFailed(reason: FailureReason, outcome: FailureOutcome): void {
    this.#fail(this.#failure(reason, outcome));
  }

  #failure(reason: FailureReason, outcome: FailureOutcome): ZooKeeperError {
    const facts = this.#facts();
    const { waitingMax, requestBytesMax, replyBytesMax } = this.#limits;
    if (reason === 'connection-loss') return new ConnectionLossError(outcome, facts);
    if (reason === 'session-lost') return new SessionLostError(LOST, outcome, facts);
    if (reason === 'auth-failed') return new AuthenticationError('the server refused the identity', outcome, facts);
    if (reason === 'overloaded') return new OverloadedError(waitingMax, facts);
    if (reason === 'request-too-large') {
      const text = `the request has more than ${requestBytesMax} bytes: store less, or raise jute.maxbuffer on all servers and requestBytesMax here`;
      return new TooLargeError(text, outcome, facts);
    }
    if (reason === 'reply-too-large') {
      const text = `the reply has more than ${replyBytesMax} bytes: raise replyBytesMax, or ask for less`;
      return new TooLargeError(text, outcome, facts);
    }
    return new ClientClosedError(outcome, facts);
  }

  #facts(): { readonly operation: string; readonly path: string } {
    return { operation: this.#operation.name, path: this.#path() };
  }

  /** As the application wrote it. */
  #path(): string {
    const { path } = this.#args;
    if (this.#base === '' || !path.startsWith(this.#base)) return path;
    return path.slice(this.#base.length) || '/';
  }

  // ---- limits ----

  /** Ends the call after a time, or when the signal says so. `cancel` takes it from the session core. */
  limit(timeoutMs: number, signal: AbortSignal | undefined, cancel: (call: this) => FailureOutcome | null): void {
    const giveUp = (make: (outcome: FailureOutcome) => ZooKeeperError): void => {
      const outcome = cancel(this);
      if (outcome !== null) this.#fail(make(outcome));
    };
    const onAbort = (): void =>
      giveUp((outcome) => new RequestAbortedError(outcome, { ...this.#facts(), cause: signal?.reason }));
    const timer =
      timeoutMs > 0
        ? setTimeout(() => giveUp((outcome) => new RequestTimeoutError(timeoutMs, outcome, this.#facts())), timeoutMs)
        : undefined;
    if (signal !== undefined) {
      // Many calls may share it, which Node would take for a leak from the eleventh on.
      setMaxListeners(0, signal);
      signal.addEventListener('abort', onAbort);
    }
    this.#release = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
  }

  // ---- ends ----

  #succeed(value: R): void {
    if (this.#release !== null) this.#release();
    if (this.#trace !== null) this.#endTrace();
    this.#resolve(value);
  }

  #fail(error: unknown): void {
    if (this.#release !== null) this.#release();
    if (this.#trace !== null) {
      this.#trace.error = error;
      operationChannel.error.publish(this.#trace);
      this.#endTrace();
    }
    this.#reject(error);
  }

  #startTrace(): void {
    this.#trace = this.#facts();
    operationChannel.start.publish(this.#trace);
    operationChannel.end.publish(this.#trace);
  }

  #endTrace(): void {
    const trace = this.#trace as OperationTrace;
    operationChannel.asyncStart.publish(trace);
    operationChannel.asyncEnd.publish(trace);
  }
}

const EXPIRED = 'the session has expired';
const LOST = 'the session is gone, and what it held with it';
