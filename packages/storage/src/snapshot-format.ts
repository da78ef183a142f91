/**
 * The bytes of a snapshot. All integers are big-endian; `ustring` and `buffer` are an int length and bytes.
 *
 *   1  int 5a4b534e "ZKSN", int 2, long -1
 *   2  int count, count × { long session id, int timeout ms }
 *   3  int count, count × { long acl id > 0, vector<ACL> { int count, count × { int perms, ustring scheme, ustring id } } }
 *   4  nodes, parents before children: { ustring path, buffer data, long acl id (-1: open to the world), StatPersisted }
 *      StatPersisted, 60 bytes: long czxid mzxid ctime mtime, int version cversion aversion, long ephemeralOwner pzxid
 *      The root's path is written as the empty string.
 *   5  ustring "/": end of the nodes
 *   6  seal A: long Adler-32, ustring "/"
 *   7  since 3.6, optional: long zxid, int digest version, then long digest (version >= 2) or ustring; seal B
 *   8  since 3.9, optional: long zxid; seal C
 *
 * The checksum of a seal covers every byte of the (uncompressed) file before it, earlier seals included: a snapshot is
 * valid if it has this shape, every seal agrees, and nothing follows. One damaged bit cannot pass.
 *
 * Which of 7 and 8 are there is told by the bytes that remain: 21 are section 8 alone, 0 neither.
 */
import type { ByteWriter } from '@zoots/base';

export const SNAPSHOT_MAGIC = 0x5a4b534e;
export const SNAPSHOT_VERSION = 2;
export const SNAPSHOT_HEADER_BYTES = 16;
export const SESSION_BYTES = 12;
export const STAT_PERSISTED_BYTES = 60;
export const DIGEST_VERSION = 2;
/** long checksum, int 1, "/". */
export const SEAL_BYTES = 13;
/** Section 8 with its seal. */
export const TRAILER_BYTES = 8 + SEAL_BYTES;
/** Sections 7 and 8 are never longer; a hex digest has 16 digits. */
export const SECTIONS_BYTES_MAX = 256;

/** "BenWasHere", which ends the stream to a learner (see snapshot-stream.ts). */
export const STREAM_SIGNATURE: readonly number[] = [0x42, 0x65, 0x6e, 0x57, 0x61, 0x73, 0x48, 0x65, 0x72, 0x65];

export function writeSnapshotHeader(writer: ByteWriter): void {
  writer.int32(SNAPSHOT_MAGIC);
  writer.int32(SNAPSHOT_VERSION);
  writer.long(-1);
}

/** Section 5, and the end of every seal. */
export function writeSlash(writer: ByteWriter): void {
  writer.int32(1);
  writer.int8(0x2f);
}

/** A seal, given the checksum of everything before it. */
export function writeSeal(writer: ByteWriter, checksum: number): void {
  writer.longPair(0, checksum | 0);
  writeSlash(writer);
}
