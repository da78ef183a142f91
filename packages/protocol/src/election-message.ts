/**
 * What servers say to each other on the election port.
 *
 *   init          long -65536, long serverId, int length, "host:port" of the sender's election address   (3.5 and later)
 *                 long -65535, …, addresses joined by "|"                                                (multiAddress.enabled)
 *                 long serverId                                                                          (3.4 and before)
 *   frame         int length (1 … 524288), then that many bytes
 *   notification  int state, long leader, long zxid, long round, long peerEpoch, int version (2), int length, config text
 *
 * Short forms of a notification: 28 bytes without peerEpoch (3.3), 40 bytes up to the version (3.4). Source: QuorumCnxManager and
 * FastLeaderElection; reference, quorum protocol sections 1 and 2.
 */
import { type ByteReader, type ByteWriter, encodeUtf8 } from '@zoots/base';
import { epochOf } from './zxid.js';

/** State of a server, as the number in a notification. */
export const PEER_STATE = { looking: 0, following: 1, leading: 2, observing: 3 } as const;

export const ELECTION_FRAME_BYTES_MAX = 512 * 1024;
/** The vote of somebody who does not vote: every field is the least long. */
export const NO_VOTE = Number.MIN_SAFE_INTEGER;

const INIT_V1 = -65_536;
const INIT_V2 = -65_535;
const INIT_ADDRESS_BYTES_MAX = 2048;
const INIT_HEAD_BYTES = 20;
const NOTIFICATION_VERSION = 2;
const NOTIFICATION_3_3_BYTES = 28;
const NOTIFICATION_3_4_BYTES = 40;
/** Long.MIN_VALUE as a pair: no safe integer. */
const MIN_LONG_HIGH = -0x80000000;

export interface InitMessage {
  readonly serverId: number;
  /** `host:port`, one or several joined by "|"; empty from old servers. */
  readonly address: string;
  readonly byteCount: number;
}

/** Null while bytes are missing; a text if it is no init message. */
export function readInitMessage(reader: ByteReader): InitMessage | string | null {
  const start = reader.offset;
  if (reader.remaining < 8) return null;
  const first = reader.long();
  if (first >= 0) return { serverId: first, address: '', byteCount: 8 };
  if (first !== INIT_V1 && first !== INIT_V2)
    return `the first eight bytes, ${first}, are neither a server id nor a version`;
  if (reader.remaining < INIT_HEAD_BYTES - 8) return null;
  const serverId = reader.long();
  const length = reader.int32();
  if (length < 1 || length > INIT_ADDRESS_BYTES_MAX) return `an address of ${length} bytes`;
  if (reader.remaining < length) return null;
  reader.offset -= 4;
  const address = reader.string() ?? '';
  return { serverId, address, byteCount: reader.offset - start };
}

/** To be sent in one segment: Apache's reader takes a short read for an error. */
export function writeInitMessage(writer: ByteWriter, serverId: number, addresses: readonly string[]): void {
  writer.long(addresses.length > 1 ? INIT_V2 : INIT_V1);
  writer.long(serverId);
  writer.buffer(encodeUtf8(addresses.join('|')));
}

export interface Notification {
  /** Of {@link PEER_STATE}; anything else is unknown. */
  readonly state: number;
  /** {@link NO_VOTE} in this and the next fields: no vote. */
  readonly leader: number;
  /** Last zxid of the proposed leader. */
  readonly zxid: number;
  /** Election round of the sender. */
  readonly round: number;
  readonly peerEpoch: number;
  /** Of the message: 0 from servers before 3.5. */
  readonly version: number;
  /** The sender's configuration; null from servers before 3.5. */
  readonly config: string | null;
}

/** Null if it is none. The reader stands on a whole frame. */
export function readNotification(reader: ByteReader): Notification | null {
  const byteCount = reader.remaining;
  if (byteCount < NOTIFICATION_3_3_BYTES) return null;
  const state = reader.int32();
  const leader = readVoteLong(reader);
  const zxid = readVoteLong(reader);
  const round = readVoteLong(reader);
  if (byteCount < NOTIFICATION_3_4_BYTES) {
    return { state, leader, zxid, round, peerEpoch: Math.max(0, epochOf(zxid)), version: 0, config: null };
  }
  const peerEpoch = readVoteLong(reader);
  // 3.4.6 and later put a version here, but Apache takes every message of this length for an old one.
  const version = byteCount === NOTIFICATION_3_4_BYTES ? 0 : reader.int32();
  const config = version > 1 ? reader.string() : null;
  if (reader.failed) return null;
  return { state, leader, zxid, round, peerEpoch, version, config };
}

export function writeNotification(writer: ByteWriter, notification: Omit<Notification, 'version'>): void {
  writer.int32(notification.state);
  writeVoteLong(writer, notification.leader);
  writeVoteLong(writer, notification.zxid);
  writeVoteLong(writer, notification.round);
  writeVoteLong(writer, notification.peerEpoch);
  writer.int32(NOTIFICATION_VERSION);
  writer.buffer(encodeUtf8(notification.config ?? ''));
}

function readVoteLong(reader: ByteReader): number {
  if (reader.remaining < 8) return reader.long();
  return reader.view.getInt32(reader.offset) === MIN_LONG_HIGH ? skipVote(reader) : reader.long();
}

function skipVote(reader: ByteReader): number {
  reader.offset += 8;
  return NO_VOTE;
}

function writeVoteLong(writer: ByteWriter, value: number): void {
  if (value === NO_VOTE) writer.longPair(MIN_LONG_HIGH, 0);
  else writer.long(value);
}
