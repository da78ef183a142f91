/** Ctrl-C, SIGTERM and SIGHUP as an AbortSignal, for commands that go on until they are stopped. */

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Aborts at the first of them, with the signal's name as reason; the second one ends the program as ever. */
export function untilStopped(): AbortSignal {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals): void => {
    for (const other of stopSignals) process.removeListener(other, stop);
    controller.abort(name);
  };
  for (const name of stopSignals) process.on(name, stop);
  return controller.signal;
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
