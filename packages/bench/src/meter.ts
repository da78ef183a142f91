/** What a run counts: latencies in a histogram, errors, and what the server's processes spent meanwhile. */
import { Histogram } from './histogram.js';
import { costOf } from './proc.js';

export interface LoadResult {
  readonly operations: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly errors: number;
  readonly lastError: number;
  /** Processor time of the server's processes, all together, over the measured window: per operation, and of one core. */
  readonly cpuMicros: number;
  readonly cpuShare: number;
  /** Resident memory of the server's processes at the end of the window, with all sessions open. */
  readonly residentMb: number;
  /** Of whatever has rounds (watches): the median time of one, from its request until the last answer. Otherwise 0. */
  readonly roundMs: number;
}

/** Counts what the measured window holds. */
export class Meter {
  readonly histogram = new Histogram();
  readonly rounds = new Histogram();
  measuring = false;
  errors = 0;
  lastError = 0;
  readonly #pids: readonly number[];
  #startedAtMs = 0;
  #cpuAtStartMs = 0;

  constructor(pids: readonly number[]) {
    this.#pids = pids;
  }

  start(): void {
    this.measuring = true;
    this.#cpuAtStartMs = costOf(this.#pids).cpuMs;
    this.#startedAtMs = performance.now();
  }

  record(latencyMs: number, err: number): void {
    if (!this.measuring) return;
    this.histogram.record(latencyMs);
    if (err === 0) return;
    this.errors += 1;
    this.lastError = err;
  }

  recordRound(ms: number): void {
    if (this.measuring) this.rounds.record(ms);
  }

  stop(): LoadResult {
    this.measuring = false;
    const { histogram } = this;
    const elapsedMs = performance.now() - this.#startedAtMs;
    const { cpuMs, residentMb } = costOf(this.#pids);
    const spentMs = cpuMs - this.#cpuAtStartMs;
    return {
      operations: histogram.count,
      perSecond: (histogram.count * 1000) / elapsedMs,
      p50Ms: histogram.percentileMs(0.5),
      p99Ms: histogram.percentileMs(0.99),
      p999Ms: histogram.percentileMs(0.999),
      maxMs: histogram.maxMs,
      errors: this.errors,
      lastError: this.lastError,
      cpuMicros: (spentMs * 1000) / Math.max(histogram.count, 1),
      cpuShare: spentMs / elapsedMs,
      residentMb,
      roundMs: this.rounds.percentileMs(0.5),
    };
  }
}
