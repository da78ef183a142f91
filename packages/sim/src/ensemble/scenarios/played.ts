/** A server that the story plays: one end of a stream to the real one. It says packets, and keeps what it hears. */
import { ByteWriter, encodeUtf8 } from '@zoots/base';
import type { PeerStream } from '@zoots/core';
import { formatZxid, PACKET, QuorumPacketReader, writeQuorumPacket } from '@zoots/protocol';
import type { MemberStage } from './member-stage.js';

const NAMES = new Map(Object.entries(PACKET).map(([name, type]) => [type as number, name.toUpperCase()]));

/** One end of a stream between the server and a played one. */
export class Played {
  readonly stage: MemberStage;
  readonly stream: PeerStream;
  /** What the server said: `ACK 0x100000000`, in order. */
  readonly heard: string[] = [];
  /** Told of each packet as it comes: the moment for a crash. */
  onHeard: (line: string) => void = () => {};
  /** Data of the same packets. */
  readonly heardData: (Uint8Array | null)[] = [];
  isClosed = false;
  readonly #packets = new QuorumPacketReader(16 * 1024 * 1024);
  /** Behind SNAP: the stream is the snapshot's until the story says where it ends. */
  snapshot: number[] | null = null;

  constructor(stage: MemberStage, stream: PeerStream) {
    this.stage = stage;
    this.stream = stream;
  }

  /** For the stage: bytes that the server has sent. */
  hear(bytes: Uint8Array): void {
    if (this.snapshot !== null) this.#hearSnapshot(bytes);
    else this.#packets.push(bytes, 0, bytes.length);
    while (this.snapshot === null && this.#packets.next() === 'packet') {
      const { type, zxid, dataStart, dataEnd } = this.#packets;
      this.heard.push(`${NAMES.get(type) ?? type} ${formatZxid(zxid)}`);
      this.heardData.push(dataStart < 0 ? null : this.#packets.bytes.slice(dataStart, dataEnd));
      this.onHeard(this.heard.at(-1) as string);
      if (type === PACKET.snap) {
        this.snapshot = [];
        this.#hearSnapshot(this.#packets.takeRest());
      }
    }
    this.#packets.keepRest();
  }

  #hearSnapshot(bytes: Uint8Array): void {
    const gathered = this.snapshot as number[];
    for (const byte of bytes) gathered.push(byte);
    const end = endOfSnapshot(gathered);
    if (end < 0) return;
    const rest = Uint8Array.from(gathered.splice(end));
    this.snapshots.push(Uint8Array.from(gathered));
    this.snapshot = null;
    this.#packets.push(rest, 0, rest.length);
  }

  /** Whole snapshots that came. */
  readonly snapshots: Uint8Array[] = [];

  /** Says a packet, and lets the server work. */
  say(type: number, zxid: number, data: Uint8Array | null = null): this {
    const out = new ByteWriter(64);
    if (data === null) writeQuorumPacket(out, type, zxid);
    else writeQuorumPacket(out, type, zxid, data, 0, data.length);
    return this.sayBytes(out.toBytes());
  }

  readonly #held = new ByteWriter(1024);

  /** To be said in one piece with what follows, by {@link sayHeld}. */
  hold(type: number, zxid: number, data: Uint8Array | null = null): this {
    if (data === null) writeQuorumPacket(this.#held, type, zxid);
    else writeQuorumPacket(this.#held, type, zxid, data, 0, data.length);
    return this;
  }

  sayHeld(): this {
    const bytes = this.#held.toBytes();
    this.#held.clear();
    return this.sayBytes(bytes);
  }

  sayBytes(bytes: Uint8Array): this {
    this.stage.inject((peer) => {
      if (!this.isClosed) peer.onBytes(this.stream, bytes, 0, bytes.length);
    });
    return this;
  }

  /** The connection breaks. */
  breakOff(): void {
    this.isClosed = true;
    this.stage.inject((peer) => peer.onClosed(this.stream, 'reset'));
  }

  /** What was said and not asked for yet, without the pings. */
  take(): string[] {
    return this.heard.splice(0).filter((line) => !line.startsWith('PING'));
  }
}

const SIGNATURE = [0, 0, 0, 10, ...encodeUtf8('BenWasHere')];

function endOfSnapshot(bytes: readonly number[]): number {
  for (let at = bytes.length - SIGNATURE.length; at >= 0; at--) {
    if (SIGNATURE.every((byte, i) => bytes[at + i] === byte)) return at + SIGNATURE.length;
  }
  return -1;
}
