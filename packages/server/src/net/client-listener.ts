/**
 * The client port: sockets in, bytes to the core, one write per connection and turn out. Decides nothing; a {@link Gate} can
 * be shut on all connections together.
 *
 * A socket stays half-open for as long as we have something to say: clients that ask a four letter word and shut down their
 * side still get the text.
 */
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { type Connection, forEachPart, type Loan, type Server } from '@zoots/core';
import { acceptSockets } from './accept-sockets.js';

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

/**
 * Bytes of lent replies (large child lists) that leave in one turn of the event loop; the rest waits for the next one. The kernel
 * copies about 5 MB in a millisecond: 300 clients that asked for 100,000 names at once stopped the loop for 80 ms.
 */
const LENT_BYTES_PER_TURN_MAX = 16 * 1024 * 1024;

/** What becomes of connections: served; left open without being read, new ones too; or closed, new ones at once. */
export type Gate = 'open' | 'held' | 'closed';

/** Its connection is there once the core has accepted it. */
interface ClientSocket extends Socket {
  connection?: Connection;
}

export class ClientListener {
  readonly #server: Server;
  readonly #keepAlive: boolean;
  readonly #sockets = new Set<ClientSocket>();
  /** Came while the gate was held, and wait for it to open. */
  readonly #waiting = new Set<Socket>();
  /** Told to close, oldest first, and when that has lasted long enough. */
  readonly #ending = new Map<Socket, number>();
  #endingTimer: NodeJS.Timeout | null = null;
  /** Connections whose replies wait because others lent enough in this turn, in their order. */
  readonly #postponed = new Set<Connection>();
  #lentBytes = 0;
  /** Called whenever no socket is left. */
  #onEmptied: () => void = ignore;
  #gate: Gate = 'open';
  readonly #net: NetServer;

  constructor(server: Server, options: ListenOptions) {
    this.#server = server;
    this.#keepAlive = options.keepAlive;
    this.#net = createServer({ allowHalfOpen: true });
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
        this.#net.on('error', ignore);
        acceptSockets(this.#net, this.#onArrival, this.#onBytes);
        const address = this.#net.address();
        resolve(typeof address === 'object' && address !== null ? address.port : options.port);
      });
    });
  }

  readonly #onArrival = (socket: Socket): void => {
    if (this.#gate === 'closed') {
      socket.destroy();
      return;
    }
    socket.on('error', ignore);
    socket.on('close', this.#onClosed);
    if (this.#gate === 'open') this.#onSocket(socket);
    else {
      this.#waiting.add(socket);
      socket.pause();
    }
  };

  get gate(): Gate {
    return this.#gate;
  }

  set gate(gate: Gate) {
    this.#gate = gate;
    if (gate === 'closed') this.dropAll();
    for (const socket of this.#sockets) this.#pauseOrResume(socket);
    if (gate !== 'open') return;
    for (const socket of this.#waiting) {
      this.#onSocket(socket);
      socket.resume();
    }
    this.#waiting.clear();
  }

  #pauseOrResume(socket: ClientSocket): void {
    const pauses = socket.connection?.isPaused === true || this.#gate === 'held';
    if (pauses === socket.isPaused()) return;
    if (pauses) socket.pause();
    else socket.resume();
  }

  /** Cuts a connection without a word; sessions know nothing of it. */
  drop(connection: Connection): void {
    socketOf(connection)?.destroy();
  }

  /** Cuts every connection. */
  dropAll(): void {
    for (const socket of [...this.#sockets, ...this.#waiting]) socket.destroy();
  }

  #onSocket(socket: ClientSocket): void {
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
    socket.setNoDelay(true);
    if (this.#keepAlive) socket.setKeepAlive(true);
    socket.connection = connection;
    connection.carrier = socket;
    this.#sockets.add(socket);
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
  }

  readonly #onBytes = (socket: ClientSocket, bytes: Uint8Array, count: number): void => {
    if (socket.connection !== undefined) this.#server.onClientChunk(socket.connection, bytes, 0, count);
  };

  // The same functions listen to all sockets, and know them by `this`: with five of their own for each, ten thousand idle
  // sessions took 3.5 MB more.

  /** The peer will send no more. What it asked for before is still answered; then the connection is closed. */
  readonly #onEnd = listener<ClientSocket>((socket) => {
    const connection = socket.connection as Connection;
    if (connection.state === 'open' && (connection.pendingWrites > 0 || connection.parkedCount > 0)) {
      connection.closeAfterFlush = true;
      return;
    }
    this.#server.onClientClosed(connection);
    if (connection.out === null || connection.out.length === 0) this.#end(socket);
    else connection.closeAfterFlush = true;
  });

  readonly #onClosed = listener<ClientSocket>((socket) => {
    this.#waiting.delete(socket);
    this.#sockets.delete(socket);
    this.#ending.delete(socket);
    if (this.#sockets.size === 0 && this.#waiting.size === 0) this.#onEmptied();
    const { connection } = socket;
    if (connection === undefined) return;
    connection.carrier = null;
    this.#server.onClientClosed(connection);
  });

  readonly #onDrain = listener<ClientSocket>((socket) => {
    const connection = socket.connection as Connection;
    connection.unsentBytes = socket.writableLength;
    this.#server.onDrained(connection);
  });

  /** Sends what the connection has; part of a turn. */
  readonly flush = (connection: Connection): void => {
    if (connection.loans !== null && !this.#mayLend(connection)) return;
    const socket = socketOf(connection);
    const out = connection.out;
    const loans = connection.takeLoans();
    connection.out = null;
    if (socket === null) {
      if (out !== null) this.#server.recycle(out);
      return;
    }
    if (out !== null) this.#send(connection, socket, out, loans);
    if (!isFinished(connection)) this.#pauseOrResume(socket);
    else if (isSessionOver(connection)) socket.destroy();
    else this.#end(socket);
  };

  /** False: what the connection has to send stays with it, and is sent after that of those who wait already. */
  #mayLend(connection: Connection): boolean {
    if (this.#lentBytes === 0) setImmediate(this.#sendPostponed);
    if (this.#lentBytes >= LENT_BYTES_PER_TURN_MAX) {
      this.#postponed.add(connection);
      return false;
    }
    this.#lentBytes += connection.loanBytes;
    this.#postponed.delete(connection);
    return true;
  }

  readonly #sendPostponed = (): void => {
    this.#lentBytes = 0;
    for (const connection of this.#postponed) {
      this.flush(connection);
      // If it was paused for what it had to send, it may go on.
      this.#server.onDrained(connection);
      if (this.#lentBytes >= LENT_BYTES_PER_TURN_MAX) return;
    }
  };

  #send(
    connection: Connection,
    socket: Socket,
    out: NonNullable<Connection['out']>,
    loans: readonly Loan[] | null,
  ): void {
    if (out.length > 0 && !socket.destroyed) {
      if (loans === null) socket.write(bufferOf(out.bytes, 0, out.length));
      else sendParts(socket, out, loans);
    }
    connection.unsentBytes = socket.writableLength;
    // Zero: the kernel has a copy, and the buffer can serve another connection. Otherwise it belongs to the socket.
    if (connection.unsentBytes === 0) this.#server.recycle(out);
  }

  /**
   * Closes our side; a peer that does not close its own is cut off later. One timer for all of them: a timer each kept every
   * closed socket for five seconds, which was 90 MB when sessions came and went at full speed.
   */
  #end(socket: Socket): void {
    if (this.#ending.has(socket)) return;
    socket.end();
    this.#ending.set(socket, performance.now() + LINGER_MS);
    this.#endingTimer ??= setTimeout(this.#cutOff, LINGER_MS).unref();
  }

  readonly #cutOff = (): void => {
    this.#endingTimer = null;
    const nowMs = performance.now();
    for (const [socket, dueMs] of this.#ending) {
      if (dueMs > nowMs) {
        this.#endingTimer = setTimeout(this.#cutOff, dueMs - nowMs).unref();
        return;
      }
      socket.destroy();
      this.#ending.delete(socket);
    }
  };

  /** No more connections; those that are open end. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#net.close(() => resolve());
    });
    const emptied = new Promise<void>((resolve) => {
      this.#onEmptied = resolve;
    });
    for (const socket of [...this.#sockets, ...this.#waiting]) this.#end(socket);
    if (this.#sockets.size === 0 && this.#waiting.size === 0) this.#onEmptied();
    await Promise.race([Promise.all([closed, emptied]), new Promise((resolve) => setTimeout(resolve, 100).unref())]);
    this.dropAll();
  }
}

function ignore(): void {}

/** A listener of an event without arguments that is handed the emitter. */
function listener<Emitter>(run: (emitter: Emitter) => void): (this: Emitter) => void {
  return function (): void {
    run(this);
  };
}

/** One call of the kernel for all parts. */
function sendParts(socket: Socket, out: NonNullable<Connection['out']>, loans: readonly Loan[]): void {
  socket.cork();
  forEachPart(out, loans, (bytes, start, end) => socket.write(bufferOf(bytes, start, end)));
  socket.uncork();
}

/** Over the same bytes; of a view of them that is no Buffer the socket would make one more view. */
function bufferOf(bytes: Uint8Array, start: number, end: number): Buffer {
  return Buffer.from(bytes.buffer as ArrayBuffer, start, end - start);
}

function socketOf(connection: Connection): ClientSocket | null {
  return connection.carrier as ClientSocket | null;
}

/** Closed by the core; or half-closed by the peer, and everything it asked for is answered. */
function isFinished(connection: Connection): boolean {
  if (!connection.closeAfterFlush) return false;
  return connection.state === 'closed' || (connection.pendingWrites === 0 && connection.parkedCount === 0);
}

/**
 * The session is closed, and the kernel has the answer: our end leaves behind it when the socket is closed. Nobody waits for what the
 * client may still send, as nobody does in Apache's server. An end of our side alone, and waiting for the client's, cost 8 % of the
 * processor for each session, and 17 % where clients reset what they have done with.
 */
function isSessionOver({ session, unsentBytes }: Connection): boolean {
  return session?.isClosing === true && unsentBytes === 0;
}

/** IPv4 clients of a dual-stack socket appear as `::ffff:1.2.3.4`; ACLs and limits know them as `1.2.3.4`. */
function textOf(remoteAddress: string): string {
  return remoteAddress.startsWith('::ffff:') && remoteAddress.includes('.') ? remoteAddress.slice(7) : remoteAddress;
}
