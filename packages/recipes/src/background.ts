/**
 * Work that a recipe does by itself for as long as it is open: a body that runs until it is closed, and from its start again
 * when it fails for a passing reason (no connection, the session lost, an overloaded server), after a pause.
 */
import { ClientClosedError, type Namespace, SessionLostError } from '@zoots/client';
import { endOf } from './changes.js';
import { Deadline, isPassing } from './deadline.js';

const PAUSE_MS = { min: 50, max: 5000 } as const;

export class Background {
  readonly #controller = new AbortController();
  readonly #finished: Promise<void>;

  /**
   * `body` gets a deadline that ends with {@link close}. `onFailed` is told once of an error that no repetition mends; the work
   * has ended then.
   */
  constructor(
    zk: Namespace,
    operation: string,
    path: string,
    body: (deadline: Deadline) => Promise<void>,
    onFailed: (error: Error) => void,
  ) {
    const deadline = new Deadline({ signal: this.#controller.signal }, operation, path);
    this.#finished = this.#run(zk, deadline, body, onFailed);
  }

  get isClosed(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Resolves when the body has ended. */
  close(): Promise<void> {
    this.#controller.abort();
    return this.#finished;
  }

  async #run(
    zk: Namespace,
    deadline: Deadline,
    body: (deadline: Deadline) => Promise<void>,
    onFailed: (error: Error) => void,
  ): Promise<void> {
    let failuresInARow = 0;
    while (!this.isClosed) {
      const startMs = performance.now();
      try {
        await body(deadline);
        return;
      } catch (error) {
        if (this.isClosed) return;
        const ended = error instanceof ClientClosedError ? error : endOf(zk.client);
        if (ended !== null || !(isPassing(error) || error instanceof SessionLostError)) {
          onFailed(ended ?? (error as Error));
          return;
        }
      }
      if (performance.now() - startMs > PAUSE_MS.max) failuresInARow = 0;
      const pauseMsMax = Math.min(PAUSE_MS.max, PAUSE_MS.min * 2 ** Math.min(failuresInARow++, 10));
      // Rejects when it is closed meanwhile, and then the loop ends.
      await deadline.pause(Math.random() * pauseMsMax).catch(() => {});
    }
  }
}
