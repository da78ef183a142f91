/**
 * One session of the load generator: a socket, a ring of what is in flight, and a reader that looks at nothing but the
 * head of each reply (length, xid, zxid, err).
 *
 * Replies to one session come in request order, so a reply belongs to the oldest request in flight; its xid must be
 * that request's, or the run fails. All replies of one chunk share one reading of the clock, and the requests that they
 * give rise to leave in one write: on the wire it looks like a busy client library, and costs a tenth of one.
 */
import net from 'node:net';
import { connectFrame, KEY_DIGITS, OP, PING_XID, type Template, WATCH_EVENT_XID } from './frames.js';

const REPLY_HEAD_BYTES = 20;
const SESSION_TIMEOUT_MS = 30_000;
/** The same for every session. */
const CONNECT_FRAME = connectFrame(SESSION_TIMEOUT_MS);

/** Shared by all connections of the process: a read is consumed before the next one starts. */
const readBuffer = new Uint8Array(256 * 1024);
const readView = new DataView(readBuffer.buffer);

/**
 * What leaves, shared as well: requests gather here for one connection at a time, which sends them before another one's
 * begin. A buffer for each of 10,000 connections would take 640 MB and never be in a cache.
 */
class Outbox {
  bytes = Buffer.allocUnsafe(64 * 1024);
  length = 0;
  owner: LoadConnection | null = null;

  /** Room for `count` more bytes of `owner`. */
  claim(owner: LoadConnection, count: number): void {
    if (this.owner !== owner || this.length + count > this.bytes.length) this.owner?.flush();
    this.owner = owner;
    if (count > this.bytes.length) this.bytes = Buffer.allocUnsafe(count);
  }

  /** After a write: when not all went to the kernel, the rest belongs to the socket, so go on in a fresh buffer. */
  clear(isWritten: boolean): void {
    this.length = 0;
    this.owner = null;
    if (!isWritten) this.bytes = Buffer.allocUnsafe(this.bytes.length);
  }
}

const outbox = new Outbox();

/** What a run does with the answers. `op` is the request's; `err` the code in the reply. */
export interface Traffic {
  onReady(connection: LoadConnection, latencyMs: number): void;
  /** Called per reply, before the connection's write: `send` here joins it. */
  onReply(connection: LoadConnection, op: number, err: number, latencyMs: number): void;
  onWatchEvent(connection: LoadConnection): void;
  onClosed(connection: LoadConnection, reason: string): void;
}

export class LoadConnection {
  ready = false;
  closed = false;
  readonly index: number;
  readonly #socket: net.Socket;
  readonly #traffic: Traffic;
  readonly #connectedAtMs = performance.now();

  // In flight, oldest first; ring of a power of two.
  readonly #ringMask: number;
  readonly #ringXid: Int32Array;
  readonly #ringOp: Int32Array;
  readonly #ringSentMs: Float64Array;
  #head = 0;
  #tail = 0;
  #xid = 1;

  #sendingMs = 0;

  // The reply being read: its head when split over chunks, then the body bytes still to skip.
  readonly #headBytes = new Uint8Array(REPLY_HEAD_BYTES);
  readonly #headView = new DataView(this.#headBytes.buffer);
  #headLength = 0;
  #skipBytes = 0;
  #inBody = false;
  #replyXid = 0;
  #replyErr = 0;

  constructor(index: number, host: string, port: number, inFlightMax: number, traffic: Traffic) {
    this.index = index;
    this.#traffic = traffic;
    let size = 16;
    while (size < inFlightMax + 1) size *= 2;
    this.#ringMask = size - 1;
    this.#ringXid = new Int32Array(size);
    this.#ringOp = new Int32Array(size);
    this.#ringSentMs = new Float64Array(size);
    this.#socket = net.connect({
      host,
      port,
      noDelay: true,
      onread: { buffer: readBuffer, callback: (count) => this.#onChunk(count) },
    });
    this.#socket.on('connect', () => this.#socket.write(CONNECT_FRAME));
    this.#socket.on('error', (error) => this.#onEnd(error.message));
    this.#socket.on('close', () => this.#onEnd('closed by the server'));
  }

  get inFlight(): number {
    return this.#tail - this.#head;
  }

  /** Puts one request behind the others of this turn; it leaves with `flush`. */
  send(template: Template, key: number): void {
    const source = template.bytes;
    outbox.claim(this, source.length);
    const out = outbox.bytes;
    const at = outbox.length;
    // A loop copies a small request faster than a call; a large value is another matter.
    if (source.length > 512) out.set(source, at);
    else for (let i = 0; i < source.length; i++) out[at + i] = source[i] as number;
    const xid = template.op === OP.ping ? PING_XID : this.#nextXid();
    out[at + 4] = xid >>> 24;
    out[at + 5] = xid >>> 16;
    out[at + 6] = xid >>> 8;
    out[at + 7] = xid;
    if (template.keyEndsAt >= 0) patchKey(out, at + template.keyEndsAt, key);
    outbox.length = at + source.length;

    const slot = this.#tail++ & this.#ringMask;
    this.#ringXid[slot] = xid;
    this.#ringOp[slot] = template.op;
    this.#ringSentMs[slot] = this.#sendingMs === 0 ? performance.now() : this.#sendingMs;
  }

  flush(): void {
    if (outbox.owner !== this) return;
    if (!this.closed) this.#socket.write(outbox.bytes.subarray(0, outbox.length));
    outbox.clear(this.closed || this.#socket.writableLength === 0);
  }

  /** Ends without a close request, and by a reset: thousands of ports would wait for a minute otherwise. */
  destroy(): void {
    this.closed = true;
    this.#socket.resetAndDestroy();
  }

  #nextXid(): number {
    if (this.#xid === 0x7fff_ffff) this.#xid = 1;
    return this.#xid++;
  }

  #onEnd(reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.ready = false;
    this.#socket.destroy();
    this.#traffic.onClosed(this, reason);
  }

  #onChunk(count: number): boolean {
    const nowMs = performance.now();
    this.#sendingMs = nowMs;
    let at = 0;
    while (at < count && !this.closed) {
      if (!this.#inBody) at = this.#readHead(at, count);
      if (!this.#inBody) continue;
      const skipped = Math.min(this.#skipBytes, count - at);
      at += skipped;
      this.#skipBytes -= skipped;
      if (this.#skipBytes > 0) break;
      this.#inBody = false;
      this.#onFrame(nowMs);
    }
    this.flush();
    this.#sendingMs = 0;
    return true;
  }

  /** Reads the head at `at`, or as much of it as there is; returns where the rest begins. */
  #readHead(at: number, count: number): number {
    if (this.#headLength === 0 && count - at >= REPLY_HEAD_BYTES) {
      this.#takeHead(readView, at);
      return at + REPLY_HEAD_BYTES;
    }
    while (at < count && this.#headLength < REPLY_HEAD_BYTES) {
      this.#headBytes[this.#headLength++] = readBuffer[at++] as number;
    }
    if (this.#headLength === REPLY_HEAD_BYTES) {
      this.#headLength = 0;
      this.#takeHead(this.#headView, 0);
    }
    return at;
  }

  #takeHead(view: DataView, at: number): void {
    this.#skipBytes = view.getInt32(at) - (REPLY_HEAD_BYTES - 4);
    // In a ConnectResponse the same place holds the timeout, which is 0 when the session was refused.
    this.#replyXid = this.ready ? view.getInt32(at + 4) : view.getInt32(at + 8);
    this.#replyErr = view.getInt32(at + 16);
    this.#inBody = true;
  }

  #onFrame(nowMs: number): void {
    if (!this.ready) this.#onConnectResponse(nowMs);
    else if (this.#replyXid === WATCH_EVENT_XID) this.#traffic.onWatchEvent(this);
    else this.#onReply(nowMs);
  }

  #onConnectResponse(nowMs: number): void {
    if (this.#replyXid <= 0) {
      this.#onEnd('session refused');
    } else {
      this.ready = true;
      this.#traffic.onReady(this, nowMs - this.#connectedAtMs);
    }
  }

  #onReply(nowMs: number): void {
    const slot = this.#head++ & this.#ringMask;
    if (this.#head > this.#tail || this.#ringXid[slot] !== this.#replyXid) {
      this.#onEnd(`reply out of order: xid ${this.#replyXid} for ${this.#ringXid[slot]}`);
      return;
    }
    const latencyMs = nowMs - (this.#ringSentMs[slot] as number);
    this.#traffic.onReply(this, this.#ringOp[slot] as number, this.#replyErr, latencyMs);
  }
}

function patchKey(out: Uint8Array, endsAt: number, key: number): void {
  let rest = key;
  for (let i = 0; i < KEY_DIGITS; i++) {
    const next = (rest / 10) | 0;
    out[endsAt - i] = 0x30 + (rest - next * 10);
    rest = next;
  }
}
