/**
 * Connections between servers on the election port: one for each pair, opened by the server with the higher id.
 *
 * Anybody may dial. The first thing said is who calls (init message); a caller with the lower id hangs up, and the other one calls
 * back. For each server only the newest message counts: it replaces one that was not sent yet, and a fresh connection
 * begins with the last one that was sent, because it may have been lost with the old connection.
 *
 * Host names are resolved anew at each dial. Nobody sends heartbeats here; a connection stays until it breaks.
 * Source: ZooKeeper's QuorumCnxManager; reference, quorum protocol section 1.
 */
import { type AddressInfo, createServer, connect as dial, type Server as NetServer, type Socket } from 'node:net';
import { ByteReader, ByteWriter, type Logger, logLevels } from '@zoots/base';
import { ELECTION_FRAME_BYTES_MAX, FrameReader, readInitMessage, writeInitMessage } from '@zoots/protocol';
import { ElectionPatience } from './election-patience.js';
import { PeerGate } from './peer-gate.js';

export interface ElectionAddress {
  readonly host: string;
  readonly port: number;
}

export interface ElectionLinksSettings {
  readonly serverId: number;
  /** As the others know this server; goes into the init message. */
  readonly own: ElectionAddress;
  /** Where to listen; null host: all addresses. */
  readonly listenHost: string | null;
  /** All members but this one. */
  readonly peers: ReadonlyMap<number, ElectionAddress>;
  readonly connectTimeoutMs: number;
  /** How long a caller may take to say who it is. */
  readonly handshakeTimeoutMs: number;
  readonly keepAlive: boolean;
  /** How often members that do not get their messages are called; and after how much silence a connection counts as dead. */
  readonly callAgainMs: number;
  readonly silenceMs: number;
}

export interface ElectionLinksEvents {
  /** A frame of a server; valid during the call. */
  onFrame(from: number, bytes: Uint8Array, start: number, end: number): void;
}

const INIT_BYTES_MAX = 8 + 8 + 4 + 2048;

export class ElectionLinks {
  readonly #settings: ElectionLinksSettings;
  readonly #events: ElectionLinksEvents;
  readonly #logger: Logger;
  readonly #links = new Map<number, Socket>();
  readonly #dialing = new Map<number, Socket>();
  /** Callers that have not said who they are. */
  readonly #strangers = new Set<Socket>();
  /** By server: the newest message, framed. */
  readonly #latest = new Map<number, Buffer>();
  /** Servers whose newest message has not been handed to a connection. */
  readonly #unsent = new Set<number>();
  /** Members that could not be dialled last time: told once. */
  readonly #unreachable = new Set<number>();
  /** Came before {@link open}. */
  #waiting: Socket[] | null = [];
  readonly #patience: ElectionPatience;
  #timer: NodeJS.Timeout | null = null;
  #net: NetServer | null = null;
  #isClosed = false;
  readonly gate = new PeerGate();

  constructor(settings: ElectionLinksSettings, logger: Logger, events: ElectionLinksEvents) {
    this.#settings = settings;
    this.#patience = new ElectionPatience(settings.silenceMs);
    this.#logger = logger;
    this.#events = events;
  }

  /** Resolves with the bound address. Callers wait until {@link open}. */
  listen(): Promise<ElectionAddress> {
    const { own, listenHost } = this.#settings;
    const net = createServer((socket) => this.#onCaller(socket));
    this.#net = net;
    return new Promise((resolve, reject) => {
      net.once('error', reject);
      net.listen({ port: own.port, ...(listenHost === null ? {} : { host: listenHost }) }, () => {
        net.removeListener('error', reject);
        // Running out of file descriptors must not end the server: callers come again.
        net.on('error', () => {});
        const { address, port } = net.address() as AddressInfo;
        resolve({ host: address, port });
      });
    });
  }

  /** Callers are heard from now on, those that have waited first: there is somebody to tell of their messages. */
  open(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const socket of waiting) if (!socket.destroyed) this.#hear(socket);
  }

  /** Sends a message; one to the same server that has not left yet is forgotten. Servers that are no members are ignored. */
  send(to: number, message: Uint8Array): void {
    if (this.#isClosed) return;
    const frame = Buffer.allocUnsafe(4 + message.length);
    frame.writeInt32BE(message.length);
    frame.set(message, 4);
    this.#latest.set(to, frame);
    this.#unsent.add(to);
    this.#patience.onSent(to, performance.now());
    this.#timer ??= setInterval(this.#callAgain, this.#settings.callAgainMs).unref();
    if (this.#links.has(to)) this.#pump(to);
    else this.#call(to);
  }

  /** Connections that are there stay until the call succeeds. */
  readonly #callAgain = (): void => {
    const isConnected = (id: number): boolean => this.#links.has(id);
    const isUnsent = (id: number): boolean => this.#unsent.has(id);
    for (const id of this.#patience.due(performance.now(), isConnected, isUnsent)) this.#call(id);
  };

  /** Dials everybody who is not connected. */
  connectAll(): void {
    for (const id of this.#settings.peers.keys()) if (!this.#links.has(id)) this.#call(id);
  }

  /** Servers with a connection. */
  get connected(): number[] {
    return [...this.#links.keys()];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    const waiting = this.#waiting ?? [];
    for (const socket of [...this.#links.values(), ...this.#dialing.values(), ...this.#strangers, ...waiting]) {
      socket.destroy();
    }
    this.#links.clear();
    this.#dialing.clear();
    this.#strangers.clear();
    this.#waiting = null;
    const net = this.#net;
    this.#net = null;
    if (net !== null) await new Promise<void>((resolve) => net.close(() => resolve()));
  }

  // ---- calling ----

  #call(id: number, at = this.#settings.peers.get(id)): void {
    if (this.#isClosed || at === undefined || this.#dialing.has(id)) return;
    const socket = dial({ host: at.host, port: at.port, noDelay: true, keepAlive: this.#settings.keepAlive });
    this.#dialing.set(id, socket);
    this.gate.admit(socket);
    socket.setTimeout(this.#settings.connectTimeoutMs, () => socket.destroy(new Error('no answer')));
    const onFailed = (error: Error): void => this.#tellUnreachable(id, at, error);
    socket.on('error', onFailed);
    socket.on('close', () => this.#dialing.delete(id));
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.removeListener('error', onFailed);
      socket.on('error', () => {});
      this.#tellReachable(id, at);
      this.#introduce(id, socket);
    });
  }

  /** The words that people look for when they start the servers of an ensemble one by one: harmless until all are up. */
  #tellUnreachable(id: number, { host, port }: ElectionAddress, error: Error): void {
    if (this.#isClosed || this.#unreachable.has(id)) return;
    this.#unreachable.add(id);
    this.#logger.log(logLevels.warn, `Cannot open channel to ${id} at election address ${host}:${port}`, {
      reason: error.message === '' ? String((error as NodeJS.ErrnoException).code) : error.message,
    });
  }

  #tellReachable(id: number, { host, port }: ElectionAddress): void {
    if (!this.#unreachable.delete(id)) return;
    this.#logger.log(logLevels.info, `channel to ${id} at election address ${host}:${port} is open`);
  }

  /** Whole in one segment: Apache's reader takes a part of it for an error. */
  #introduce(id: number, socket: Socket): void {
    const { serverId, own } = this.#settings;
    const host = own.host.includes(':') ? `[${own.host}]` : own.host;
    const init = new ByteWriter();
    writeInitMessage(init, serverId, [`${host}:${own.port}`]);
    socket.write(init.toBytes());
    this.#dialing.delete(id);
    // The higher id keeps its call; the other side hangs up on a lower one and calls back.
    if (id > serverId) socket.end();
    else this.#adopt(id, socket, new FrameReader());
  }

  // ---- being called ----

  #onCaller(socket: Socket): void {
    socket.setNoDelay(true);
    socket.setKeepAlive(this.#settings.keepAlive);
    socket.on('error', () => {});
    this.gate.admit(socket);
    if (this.#waiting === null) this.#hear(socket);
    else this.#waiting.push(socket);
  }

  #hear(socket: Socket): void {
    this.#strangers.add(socket);
    socket.setTimeout(this.#settings.handshakeTimeoutMs, () => socket.destroy());
    socket.on('close', () => this.#strangers.delete(socket));
    let received = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      const init = readInitMessage(new ByteReader(received));
      if (init === null && received.length < INIT_BYTES_MAX) return;
      socket.removeListener('data', onData);
      if (init === null || typeof init === 'string') this.#refuse(socket, init ?? 'too long');
      else this.#onIntroduced(init.serverId, socket, received.subarray(init.byteCount));
    };
    socket.on('data', onData);
  }

  #refuse(socket: Socket, reason: string): void {
    this.#logger.log(logLevels.warn, 'election connection refused', {
      remoteAddress: socket.remoteAddress ?? '',
      reason,
    });
    socket.destroy();
  }

  #onIntroduced(id: number, socket: Socket, rest: Buffer): void {
    const { serverId, peers } = this.#settings;
    socket.setTimeout(0);
    this.#strangers.delete(socket);
    if (id === serverId) this.#refuse(socket, `it calls itself ${id}, as this server does: check myid`);
    else if (!peers.has(id)) this.#refuse(socket, `server ${id} is not in the configuration`);
    else if (id < serverId) {
      socket.destroy();
      this.#drop(id);
      this.#call(id);
    } else {
      this.#drop(id);
      const frames = new FrameReader();
      this.#adopt(id, socket, frames);
      if (rest.length > 0) this.#onData(id, socket, frames, rest);
    }
  }

  // ---- connections ----

  #adopt(id: number, socket: Socket, frames: FrameReader): void {
    this.#drop(id);
    this.#links.set(id, socket);
    this.#patience.onSign(id);
    const at = this.#settings.peers.get(id);
    if (at !== undefined) this.#tellReachable(id, at);
    socket.on('data', (chunk: Buffer) => this.#onData(id, socket, frames, chunk));
    socket.on('close', () => {
      if (this.#links.get(id) === socket) this.#links.delete(id);
    });
    socket.on('drain', () => this.#pump(id));
    // Also what was sent on the connection before: it may have been lost.
    if (this.#latest.has(id)) {
      this.#unsent.add(id);
      this.#patience.onSent(id, performance.now());
    }
    this.#pump(id);
  }

  #drop(id: number): void {
    this.#links.get(id)?.destroy();
    this.#links.delete(id);
  }

  #pump(id: number): void {
    const socket = this.#links.get(id);
    const frame = this.#latest.get(id);
    if (socket === undefined || frame === undefined || !this.#unsent.has(id) || socket.writableNeedDrain) return;
    this.#unsent.delete(id);
    socket.write(frame);
  }

  #onData(id: number, socket: Socket, frames: FrameReader, chunk: Buffer): void {
    frames.push(chunk);
    while (this.#links.get(id) === socket) {
      const result = frames.next(ELECTION_FRAME_BYTES_MAX);
      if (result === 'more') return;
      if (result === 'bad-length' || frames.start === frames.end) {
        this.#logger.log(logLevels.warn, 'election connection broken off', {
          serverId: id,
          reason: `a frame of ${frames.lengthField} bytes`,
        });
        this.#drop(id);
        return;
      }
      this.#patience.onSign(id);
      this.#events.onFrame(id, frames.bytes, frames.start, frames.end);
    }
  }
}
