/** A clock that stands still until it is told to move. */
import type { Clock } from '@zoots/core';

export class VirtualClock implements Clock {
  readonly #startWallMs: number;
  #nowMs = 0;

  /** `startWallMs`: what the wall clock says at the beginning, in milliseconds since 1970. */
  constructor(startWallMs: number) {
    this.#startWallMs = startWallMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#startWallMs + this.#nowMs;
  }

  /** Never goes back. */
  moveTo(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, Math.ceil(nowMs));
  }
}
