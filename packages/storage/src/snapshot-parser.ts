/**
 * Takes a snapshot apart as its bytes arrive, in pieces of any size, and hands its sessions, ACLs and nodes to a sink. It
 * comes from a file, or from a leader (`snapshot-stream.ts`).
 *
 * What the sink has received is valid only once `end` has said so: the seals come last. A sink must therefore bear
 * nonsense (it may refuse it), and drop everything when the snapshot turns out damaged.
 */
import { adler32, pairToNumber } from '@zoots/base';
import {
  DIGEST_VERSION,
  SEAL_BYTES,
  SECTIONS_BYTES_MAX,
  SESSION_BYTES,
  SNAPSHOT_HEADER_BYTES,
  SNAPSHOT_MAGIC,
  STAT_PERSISTED_BYTES,
  STREAM_SIGNATURE,
  TRAILER_BYTES,
} from './snapshot-format.js';

/** Receives the content of a snapshot, in the order of the calls below. Byte ranges are valid during the call only. */
export interface SnapshotSink {
  onSession(high: number, low: number, timeoutMs: number): void;
  /** `bytes` from `start` to `end` are an encoded vector<ACL>. */
  onAcl(id: number, bytes: Uint8Array, start: number, end: number): void;
  /**
   * A node; the root comes first, with an empty path. `dataStart` is -1 for null data; at `statStart` lie the 60 bytes of
   * a StatPersisted. False refuses the snapshot (its parent is missing, say).
   */
  onNode(
    bytes: Uint8Array,
    pathStart: number,
    pathEnd: number,
    dataStart: number,
    dataEnd: number,
    aclId: number,
    statStart: number,
  ): boolean;
  /** All seals agree, or the stream's signature was read. A digest version of 0 means that the snapshot holds none. False refuses the snapshot. */
  onSnapshotEnd(
    zxid: number,
    digestZxid: number,
    digestVersion: number,
    digestHigh: number,
    digestLow: number,
  ): boolean;
}

/** No session list, ACL or node is longer than this; a damaged length must not make us hold more. */
export const UNIT_BYTES_MAX = 256 * 1024 * 1024;

/** What comes next in the file. */
type Expected =
  | 'header'
  | 'session-count'
  | 'session'
  | 'acl-count'
  | 'acl'
  | 'node'
  | 'seal'
  | 'sections'
  | 'signature'
  | 'nothing';

/** A step's answer: not enough bytes yet. Anything else is where it got to. */
const MORE = -1;

export class SnapshotParser {
  readonly #sink: SnapshotSink;
  /** The zxid in the file's name: it, not section 8, says what the snapshot stands for. */
  readonly #zxid: number;
  readonly #form: 'file' | 'stream';
  readonly #unitBytesMax: number;
  #expected: Expected;
  /** Sessions or ACLs still to come. */
  #left = 0;
  /** Bytes that are no whole unit yet. */
  #held = new Uint8Array(64 * 1024);
  #heldBytes = 0;
  #view = new DataView(this.#held.buffer);
  /** Checksum of everything before `#unchecked`. */
  #checksum = 1;
  /** Where in `#held` the units begin that are read but not in the checksum: it is taken over many at once. */
  #unchecked = 0;
  /** Where in the uncompressed stream the unit being read begins; after an error, where it was found. */
  offset = 0;
  /** Set by the first thing that is wrong. */
  error: string | null = null;

  constructor(sink: SnapshotSink, zxid: number, form: 'file' | 'stream' = 'file', unitBytesMax = UNIT_BYTES_MAX) {
    this.#unitBytesMax = unitBytesMax;
    this.#sink = sink;
    this.#zxid = zxid;
    this.#form = form;
    this.#expected = form === 'file' ? 'header' : 'session-count';
  }

  /** A stream was read to its signature, and accepted. A file never tells by itself: see `end`. */
  get isEnded(): boolean {
    return this.#expected === 'nothing' && this.error === null;
  }

  /** Pushed and not read: the beginning of a unit, or what follows the end of a stream. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** The next bytes. Returns false once the snapshot is known to be damaged. */
  push(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.error !== null) return false;
    this.#hold(bytes, start, end);
    let at = 0;
    while (this.error === null) {
      const next = this.#step(at);
      if (next === MORE || this.error !== null) break;
      this.offset += next - at;
      at = next;
    }
    this.#check(at);
    if (at > 0) this.#held.copyWithin(0, at, this.#heldBytes);
    this.#heldBytes -= at;
    this.#unchecked = 0;
    if (this.#heldBytes > this.#unitBytesMax && !this.isEnded) this.#fail('an impossible length');
    return this.error === null;
  }

  /** There are no more bytes: true if the snapshot is whole and was accepted. */
  end(): boolean {
    if (this.error !== null) return false;
    if (this.#expected !== 'sections') return this.#fail('the file ends too early');
    return this.#readSections();
  }

  #check(end: number): void {
    if (this.#form === 'file') this.#checksum = adler32(this.#view, this.#unchecked, end, this.#checksum);
    this.#unchecked = end;
  }

  #fail(message: string): false {
    this.error ??= message;
    return false;
  }

  #hold(bytes: Uint8Array, start: number, end: number): void {
    const needed = this.#heldBytes + end - start;
    if (needed > this.#held.length) {
      const grown = new Uint8Array(Math.max(needed, this.#held.length * 2));
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#held.set(bytes.subarray(start, end), this.#heldBytes);
    this.#heldBytes = needed;
  }

  /** Reads one unit at `at`; returns where it ends, or MORE. */
  #step(at: number): number {
    switch (this.#expected) {
      case 'node':
        return this.#readNode(at);
      case 'session':
        return this.#readSession(at);
      case 'acl':
        return this.#readAcl(at);
      case 'header':
        return this.#readHeader(at);
      case 'session-count':
        return this.#readCount(at, 'session', 'acl-count');
      case 'acl-count':
        return this.#readCount(at, 'acl', 'node');
      case 'seal':
        return this.#readSeal(at);
      case 'sections':
        if (this.#heldBytes - at > SECTIONS_BYTES_MAX) this.#fail('something follows the end');
        return MORE;
      case 'signature':
        return this.#readSignature(at);
      case 'nothing':
        return MORE;
    }
  }

  #has(at: number, count: number): boolean {
    return at + count <= this.#heldBytes;
  }

  #readHeader(at: number): number {
    if (!this.#has(at, SNAPSHOT_HEADER_BYTES)) return MORE;
    if (this.#view.getInt32(at) !== SNAPSHOT_MAGIC) this.#fail('the content does not begin with ZKSN');
    this.#expected = 'session-count';
    return at + SNAPSHOT_HEADER_BYTES;
  }

  #readCount(at: number, unit: 'session' | 'acl', after: 'acl-count' | 'node'): number {
    if (!this.#has(at, 4)) return MORE;
    this.#left = this.#view.getInt32(at);
    if (this.#left < 0) this.#fail(`a negative ${unit} count`);
    this.#expected = this.#left > 0 ? unit : after;
    return at + 4;
  }

  #readSession(at: number): number {
    if (!this.#has(at, SESSION_BYTES)) return MORE;
    const view = this.#view;
    this.#sink.onSession(view.getInt32(at), view.getInt32(at + 4), view.getInt32(at + 8));
    if (--this.#left === 0) this.#expected = 'acl-count';
    return at + SESSION_BYTES;
  }

  #readAcl(at: number): number {
    const end = this.#endOfAcl(at);
    if (end === MORE || this.error !== null) return MORE;
    this.#sink.onAcl(this.#readLong(at), this.#held, at + 8, end);
    if (--this.#left === 0) this.#expected = 'node';
    return end;
  }

  #endOfAcl(at: number): number {
    if (!this.#has(at, 12)) return MORE;
    const count = this.#view.getInt32(at + 8);
    // -1 stands for a null list.
    if (count < -1) this.#fail('a negative ACL length');
    let end = at + 12;
    for (let i = 0; i < count; i++) {
      end = this.#endOfField(end + 4, false);
      if (end !== MORE) end = this.#endOfField(end, false);
      if (end === MORE) return MORE;
    }
    return end;
  }

  /** Where the ustring or buffer at `at` ends, or MORE. A null field is its length alone, and allowed only if told. */
  #endOfField(at: number, mayBeNull: boolean): number {
    if (!this.#has(at, 4)) return MORE;
    const length = this.#view.getInt32(at);
    if (length < (mayBeNull ? -1 : 0) || length > this.#unitBytesMax) {
      this.#fail('an impossible length');
      return MORE;
    }
    const end = at + 4 + Math.max(0, length);
    return end <= this.#heldBytes ? end : MORE;
  }

  #readNode(at: number): number {
    const pathEnd = this.#endOfField(at, false);
    if (pathEnd === MORE) return MORE;
    if (pathEnd === at + 5 && this.#held[at + 4] === 0x2f) {
      this.#expected = this.#form === 'file' ? 'seal' : 'signature';
      return pathEnd;
    }
    const dataEnd = this.#endOfField(pathEnd, true);
    if (dataEnd === MORE || !this.#has(dataEnd, 8 + STAT_PERSISTED_BYTES)) return MORE;
    const dataStart = this.#view.getInt32(pathEnd) < 0 ? -1 : pathEnd + 4;
    const aclId = this.#readLong(dataEnd);
    const isTaken = this.#sink.onNode(this.#held, at + 4, pathEnd, dataStart, dataEnd, aclId, dataEnd + 8);
    if (!isTaken) this.#fail('a node was refused (is its parent missing?)');
    return dataEnd + 8 + STAT_PERSISTED_BYTES;
  }

  #readLong(at: number): number {
    return pairToNumber(this.#view.getInt32(at), this.#view.getInt32(at + 4));
  }

  #readSeal(at: number): number {
    if (!this.#has(at, SEAL_BYTES)) return MORE;
    this.#check(at);
    if (!this.#isSealAt(at, this.#checksum)) this.#fail('the seal does not agree with the content');
    this.#expected = 'sections';
    return at + SEAL_BYTES;
  }

  #readSignature(at: number): number {
    const end = at + 4 + STREAM_SIGNATURE.length;
    if (end > this.#heldBytes) return MORE;
    const isRight =
      this.#view.getInt32(at) === STREAM_SIGNATURE.length &&
      STREAM_SIGNATURE.every((byte, index) => this.#held[at + 4 + index] === byte);
    if (!isRight) this.#fail('the stream does not end with its signature');
    else if (!this.#sink.onSnapshotEnd(this.#zxid, 0, 0, 0, 0))
      this.#fail('the snapshot was refused (is a node in it twice, or none at all?)');
    else this.#expected = 'nothing';
    return end;
  }

  #isSealAt(at: number, checksum: number): boolean {
    const view = this.#view;
    const hasSum = view.getInt32(at) === 0 && view.getUint32(at + 4) === checksum;
    return hasSum && view.getInt32(at + 8) === 1 && view.getInt8(at + 12) === 0x2f;
  }

  /** Sections 7 and 8, of which everything is in memory now. */
  #readSections(): boolean {
    let at = 0;
    let digestZxid = 0;
    let digestVersion = 0;
    let digestAt = -1;
    if (this.#heldBytes !== 0 && this.#heldBytes !== TRAILER_BYTES) {
      at = this.#endOfDigest();
      if (at < 0) return this.#fail('the digest section is damaged');
      digestZxid = this.#readLong(0);
      digestVersion = this.#view.getInt32(8);
      if (digestVersion === DIGEST_VERSION) digestAt = 12;
    }
    if (this.#heldBytes - at === TRAILER_BYTES) at = this.#endOfSection(at, at + 8);
    if (at !== this.#heldBytes) return this.#fail('the last section is damaged');
    const digestHigh = digestAt < 0 ? 0 : this.#view.getInt32(digestAt);
    const digestLow = digestAt < 0 ? 0 : this.#view.getInt32(digestAt + 4);
    const isTaken = this.#sink.onSnapshotEnd(this.#zxid, digestZxid, digestVersion, digestHigh, digestLow);
    return isTaken || this.#fail('the snapshot was refused (is a node in it twice, or none at all?)');
  }

  /** Where section 7 with its seal ends, -1 if it is damaged. */
  #endOfDigest(): number {
    if (!this.#has(0, 12)) return -1;
    const sealAt = this.#view.getInt32(8) >= 2 ? 20 : this.#endOfField(12, false);
    return sealAt === MORE ? -1 : this.#endOfSection(0, sealAt);
  }

  /** Where the section from `start` with a seal at `sealAt` ends, -1 if the seal does not agree. */
  #endOfSection(start: number, sealAt: number): number {
    if (!this.#has(sealAt, SEAL_BYTES)) return -1;
    const checksum = adler32(this.#view, start, sealAt, this.#checksum);
    if (!this.#isSealAt(sealAt, checksum)) return -1;
    const end = sealAt + SEAL_BYTES;
    this.#checksum = adler32(this.#view, start, end, this.#checksum);
    return end;
  }
}
