/**
 * One connection: a TCP or TLS socket, bytes out of a writer and into a callback. After `close()` nothing is called any more.
 *
 * TCP sockets read into one buffer of ours (`onread`), so a chunk costs no allocation; bytes are valid during the call.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';
import type { ByteWriter } from '@zoots/base';
import type { ServerAddress } from './types.js';

export interface TransportEvents {
  onConnected(): void;
  onBytes(bytes: Uint8Array, start: number, end: number): void;
  /** Once; the reason is for people. */
  onDisconnected(reason: string): void;
}

const READ_BYTES = 64 * 1024;

export class Transport {
  readonly #socket: Socket;
  #events: TransportEvents | null;
  readonly #address: ServerAddress;

  constructor(address: ServerAddress, tls: TlsOptions | null, events: TransportEvents) {
    this.#address = address;
    this.#events = events;
    this.#socket = tls === null ? this.#openTcp() : this.#openTls(tls);
    this.#socket.setNoDelay(true);
    this.#socket.on('error', (error) => this.#end(reasonOf(error)));
    this.#socket.on('end', () => this.#end('the server closed the connection'));
    this.#socket.on('close', () => this.#end('the connection was closed'));
  }

  #openTcp(): Socket {
    const { host, port } = this.#address;
    const onread = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (count: number, buffer: Uint8Array): boolean => {
        this.#events?.onBytes(buffer, 0, count);
        return true;
      },
    };
    return connectTcp({ host, port, onread }, () => this.#events?.onConnected());
  }

  #openTls(tls: TlsOptions): Socket {
    const { host, port } = this.#address;
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const socket = connectTls({ host, port, ...servername, ...tls }, () => this.#events?.onConnected());
    socket.on('data', (chunk: Buffer) => this.#events?.onBytes(chunk, 0, chunk.length));
    return socket;
  }

  /** Sends what the writer holds; `done` is called when its bytes may be overwritten. */
  write(filled: ByteWriter, done: (writer: ByteWriter) => void): void {
    const { bytes, length } = filled;
    this.#socket.write(Buffer.from(bytes.buffer, bytes.byteOffset, length), () => done(filled));
  }

  close(): void {
    this.#events = null;
    this.#socket.destroy();
  }

  #end(reason: string): void {
    const events = this.#events;
    if (events === null) return;
    this.#events = null;
    this.#socket.destroy();
    events.onDisconnected(reason);
  }
}

function reasonOf(error: Error): string {
  // Several addresses were tried for one name: the first error speaks for all.
  const first = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
  return first.message === '' ? String((first as NodeJS.ErrnoException).code) : first.message;
}
