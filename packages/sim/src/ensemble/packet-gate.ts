/**
 * One direction of a stream between servers, seen packet by packet, so that a scenario can hold one back: it and everything behind it waits
 * until the rule is taken away. Bytes are never reordered or changed.
 */
import { ByteWriter } from '@zoots/base';
import { PACKET, QuorumPacketReader, writeQuorumPacket } from '@zoots/protocol';

export interface SeenPacket {
  /** The server that sends it, and the one that it is for. */
  readonly from: number;
  readonly to: number;
  readonly type: number;
  /** `PROPOSAL`, `COMMIT`, …; `snapshot bytes` for what follows SNAP. */
  readonly name: string;
  readonly zxid: number;
  /** Of its data; null for none. */
  readonly data: Uint8Array | null;
}

/** True: hold it, and what comes behind it. */
export type HoldRule = (packet: SeenPacket) => boolean;

/** What a world's scenarios have in force. */
export interface PacketRules {
  readonly holds: Set<HoldRule>;
  /** Told of every packet as it leaves. */
  onPacket: ((packet: SeenPacket) => void) | null;
}

const DATA_BYTES_MAX = 64 * 1024 * 1024;
const NAMES = new Map(Object.entries(PACKET).map(([name, type]) => [type as number, nameOf(name)]));
const SNAPSHOT_BYTES = -1000;
/** Length and text of the string that ends a snapshot on a stream. */
const SIGNATURE = [0, 0, 0, 10, ...'BenWasHere'].map((one) => (typeof one === 'string' ? one.charCodeAt(0) : one));

type Forward = (bytes: Uint8Array, start: number, end: number) => void;

interface Waiting {
  readonly packet: SeenPacket;
  readonly bytes: Uint8Array;
}

export class PacketGate {
  readonly #rules: PacketRules;
  readonly #from: number;
  readonly #to: number;
  readonly #forward: Forward;
  /** Null while nobody ever asked: bytes pass unseen. */
  #reader: QuorumPacketReader | null;
  #waiting: Waiting[] = [];
  #isSnapshot = false;
  #snapshotTail: number[] = [];

  constructor(rules: PacketRules, from: number, to: number, forward: Forward) {
    this.#rules = rules;
    this.#from = from;
    this.#to = to;
    this.#forward = forward;
    this.#reader = rules.onPacket === null ? null : new QuorumPacketReader(DATA_BYTES_MAX);
  }

  push(bytes: Uint8Array, start: number, end: number): void {
    const reader = this.#reader;
    if (reader === null) {
      this.#forward(bytes, start, end);
      return;
    }
    if (this.#isSnapshot) {
      this.#pushSnapshot(reader, bytes.slice(start, end));
    } else {
      reader.push(bytes.slice(start, end));
    }
    this.#read(reader);
  }

  #read(reader: QuorumPacketReader): void {
    while (!this.#isSnapshot && reader.next() === 'packet') {
      const out = new ByteWriter(64);
      const { type, zxid, bytes, dataStart, dataEnd, identities } = reader;
      writeQuorumPacket(out, type, zxid, bytes, dataStart, dataEnd, identities);
      const data = dataStart < 0 ? null : bytes.slice(dataStart, dataEnd);
      const name = NAMES.get(type) ?? `packet ${type}`;
      this.#enter({ from: this.#from, to: this.#to, type, name, zxid, data }, out.toBytes());
      if (type !== PACKET.snap) continue;
      this.#isSnapshot = true;
      this.#snapshotTail = [];
      this.#pushSnapshot(reader, reader.takeRest());
    }
  }

  /** Up to the signature it is the snapshot's; packets again behind it. */
  #pushSnapshot(reader: QuorumPacketReader, bytes: Uint8Array): void {
    let end = bytes.length;
    for (let i = 0; i < bytes.length; i++) {
      this.#snapshotTail.push(bytes[i] as number);
      if (this.#snapshotTail.length > SIGNATURE.length) this.#snapshotTail.shift();
      if (
        this.#snapshotTail.length === SIGNATURE.length &&
        SIGNATURE.every((one, at) => one === this.#snapshotTail[at])
      ) {
        end = i + 1;
        this.#isSnapshot = false;
        break;
      }
    }
    if (end > 0) {
      const packet = {
        from: this.#from,
        to: this.#to,
        type: SNAPSHOT_BYTES,
        name: 'snapshot bytes',
        zxid: -1,
        data: null,
      };
      this.#enter(packet, bytes.slice(0, end));
    }
    if (!this.#isSnapshot) reader.push(bytes.slice(end));
  }

  #enter(packet: SeenPacket, bytes: Uint8Array): void {
    this.#waiting.push({ packet, bytes });
    this.release();
  }

  /** Sends what no rule holds any more. */
  release(): void {
    while (this.#waiting.length > 0) {
      const { packet, bytes } = this.#waiting[0] as Waiting;
      for (const holds of this.#rules.holds) if (holds(packet)) return;
      this.#waiting.shift();
      this.#rules.onPacket?.(packet);
      this.#forward(bytes, 0, bytes.length);
    }
  }
}

/** `newLeader` → `NEWLEADER`. */
function nameOf(name: string): string {
  return name.toUpperCase();
}
