/**
 * The client port: sockets in, bytes to the core, one write per connection and turn out. Decides nothing; a {@link Gate} can
 * be shut on all connections together.
 *
 * A socket stays half-open for as long as we have something to say: clients that ask a four letter word and shut down their
 * side still get the text.
 */
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import type { Connection, Server } from '@zoots/core';

export interface ListenOptions {
  readonly port: number;
  /** Null: every address, IPv4 and IPv6. */
  readonly host: string | null;
  /** -1: a default. */
  readonly backlog: number;
  readonly keepAlive: boolean;
}

/** Java's default of 50 overflows when a few hundred clients reconnect at once, and each then waits for seconds. */
const BACKLOG_DEFAULT = 1024;
/** A socket that was told to close and whose peer takes nothing is destroyed after this. */
const LINGER_MS = 5_000;

/** What becomes of connections: served; left open without being read, new ones too; or closed, new ones at once. */
export type Gate = 'open' | 'held' | 'closed';

export class ClientListener {
  readonly #server: Server;
  readonly #sockets = new Map<Connection, Socket>();
  /** Came while the gate was held, and wait for it to open. */
  readonly #waiting = new Set<Socket>();
  #gate: Gate = 'open';
  readonly #net: NetServer;

  constructor(server: Server, options: ListenOptions) {
    this.#server = server;
    this.#net = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: options.keepAlive }, (socket) =>
      this.#onArrival(socket),
    );
  }

  /** Resolves with the bound port. */
  listen(options: ListenOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#net.once('error', reject);
      const backlog = options.backlog > 0 ? options.backlog : BACKLOG_DEFAULT;
      const where = { port: options.port, backlog, ...(options.host === null ? {} : { host: options.host }) };
      this.#net.listen(where, () => {
        this.#net.removeListener('error', reject);
        // Running out of file descriptors must not end the server: the connection waits in the backlog.
        this.#net.on('error', () => {});
        const address = this.#net.address();
        resolve(typeof address === 'object' && address !== null ? address.port : options.port);
      });
    });
  }

  #onArrival(socket: Socket): void {
    if (this.#gate === 'open') this.#onSocket(socket);
    else if (this.#gate === 'closed') socket.destroy();
    else {
      this.#waiting.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#waiting.delete(socket));
    }
  }

  get gate(): Gate {
    return this.#gate;
  }

  set gate(gate: Gate) {
    this.#gate = gate;
    if (gate === 'closed') this.dropAll();
    for (const [connection, socket] of this.#sockets) this.#pauseOrResume(connection, socket);
    if (gate !== 'open') return;
    for (const socket of this.#waiting) this.#onSocket(socket);
    this.#waiting.clear();
  }

  #pauseOrResume(connection: Connection, socket: Socket): void {
    const pauses = connection.isPaused || this.#gate === 'held';
    if (pauses === socket.isPaused()) return;
    if (pauses) socket.pause();
    else socket.resume();
  }

  /** Cuts a connection without a word; sessions know nothing of it. */
  drop(connection: Connection): void {
    this.#sockets.get(connection)?.destroy();
  }

  /** Cuts every connection. */
  dropAll(): void {
    for (const socket of [...this.#sockets.values(), ...this.#waiting]) socket.destroy();
  }

  #onSocket(socket: Socket): void {
    const { remoteAddress, remotePort } = socket;
    // A peer that is gone already has no address.
    if (remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    const connection = this.#server.accept(textOf(remoteAddress), remotePort ?? 0, false);
    if (connection === null) {
      socket.destroy();
      return;
    }
    this.#sockets.set(connection, socket);
    socket.on('data', (chunk) => this.#server.onClientChunk(connection, chunk, 0, chunk.length));
    socket.on('end', () => this.#onEnd(connection, socket));
    socket.on('error', () => {});
    socket.on('close', () => this.#onClosed(connection));
    socket.on('drain', () => this.#onDrain(connection, socket));
  }

  /** The peer will send no more. What it asked for before is still answered; then the connection is closed. */
  #onEnd(connection: Connection, socket: Socket): void {
    if (connection.state === 'open' && (connection.pendingWrites > 0 || connection.parkedCount > 0)) {
      connection.closeAfterFlush = true;
      return;
    }
    this.#server.onClientClosed(connection);
    if (connection.out === null || connection.out.length === 0) socket.end();
    else connection.closeAfterFlush = true;
  }

  #onClosed(connection: Connection): void {
    this.#sockets.delete(connection);
    this.#server.onClientClosed(connection);
  }

  #onDrain(connection: Connection, socket: Socket): void {
    connection.unsentBytes = socket.writableLength;
    this.#server.onDrained(connection);
  }

  /** Sends what the connection has; part of a turn. */
  readonly flush = (connection: Connection): void => {
    const socket = this.#sockets.get(connection);
    const out = connection.out;
    connection.out = null;
    if (socket === undefined) {
      if (out !== null) this.#server.recycle(out);
      return;
    }
    if (out !== null) this.#send(connection, socket, out);
    if (isFinished(connection)) close(socket);
    else this.#pauseOrResume(connection, socket);
  };

  #send(connection: Connection, socket: Socket, out: NonNullable<Connection['out']>): void {
    if (out.length > 0 && !socket.destroyed) socket.write(out.bytes.subarray(0, out.length));
    connection.unsentBytes = socket.writableLength;
    // Zero: the kernel has a copy, and the buffer can serve another connection. Otherwise it belongs to the socket.
    if (connection.unsentBytes === 0) this.#server.recycle(out);
  }

  /** No more connections; those that are open end. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#net.close(() => resolve());
    });
    for (const socket of [...this.#sockets.values(), ...this.#waiting]) close(socket);
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 100).unref())]);
    this.dropAll();
  }
}

/** Closed by the core; or half-closed by the peer, and everything it asked for is answered. */
function isFinished(connection: Connection): boolean {
  if (!connection.closeAfterFlush) return false;
  return connection.state === 'closed' || (connection.pendingWrites === 0 && connection.parkedCount === 0);
}

function close(socket: Socket): void {
  socket.end();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

/** IPv4 clients of a dual-stack socket appear as `::ffff:1.2.3.4`; ACLs and limits know them as `1.2.3.4`. */
function textOf(remoteAddress: string): string {
  return remoteAddress.startsWith('::ffff:') && remoteAddress.includes('.') ? remoteAddress.slice(7) : remoteAddress;
}
