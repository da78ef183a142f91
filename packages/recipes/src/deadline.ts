/**
 * How long a recipe's call may take, over all the requests and waits it is made of: `signal` and `timeoutMs` of
 * {@link CallOptions} for the call as a whole.
 */
import {
  type CallOptions,
  ConnectionLossError,
  type Namespace,
  RequestAbortedError,
  RequestTimeoutError,
  SessionLostError,
  ZooKeeperError,
} from '@zoots/client';

/** Node's timers cannot wait longer than this. */
const WAIT_MS_MAX = 2 ** 31 - 1;

export class Deadline {
  readonly signal: AbortSignal | undefined;
  readonly #timeoutMs: number | undefined;
  readonly #endMs: number;
  readonly #operation: string;
  readonly #path: string;

  /** `operation` and `path` stand in the errors: "barrier.wait /b: no answer within 100 ms". */
  constructor(options: CallOptions | undefined, operation: string, path: string) {
    this.signal = options?.signal;
    this.#timeoutMs = options?.timeoutMs;
    this.#endMs = options?.timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + options.timeoutMs;
    this.#operation = operation;
    this.#path = path;
  }

  get remainingMs(): number {
    return Math.max(0, this.#endMs - performance.now());
  }

  /** Throws if the time is up or the signal aborted. */
  check(): void {
    const error = this.#ended();
    if (error !== null) throw error;
  }

  /** Options for one request of the call. Throws as {@link check} does. */
  request(): CallOptions {
    this.check();
    const options: { signal?: AbortSignal; timeoutMs?: number } = {};
    if (this.signal !== undefined) options.signal = this.signal;
    if (this.#endMs !== Number.POSITIVE_INFINITY) options.timeoutMs = Math.max(1, Math.ceil(this.remainingMs));
    return options;
  }

  /**
   * A promise that something else settles: `begin` gets the functions for it and returns what cleans up. Rejects when the
   * time is up or the signal aborts; the clean-up runs in every case.
   */
  wait<T>(begin: (resolve: (value: T) => void, reject: (error: Error) => void) => () => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const early = this.#ended();
      if (early !== null) {
        reject(early);
        return;
      }
      let timer: NodeJS.Timeout | undefined;
      let end: (() => void) | null = null;
      let isSettled = false;
      const onAbort = (): void => settle(() => reject(this.#ended() as Error));
      const settle = (how: () => void): void => {
        if (isSettled) return;
        isSettled = true;
        clearTimeout(timer);
        this.signal?.removeEventListener('abort', onAbort);
        end?.();
        how();
      };
      this.signal?.addEventListener('abort', onAbort);
      if (this.#endMs !== Number.POSITIVE_INFINITY) {
        const onTime = (): void => settle(() => reject(this.#timedOut()));
        timer = setTimeout(onTime, Math.min(Math.ceil(this.remainingMs), WAIT_MS_MAX));
      }
      end = begin(
        (value) => settle(() => resolve(value)),
        (error) => settle(() => reject(error)),
      );
      // It was settled while it began.
      if (isSettled) end();
    });
  }

  /** Waits for so many milliseconds. */
  pause(durationMs: number): Promise<void> {
    return this.wait((resolve) => {
      const timer = setTimeout(resolve, Math.min(durationMs, WAIT_MS_MAX));
      return () => clearTimeout(timer);
    });
  }

  #ended(): ZooKeeperError | null {
    const facts = { operation: this.#operation, path: this.#path };
    if (this.signal?.aborted === true) {
      return new RequestAbortedError('unknown', { ...facts, cause: this.signal.reason });
    }
    return this.remainingMs === 0 ? this.#timedOut() : null;
  }

  #timedOut(): RequestTimeoutError {
    return new RequestTimeoutError(this.#timeoutMs as number, 'unknown', {
      operation: this.#operation,
      path: this.#path,
    });
  }
}

/**
 * Makes a request again while it fails for lack of a connection. Only for requests that may be done twice: whoever calls
 * decides what a second answer ("it exists already", "it is gone") means.
 */
export async function repeat<T>(
  zk: Namespace,
  deadline: Deadline,
  request: (options: CallOptions) => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await request(deadline.request());
    } catch (error) {
      if (!(error instanceof ConnectionLossError)) throw error;
      // With `whenSuspended: 'fail'` the next try would fail at once.
      await zk.client.connected(deadline.request());
    }
  }
}

/** The same for a read that is of no session in particular: it goes on in the next one. */
export async function reread<T>(
  zk: Namespace,
  deadline: Deadline,
  request: (options: CallOptions) => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await repeat(zk, deadline, request);
    } catch (error) {
      if (!(error instanceof SessionLostError)) throw error;
      await zk.client.connected(deadline.request());
    }
  }
}

/** Whether a background chapter may try the same again after a pause, by itself. */
export function isPassing(error: unknown): boolean {
  return error instanceof ZooKeeperError && error.retryable;
}
