/**
 * Tells events to listeners and to async iterators, for the caches. Listeners are called at once; each iterator has a bounded
 * buffer, and what it holds when it overflows is replaced by one event that says so.
 */

export interface IterateOptions {
  /** Ends the iteration. */
  readonly signal?: AbortSignal | undefined;
  /** Events kept for a slow reader, 10,000 by default; when there are more, all become one `gap`. */
  readonly bufferMax?: number | undefined;
}

const BUFFER_MAX = 10_000;

interface Reader<E> {
  buffer: E[];
  readonly bufferMax: number;
  wake: (() => void) | null;
}

export class EventFan<E> {
  readonly #overflow: E;
  readonly #listeners = new Set<(event: E) => void>();
  readonly #readers = new Set<Reader<E>>();
  #ended = false;
  #failure: Error | null = null;

  /** `overflow` is what a reader gets instead of the events it was too slow for. */
  constructor(overflow: E) {
    this.#overflow = overflow;
  }

  /** Listeners and iterators there are: none after a clean close. */
  get size(): number {
    return this.#listeners.size + this.#readers.size;
  }

  /** Returns what takes the listener away again. An exception in a listener is reported as an uncaught one, by itself. */
  on(listener: (event: E) => void): () => void {
    // The same function twice is two listeners.
    const own = (event: E): void => listener(event);
    if (!this.#ended) this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  emit(event: E): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    for (const reader of this.#readers) {
      if (reader.buffer.length >= reader.bufferMax) reader.buffer = [this.#overflow];
      else reader.buffer.push(event);
      reader.wake?.();
    }
  }

  /** Ends all iterations after what they hold; with an error, if there is one. */
  end(failure: Error | null = null): void {
    this.#ended = true;
    this.#failure = failure;
    this.#listeners.clear();
    for (const reader of this.#readers) reader.wake?.();
  }

  /** Begins to collect at once, not at the first `next()`; `first` comes before everything else. */
  iterate(options: IterateOptions = {}, first: readonly E[] = []): AsyncGenerator<E, void, undefined> {
    const reader: Reader<E> = { buffer: [...first], bufferMax: options.bufferMax ?? BUFFER_MAX, wake: null };
    this.#readers.add(reader);
    const events = this.#read(reader, options.signal);
    // A generator that was never begun does not run its `finally`.
    const end = events.return.bind(events);
    events.return = (value) => {
      this.#readers.delete(reader);
      reader.wake?.();
      return end(value);
    };
    return events;
  }

  async *#read(reader: Reader<E>, signal: AbortSignal | undefined): AsyncGenerator<E, void, undefined> {
    const wake = (): void => reader.wake?.();
    const isEnded = (): boolean => signal?.aborted === true || !this.#readers.has(reader);
    signal?.addEventListener('abort', wake);
    try {
      for (;;) {
        if (isEnded()) return;
        const events = reader.buffer;
        reader.buffer = [];
        for (const event of events) {
          yield event;
          if (isEnded()) return;
        }
        if (reader.buffer.length > 0) continue;
        if (this.#ended) {
          if (this.#failure !== null) throw this.#failure;
          return;
        }
        await new Promise<void>((resolve) => {
          reader.wake = resolve;
        });
        reader.wake = null;
      }
    } finally {
      signal?.removeEventListener('abort', wake);
      this.#readers.delete(reader);
    }
  }
}
