/**
 * Which server is dialled next, and after which pause.
 *
 * Servers are taken in turn. Every pause is drawn from all of 0 to a bound, so that the clients of a server that died
 * do not come to the next one together; the bound doubles each time all servers were tried in vain.
 */
import type { Prng } from '@zoots/base';

const DOUBLINGS_MAX = 16;

export class Dialer {
  /** The server dialled last; -1 before the first. */
  server = -1;
  #serverCount: number;
  #failures = 0;
  readonly #prng: Prng;
  readonly #minMs: number;
  readonly #maxMs: number;

  constructor(serverCount: number, prng: Prng, minMs: number, maxMs: number) {
    this.#serverCount = serverCount;
    this.#prng = prng;
    this.#minMs = minMs;
    this.#maxMs = maxMs;
  }

  get serverCount(): number {
    return this.#serverCount;
  }

  /** Another list; `server` is where the current server stands in it, or -1. */
  reset(serverCount: number, server: number): void {
    this.#serverCount = serverCount;
    this.server = server;
    this.#failures = 0;
  }

  next(): number {
    this.server = (this.server + 1) % this.#serverCount;
    return this.server;
  }

  onFailed(): void {
    this.#failures++;
  }

  onSucceeded(): void {
    this.#failures = 0;
  }

  pauseMs(): number {
    const rounds = Math.min(Math.floor(this.#failures / this.#serverCount), DOUBLINGS_MAX);
    // Also a bound of 0 must grow: servers that refuse would be dialled without a pause.
    return this.#prng.between(0, Math.min(this.#maxMs, Math.max(this.#minMs, rounds) * 2 ** rounds));
  }
}
