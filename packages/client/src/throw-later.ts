/** Throws where nothing of ours stands in its way: an exception of a listener is the application's, and must not disturb the session. */
export function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
