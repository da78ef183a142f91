/**
 * What leader and learners say to each other on the quorum port.
 *
 *   QuorumPacket   int type, long zxid, buffer data, vector<Id{ustring scheme, ustring id}> authinfo
 *   LearnerInfo    long serverId, int protocolVersion (0x10000), long configVersion (3.5 and later)
 *   request        long sessionId, int cxid, int op, the op's own record        (data of REQUEST)
 *   touched        (long sessionId, int timeoutMs)*                              (data of a learner's PING)
 *
 * Packets stand on the stream one behind the other, without a length in front, and behind a SNAP comes a snapshot of any length: so the
 * reader has to try, and can be asked for the raw rest. Source: zookeeper.jute, module quorum; reference, quorum protocol section 4.
 */
import { ByteReader, type ByteWriter } from '@zoots/base';
import type { Id } from './acl.js';

export const PACKET = {
  request: 1,
  proposal: 2,
  ack: 3,
  commit: 4,
  ping: 5,
  revalidate: 6,
  sync: 7,
  inform: 8,
  commitAndActivate: 9,
  newLeader: 10,
  followerInfo: 11,
  upToDate: 12,
  diff: 13,
  trunc: 14,
  snap: 15,
  observerInfo: 16,
  leaderInfo: 17,
  ackEpoch: 18,
  informAndActivate: 19,
} as const;

export const QUORUM_PROTOCOL_VERSION = 0x10000;

const HEAD_BYTES = 16;
const LENGTH_AT = 12;
/** Two empty strings. */
const ID_BYTES_MIN = 8;
const CARRY_BYTES_MIN = 256;
const EMPTY = new Uint8Array(0);

/** Writes a packet whose data is a range of bytes; `start` -1: null. */
export function writeQuorumPacket(
  writer: ByteWriter,
  type: number,
  zxid: number,
  data: Uint8Array = EMPTY,
  start = -1,
  end = 0,
  identities: readonly Id[] | null = null,
): void {
  writer.int32(type);
  writer.long(zxid);
  if (start < 0) writer.int32(-1);
  else writer.bufferRange(data, start, end);
  if (identities === null) {
    writer.int32(-1);
    return;
  }
  writer.int32(identities.length);
  for (const { scheme, id } of identities) {
    writer.string(scheme);
    writer.string(id);
  }
}

export type PacketResult = 'packet' | 'more' | 'malformed';

/** Cuts a stream into packets. The current one is valid until the next call. */
export class QuorumPacketReader {
  type = 0;
  zxid = 0;
  /** The bytes that hold the packet's data, from `dataStart` to `dataEnd`; `dataStart` is -1 for null. */
  bytes: Uint8Array = EMPTY;
  dataStart = -1;
  dataEnd = -1;
  /** Null where the packet has none. */
  identities: readonly Id[] | null = null;

  readonly #reader = new ByteReader();
  readonly #dataBytesMax: number;
  /** Bytes that did not make a packet yet; then nothing is left in the chunk. */
  #carry: Uint8Array = EMPTY;
  #carryLength = 0;
  #chunk: Uint8Array = EMPTY;
  #at = 0;
  #end = 0;
  /** A packet cannot be whole with fewer bytes: keeps long packets in small chunks from being tried again and again. */
  #neededBytes = HEAD_BYTES;

  constructor(dataBytesMax: number) {
    this.#dataBytesMax = dataBytesMax;
  }

  /** Offers the next chunk, which is referred to until {@link next} answers `more`, or {@link keepRest} is called. */
  push(chunk: Uint8Array, start = 0, end = chunk.length): void {
    if (this.#at < this.#end) this.#carryOver(this.#chunk, this.#at, this.#end);
    if (this.#carryLength > 0) {
      this.#carryOver(chunk, start, end);
      this.#chunk = this.#carry;
      this.#at = 0;
      this.#end = this.#carryLength;
      this.#carryLength = 0;
      // The carried bytes are the chunk now; what will be carried next needs room of its own.
      this.#carry = EMPTY;
    } else {
      this.#chunk = chunk;
      this.#at = start;
      this.#end = end;
    }
  }

  /** After `more` everything unread has been copied. After `malformed` the stream is beyond repair. */
  next(): PacketResult {
    if (this.#end - this.#at < this.#neededBytes) return this.#wait();
    const reader = this.#reader.reset(this.#chunk, this.#at, this.#end);
    const { view } = reader;
    const dataBytes = view.getInt32(this.#at + LENGTH_AT);
    if (dataBytes < -1 || dataBytes > this.#dataBytesMax) return 'malformed';
    const needed = HEAD_BYTES + Math.max(dataBytes, 0) + 4;
    if (this.#end - this.#at < needed) return this.#wait(needed);
    this.type = reader.int32();
    this.zxid = reader.long();
    const hasData = reader.range();
    this.dataStart = hasData ? reader.rangeStart : -1;
    this.dataEnd = hasData ? reader.rangeEnd : -1;
    const identities = readIdentities(reader);
    // Either bytes are missing or a length lies: more bytes will tell, but not without end.
    if (reader.failed) return this.#end - this.#at > needed + IDENTITIES_BYTES_MAX ? 'malformed' : this.#wait();
    this.identities = identities;
    this.bytes = this.#chunk;
    this.#at = reader.offset;
    this.#neededBytes = HEAD_BYTES;
    return 'packet';
  }

  /** Copies what was not read yet: for a consumer that stops between two packets, while the chunk's bytes are used again. */
  keepRest(): void {
    this.#chunk = this.takeRest();
    this.#at = 0;
    this.#end = this.#chunk.length;
  }

  /** Takes what was received and not read, for somebody who reads what follows in another way (the snapshot behind SNAP). */
  takeRest(): Uint8Array {
    const rest = Uint8Array.prototype.slice.call(this.#chunk, this.#at, this.#end);
    this.#at = this.#end;
    return rest;
  }

  #wait(neededBytes = this.#end - this.#at + 1): PacketResult {
    this.#neededBytes = Math.max(HEAD_BYTES, neededBytes);
    this.#carryOver(this.#chunk, this.#at, this.#end);
    this.#chunk = EMPTY;
    this.#at = 0;
    this.#end = 0;
    return 'more';
  }

  #carryOver(source: Uint8Array, start: number, end: number): void {
    const count = end - start;
    if (count === 0) return;
    const wanted = this.#carryLength + count;
    if (wanted > this.#carry.length) {
      const grown = new Uint8Array(Math.max(CARRY_BYTES_MIN, wanted, this.#carry.length * 2));
      grown.set(this.#carry.subarray(0, this.#carryLength));
      this.#carry = grown;
    }
    this.#carry.set(source.subarray(start, end), this.#carryLength);
    this.#carryLength = wanted;
  }
}

/** Of all identities of a client: a handful of names, certificate subjects being the longest. */
const IDENTITIES_BYTES_MAX = 1024 * 1024;

function readIdentities(reader: ByteReader): Id[] | null {
  const count = reader.count(ID_BYTES_MIN);
  if (count < 0) return null;
  const identities: Id[] = [];
  for (let i = 0; i < count && !reader.failed; i++) {
    identities.push({ scheme: reader.string() ?? '', id: reader.string() ?? '' });
  }
  return identities;
}

// ---- data of packets ----

export interface LearnerInfo {
  /** Null: an anonymous observer. */
  readonly serverId: number | null;
  readonly protocolVersion: number;
  readonly configVersion: number;
}

/** As much as there is: 3.4 sends no configVersion. */
export function readLearnerInfo(bytes: Uint8Array, start: number, end: number): LearnerInfo {
  const reader = new ByteReader(bytes, Math.max(start, 0), Math.max(end, 0));
  const serverId = reader.remaining >= 8 ? reader.long() : null;
  const protocolVersion = reader.remaining >= 4 ? reader.int32() : 0;
  const configVersion = reader.remaining >= 8 ? reader.long() : 0;
  return { serverId, protocolVersion, configVersion };
}

export function writeLearnerInfo(writer: ByteWriter, serverId: number, configVersion: number): void {
  writer.long(serverId);
  writer.int32(QUORUM_PROTOCOL_VERSION);
  writer.long(configVersion);
}
