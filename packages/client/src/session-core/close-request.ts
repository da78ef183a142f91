/** The last request of a session: close it. Whatever the answer, the session is over for this side. */
import { OP } from '@zoots/protocol';
import { SessionRequest } from './request.js';

export class CloseRequest extends SessionRequest {
  readonly op = OP.closeSession;
  readonly isRepeatable = false;
  readonly watch = null;
  readonly #onDone: () => void;

  constructor(onDone: () => void) {
    super();
    this.#onDone = onDone;
  }

  write(): void {}

  onReply(): void {
    this.#onDone();
  }

  onFailed(): void {
    this.#onDone();
  }
}
