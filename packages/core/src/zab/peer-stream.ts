/**
 * One end of a connection on the quorum port: packets out into a buffer that the turn sends, packets in from the stream's bytes.
 *
 * A promise (an acknowledgement of something that must be durable) is not written before it holds: who calls `send` has made sure.
 */
import { ByteWriter } from '@zoots/base';
import { type Id, QuorumPacketReader, writeQuorumPacket } from '@zoots/protocol';

export class PeerStream {
  readonly number: number;
  /** Bytes for the other side; the shell takes the writer away when it sends. */
  out = new ByteWriter(4096);
  readonly packets: QuorumPacketReader;
  /** Packets go here instead while something long is on the stream. */
  diversion: ByteWriter | null = null;
  /** Nothing more is written. What is in `out` still goes, then the shell closes the connection. */
  isClosed = false;
  /** In the list of streams that the shell must look at. */
  isDirty = false;
  /** Bytes that the kernel has not taken yet; kept by the shell. */
  unsentBytes = 0;
  /** When bytes came last. */
  heardMs: number;
  readonly #onDirty: (stream: PeerStream) => void;

  constructor(number: number, packetBytesMax: number, nowMs: number, onDirty: (stream: PeerStream) => void) {
    this.number = number;
    this.packets = new QuorumPacketReader(packetBytesMax);
    this.heardMs = nowMs;
    this.#onDirty = onDirty;
  }

  /** Appends a packet; `start` -1: without data. */
  send(
    type: number,
    zxid: number,
    data?: Uint8Array,
    start = data === undefined ? -1 : 0,
    end = data?.length ?? 0,
    identities: readonly Id[] | null = null,
  ): void {
    if (this.isClosed) return;
    writeQuorumPacket(this.diversion ?? this.out, type, zxid, data, start, end, identities);
    this.#onDirty(this);
  }

  /** Something was written to `out` by somebody else. */
  markDirty(): void {
    this.#onDirty(this);
  }

  /** Appends bytes that are no packet (a snapshot behind SNAP). */
  sendRaw(bytes: Uint8Array, start: number, end: number): void {
    if (this.isClosed) return;
    this.out.raw(bytes, start, end);
    this.#onDirty(this);
  }
}
