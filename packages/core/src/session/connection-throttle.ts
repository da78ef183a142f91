/**
 * How many clients may connect at once: a bucket of tokens that fills with time, and, if configured, a probability of refusal
 * that rises while the bucket is empty and falls while it is full (BLUE). Refused clients are closed without an answer.
 * Off unless `connection_throttle_tokens` is set. Source: ZooKeeper's BlueThrottle.
 */
import type { Prng } from '@zoots/base';

export interface ConnectionThrottleRules {
  /** Size of the bucket; 0: off. */
  readonly tokens: number;
  readonly fillTimeMs: number;
  readonly fillCount: number;
  /** How long a probability stands before it is adjusted; -1: no probability. */
  readonly freezeTimeMs: number;
  readonly dropIncrease: number;
  readonly dropDecrease: number;
  /** Share of the bucket that must be full for the probability to fall. */
  readonly decreaseRatio: number;
  readonly weightEnabled: boolean;
  readonly globalSessionWeight: number;
  readonly renewSessionWeight: number;
}

export class ConnectionThrottle {
  readonly #rules: ConnectionThrottleRules;
  readonly #prng: Prng;
  #tokens: number;
  #filledMs: number;
  #adjustedMs: number;
  dropProbability = 0;

  constructor(rules: ConnectionThrottleRules, prng: Prng, nowMs: number) {
    this.#rules = rules;
    this.#prng = prng;
    this.#tokens = rules.tokens;
    this.#filledMs = nowMs;
    this.#adjustedMs = nowMs;
  }

  /** May a client connect now? `isRenewal`: it resumes a session. */
  admits(nowMs: number, isRenewal: boolean): boolean {
    const rules = this.#rules;
    if (rules.tokens <= 0) return true;
    this.#fill(nowMs);
    if (rules.freezeTimeMs >= 0 && this.#isDropped(nowMs)) return false;
    const weight = isRenewal ? rules.renewSessionWeight : rules.globalSessionWeight;
    const needed = rules.weightEnabled ? weight : 1;
    if (this.#tokens < needed) return false;
    this.#tokens -= needed;
    return true;
  }

  #fill(nowMs: number): void {
    const { fillTimeMs, fillCount, tokens } = this.#rules;
    const elapsedMs = nowMs - this.#filledMs;
    if (elapsedMs <= fillTimeMs) return;
    this.#tokens = Math.min(this.#tokens + Math.floor((elapsedMs * fillCount) / Math.max(fillTimeMs, 1)), tokens);
    this.#filledMs = nowMs;
  }

  #isDropped(nowMs: number): boolean {
    const rules = this.#rules;
    if (nowMs - this.#adjustedMs > rules.freezeTimeMs) {
      this.#adjustedMs = nowMs;
      if (this.#tokens === 0 && this.dropProbability < 1) {
        this.dropProbability = Math.min(this.dropProbability + rules.dropIncrease, 1);
      } else if (this.#tokens >= rules.tokens * rules.decreaseRatio && this.dropProbability > 0) {
        this.dropProbability = Math.max(this.dropProbability - rules.dropDecrease, 0);
      }
    }
    return this.dropProbability > 0 && this.#prng.chance(this.dropProbability);
  }
}
