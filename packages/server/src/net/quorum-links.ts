/**
 * Connections of the quorum port: a learner's one connection to its leader, and on the leader one from each learner.
 *
 * The core reads and writes {@link PeerStream}s; here their bytes move. Who may say what, and when, is the core's: this chapter
 * listens while it is told to, dials when it is told to (the name resolved anew each time), and closes what the core has closed once
 * its bytes are out. `PeerInputs.onClosed` comes exactly once for each stream, whoever ended it.
 */
import { createServer, connect as dial, type Server as NetServer, type Socket } from 'node:net';
import { ByteWriter, type Logger, logLevels } from '@zoots/base';
import type { PeerInputs, PeerStream } from '@zoots/core';
import { acceptSockets, READ_BYTES_MAX } from './accept-sockets.js';
import { bindFailure } from './bind-failure.js';
import { PeerGate } from './peer-gate.js';

export interface QuorumPlace {
  readonly host: string;
  readonly port: number;
}

export interface QuorumLinksSettings {
  /** This server's quorum port. */
  readonly port: number;
  /** Where to listen; null: all addresses. */
  readonly listenHost: string | null;
  /** All members but this one. */
  readonly peers: ReadonlyMap<number, QuorumPlace>;
  readonly connectTimeoutMs: number;
  /** A port that cannot be bound is tried again after this. */
  readonly bindPauseMs: number;
  /** TCP_NODELAY on a learner's connection, and on a leader's. */
  readonly learnerNoDelay: boolean;
  readonly leaderNoDelay: boolean;
}

/** A connection that the core has closed and whose other side takes nothing is destroyed after this. */
const LINGER_MS = 5_000;
/** A writer that grew for a snapshot is left to the collector. */
const WRITER_BYTES_MAX = 256 * 1024;
const WRITER_BYTES = 4096;

/** Its stream is there once the core has accepted it. */
interface LearnerSocket extends Socket {
  stream?: PeerStream;
}

interface Link {
  readonly socket: Socket;
  /** Called when the kernel took a write; one function for all of them. */
  readonly onTaken: () => void;
}

export class QuorumLinks {
  readonly #settings: QuorumLinksSettings;
  readonly #logger: Logger;
  #inputs: PeerInputs | null = null;
  readonly #links = new Map<PeerStream, Link>();
  /** By member: how often in a row it could not be dialled. */
  readonly #failures = new Map<number, number>();
  #net: NetServer | null = null;
  #bindTimer: NodeJS.Timeout | null = null;
  #isBindFailureTold = false;
  #isClosed = false;
  readonly gate = new PeerGate();
  /**
   * What a leader says is read into this; what learners say, into another one (accept-sockets.ts). No 64 KB per read, then: a write
   * through three servers takes 0.68 instead of 0.73 ms of processor, 0.55 instead of 0.60 with 48 clients.
   */
  readonly #readBuffer = new Uint8Array(READ_BYTES_MAX);

  constructor(settings: QuorumLinksSettings, logger: Logger) {
    this.#settings = settings;
    this.#logger = logger;
  }

  /** Whom to tell; before the first {@link listen} or {@link dial}. */
  attach(inputs: PeerInputs): void {
    this.#inputs = inputs;
  }

  /** The port that is bound now; null while nobody is accepted. */
  get port(): number | null {
    const address = this.#net?.listening === true ? this.#net.address() : null;
    return typeof address === 'object' && address !== null ? address.port : null;
  }

  // ---- listening ----

  /** Learners are accepted from now on, or no more; connections that are open stay. */
  listen(isListening: boolean): void {
    if (this.#isClosed || isListening === (this.#net !== null || this.#bindTimer !== null)) return;
    if (isListening) {
      this.#isBindFailureTold = false;
      this.#bind();
    } else this.#unbind();
  }

  #unbind(): void {
    if (this.#bindTimer !== null) clearTimeout(this.#bindTimer);
    this.#bindTimer = null;
    this.#net?.close();
    this.#net = null;
  }

  #bind(): void {
    const { port, listenHost, bindPauseMs } = this.#settings;
    this.#bindTimer = null;
    const net = createServer();
    this.#net = net;
    // An error after it is bound is a lack of file descriptors: the learner tries again.
    net.on('error', (error) => {
      if (net.listening || this.#net !== net) return;
      this.#net = null;
      this.#tellBindFailure(error);
      this.#bindTimer = setTimeout(() => this.#bind(), bindPauseMs);
    });
    net.listen({ port, ...(listenHost === null ? {} : { host: listenHost }) }, () =>
      acceptSockets(net, this.#onArrival, this.#onLearnerBytes),
    );
  }

  #tellBindFailure(error: Error): void {
    if (this.#isBindFailureTold) return;
    this.#isBindFailureTold = true;
    const { port, listenHost } = this.#settings;
    this.#logger.log(logLevels.error, 'this server was elected, but no follower can reach it', {
      reason: bindFailure('quorum', listenHost, port, error),
    });
  }

  readonly #onArrival = (socket: LearnerSocket): void => {
    // Nothing is read before somebody knows whose it is.
    socket.pause();
    socket.on('error', () => {});
    // Such sockets stay half-open, and nobody is on the other side who reads.
    socket.on('end', () => socket.end());
    this.gate.tell(() => this.#onLearner(socket));
  };

  #onLearner(socket: LearnerSocket): void {
    const stream = socket.destroyed ? null : (this.#inputs?.accept(textOf(socket)) ?? null);
    if (stream === null) {
      socket.destroy();
      return;
    }
    socket.setNoDelay(this.#settings.leaderNoDelay);
    socket.stream = stream;
    this.#adopt(stream, socket);
    if (this.gate.state === 'open') socket.resume();
  }

  readonly #onLearnerBytes = ({ stream }: LearnerSocket, bytes: Uint8Array, count: number): void => {
    if (stream !== undefined) this.#inputs?.onBytes(stream, bytes, 0, count);
  };

  // ---- dialling ----

  dial(serverId: number, stream: PeerStream): void {
    const place = this.#settings.peers.get(serverId);
    if (this.#isClosed || place === undefined) {
      const reason = place === undefined ? `server ${serverId} is not in the configuration` : 'this server stops';
      // An input of its own, not in the middle of the core's call.
      setImmediate(() => this.#inputs?.onClosed(stream, reason));
      return;
    }
    const callback = (count: number, bytes: Uint8Array): boolean => {
      this.#inputs?.onBytes(stream, bytes, 0, count);
      return true;
    };
    const onread = { buffer: this.#readBuffer, callback };
    const socket = dial({ host: place.host, port: place.port, noDelay: this.#settings.learnerNoDelay, onread });
    const onFailed = (error: Error): void => this.#tellUnreachable(serverId, place, error);
    socket.on('error', onFailed);
    socket.setTimeout(this.#settings.connectTimeoutMs, () => socket.destroy(new Error('no answer')));
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.removeListener('error', onFailed);
      this.#failures.delete(serverId);
      this.gate.tell(() => this.#inputs?.onConnected(stream));
    });
    this.#adopt(stream, socket);
  }

  /** Told once, and not the first time: a learner often knows who leads before the leader does, and dials too early. */
  #tellUnreachable(serverId: number, { host, port }: QuorumPlace, error: Error): void {
    const failures = (this.#failures.get(serverId) ?? 0) + 1;
    this.#failures.set(serverId, failures);
    if (this.#isClosed || failures !== 2) return;
    this.#logger.log(
      logLevels.warn,
      `Cannot open channel to the leader ${serverId} at quorum address ${host}:${port}`,
      {
        reason: reasonOf(error),
      },
    );
  }

  // ---- connections ----

  #adopt(stream: PeerStream, socket: Socket): void {
    let reason = 'closed by the other side';
    const onTaken = (): void => this.#onTaken(stream, socket);
    this.#links.set(stream, { socket, onTaken });
    this.gate.admit(socket);
    socket.on('error', (error) => {
      reason = reasonOf(error);
    });
    socket.on('close', () => {
      this.#links.delete(stream);
      stream.unsentBytes = 0;
      this.gate.tell(() => this.#inputs?.onClosed(stream, reason));
    });
  }

  #onTaken(stream: PeerStream, socket: Socket): void {
    // Nothing was unsent: the kernel had taken it at once.
    if (stream.unsentBytes === 0 || !this.#links.has(stream)) return;
    stream.unsentBytes = socket.writableLength;
    this.#inputs?.onDrained(stream);
  }

  /** Sends what the stream has, or closes it; part of a turn. */
  readonly flush = (stream: PeerStream): void => {
    const link = this.#links.get(stream);
    if (link === undefined) stream.out.clear();
    else {
      if (stream.out.length > 0) this.#send(stream, link);
      if (stream.isClosed) close(link.socket);
    }
  };

  #send(stream: PeerStream, { socket, onTaken }: Link): void {
    const { out } = stream;
    if (!socket.destroyed) socket.write(out.bytes.subarray(0, out.length), onTaken);
    stream.unsentBytes = socket.writableLength;
    // Zero: the kernel has a copy, and the writer serves again. Otherwise its bytes belong to the socket.
    if (stream.unsentBytes === 0 && out.bytes.length <= WRITER_BYTES_MAX) out.clear();
    else stream.out = new ByteWriter(WRITER_BYTES);
  }

  /** Nobody is accepted, dialled or connected any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unbind();
    const sockets = [...this.#links.values()].map(({ socket }) => socket);
    const ended = sockets.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())));
    for (const socket of sockets) socket.destroySoon();
    await Promise.race([Promise.all(ended), new Promise((resolve) => setTimeout(resolve, 100).unref())]);
    for (const socket of sockets) socket.destroy();
  }
}

function close(socket: Socket): void {
  if (socket.connecting) {
    socket.destroy();
    return;
  }
  socket.end();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

/** Some errors have a code and no text. */
function reasonOf(error: Error): string {
  return error.message === '' ? String((error as NodeJS.ErrnoException).code) : error.message;
}

function textOf(socket: Socket): string {
  return `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`;
}
