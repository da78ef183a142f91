/**
 * One TCP connection that speaks frames: what was received is a queue of frames, ended by the close.
 * No session, no meaning: `session.ts` stands on it, and the differential test reads it raw.
 */
import { connect, type Socket } from 'node:net';

export const host = '127.0.0.1';

export class ConnectionClosedError extends Error {}
export class ReplyTimeoutError extends Error {}

export class WireConnection {
  readonly port: number;
  readonly #socket: Socket;
  readonly #frames: Buffer[] = [];
  #pending: Buffer = Buffer.alloc(0);
  #waiting: (() => void) | null = null;
  /** The peer has closed, or the connection broke. Frames received before it are still in the queue. */
  closed = false;

  private constructor(port: number, socket: Socket) {
    this.port = port;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('close', () => this.#ended());
    // A reset by the peer is a close like any other here; 'close' follows.
    socket.on('error', () => {});
  }

  static open(port: number): Promise<WireConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new WireConnection(port, socket));
      });
    });
  }

  #receive(chunk: Buffer): void {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (bytes.length >= 4) {
      const length = bytes.readInt32BE(0);
      if (length < 0) {
        // The server broke the framing: nothing after this can be read.
        this.#frames.push(bytes);
        this.#socket.destroy();
        return;
      }
      if (bytes.length < 4 + length) break;
      this.#frames.push(bytes.subarray(4, 4 + length));
      bytes = bytes.subarray(4 + length);
    }
    this.#pending = bytes;
    this.#wake();
  }

  #ended(): void {
    this.closed = true;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.();
  }

  /** Bytes as they are; nothing is framed. Ignored after the peer closed. */
  sendRaw(bytes: Uint8Array): void {
    if (!this.closed) this.#socket.write(bytes);
  }

  static frame(payload: Uint8Array): Buffer {
    const bytes = Buffer.alloc(4 + payload.length);
    bytes.writeInt32BE(payload.length);
    bytes.set(payload, 4);
    return bytes;
  }

  static requestFrame(xid: number, type: number, body: Uint8Array): Buffer {
    const bytes = Buffer.alloc(12 + body.length);
    bytes.writeInt32BE(8 + body.length);
    bytes.writeInt32BE(xid | 0, 4);
    bytes.writeInt32BE(type | 0, 8);
    bytes.set(body, 12);
    return bytes;
  }

  sendFrame(payload: Uint8Array): void {
    this.sendRaw(WireConnection.frame(payload));
  }

  sendRequest(xid: number, type: number, body: Uint8Array): void {
    this.sendRaw(WireConnection.requestFrame(xid, type, body));
  }

  /** A frame that is already here, or undefined. */
  takeFrame(): Buffer | undefined {
    return this.#frames.shift();
  }

  /** The next frame; null when the peer closed instead. Throws ReplyTimeoutError. One caller at a time. */
  async nextFrame(timeoutMs = 10_000): Promise<Buffer | null> {
    const deadlineMs = performance.now() + timeoutMs;
    while (this.#frames.length === 0 && !this.closed) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw new ReplyTimeoutError(`no frame within ${timeoutMs} ms`);
      await this.#activity(leftMs);
    }
    return this.#frames.shift() ?? null;
  }

  /** Resolves when bytes or the close arrive, or when the time is over. */
  #activity(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#waiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Cuts the connection without a word, as a crashed client does. */
  destroy(): void {
    this.#socket.destroy();
  }
}
