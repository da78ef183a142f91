/**
 * Sessions end when their clients say so or when nothing was heard of them for the timeout, never before, and not much
 * later than a tick after it. Times are the server's own: the turn in which a frame was taken.
 * Source: `semantics.md` section 9.
 */
import { sessionKey } from '../model.js';
import { fail } from './violation.js';

interface Activity {
  /** Server time of the last frame known to have been taken. */
  touchedMs: number;
  /** Later ones came and may have been taken or not: when the session must end is not known. */
  isUncertain: boolean;
  timeoutMs: number;
}

export class SessionChecker {
  readonly #activity = new Map<string, Activity>();
  readonly #tickMs: number;
  /** How long a due expiry may take: withheld turns, a sync in flight. */
  readonly #slackMs: number;
  expiredCount = 0;

  constructor(tickMs: number, slackMs: number) {
    this.#tickMs = tickMs;
    this.#slackMs = slackMs;
  }

  onCreated(high: number, low: number, timeoutMs: number, nowMs: number): void {
    // Its connect request came some time before this was logged; nothing is due before the client is heard again.
    this.#activity.set(sessionKey(high, low), { touchedMs: nowMs - timeoutMs, isUncertain: true, timeoutMs });
  }

  /** A request of the session came; `isTaken` if the server has surely looked at it. */
  onHeard(high: number, low: number, nowMs: number, isTaken: boolean): void {
    const activity = this.#activity.get(sessionKey(high, low));
    if (activity === undefined) return;
    if (isTaken) activity.touchedMs = nowMs;
    activity.isUncertain = !isTaken;
  }

  /** A client came back and asked for a timeout. */
  onResumed(high: number, low: number, timeoutMs: number): void {
    const activity = this.#activity.get(sessionKey(high, low));
    if (activity !== undefined) activity.timeoutMs = timeoutMs;
  }

  /** The server closes a session that did not ask for it. */
  onExpired(high: number, low: number, nowMs: number): void {
    this.expiredCount++;
    const activity = this.#activity.get(sessionKey(high, low));
    if (activity === undefined) return;
    const idleMs = nowMs - activity.touchedMs;
    if (idleMs < activity.timeoutMs) {
      fail(
        'sessions',
        `session ${name(high, low)} expired after ${idleMs} ms of silence, its timeout is ${activity.timeoutMs}`,
      );
    }
    const latestMs = activity.timeoutMs + this.#tickMs + this.#slackMs;
    if (!activity.isUncertain && idleMs > latestMs) {
      fail(
        'sessions',
        `session ${name(high, low)} expired after ${idleMs} ms of silence, at most ${latestMs} are allowed`,
      );
    }
  }

  onClosed(high: number, low: number): void {
    this.#activity.delete(sessionKey(high, low));
  }

  /** A server started: every session has its full timeout again. */
  onServerStarted(sessions: Iterable<{ high: number; low: number; timeoutMs: number }>, nowMs: number): void {
    this.#activity.clear();
    for (const { high, low, timeoutMs } of sessions) {
      this.#activity.set(sessionKey(high, low), { touchedMs: nowMs, isUncertain: false, timeoutMs });
    }
  }
}

function name(high: number, low: number): string {
  return `0x${((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)).toString(16)}`;
}

/** 16 bytes from java.util.Random seeded with id XOR 0xB3415C00: in whole 48-bit integers, unlike the core's halves. */
export function passwordOf(high: number, low: number): Uint8Array {
  const mask = (1n << 48n) - 1n;
  const id = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  let seed = (id ^ 0xb3415c00n ^ 0x5deece66dn) & mask;
  const bytes = new Uint8Array(16);
  for (let word = 0; word < 4; word++) {
    seed = (seed * 0x5deece66dn + 0xbn) & mask;
    const value = Number((seed >> 16n) & 0xffffffffn);
    for (let i = 0; i < 4; i++) bytes[word * 4 + i] = (value >>> (8 * i)) & 0xff;
  }
  return bytes;
}
