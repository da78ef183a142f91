/**
 * A whole state on its way to a learner, behind a SNAP packet:
 *
 *   int count, count × { long session id, int timeout ms }
 *   int count, count × { long acl id, vector<ACL> }
 *   nodes, parents before children: { ustring path, buffer data, long acl id, StatPersisted }
 *   ustring "/"
 *   ustring "BenWasHere"
 *
 * These are sections 2 to 5 of a snapshot file (see `snapshot-format.ts`) without header, seals and digest. The state is that
 * of the zxid in the SNAP packet; one of Apache's may show later txns too. There is no length and no checksum: the receiver
 * finds the end by reading, and the next packet begins right behind it. Source: ZooKeeper's LearnerHandler.run, Learner.syncWithLeader.
 */
import { assert, type ByteWriter } from '@zoots/base';
import { STREAM_SIGNATURE, writeSlash } from './snapshot-format.js';
import { SnapshotParser, type SnapshotSink, UNIT_BYTES_MAX } from './snapshot-parser.js';
import { SnapshotSections } from './snapshot-sections.js';

/** The buffer to begin with, and to go back to. */
const ROOM_BYTES = 320 * 1024;
/** So much that was taken already is not kept in front of what is left. */
const TAKEN_BYTES_MAX = 256 * 1024;

/**
 * The leader's side: the walk over the tree fills `out`, the caller takes from it what its connection has room for.
 *
 * The caller lets the walk go on only while `backlogBytes` is small: that is all the back-pressure there is. What it does
 * not control are rows that the walk must save because a txn changes them; each row comes once at most, so the
 * backlog of a learner that has stopped reading grows up to the size of the tree. Above a bound of its own the caller
 * should end the walk and close the connection.
 */
export class SnapshotStreamWriter extends SnapshotSections {
  /** Bytes at the beginning of `out` that were taken. */
  #taken = 0;
  #isFinished = false;
  /** All bytes taken so far. */
  takenBytes = 0;

  constructor() {
    super(ROOM_BYTES);
  }

  /** Written and not yet taken. */
  get backlogBytes(): number {
    return this.out.length - this.#taken;
  }

  /** Nothing more will come: the next packet may follow. */
  get isEnded(): boolean {
    return this.#isFinished && this.backlogBytes === 0;
  }

  /** All nodes are written: adds the end. */
  finish(): void {
    assert(!this.#isFinished, 'the snapshot stream is finished already');
    this.#isFinished = true;
    writeSlash(this.out);
    this.out.int32(STREAM_SIGNATURE.length);
    this.out.raw(Uint8Array.from(STREAM_SIGNATURE));
  }

  /** Moves up to `bytesMax` bytes, the oldest first, to the end of `target`. Returns how many. */
  takeInto(target: ByteWriter, bytesMax: number): number {
    const { out } = this;
    const count = Math.min(bytesMax, this.backlogBytes);
    if (count <= 0) return 0;
    target.raw(out.bytes, this.#taken, this.#taken + count);
    this.#taken += count;
    this.takenBytes += count;
    if (this.#taken === out.length) this.#empty();
    else if (this.#taken > TAKEN_BYTES_MAX) this.#moveDown();
    return count;
  }

  /** A buffer that had to grow is let go. */
  #empty(): void {
    const { out } = this;
    out.clear();
    this.#taken = 0;
    if (out.bytes.length <= ROOM_BYTES) return;
    out.bytes = new Uint8Array(ROOM_BYTES);
    out.view = new DataView(out.bytes.buffer);
  }

  /** Only when as much is free as has to be moved, so that a long backlog is not moved again and again. */
  #moveDown(): void {
    const { out } = this;
    if (this.#taken < out.length - this.#taken) return;
    out.bytes.copyWithin(0, this.#taken, out.length);
    out.length -= this.#taken;
    this.#taken = 0;
  }
}

/**
 * The learner's side: bytes go in as they arrive, sessions, ACLs and nodes come out to the sink (see SnapshotParser: it may
 * have received nonsense until `onSnapshotEnd`, which comes with the signature).
 */
export class SnapshotStreamReader {
  readonly #parser: SnapshotParser;

  /** `zxid`: that of the SNAP packet. No ACL list or node may be longer than `unitBytesMax`. */
  constructor(sink: SnapshotSink, zxid: number, unitBytesMax = UNIT_BYTES_MAX) {
    this.#parser = new SnapshotParser(sink, zxid, 'stream', unitBytesMax);
  }

  /** Set by the first thing that is wrong: the connection must be closed, and what the sink received dropped. */
  get error(): string | null {
    return this.#parser.error;
  }

  /** Where in the stream the unit begins that is being read, or, after an error, could not be. */
  get offset(): number {
    return this.#parser.offset;
  }

  get isEnded(): boolean {
    return this.#parser.isEnded;
  }

  /**
   * The next bytes. Returns -1 as long as the stream goes on (or when `error` is set), and at its end the index in `bytes`,
   * up to `end`, where the next packet begins.
   */
  push(bytes: Uint8Array, start: number, end: number): number {
    assert(!this.#parser.isEnded, 'the snapshot stream has ended');
    if (!this.#parser.push(bytes, start, end) || !this.#parser.isEnded) return -1;
    return end - this.#parser.heldBytes;
  }
}
