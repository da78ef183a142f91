/**
 * The QuorumNet port of one process: the election port with its newest message for each server, and streams on the quorum port. What the
 * real shell does with sockets happens here with simulated connections; bytes in both directions pass the process's gate.
 */
import type { ByteWriter, Prng } from '@zoots/base';
import { ByteWriter as Writer } from '@zoots/base';
import type { PeerInputs, PeerStream, QuorumNet } from '@zoots/core';
import { FrameReader } from '@zoots/protocol';
import { fail } from '../checkers/violation.js';
import type { Gate } from '../sim-gate.js';
import type { Endpoint, Pipe } from '../sim-network.js';
import type { Simulator } from '../simulator.js';
import { PacketGate, type PacketRules } from './packet-gate.js';
import type { QuorumNetwork, ServerLink } from './quorum-network.js';

/** The thread that sends takes a message after so long. */
const SENDER_US_MAX = 500;
const FRAME_BYTES_MAX = 524_288;

/** What a net needs of its process. */
export interface NetHost {
  readonly id: number;
  readonly memberIds: readonly number[];
  readonly simulator: Simulator;
  readonly prng: Prng;
  readonly gate: Gate;
  readonly network: QuorumNetwork;
  readonly packetRules: PacketRules;
  /** Null once the process is gone, or while it is not ready for other servers. */
  readonly peer: PeerInputs | null;
}

interface ElectionConnection {
  readonly peer: number;
  readonly link: ServerLink;
  readonly out: Pipe;
  readonly frames: FrameReader;
}

interface StreamConnection {
  readonly peer: number;
  readonly stream: PeerStream;
  link: ServerLink | null;
  out: Pipe | null;
  packets: PacketGate | null;
}

/** The newest message for a server. */
interface Slot {
  message: Uint8Array;
  isSent: boolean;
}

export class SimQuorumNet implements QuorumNet {
  isGone = false;
  readonly #host: NetHost;
  readonly #slots = new Map<number, Slot>();
  readonly #elections = new Map<number, ElectionConnection>();
  readonly #dialling = new Set<number>();
  readonly #streams = new Map<PeerStream, StreamConnection>();
  #isListening = false;

  constructor(host: NetHost) {
    this.#host = host;
  }

  /** Runs when the process can, if it lives then. */
  #inProcess(run: (peer: PeerInputs) => void): void {
    this.#host.gate.pass(() => {
      const { peer } = this.#host;
      if (!this.isGone && peer !== null) run(peer);
    });
  }

  // ---- the election port ----

  sendElection(serverId: number, message: Uint8Array): void {
    if (serverId === this.#host.id) fail('network', `server ${serverId} sends an election message to itself`);
    this.#slots.set(serverId, { message: message.slice(), isSent: false });
    if (this.#elections.has(serverId)) this.#sendLater(serverId);
    else this.#dialElection(serverId);
  }

  connectElection(): void {
    for (const id of this.#host.memberIds) {
      if (id !== this.#host.id && !this.#elections.has(id)) this.#dialElection(id);
    }
  }

  #sendLater(peer: number): void {
    const { simulator, prng } = this.#host;
    simulator.after(prng.below(SENDER_US_MAX), () => {
      const slot = this.#slots.get(peer);
      const connection = this.#elections.get(peer);
      if (this.isGone || slot === undefined || slot.isSent || connection === undefined) return;
      slot.isSent = true;
      this.#write(connection.out, slot.message);
    });
  }

  #write(out: Pipe, message: Uint8Array): void {
    const frame = new Writer(message.length + 4);
    frame.int32(message.length);
    frame.raw(message);
    out.write(frame.bytes, 0, frame.length);
  }

  #dialElection(peer: number): void {
    if (this.#dialling.has(peer)) return;
    this.#dialling.add(peer);
    const place: { connection: ElectionConnection | null } = { connection: null };
    const near = this.#electionEndpoint(peer, place);
    this.#host.network.dial(this.#host.id, peer, 'election', near, {
      onConnected: (link) => {
        this.#dialling.delete(peer);
        if (this.isGone) this.#host.network.break(link, false, true);
        else place.connection = this.#addElection(peer, link, link.link.up);
      },
      onRefused: () => this.#dialling.delete(peer),
    });
  }

  /** A new connection takes the place of the one before, and gets the last message again. */
  #addElection(peer: number, link: ServerLink, out: Pipe): ElectionConnection {
    const old = this.#elections.get(peer);
    const connection = { peer, link, out, frames: new FrameReader() };
    this.#elections.set(peer, connection);
    if (old !== undefined)
      this.#host.network.break(old.link, old.link.from !== this.#host.id, old.link.to !== this.#host.id);
    const slot = this.#slots.get(peer);
    if (slot !== undefined) {
      slot.isSent = false;
      this.#sendLater(peer);
    }
    return connection;
  }

  #electionEndpoint(peer: number, place: { readonly connection: ElectionConnection | null }): Endpoint {
    const lose = (): void => {
      const { connection } = place;
      if (connection !== null && this.#elections.get(peer) === connection) this.#elections.delete(peer);
      if (connection !== null) this.#host.network.forget(connection.link);
    };
    return {
      onBytes: (bytes, start, end) => {
        if (place.connection !== null) this.#onElectionBytes(place.connection, bytes, start, end);
      },
      onEnd: lose,
      onReset: lose,
      onDrained: () => {},
    };
  }

  #onElectionBytes({ frames, peer }: ElectionConnection, bytes: Uint8Array, start: number, end: number): void {
    frames.push(bytes, start, end);
    while (frames.next(FRAME_BYTES_MAX) === 'frame') {
      const message = frames.bytes.slice(frames.start, frames.end);
      this.#inProcess((inputs) => inputs.onElectionFrame(peer, message, 0, message.length));
    }
  }

  // ---- the quorum port ----

  listen(isListening: boolean): void {
    this.#isListening = isListening;
  }

  get isListening(): boolean {
    return this.#isListening && !this.isGone;
  }

  dial(serverId: number, stream: PeerStream): void {
    const connection: StreamConnection = { peer: serverId, stream, link: null, out: null, packets: null };
    this.#streams.set(stream, connection);
    this.#host.network.dial(this.#host.id, serverId, 'quorum', this.#streamEndpoint(connection), {
      onConnected: (link) => {
        if (this.isGone || !this.#streams.has(stream)) {
          this.#host.network.break(link, false, true);
          return;
        }
        this.#attach(connection, link, link.link.up);
        this.#inProcess((peer) => {
          if (this.#streams.has(stream)) peer.onConnected(stream);
        });
      },
      onRefused: (reason) => this.#lose(connection, reason),
    });
  }

  #attach(connection: StreamConnection, link: ServerLink, out: Pipe): void {
    connection.link = link;
    connection.out = out;
    connection.packets = new PacketGate(this.#host.packetRules, this.#host.id, connection.peer, (bytes, start, end) => {
      out.write(bytes, start, end);
    });
  }

  #lose(connection: StreamConnection, reason: string): void {
    if (connection.link !== null) this.#host.network.forget(connection.link);
    this.#inProcess((peer) => {
      if (!this.#streams.delete(connection.stream)) return;
      peer.onClosed(connection.stream, reason);
    });
  }

  #streamEndpoint(connection: StreamConnection): Endpoint {
    return {
      onBytes: (bytes, start, end) => {
        if (!this.#host.gate.isClosed) this.#onStreamBytes(connection, bytes, start, end);
        else {
          const copy = bytes.slice(start, end);
          this.#host.gate.pass(() => this.#onStreamBytes(connection, copy, 0, copy.length));
        }
      },
      onEnd: () => this.#lose(connection, 'ended by the other side'),
      onReset: () => this.#lose(connection, 'reset'),
      onDrained: () =>
        this.#inProcess((peer) => {
          if (!this.#streams.has(connection.stream)) return;
          connection.stream.unsentBytes = connection.out?.unsentBytes ?? 0;
          peer.onDrained(connection.stream);
        }),
    };
  }

  #onStreamBytes(connection: StreamConnection, bytes: Uint8Array, start: number, end: number): void {
    const { peer } = this.#host;
    if (this.isGone || peer === null || !this.#streams.has(connection.stream)) return;
    peer.onBytes(connection.stream, bytes, start, end);
    // The buffer is ours again: whoever kept a reference reads rubbish.
    bytes.fill(0xee, start, end);
  }

  // ---- what others dial ----

  /** Null: refused. The process may stand still: its kernel takes the connection all the same. */
  accept(link: ServerLink): Endpoint | null {
    if (this.isGone || this.#host.peer === null) return null;
    return link.port === 'election' ? this.#acceptElection(link) : this.#acceptStream(link);
  }

  #acceptElection(link: ServerLink): Endpoint {
    const place: { connection: ElectionConnection | null } = { connection: null };
    place.connection = this.#addElection(link.from, link, link.link.down);
    return this.#electionEndpoint(link.from, place);
  }

  #acceptStream(link: ServerLink): Endpoint | null {
    if (!this.#isListening) return null;
    const place: { endpoint: Endpoint | null } = { endpoint: null };
    const { pipe } = { pipe: link.link.up };
    pipe.pause();
    this.#host.gate.pass(() => {
      const stream = this.isGone || pipe.isBroken ? null : (this.#host.peer?.accept(`10.1.0.${link.from}`) ?? null);
      if (stream === null) {
        // Behind this event, so that the one who dials has the connection before it ends.
        this.#host.simulator.after(1, () => this.#host.network.break(link, true, false));
        return;
      }
      const connection: StreamConnection = { peer: link.from, stream, link, out: null, packets: null };
      this.#streams.set(stream, connection);
      this.#attach(connection, link, link.link.down);
      place.endpoint = this.#streamEndpoint(connection);
      pipe.resume();
    });
    return {
      onBytes: (bytes, start, end) => place.endpoint?.onBytes(bytes, start, end),
      onEnd: () => place.endpoint?.onEnd(),
      onReset: () => place.endpoint?.onReset(),
      onDrained: () => place.endpoint?.onDrained(),
    };
  }

  // ---- the end of a turn ----

  flush(peer: PeerInputs): void {
    for (const stream of peer.takeDirty()) this.#flushStream(stream);
  }

  #flushStream(stream: PeerStream): void {
    const connection = this.#streams.get(stream);
    const { out } = stream;
    if (connection?.link == null) {
      // A stream that is closed before its connection was there.
      if (stream.isClosed) this.#streams.delete(stream);
      return;
    }
    if (out.length > 0) {
      stream.out = new Writer(1024);
      this.#send(connection, out);
    }
    stream.unsentBytes = connection.out?.unsentBytes ?? 0;
    if (stream.isClosed) this.#end(connection, connection.link);
  }

  #send(connection: StreamConnection, out: ByteWriter): void {
    connection.packets?.push(out.bytes, 0, out.length);
    // The bytes were copied; a writer that is still used by somebody shows.
    out.bytes.fill(0xdd, 0, out.length);
  }

  /** What is written still goes, and the end behind it; nothing is read any more. */
  #end(connection: StreamConnection, { link, from }: ServerLink): void {
    this.#streams.delete(connection.stream);
    const [out, incoming] = from === this.#host.id ? [link.up, link.down] : [link.down, link.up];
    out.end();
    incoming.break();
    incoming.reader = null;
  }

  /** The process is gone. */
  drop(): void {
    this.isGone = true;
    this.#isListening = false;
    this.#streams.clear();
    this.#elections.clear();
  }

  get openStreams(): readonly ServerLink[] {
    return [...this.#streams.values()].flatMap(({ link }) => (link === null ? [] : [link]));
  }

  /** Lets go what scenarios held back. */
  releasePackets(): void {
    for (const { packets } of this.#streams.values()) packets?.release();
  }
}
