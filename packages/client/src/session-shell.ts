/**
 * The shell of the session core: a socket, one timer, one `nextTick` per burst of calls. It decides nothing.
 *
 * A burst: replies of one chunk settle many promises, whose continuations make new calls in the microtasks that follow. A
 * `nextTick` queued by the first of them runs when the microtasks are through, so all of them leave in one write.
 */
import { randomBytes } from 'node:crypto';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { type ByteWriter, Prng, ByteWriter as Writer } from '@zoots/base';
import { Call, type CallLimits } from './call.js';
import { connectChannel, watchChannel } from './diagnostics.js';
import { RequestAbortedError } from './errors.js';
import type { Operation } from './operations.js';
import { ReadOnlySeeker } from './read-only-seeker.js';
import {
  type EstablishedSession,
  type FailureOutcome,
  SessionCore,
  type SessionEnd,
  type SessionOptions,
  type SessionPorts,
  type SessionRequest,
  type SessionState,
  type WatchAsk,
} from './session-core/index.js';
import { Transport } from './transport.js';
import type { CallOptions, ServerAddress } from './types.js';

/** What the client makes of the session's news. */
export interface ShellEvents {
  onState(state: SessionState, previous: SessionState): void;
  onSession(session: EstablishedSession): void;
  onSessionEnd(end: SessionEnd): void;
  onEvent(type: number, path: string, zxid: number): void;
}

const OUT_BYTES = 16 * 1024;
/** Larger writers, of large requests, are not kept. */
const SPARE_BYTES_MAX = 256 * 1024;
const SPARES_MAX = 4;

export class SessionShell implements SessionPorts {
  readonly core: SessionCore;
  /** Called when the client is over. */
  readonly onEnd = new Set<() => void>();
  readonly prng = new Prng(randomBytes(4).readUInt32BE());
  readonly #events: ShellEvents;
  readonly #tls: TlsOptions | null;
  readonly #limits: CallLimits;
  readonly #requestTimeoutMs: number;
  readonly #seeker: ReadOnlySeeker;
  #servers: readonly ServerAddress[];
  #transport: Transport | null = null;
  /** The server of the current attempt or connection, or of the last one. */
  #dialled: ServerAddress | null = null;
  #spares: ByteWriter[] = [];
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  /** Why the last connection or attempt ended, for people. */
  lastProblem: string | null = null;

  constructor(
    servers: readonly ServerAddress[],
    options: SessionOptions,
    tls: TlsOptions | null,
    requestTimeoutMs: number,
    events: ShellEvents,
  ) {
    this.#servers = servers;
    this.#tls = tls;
    this.#limits = options;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#events = events;
    this.#seeker = new ReadOnlySeeker(
      () => this.#servers,
      tls,
      (server) => this.core.moveTo(server),
    );
    this.core = new SessionCore(options, this);
  }

  /** Connected to, or null. */
  get server(): ServerAddress | null {
    return this.core.isOpen ? (this.#servers[this.core.server] ?? null) : null;
  }

  /** Makes a call; throws nothing, the promise tells everything. */
  call<A extends { readonly path: string }, R>(
    operation: Operation<A, R>,
    args: A,
    base: string,
    options: CallOptions | undefined,
    watch: WatchAsk | null = null,
  ): Promise<R> {
    return new Promise((onResult, onError) => {
      let resolve: (result: R) => void = onResult;
      let reject: (error: unknown) => void = onError;
      if (watch !== null) {
        // A server has one watch per path and connection for all who asked: who takes it away must know of this one.
        const { watches } = this.core;
        watches.expect(watch);
        resolve = (result) => {
          watches.settle(watch);
          onResult(result);
        };
        reject = (error) => {
          watches.settle(watch);
          onError(error);
        };
      }
      const call = new Call(operation, args, base, this.#limits, watch, resolve, reject);
      const timeoutMs = options?.timeoutMs ?? this.#requestTimeoutMs;
      const signal = options?.signal;
      if (timeoutMs > 0 || signal !== undefined) {
        if (signal?.aborted === true) {
          reject(new RequestAbortedError('not-sent', { operation: operation.name, cause: signal.reason }));
          return;
        }
        call.limit(timeoutMs, signal, this.#cancel);
      }
      this.core.submit(call);
    });
  }

  readonly #cancel = (call: SessionRequest): FailureOutcome | null => this.core.cancel(call);

  /** The new list; stays connected if the current server is in it. */
  retarget(servers: readonly ServerAddress[]): void {
    const current = this.#servers[this.core.server];
    this.#servers = servers;
    const index = servers.findIndex(({ host, port }) => host === current?.host && port === current.port);
    this.core.setServers(servers.length, index);
  }

  // ---- what the core asks for ----

  nowMs(): number {
    return performance.now();
  }

  connect(server: number): void {
    const address = this.#servers[server] as ServerAddress;
    this.#dialled = address;
    this.#transport = new Transport(address, this.#tls, {
      onConnected: () => {
        if (connectChannel.hasSubscribers) {
          connectChannel.publish({ server: address, event: 'connected', reason: null });
        }
        this.core.onConnected();
      },
      onBytes: (bytes, start, end) => this.core.onBytes(bytes, start, end),
      onDisconnected: (reason) => {
        this.#transport = null;
        this.core.onDisconnected(reason);
      },
    });
  }

  disconnect(): void {
    this.#transport?.close();
    this.#transport = null;
  }

  write(filled: ByteWriter): ByteWriter {
    const spare = this.#spares.pop() ?? new Writer(OUT_BYTES);
    this.#transport?.write(filled, this.#reuse);
    return spare;
  }

  readonly #reuse = (writer: ByteWriter): void => {
    if (writer.bytes.length > SPARE_BYTES_MAX || this.#spares.length >= SPARES_MAX) return;
    writer.clear();
    this.#spares.push(writer);
  };

  onDirty(): void {
    process.nextTick(this.#flush);
  }

  readonly #flush = (): void => this.core.flush();

  onDeadline(): void {
    // While the core is being made it has no deadline yet; start() comes right after.
    const atMs = this.core.deadlineMs;
    if (atMs === Number.POSITIVE_INFINITY) {
      clearTimeout(this.#timer);
      this.#timerAtMs = atMs;
    } else if (atMs < this.#timerAtMs) this.#arm(atMs);
  }

  /** A deadline that moves on with the traffic costs nothing: the timer finds out when it fires. */
  #arm(atMs: number): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(this.#onTimer, Math.max(0, Math.ceil(atMs - this.nowMs())));
  }

  readonly #onTimer = (): void => {
    // After a stall of this process the answers may lie in the socket: they are read before this runs.
    setImmediate(() => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.core.onTime();
      this.onDeadline();
    });
  };

  // ---- what the core tells ----

  onState(state: SessionState, previous: SessionState): void {
    if (state === 'read-only') this.#seeker.start();
    else this.#seeker.stop();
    if (state === 'closed' || state === 'auth-failed') for (const end of [...this.onEnd]) end();
    this.#events.onState(state, previous);
  }

  onSession(session: EstablishedSession): void {
    this.#events.onSession(session);
  }

  onSessionEnd(end: SessionEnd): void {
    this.#events.onSessionEnd(end);
  }

  onEvent(type: number, path: string, zxid: number): void {
    if (watchChannel.hasSubscribers) watchChannel.publish({ type, path, zxid });
    this.#events.onEvent(type, path, zxid);
  }

  onConnectionEnd(reason: string): void {
    // Not by the core's number: the list may be another one by now.
    const server = this.#dialled as ServerAddress;
    this.lastProblem = `${server.host}:${server.port}: ${reason}`;
    if (connectChannel.hasSubscribers)
      connectChannel.publish({ server, event: 'disconnected', reason: this.lastProblem });
  }
}
