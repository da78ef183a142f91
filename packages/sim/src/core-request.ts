/** A simulated application's request over the session core: it encodes itself as the sheets say, and checks how it ends. */
import type { ByteReader, ByteWriter } from '@zoots/base';
import { type FailureOutcome, type FailureReason, SessionRequest, type WatchAsk } from '@zoots/client/session-core';
import { ERROR } from '@zoots/protocol';
import type { ClientPromises } from './checkers/client-promises.js';
import { UNKNOWN_OP } from './checkers/wire.js';
import { describe, isWrite, type Request, writeBody } from './request.js';

/** The application that asked; what it hears has been checked. */
export interface Asker {
  onAnswered(request: CoreRequest, code: number): void;
  onFailed(request: CoreRequest): void;
  /** The server did what nobody waited for any more. */
  onDoneLate(request: CoreRequest): void;
}

export class CoreRequest extends SessionRequest {
  readonly op: number;
  readonly watch: WatchAsk | null;
  readonly request: Request;
  /** Times it was written for a connection. */
  writeCount = 0;
  /** The application gave it up; null while it has not. */
  cancelOutcome: FailureOutcome | null = null;
  hasEnded = false;
  readonly #promises: ClientPromises;
  readonly #asker: Asker;

  constructor(request: Request, watch: WatchAsk | null, promises: ClientPromises, asker: Asker) {
    super();
    this.op = request.op;
    this.watch = watch;
    this.request = request;
    this.#promises = promises;
    this.#asker = asker;
    promises.open.add(this);
  }

  /** A getter of the class, so that a planted bug can be a lie about it. */
  get isRepeatable(): boolean {
    return this.isReallyRepeatable;
  }

  get isReallyRepeatable(): boolean {
    return !isWrite(this.op) && this.op !== UNKNOWN_OP;
  }

  write(writer: ByteWriter): void {
    writeBody(writer, this.request);
    this.writeCount++;
    this.#promises.onWritten(this);
  }

  onReply(errorCode: number, zxid: number, reader: ByteReader): void {
    this.#promises.onAnswered(this, errorCode, zxid, reader);
    this.#asker.onAnswered(this, errorCode);
  }

  override onLateReply(errorCode: number): void {
    if (errorCode === ERROR.ok) this.#asker.onDoneLate(this);
  }

  onFailed(reason: FailureReason, outcome: FailureOutcome): void {
    this.#promises.onFailed(this, reason, outcome);
    this.#asker.onFailed(this);
  }

  override toString(): string {
    return describe(this.request);
  }
}
