/**
 * One client connection, as the core sees it: its state, identities, position in the session's order, watches and statistics.
 * The shell owns the socket and reads three fields after each turn: `out` (bytes to send), `closeAfterFlush`, `isPaused`.
 */
import { ByteWriter } from '@zoots/base';
import { FrameReader, type Id } from '@zoots/protocol';
import { FREE_LARGE_WRITERS_BYTES_MAX, FREE_WRITERS_MAX } from '../limits.js';
import type { ParkingLot } from '../request/parking.js';
import type { Requester } from './requester.js';
import type { Session } from './session-table.js';

/**
 * - `new`: nothing received but perhaps part of the connect request; four letter words are understood.
 * - `opening`: the session is being created; frames wait.
 * - `open`: requests are served.
 * - `closed`: nothing more is read; what is in `out` still goes.
 */
export type ConnectionState = 'new' | 'opening' | 'open' | 'closed';

export class Connection {
  readonly number: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly isSecure: boolean;
  state: ConnectionState = 'new';
  session: Session | null = null;
  readonly identities: Id[];
  /** What its writes are prepared with; made with the session. */
  requester: Requester | null = null;
  readonly frames = new FrameReader();

  /** Bytes for the client; null when there are none. The shell takes the writer away when it sends. */
  out: ByteWriter | null = null;
  /** Bytes that leave amid those of `out` without being copied there, in order; null when there are none. */
  loans: Loan[] | null = null;
  loanBytes = 0;
  /** The shell's own: what carries the bytes. The core never looks at it. */
  carrier: object | null = null;
  /** In the list of connections the shell must look at; see outbox.ts for this and the next two. */
  isDirty = false;
  /** What it has to send has waited for a turn. */
  hasWaited = false;
  /** Since something left. */
  isWriteAnswered = false;
  closeAfterFlush = false;
  /** The shell must not read the socket. */
  isPaused = false;
  /** Reply bytes that the kernel has not taken yet; kept by the shell. */
  unsentBytes = 0;
  /** In the list of connections with frames left from an earlier turn. */
  isBacklogged = false;
  /** When the chunk whose frames are now being handled came (for throttled operations). */
  chunkMs = 0;

  /** The client's connect request had the readOnly byte: the response has it too. */
  hasReadOnlyByte = false;

  /** Writes prepared and not yet answered; a read waits until they are none. */
  pendingWrites = 0;
  /** Requests that wait behind a write of the same session; null when there are none. */
  parked: ParkingLot | null = null;

  /** Watch modes by path id, one map per table; see watch/watch-table.ts. */
  dataWatches: Map<number, number> | null = null;
  childWatches: Map<number, number> | null = null;

  readonly acceptedMs: number;
  readonly establishedWallMs: number;
  packetsReceived = 0;
  packetsSent = 0;
  /** 0 at first, -1 after crst: as `cons` shows it. */
  lastCxid = 0;
  lastZxid = -1;
  lastOperation = 'NA';
  lastResponseMs = 0;
  lastLatencyMs = 0;
  minLatencyMs = -1;
  maxLatencyMs = 0;
  totalLatencyMs = 0;
  requestCount = 0;

  constructor(
    number: number,
    remoteAddress: string,
    remotePort: number,
    isSecure: boolean,
    nowMs: number,
    wallMs: number,
  ) {
    this.number = number;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.isSecure = isSecure;
    this.identities = [{ scheme: 'ip', id: remoteAddress }];
    this.acceptedMs = nowMs;
    this.establishedWallMs = wallMs;
  }

  get parkedCount(): number {
    return this.parked === null ? 0 : this.parked.length;
  }

  /** Puts the first `length` bytes behind what `out` has now. Nobody may change them any more: who knows when they are sent. */
  borrow(bytes: Uint8Array, length: number): void {
    this.loans ??= [];
    this.loans.push({ bytes, length, at: (this.out as ByteWriter).length });
    this.loanBytes += length;
  }

  /** The shell takes them away with `out`. */
  takeLoans(): readonly Loan[] | null {
    const { loans } = this;
    this.loans = null;
    this.loanBytes = 0;
    return loans;
  }

  addIdentity(identity: Id): void {
    const known = this.identities.some((one) => one.scheme === identity.scheme && one.id === identity.id);
    if (!known) this.identities.push(identity);
  }

  resetStatistics(): void {
    this.packetsReceived = 0;
    this.packetsSent = 0;
    this.requestCount = 0;
    this.minLatencyMs = -1;
    this.maxLatencyMs = 0;
    this.totalLatencyMs = 0;
    this.lastOperation = 'NA';
    this.lastCxid = -1;
    this.lastZxid = -1;
    this.lastResponseMs = 0;
    this.lastLatencyMs = 0;
  }
}

/** The first `length` bytes of others' that go before what `out` has from `at` on. */
export interface Loan {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly at: number;
}

/** Visits what leaves, in order. */
export function forEachPart(
  out: ByteWriter,
  loans: readonly Loan[],
  visit: (bytes: Uint8Array, start: number, end: number) => void,
): void {
  let from = 0;
  for (const { bytes, length, at } of loans) {
    if (at > from) visit(out.bytes, from, at);
    visit(bytes, 0, length);
    from = at;
  }
  if (out.length > from) visit(out.bytes, from, out.length);
}

/** Writers given out per connection and turn, and taken back when the kernel has their bytes. */
export class WriterPool {
  readonly #free: ByteWriter[] = [];
  /** Of those that grew for a big reply. */
  #largeBytes = 0;

  take(): ByteWriter {
    const writer = this.#free.pop();
    if (writer === undefined) return new ByteWriter(4096);
    if (isLarge(writer)) this.#largeBytes -= writer.bytes.length;
    return writer;
  }

  /** What to append to where a connection has `out` already, or has not. */
  toAppendTo(out: ByteWriter | null): ByteWriter {
    if (out !== null && !out.isShared) return out;
    const writer = this.take();
    if (out !== null) writer.raw(out.bytes, 0, out.length);
    return writer;
  }

  /**
   * Large ones are kept too, within their bound: a fresh buffer of megabytes for each large reply costs more than filling it
   * (0.6 ms against 0.05 for a list of 100,000 names), and makes the collector look at the whole heap every 30 of them.
   */
  give(writer: ByteWriter): void {
    if (writer.isShared || this.#free.length >= FREE_WRITERS_MAX) return;
    if (isLarge(writer)) {
      if (this.#largeBytes + writer.bytes.length > FREE_LARGE_WRITERS_BYTES_MAX) return;
      this.#largeBytes += writer.bytes.length;
    }
    writer.clear();
    this.#free.push(writer);
  }
}

function isLarge(writer: ByteWriter): boolean {
  return writer.bytes.length > 65536;
}
