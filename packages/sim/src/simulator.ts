/**
 * The heart of a simulation: one heap of (time, sequence, event). Whoever wants something to happen later puts an event in;
 * the loop takes out the earliest, moves the time there, and runs it. Nothing else moves time, and nothing runs beside it,
 * so a run is a function of its seed.
 *
 * Times are whole microseconds since the beginning of the run.
 */

export type SimEvent = () => void;

interface Entry {
  readonly timeUs: number;
  readonly sequence: number;
  readonly run: SimEvent;
}

export class Simulator {
  nowUs = 0;
  eventCount = 0;
  readonly #heap: Entry[] = [];
  #sequence = 0;

  /** Events of the same time run in the order in which they were put in. */
  after(delayUs: number, run: SimEvent): void {
    this.at(this.nowUs + Math.max(0, Math.floor(delayUs)), run);
  }

  at(timeUs: number, run: SimEvent): void {
    this.#push({ timeUs: Math.max(timeUs, this.nowUs), sequence: this.#sequence++, run });
  }

  /** Runs the next event; false if there is none up to `limitUs` (then the time moves to the limit). */
  step(limitUs: number): boolean {
    const first = this.#heap[0];
    if (first === undefined || first.timeUs > limitUs) {
      if (limitUs > this.nowUs) this.nowUs = limitUs;
      return false;
    }
    this.#pop();
    this.nowUs = first.timeUs;
    this.eventCount++;
    first.run();
    return true;
  }

  runUntil(limitUs: number): void {
    while (this.step(limitUs));
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = heap[above] as Entry;
      if (!isBefore(entry, other)) break;
      heap[at] = other;
      at = above;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    const size = heap.length;
    if (size === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= size) break;
      if (below + 1 < size && isBefore(heap[below + 1] as Entry, heap[below] as Entry)) below++;
      const other = heap[below] as Entry;
      if (!isBefore(other, last)) break;
      heap[at] = other;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(left: Entry, right: Entry): boolean {
  return left.timeUs < right.timeUs || (left.timeUs === right.timeUs && left.sequence < right.sequence);
}
