/**
 * How long somebody waits: a time, a signal, or both, made into one signal whose reason is the error to throw.
 *
 * AbortSignal.any() and AbortSignal.timeout() would do, but keep their sources' listeners until they are collected; a signal
 * that lives as long as the process would gather one for every call.
 */
import { setMaxListeners } from 'node:events';
import { RequestAbortedError } from '@zoots/client';
import { AcquireTimeoutError } from './lock-errors.js';

export interface AcquireOptions {
  /** Gives the attempt up: it rejects with an AbortError, and its znode goes. */
  readonly signal?: AbortSignal | undefined;
  /** Gives the attempt up after so many milliseconds with AcquireTimeoutError. Default: never. */
  readonly timeoutMs?: number | undefined;
}

/** Longest delay of a Node timer; longer ones fire at once. */
const timerMsMax = 2 ** 31 - 1;

export class Patience implements Disposable {
  readonly signal: AbortSignal;
  readonly #source: AbortSignal | undefined;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #path: string;

  constructor(path: string, { signal, timeoutMs }: AcquireOptions) {
    this.signal = this.#controller.signal;
    this.#path = path;
    this.#source = signal;
    // One signal, such as that of a shutdown, may be for many who wait, and Node shall not call that a leak.
    if (signal !== undefined) setMaxListeners(0, signal);
    if (signal?.aborted) this.#aborted();
    else signal?.addEventListener('abort', this.#aborted);
    if (timeoutMs === undefined || timeoutMs > timerMsMax) return;
    this.#timer = setTimeout(() => this.#controller.abort(new AcquireTimeoutError(path, timeoutMs)), timeoutMs);
  }

  readonly #aborted = (): void => {
    const facts = { operation: 'acquire', path: this.#path, cause: this.#source?.reason };
    this.#controller.abort(new RequestAbortedError('refused', facts));
  };

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#source?.removeEventListener('abort', this.#aborted);
  }
}

/** The promise's outcome, unless a signal is aborted first: then the signal's reason is thrown. Leaves no listeners behind. */
export async function unlessAborted<T>(promise: Promise<T>, ...signals: readonly AbortSignal[]): Promise<T> {
  let stop!: (reason: unknown) => void;
  const stopped = new Promise<never>((_, reject) => {
    stop = reject;
  });
  const listeners = signals.map((signal) => () => stop(signal.reason));
  signals.forEach((signal, i) => {
    if (signal.aborted) stop(signal.reason);
    else signal.addEventListener('abort', listeners[i] as () => void);
  });
  try {
    // The loser must not be an unhandled rejection.
    promise.catch(() => undefined);
    return await Promise.race([stopped, promise]);
  } finally {
    for (const [i, signal] of signals.entries()) signal.removeEventListener('abort', listeners[i] as () => void);
  }
}
