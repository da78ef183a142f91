/**
 * The clocks of one machine: a monotonic one with its own origin and drift, and a wall clock that may be wrong and may jump.
 */
import type { Clock } from '@zoots/core';
import type { Simulator } from './simulator.js';

export class SimClock implements Clock {
  readonly #simulator: Simulator;
  /** Local milliseconds per simulated microsecond. */
  readonly #rate: number;
  #originUs: number;
  #originMs = 0;
  #wallOffsetMs: number;

  /** `driftPpm`: how much too fast it runs. `wallStartMs`: what it says at the beginning. */
  constructor(simulator: Simulator, driftPpm: number, wallStartMs: number) {
    this.#simulator = simulator;
    this.#rate = (1 + driftPpm / 1e6) / 1000;
    this.#originUs = simulator.nowUs;
    this.#wallOffsetMs = wallStartMs;
  }

  /** A process starts: its monotonic clock begins anywhere. */
  reboot(originMs: number): void {
    this.#wallOffsetMs += this.#elapsedMs() + this.#originMs - originMs;
    this.#originUs = this.#simulator.nowUs;
    this.#originMs = originMs;
  }

  /** Somebody sets the wall clock. */
  jump(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  #elapsedMs(): number {
    return Math.floor((this.#simulator.nowUs - this.#originUs) * this.#rate);
  }

  nowMs(): number {
    return this.#originMs + this.#elapsedMs();
  }

  wallMs(): number {
    return this.#wallOffsetMs + this.nowMs();
  }

  /** When, in simulated time, {@link nowMs} will have reached `localMs`. */
  whenUs(localMs: number): number {
    return this.#originUs + Math.ceil((localMs - this.#originMs) / this.#rate);
  }
}
