/**
 * A log-linear latency histogram: 64 steps an octave, so a percentile is right to about 1.5 %, in 2,048 counters
 * whatever the range. Recording costs a few nanoseconds and never allocates.
 *
 * Unit inside: ticks of 100 ns. The largest latency that it can tell from larger ones is 214 s.
 */
const TICKS_PER_MS = 10_000;
const STEP_BITS = 6;
const STEPS = 1 << STEP_BITS;
const TICKS_MAX = 0x7fff_ffff;

export class Histogram {
  readonly #counts = new Float64Array(32 * STEPS);
  count = 0;
  maxMs = 0;

  record(latencyMs: number): void {
    let ticks = Math.round(latencyMs * TICKS_PER_MS);
    if (ticks < 1) ticks = 1;
    else if (ticks > TICKS_MAX) ticks = TICKS_MAX;
    const octave = 31 - Math.clz32(ticks);
    const step =
      octave >= STEP_BITS
        ? (ticks >> (octave - STEP_BITS)) & (STEPS - 1)
        : (ticks << (STEP_BITS - octave)) & (STEPS - 1);
    const slot = octave * STEPS + step;
    this.#counts[slot] = (this.#counts[slot] as number) + 1;
    this.count += 1;
    if (latencyMs > this.maxMs) this.maxMs = latencyMs;
  }

  clear(): void {
    this.#counts.fill(0);
    this.count = 0;
    this.maxMs = 0;
  }

  /** The latency that `fraction` (0 to 1) of the records do not exceed, in ms; 0 when nothing was recorded. */
  percentileMs(fraction: number): number {
    const wanted = this.count * fraction;
    let seen = 0;
    for (let slot = 0; slot < this.#counts.length; slot++) {
      seen += this.#counts[slot] as number;
      if (seen >= wanted && seen > 0) return slotMs(slot);
    }
    return 0;
  }
}

/** Lower border of a slot. */
function slotMs(slot: number): number {
  const octave = slot >> STEP_BITS;
  const step = slot & (STEPS - 1);
  return (2 ** octave * (1 + step / STEPS)) / TICKS_PER_MS;
}
