/** Ctrl-C, SIGTERM and SIGHUP as an AbortSignal, for commands that go on until they are stopped. */

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export class StopSignal {
  readonly #controller = new AbortController();
  readonly #stop = (name: NodeJS.Signals): void => {
    this.close();
    this.#controller.abort(name);
  };

  constructor() {
    for (const name of stopSignals) process.on(name, this.#stop);
  }

  /** Aborts at the first of them, with its name as reason; the second one ends the program as ever. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on they end the program as ever. */
  close(): void {
    for (const name of stopSignals) process.off(name, this.#stop);
  }
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
