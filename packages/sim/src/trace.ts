/**
 * The trace: what happened, as one number, and as lines for people when asked.
 *
 * Every delivery, disk operation, turn, fault and verdict is mixed into two 32-bit lanes. Two runs of one seed on one commit
 * and one major version of Node end with the same number, or something outside the seed got in.
 */
import { crc32 } from '@zoots/base';

export type TraceSink = (line: string) => void;

const ENDS_BYTES = 4096;

export class Trace {
  #high = 0x9e3779b9 | 0;
  #low = 0x7f4a7c15 | 0;
  readonly #sink: TraceSink | null;
  /** For the prefix of lines; kept up by whoever owns the clock. */
  nowUs: () => number = () => 0;
  /** The latest lines, to be shown when a run fails. */
  readonly #recent: string[] = [];
  readonly #recentMax: number;

  constructor(sink: TraceSink | null, recentMax = 0) {
    this.#sink = sink;
    this.#recentMax = recentMax;
  }

  /** Lines are made only if somebody reads them: gate on this. */
  get isVerbose(): boolean {
    return this.#sink !== null || this.#recentMax > 0;
  }

  note(kind: number, a: number, b: number): void {
    this.#mix(kind);
    this.#mix(a);
    this.#mix(b);
  }

  bytes(kind: number, bytes: Uint8Array, start: number, end: number): void {
    // Of long runs the two ends: what is between them shows in the final state.
    const head = crc32(bytes, start, Math.min(end, start + ENDS_BYTES), 0);
    this.note(kind, end - start, end - start <= ENDS_BYTES ? head : crc32(bytes, end - ENDS_BYTES, end, head));
  }

  text(kind: number, text: string): void {
    let hash = kind | 0;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
    this.note(kind, text.length, hash);
  }

  line(text: string): void {
    if (!this.isVerbose) return;
    const line = `${(this.nowUs() / 1000).toFixed(3).padStart(11)} ms  ${text}`;
    this.#sink?.(line);
    if (this.#recentMax === 0) return;
    this.#recent.push(line);
    if (this.#recent.length > this.#recentMax * 2) this.#recent.splice(0, this.#recent.length - this.#recentMax);
  }

  recent(): string[] {
    return this.#recent.slice(-this.#recentMax);
  }

  #mix(value: number): void {
    // A safe integer counts with all its bits.
    const low = value | 0;
    const high = Math.floor(value / 4294967296) | 0;
    this.#low = Math.imul(this.#low ^ low, 0x85ebca6b);
    this.#low ^= this.#low >>> 13;
    this.#high = Math.imul(this.#high ^ high ^ this.#low, 0xc2b2ae35);
    this.#high ^= this.#high >>> 16;
  }

  /** The number as it stands, a safe integer. */
  get number(): number {
    return (this.#high >>> 12) * 4294967296 + (this.#low >>> 0);
  }
}

/** Kinds of notes. */
export const NOTE = {
  turn: 1,
  toServer: 2,
  toClient: 3,
  disk: 4,
  fault: 5,
  boot: 6,
  connection: 7,
  final: 8,
  txn: 9,
  zab: 10,
} as const;
