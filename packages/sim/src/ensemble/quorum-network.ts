/**
 * The network between servers: connections of ordered bytes, and partitions in one direction or both. A partition loses nothing by
 * itself: bytes wait, new connections are not made, and nobody learns of the other's end. A connection may break under it, for both sides,
 * for one, or for none.
 */
import type { Prng } from '@zoots/base';
import { type Endpoint, Link, type NetworkManner } from '../sim-network.js';
import type { Simulator } from '../simulator.js';

export type Port = 'election' | 'quorum';

/** A connection between two servers; `up` goes from the one that dialled. */
export interface ServerLink {
  readonly link: Link;
  readonly from: number;
  readonly to: number;
  readonly port: Port;
}

/** One machine, as others see it. */
export interface Listener {
  /** The other side of a connection, or null: nobody listens. The listener attaches its endpoint when it likes. */
  accept(link: ServerLink): Endpoint | null;
}

export interface Dialler {
  onConnected(link: ServerLink): void;
  onRefused(reason: string): void;
}

interface Orphan {
  readonly server: number;
  readonly link: ServerLink;
  readonly end: Endpoint;
}

/** Refusals and resets are told so late at most. */
const TELL_US_MAX = 1_000;
/** A machine that writes to a connection which the other one has forgotten is told so. */
const HALF_OPEN_US_MAX = 3_000_000;
/** How often a machine behind a cut tries. */
const RETRY_US = 100_000;

export class QuorumNetwork {
  readonly links = new Set<ServerLink>();
  readonly manner: NetworkManner;
  /** A connection that gets no answer is given up after this time. */
  dialTimeoutMs = 1_000;
  readonly #simulator: Simulator;
  readonly #prng: Prng;
  readonly #listeners = new Map<number, Listener>();
  /** Directions that are cut, by {@link keyOf}. */
  readonly #cuts = new Set<number>();
  /** Ends whose machine went without a word; told when it is back. */
  readonly #orphans: Orphan[] = [];
  #linkCount = 0;

  constructor(simulator: Simulator, prng: Prng, manner: NetworkManner) {
    this.#simulator = simulator;
    this.#prng = prng;
    this.manner = manner;
  }

  // ---- partitions ----

  isCut(from: number, to: number): boolean {
    return this.#cuts.has(keyOf(from, to));
  }

  get cutCount(): number {
    return this.#cuts.size;
  }

  /** One direction. */
  setCut(from: number, to: number, isCut: boolean): void {
    if (isCut === this.isCut(from, to)) return;
    if (isCut) this.#cuts.add(keyOf(from, to));
    else this.#cuts.delete(keyOf(from, to));
    for (const { link, from: dialler, to: listener } of this.links) {
      const pipe =
        dialler === from && listener === to ? link.up : dialler === to && listener === from ? link.down : null;
      if (isCut) pipe?.block();
      else pipe?.unblock();
    }
  }

  setCutBoth(one: number, other: number, isCut: boolean): void {
    this.setCut(one, other, isCut);
    this.setCut(other, one, isCut);
  }

  healAll(): void {
    for (const key of [...this.#cuts]) this.setCut(Math.floor(key / 256), key % 256, false);
  }

  /** Breaks a connection. A side that is not told at once learns of it when it is heard no more: half-open, for a while. */
  break(one: ServerLink, tellDialler: boolean, tellListener: boolean): void {
    if (!this.links.delete(one)) return;
    const { link, from, to } = one;
    const dialler = link.down.reader;
    const listener = link.up.reader;
    link.reset(false, false);
    if (dialler !== null) this.#tellReset(dialler, to, from, tellDialler ? 0 : this.#prng.below(HALF_OPEN_US_MAX));
    if (listener !== null) this.#tellReset(listener, from, to, tellListener ? 0 : this.#prng.below(HALF_OPEN_US_MAX));
  }

  /** What says that the connection is gone comes from the other machine: not through a cut. */
  #tellReset(end: Endpoint, from: number, to: number, delayUs: number): void {
    if (delayUs === 0 && !this.isCut(from, to)) {
      end.onReset();
      return;
    }
    this.#simulator.after(Math.max(delayUs, 1), () => {
      if (this.isCut(from, to)) this.#tellReset(end, from, to, RETRY_US);
      else end.onReset();
    });
  }

  // ---- machines ----

  register(server: number, listener: Listener): void {
    this.#listeners.set(server, listener);
  }

  /** The process is gone. `isSilent`: so is its machine, and others learn of it when it is back. */
  onGone(server: number, isSilent: boolean): void {
    for (const one of [...this.links]) {
      if (one.from !== server && one.to !== server) continue;
      const end = one.from === server ? one.link.up.reader : one.link.down.reader;
      this.links.delete(one);
      one.link.reset(false, false);
      if (end === null) continue;
      if (isSilent) this.#orphans.push({ server, link: one, end });
      else this.#tellOther(one, server, end);
    }
  }

  #tellOther(one: ServerLink, gone: number, end: Endpoint): void {
    const other = one.from === gone ? one.to : one.from;
    this.#tellReset(end, gone, other, this.#prng.between(1, TELL_US_MAX));
  }

  onBack(server: number): void {
    for (let i = this.#orphans.length - 1; i >= 0; i--) {
      const orphan = this.#orphans[i] as Orphan;
      if (orphan.server !== server) continue;
      this.#orphans.splice(i, 1);
      this.#tellOther(orphan.link, server, orphan.end);
    }
  }

  // ---- connections ----

  dial(from: number, to: number, port: Port, near: Endpoint, dialler: Dialler): void {
    if (this.isCut(from, to) || this.isCut(to, from)) {
      this.#simulator.after(this.dialTimeoutMs * 1000, () => dialler.onRefused('timed out'));
      return;
    }
    const { delayMinUs, delayMaxUs } = this.manner;
    this.#simulator.after(2 * this.#prng.between(delayMinUs, delayMaxUs), () => {
      if (this.isCut(from, to) || this.isCut(to, from)) {
        this.#simulator.after(this.dialTimeoutMs * 1000, () => dialler.onRefused('timed out'));
      } else this.#connect(from, to, port, near, dialler);
    });
  }

  #connect(from: number, to: number, port: Port, near: Endpoint, dialler: Dialler): void {
    const link = new Link(++this.#linkCount, this.#simulator, this.#prng, this.manner);
    const one: ServerLink = { link, from, to, port };
    link.attach(near, NOBODY);
    const far = this.#listeners.get(to)?.accept(one) ?? null;
    if (far === null) {
      link.detach();
      dialler.onRefused('refused');
      return;
    }
    link.attach(near, far);
    this.links.add(one);
    dialler.onConnected(one);
  }

  /** Both sides have ended it. */
  forget(one: ServerLink): void {
    this.links.delete(one);
  }
}

const NOBODY: Endpoint = { onBytes: () => {}, onEnd: () => {}, onReset: () => {}, onDrained: () => {} };

function keyOf(from: number, to: number): number {
  return from * 256 + to;
}
