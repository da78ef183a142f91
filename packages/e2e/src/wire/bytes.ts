/**
 * Jute primitives for the test side: one growing writer and one throwing reader over Node Buffers.
 *
 * Written from the protocol's description and deliberately not from `@zoots/protocol`: the tests that compare
 * servers need an oracle that shares no line, and so no mistake, with the server under test. Clarity first;
 * nothing here is on a server's data path.
 */

/** A body that ends too early or lies about a length. */
export class WireFormatError extends Error {}

export class WireWriter {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    this.#parts.push(Buffer.from([value & 0xff]));
    return this;
  }

  bool(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  int32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeInt32BE(value | 0);
    this.#parts.push(part);
    return this;
  }

  int64(value: bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigInt64BE(BigInt.asIntN(64, value));
    this.#parts.push(part);
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes));
    return this;
  }

  buffer(bytes: Uint8Array | null): this {
    return bytes === null ? this.int32(-1) : this.int32(bytes.length).raw(bytes);
  }

  string(text: string | null): this {
    return this.buffer(text === null ? null : Buffer.from(text, 'utf8'));
  }

  vector<T>(items: readonly T[] | null, write: (item: T) => void): this {
    this.int32(items === null ? -1 : items.length);
    for (const item of items ?? []) write(item);
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

export class WireReader {
  readonly bytes: Buffer;
  /** The next byte to read. */
  at: number;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  get remaining(): number {
    return this.bytes.length - this.at;
  }

  #take(count: number): number {
    if (count > this.remaining)
      throw new WireFormatError(`${count} bytes wanted at ${this.at}, ${this.remaining} left`);
    const start = this.at;
    this.at += count;
    return start;
  }

  int8(): number {
    return this.bytes.readInt8(this.#take(1));
  }

  bool(): boolean {
    return this.int8() !== 0;
  }

  int32(): number {
    return this.bytes.readInt32BE(this.#take(4));
  }

  int64(): bigint {
    return this.bytes.readBigInt64BE(this.#take(8));
  }

  buffer(): Buffer | null {
    const length = this.int32();
    if (length === -1) return null;
    if (length < 0) throw new WireFormatError(`negative length ${length} at ${this.at - 4}`);
    const start = this.#take(length);
    return this.bytes.subarray(start, start + length);
  }

  string(): string | null {
    return this.buffer()?.toString('utf8') ?? null;
  }

  vector<T>(read: () => T): T[] | null {
    const count = this.int32();
    if (count === -1) return null;
    // Every element takes at least one byte, so a larger count is a lie and would only waste memory.
    if (count < 0 || count > this.remaining) throw new WireFormatError(`impossible count ${count} at ${this.at - 4}`);
    return Array.from({ length: count }, read);
  }
}
