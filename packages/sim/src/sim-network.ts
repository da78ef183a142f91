/**
 * The network: ordered byte streams, as TCP gives them. Bytes are never lost, repeated or reordered within a stream, but
 * they come late, in pieces cut anywhere, or not at all: a stream may stall, break with what is under way lost, or break on
 * one side only while the other learns nothing (half-open).
 *
 * A Link is one connection: two pipes between a client and the server. Each side has an {@link Endpoint} that is told of
 * bytes, of the other's orderly end, and of a reset.
 */
import type { Prng } from '@zoots/base';
import type { Simulator } from './simulator.js';

export interface Endpoint {
  onBytes(bytes: Uint8Array, start: number, end: number): void;
  /** The other side sends no more (FIN). */
  onEnd(): void;
  /** The connection is gone. */
  onReset(): void;
  /** What was written has been taken over by the kernel. */
  onDrained(): void;
}

/** How the network behaves; drawn once a run, calmed when the run heals. */
export interface NetworkManner {
  delayMinUs: number;
  delayMaxUs: number;
  /** How deliveries are cut: mostly whole, at random places, or byte by byte now and then. */
  chunking: 'whole' | 'random' | 'tiny';
  /** Bytes that a pipe takes before its writer has unsent ones. */
  kernelBytes: number;
  /** Chance per delivery that the pipe stalls, and for how long. */
  stallChance: number;
  stallMaxUs: number;
}

const TINY_CHANCE = 0.15;

export class Pipe {
  readonly #simulator: Simulator;
  readonly #prng: Prng;
  readonly #manner: NetworkManner;
  /** Where the bytes come out, and who wrote them. */
  reader: Endpoint | null = null;
  writer: Endpoint | null = null;
  #bytes = new Uint8Array(1024);
  #start = 0;
  #end = 0;
  #isScheduled = false;
  #isEnding = false;
  #hasEnded = false;
  isBroken = false;
  /** The reader takes nothing now. */
  #isPaused = false;
  /** No packet of this direction arrives: a partition. */
  #isBlocked = false;
  #wasBackedUp = false;
  #stalledUntilUs = 0;

  constructor(simulator: Simulator, prng: Prng, manner: NetworkManner) {
    this.#simulator = simulator;
    this.#prng = prng;
    this.#manner = manner;
  }

  get queuedBytes(): number {
    return this.#end - this.#start;
  }

  /** Bytes that the kernel would not take yet. */
  get unsentBytes(): number {
    return Math.max(0, this.queuedBytes - this.#manner.kernelBytes);
  }

  write(source: Uint8Array, start: number, end: number): void {
    if (this.isBroken || this.#isEnding || end <= start) return;
    this.#makeRoom(end - start);
    this.#bytes.set(source.subarray(start, end), this.#end);
    this.#end += end - start;
    if (this.unsentBytes > 0) this.#wasBackedUp = true;
    this.#schedule();
  }

  #makeRoom(count: number): void {
    if (this.#end + count <= this.#bytes.length) return;
    const queued = this.queuedBytes;
    const target = queued + count > this.#bytes.length / 2 ? new Uint8Array((queued + count) * 2) : this.#bytes;
    target.set(this.#bytes.subarray(this.#start, this.#end), 0);
    this.#bytes = target;
    this.#start = 0;
    this.#end = queued;
  }

  /** The writer sends no more; what it has written still comes. */
  end(): void {
    if (this.isBroken || this.#isEnding) return;
    this.#isEnding = true;
    this.#schedule();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#schedule();
  }

  block(): void {
    this.#isBlocked = true;
  }

  unblock(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.#schedule();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  stall(untilUs: number): void {
    if (untilUs > this.#stalledUntilUs) this.#stalledUntilUs = untilUs;
  }

  unstall(): void {
    this.#stalledUntilUs = 0;
    this.#schedule();
  }

  /** Nothing comes out any more. */
  break(): void {
    this.isBroken = true;
    this.#start = 0;
    this.#end = 0;
  }

  #schedule(): void {
    if (this.#isScheduled || this.isBroken || this.#isPaused || this.#isBlocked || this.#hasEnded) return;
    if (this.queuedBytes === 0 && !this.#isEnding) return;
    this.#isScheduled = true;
    const { delayMinUs, delayMaxUs, stallChance, stallMaxUs } = this.#manner;
    if (stallChance > 0 && this.#prng.chance(stallChance)) {
      this.stall(this.#simulator.nowUs + this.#prng.below(stallMaxUs));
    }
    const at = this.#simulator.nowUs + this.#prng.between(delayMinUs, delayMaxUs);
    this.#simulator.at(Math.max(at, this.#stalledUntilUs), this.#deliver);
  }

  readonly #deliver = (): void => {
    this.#isScheduled = false;
    if (this.isBroken || this.#isPaused || this.#isBlocked || this.#hasEnded) return;
    if (this.#simulator.nowUs < this.#stalledUntilUs) {
      this.#schedule();
      return;
    }
    const queued = this.queuedBytes;
    if (queued > 0) {
      const count = this.#chunkOf(queued);
      const start = this.#start;
      this.#start += count;
      this.reader?.onBytes(this.#bytes, start, start + count);
      this.#tellDrained();
    } else if (this.#isEnding) {
      this.#hasEnded = true;
      this.reader?.onEnd();
      return;
    }
    this.#schedule();
  };

  #chunkOf(queued: number): number {
    const { chunking } = this.#manner;
    if (chunking === 'whole') return Math.min(queued, 65536);
    if (chunking === 'tiny' && this.#prng.chance(TINY_CHANCE)) return 1;
    return this.#prng.chance(0.5) ? Math.min(queued, 65536) : this.#prng.between(1, Math.min(queued, 65536));
  }

  #tellDrained(): void {
    if (!this.#wasBackedUp || this.unsentBytes > 0) return;
    this.#wasBackedUp = false;
    this.writer?.onDrained();
  }
}

export class Link {
  readonly number: number;
  /** From the client to the server, and back. */
  readonly up: Pipe;
  readonly down: Pipe;

  constructor(number: number, simulator: Simulator, prng: Prng, manner: NetworkManner) {
    this.number = number;
    this.up = new Pipe(simulator, prng, manner);
    this.down = new Pipe(simulator, prng, manner);
  }

  attach(client: Endpoint, server: Endpoint): void {
    this.up.writer = client;
    this.up.reader = server;
    this.down.writer = server;
    this.down.reader = client;
  }

  /** The connection breaks; the sides that are to learn of it are told at once, the others never. */
  reset(tellClient: boolean, tellServer: boolean): void {
    const client = this.down.reader;
    const server = this.up.reader;
    this.up.break();
    this.down.break();
    this.detach();
    if (tellClient) client?.onReset();
    if (tellServer) server?.onReset();
  }

  detach(): void {
    this.up.reader = null;
    this.up.writer = null;
    this.down.reader = null;
    this.down.writer = null;
  }
}
