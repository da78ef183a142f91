/**
 * Cuts a byte stream into frames: int32 length, then that many bytes.
 *
 * Frames that lie whole inside the chunk just received are handed out in place; only an incomplete one is copied, into a
 * buffer of the reader's own that grows as bytes really arrive (a lying length reserves nothing).
 */

/** What {@link FrameReader.next} found. */
export type FrameResult = 'frame' | 'more' | 'bad-length';

const HEAD_BYTES = 4;
const CARRY_BYTES_MIN = 256;

export class FrameReader {
  /** The bytes that hold the current frame, from `start` to `end`; valid until the next call. */
  bytes: Uint8Array = EMPTY;
  start = 0;
  end = 0;
  /** The length field of the frame, also when it is bad (it may be a four letter word). */
  lengthField = 0;

  #carry: Uint8Array = EMPTY;
  #carryStart = 0;
  #carryEnd = 0;
  #chunk: Uint8Array = EMPTY;
  #at = 0;
  #chunkEnd = 0;

  /** Offers the next chunk. The reader refers to it until {@link next} has answered `more`. */
  push(chunk: Uint8Array, start = 0, end = chunk.length): void {
    if (this.#at < this.#chunkEnd) this.keepRest();
    this.#chunk = chunk;
    this.#at = start;
    this.#chunkEnd = end;
  }

  /**
   * Moves to the next frame. After `more` everything unread has been copied, so the chunk may be reused.
   * After `bad-length` the stream is beyond repair (unless the caller knows the four bytes as a word).
   */
  next(frameBytesMax: number): FrameResult {
    if (this.#carryEnd > this.#carryStart) return this.#nextFromCarry(frameBytesMax);
    const available = this.#chunkEnd - this.#at;
    if (available < HEAD_BYTES) return this.#wait();
    const length = readInt32(this.#chunk, this.#at);
    this.lengthField = length;
    if (length < 0 || length > frameBytesMax) return 'bad-length';
    if (available - HEAD_BYTES < length) return this.#wait();
    this.bytes = this.#chunk;
    this.start = this.#at + HEAD_BYTES;
    this.end = this.start + length;
    this.#at = this.end;
    return 'frame';
  }

  #wait(): FrameResult {
    this.keepRest();
    return 'more';
  }

  /** Copies what is left of the chunk, so that the caller may stop between two frames and reuse the chunk. */
  keepRest(): void {
    this.#carryOver(this.#chunkEnd - this.#at);
    this.#chunk = EMPTY;
    this.#at = 0;
    this.#chunkEnd = 0;
  }

  /** What follows the length field just read, as far as it has come (a four letter word's argument). */
  rest(): { readonly bytes: Uint8Array; readonly start: number; readonly end: number } {
    if (this.carriedBytes > 0) {
      this.keepRest();
      return { bytes: this.#carry, start: this.#carryStart + HEAD_BYTES, end: this.#carryEnd };
    }
    return { bytes: this.#chunk, start: this.#at + HEAD_BYTES, end: this.#chunkEnd };
  }

  /** Bytes copied and not yet handed out. */
  get carriedBytes(): number {
    return this.#carryEnd - this.#carryStart;
  }

  #nextFromCarry(frameBytesMax: number): FrameResult {
    if (!this.#carryAtLeast(HEAD_BYTES)) return 'more';
    const length = readInt32(this.#carry, this.#carryStart);
    this.lengthField = length;
    if (length < 0 || length > frameBytesMax) return 'bad-length';
    if (!this.#carryAtLeast(HEAD_BYTES + length)) return 'more';
    this.bytes = this.#carry;
    this.start = this.#carryStart + HEAD_BYTES;
    this.end = this.start + length;
    this.#carryStart = this.end;
    // The frame stays readable in the old array; an idle connection holds no buffer.
    if (this.#carryStart === this.#carryEnd) this.#dropCarry();
    return 'frame';
  }

  /** Moves just enough of the chunk behind the carried bytes; false if even that falls short of `wanted`. */
  #carryAtLeast(wanted: number): boolean {
    const missing = wanted - this.carriedBytes;
    if (missing > 0) this.#carryOver(Math.min(missing, this.#chunkEnd - this.#at));
    return this.carriedBytes >= wanted;
  }

  #dropCarry(): void {
    this.#carry = EMPTY;
    this.#carryStart = 0;
    this.#carryEnd = 0;
  }

  #carryOver(count: number): void {
    if (count <= 0) return;
    if (this.#carryEnd + count > this.#carry.length) {
      const kept = this.carriedBytes;
      const grown = new Uint8Array(Math.max(CARRY_BYTES_MIN, kept + count, kept * 2));
      grown.set(this.#carry.subarray(this.#carryStart, this.#carryEnd));
      this.#carry = grown;
      this.#carryStart = 0;
      this.#carryEnd = kept;
    }
    this.#carry.set(this.#chunk.subarray(this.#at, this.#at + count), this.#carryEnd);
    this.#carryEnd += count;
    this.#at += count;
  }
}

const EMPTY = new Uint8Array(0);

function readInt32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}
