/**
 * For tests: the network between the members of an ensemble, in one process. Nothing moves by itself: {@link TestNetwork.deliver} carries
 * one thing at a time. A pair of members can be cut (connections end, none is made) or stalled (bytes wait, and nobody is told).
 */
import { ByteWriter } from '@zoots/base';
import type { PeerStream } from '../zab/peer-stream.js';
import type { QuorumNet } from '../zab/quorum-net.js';

/** What the network knows of a member. */
export interface NetworkMember {
  readonly id: number;
  readonly peer: NetworkPeer | null;
}

interface NetworkPeer {
  onElectionFrame(from: number, bytes: Uint8Array, start: number, end: number): void;
  accept(remoteAddress: string): PeerStream | null;
  onConnected(stream: PeerStream): void;
  onBytes(stream: PeerStream, bytes: Uint8Array, start: number, end: number): void;
  onClosed(stream: PeerStream, reason: string): void;
  takeDirty(): PeerStream[];
}

/** One end of a connection on the quorum port, and what is on its way to it. */
interface End {
  readonly owner: number;
  readonly stream: PeerStream;
  readonly incoming: Uint8Array[];
  other: End | null;
  /** The other side has ended it: told when everything is read. */
  isEnding: boolean;
  isGone: boolean;
}

interface Dial {
  readonly from: number;
  readonly to: number;
  readonly stream: PeerStream;
}

/** Sees, and may change or swallow, what a member sends on its streams. */
export type Tap = (from: number, to: number, bytes: Uint8Array) => Uint8Array | null;

export class TestNetwork {
  readonly #members = new Map<number, NetworkMember>();
  readonly #listening = new Set<number>();
  /** The newest message by pair. */
  readonly #elections = new Map<number, Uint8Array>();
  #dials: Dial[] = [];
  readonly #ends = new Map<PeerStream, End>();
  readonly #cuts = new Set<number>();
  readonly #stalls = new Set<number>();
  readonly #chunkBytes: () => number;
  tap: Tap | null = null;

  /** `chunkBytes`: how many bytes arrive at a time. */
  constructor(chunkBytes: () => number) {
    this.#chunkBytes = chunkBytes;
  }

  add(member: NetworkMember): void {
    this.#members.set(member.id, member);
  }

  // ---- faults ----

  /** Both directions; connections end, and both sides are told. */
  cut(one: number, other: number): void {
    this.#cuts.add(pair(one, other));
    this.#cuts.add(pair(other, one));
    this.breakStreams(one, other);
  }

  heal(one: number, other: number): void {
    for (const key of [pair(one, other), pair(other, one)]) {
      this.#cuts.delete(key);
      this.#stalls.delete(key);
    }
  }

  /** A member is alone. */
  isolate(id: number): void {
    for (const other of this.#members.keys()) if (other !== id) this.cut(id, other);
  }

  rejoin(id: number): void {
    for (const other of this.#members.keys()) if (other !== id) this.heal(id, other);
  }

  /** One direction: what is sent waits. */
  stall(from: number, to: number): void {
    this.#stalls.add(pair(from, to));
  }

  breakStreams(one: number, other: number): void {
    for (const end of [...this.#ends.values()]) {
      if (end.owner === one && end.other?.owner === other) this.#breakEnd(end);
    }
  }

  /** Everything that is on its way is lost. */
  #breakEnd(end: End): void {
    for (const side of [end, end.other]) {
      if (side === null || side.isGone) continue;
      side.incoming.length = 0;
      side.isEnding = true;
    }
  }

  /** The member's process is gone, and with it what waits to be sent. */
  drop(id: number): void {
    this.#listening.delete(id);
    this.#dials = this.#dials.filter(({ from }) => from !== id);
    for (const key of [...this.#elections.keys()]) if (Math.floor(key / 1000) === id) this.#elections.delete(key);
    for (const end of [...this.#ends.values()]) {
      if (end.owner !== id) continue;
      this.#forget(end);
      if (end.other === null) continue;
      end.other.isEnding = true;
      if (this.#stalls.has(pair(id, end.other.owner))) end.other.incoming.length = 0;
    }
  }

  #forget(end: End): void {
    end.isGone = true;
    end.incoming.length = 0;
    this.#ends.delete(end.stream);
  }

  // ---- ports ----

  portOf(id: number): QuorumNet {
    return {
      sendElection: (to, message) => this.#elections.set(pair(id, to), message.slice()),
      connectElection: () => {},
      listen: (isListening) => {
        if (isListening) this.#listening.add(id);
        else this.#listening.delete(id);
      },
      dial: (to, stream) => this.#dials.push({ from: id, to, stream }),
    };
  }

  /** Bytes that a stranger sends to a member's quorum port; null: refused. */
  strangeStream(to: number): PeerStream | null {
    return this.#listening.has(to) ? (this.#members.get(to)?.peer?.accept('10.9.9.9') ?? null) : null;
  }

  // ---- movement ----

  /** The end of a member's turn. */
  flush(id: number): void {
    for (const stream of this.#members.get(id)?.peer?.takeDirty() ?? []) {
      const end = this.#ends.get(stream);
      const { out } = stream;
      if (end === undefined) {
        // It is dialled, or closed before it was there.
        if (stream.isClosed) this.#dials = this.#dials.filter((dial) => dial.stream !== stream);
        continue;
      }
      if (out.length > 0) {
        stream.out = new ByteWriter(256);
        this.#send(end, out.toBytes());
      }
      if (!stream.isClosed) continue;
      this.#forget(end);
      if (end.other !== null) end.other.isEnding = true;
    }
  }

  #send({ owner, other }: End, bytes: Uint8Array): void {
    if (other === null || other.isGone || other.isEnding) return;
    const sent = this.tap === null ? bytes : this.tap(owner, other.owner, bytes);
    if (sent !== null && sent.length > 0) other.incoming.push(sent);
  }

  /** Carries one thing; false if there is nothing that can move. */
  deliver(): boolean {
    return this.#deliverElection() || this.#deliverDial() || this.#deliverBytes();
  }

  #deliverElection(): boolean {
    for (const [key, message] of this.#elections) {
      const [from, to] = [Math.floor(key / 1000), key % 1000];
      const peer = this.#members.get(to)?.peer;
      if (peer == null || this.#cuts.has(key) || this.#stalls.has(key)) continue;
      this.#elections.delete(key);
      peer.onElectionFrame(from, message, 0, message.length);
      return true;
    }
    return false;
  }

  #deliverDial(): boolean {
    const dial = this.#dials.find(({ from, to }) => !this.#stalls.has(pair(from, to)));
    if (dial === undefined) return false;
    this.#dials = this.#dials.filter((other) => other !== dial);
    const { from, to, stream } = dial;
    const dialler = this.#members.get(from)?.peer;
    const isOpen = this.#listening.has(to) && !this.#cuts.has(pair(from, to));
    const accepted = isOpen ? (this.#members.get(to)?.peer?.accept(`10.0.0.${from}`) ?? null) : null;
    if (accepted === null) {
      dialler?.onClosed(stream, 'refused');
      return true;
    }
    const near: End = { owner: from, stream, incoming: [], other: null, isEnding: false, isGone: false };
    const far: End = { owner: to, stream: accepted, incoming: [], other: near, isEnding: false, isGone: false };
    near.other = far;
    this.#ends.set(stream, near);
    this.#ends.set(accepted, far);
    dialler?.onConnected(stream);
    return true;
  }

  #deliverBytes(): boolean {
    for (const end of this.#ends.values()) {
      const { owner, stream, incoming, other } = end;
      if (other !== null && this.#stalls.has(pair(other.owner, owner))) continue;
      const peer = this.#members.get(owner)?.peer;
      if (peer == null) continue;
      const bytes = incoming.shift();
      if (bytes !== undefined) {
        this.#arrive(peer, stream, incoming, bytes);
        return true;
      }
      if (!end.isEnding) continue;
      this.#forget(end);
      peer.onClosed(stream, 'ended by the other side');
      return true;
    }
    return false;
  }

  #arrive(peer: NetworkPeer, stream: PeerStream, incoming: Uint8Array[], bytes: Uint8Array): void {
    const count = Math.min(bytes.length, this.#chunkBytes());
    if (count < bytes.length) incoming.unshift(bytes.slice(count));
    const chunk = bytes.slice(0, count);
    peer.onBytes(stream, chunk, 0, count);
    // The bytes are the network's again: whoever kept a reference reads rubbish.
    chunk.fill(0xee);
  }
}

function pair(from: number, to: number): number {
  return from * 1000 + to;
}
