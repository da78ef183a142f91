/** TestServer: a running server and the ways to trouble its clients. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { highOfBigint, type Logger, lowOfBigint, pairToBigint } from '@zoots/base';
import type { Session } from '@zoots/core';
import type { ServerConfig } from '@zoots/server';
import { type AssembledServer, startServer as assemble, machineClock } from '@zoots/server/assemble';
import type { ServerData } from './server-data.js';
import { idOf, type SessionReference } from './session-reference.js';
import { VirtualClock } from './virtual-clock.js';

/** A session that the server has. */
export interface ServerSession {
  readonly id: bigint;
  readonly timeoutMs: number;
  /** Whether a client is connected with it. */
  readonly isConnected: boolean;
}

interface Parts {
  readonly config: ServerConfig;
  readonly isVirtual: boolean;
  readonly data: ServerData;
  readonly logger: Logger;
}

type State = 'serving' | 'frozen' | 'stopped';

export class TestServer implements AsyncDisposable {
  /** The port that clients connect to. */
  readonly port: number;
  /** For clients: `127.0.0.1:port`. */
  readonly connectString: string;
  readonly #parts: Parts;
  readonly #clock: VirtualClock | null;
  #running: AssembledServer;
  #release: () => void;
  #state: State = 'serving';
  #failure: Error | null = null;
  #stopped: Promise<void> | null = null;

  private constructor(parts: Parts, clock: VirtualClock | null, running: AssembledServer, release: () => void) {
    this.#parts = parts;
    this.#clock = clock;
    this.#running = running;
    this.#release = release;
    this.port = running.clientPort;
    this.connectString = `${hostOf(parts.config)}:${this.port}`;
    this.#watchFor(running);
  }

  /** @internal */
  static async start(parts: Parts): Promise<TestServer> {
    const clock = parts.isVirtual ? new VirtualClock(Date.now()) : null;
    const { running, release } = await run(parts, parts.config, clock);
    return new TestServer(parts, clock, running, release);
  }

  #watchFor(running: AssembledServer): void {
    running.failed.then((error) => {
      this.#failure = error;
    });
  }

  // ---- sessions ----

  /** The sessions that the server has, by id. */
  get sessions(): ServerSession[] {
    const sessions = [...this.#running.server.sessions.all()].map((session) => ({
      id: pairToBigint(session.high, session.low),
      timeoutMs: session.timeoutMs,
      isConnected: session.connection !== null,
    }));
    return sessions.sort((left, right) => (left.id < right.id ? -1 : 1));
  }

  /**
   * Ends a session now, as if it had expired: its ephemeral znodes go, its connection is closed, and its client is told
   * `expired` when it comes back. Resolves when it is gone. Rejects if the server has no such session.
   */
  async killSession(reference: SessionReference): Promise<void> {
    this.#mustServe('killSession');
    const { server } = this.#running;
    const session = this.#sessionOf(reference);
    server.tick();
    if (!session.isClosing) {
      server.sessions.markClosing(session);
      server.submitCloseSession(session);
    }
    await until(() => server.sessions.get(session.high, session.low) !== session || !server.isServing);
  }

  #sessionOf(reference: SessionReference): Session {
    const id = idOf(reference);
    const session = this.#running.server.sessions.get(highOfBigint(id), lowOfBigint(id));
    if (session === undefined) throw new Error(`the server has no session 0x${BigInt.asUintN(64, id).toString(16)}`);
    return session;
  }

  // ---- connections ----

  /** Cuts the TCP connection of a session, if it has one. The session lives on, and its client may come back at once. */
  dropConnection(reference: SessionReference): void {
    const { connection } = this.#sessionOf(reference);
    if (connection !== null) this.#running.listener.drop(connection);
  }

  /** Cuts every TCP connection. */
  dropConnections(): void {
    this.#running.listener.dropAll();
  }

  /**
   * The server falls silent, as if its machine hung: connections stay open and new ones are accepted, but nothing is read, done
   * or answered, and no session expires, until {@link thaw}.
   */
  freeze(): void {
    this.#mustServe('freeze');
    this.#state = 'frozen';
    this.#running.listener.gate = 'held';
    this.#running.turn.suspend();
  }

  /** Ends {@link freeze}: what clients sent meanwhile is read before any session expires. */
  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'serving';
    this.#running.turn.resume();
    this.#running.listener.gate = 'open';
  }

  /** From now on there is no server to be found: connections are cut, new ones closed at once. Time goes on. */
  refuse(): void {
    this.#mustServe('refuse');
    this.#running.listener.gate = 'closed';
  }

  /** Ends {@link refuse}. */
  admit(): void {
    if (this.#state === 'serving') this.#running.listener.gate = 'open';
  }

  // ---- time ----

  /**
   * Moves the virtual clock on by `ms` and resolves when everything that fell due is done: sessions without a connection expire,
   * containers and TTL znodes go (the server looks for them every `znode.container.checkIntervalMs`, a minute unless
   * configured). Clients that are connected count as having sent their pings. The clock may end some milliseconds later, one
   * for each znode that went. Rejects without `clock: 'virtual'`.
   */
  async advance(ms: number): Promise<void> {
    const clock = this.#clock;
    if (clock === null) throw new Error("advance: start the server with clock: 'virtual'");
    this.#mustServe('advance');
    const { server } = this.#running;
    let endMs = clock.nowMs() + ms;
    do {
      // From one deadline to the next, so that all happens in the order in which it would.
      const dueMs = server.deadlineMs;
      clock.moveTo(Math.floor(dueMs) <= endMs ? dueMs : endMs);
      endMs = Math.max(endMs, clock.nowMs());
      for (const session of server.sessions.all()) {
        if (session.connection !== null) server.sessions.touch(session, clock.nowMs());
      }
      server.tick();
      await this.#settled();
    } while (clock.nowMs() < endMs || Math.floor(server.deadlineMs) <= endMs);
  }

  /** Milliseconds since 1970 on the server's clock. */
  get nowMs(): number {
    return (this.#clock ?? machineClock).wallMs();
  }

  /** What the last tick led to is done. */
  async #settled(): Promise<void> {
    const { server } = this.#running;
    await nextTurn();
    const dueZxid = server.tree.lastProcessedZxid + (server.queueSizes.window as number);
    await until(() => {
      const isDone = server.queueSizes.window === 0 || server.tree.lastProcessedZxid >= dueZxid;
      return (isDone && !server.snapshotter.isRunning) || !server.isServing;
    });
  }

  // ---- life ----

  /** Stops the server and starts it again with the same data on the same port. Sessions survive, connections do not. */
  async restart(): Promise<void> {
    this.thaw();
    this.#mustServe('restart');
    await this.#end();
    const { running, release } = await run(this.#parts, { ...this.#parts.config, clientPort: this.port }, this.#clock);
    this.#running = running;
    this.#release = release;
    this.#state = 'serving';
    this.#watchFor(running);
  }

  /** Stops the server; temporary data is removed. Rejects if the server had failed. May be called again. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.thaw();
    if (this.#state !== 'stopped') await this.#end();
    await this.#parts.data.discard();
    if (this.#failure !== null) throw this.#failure;
  }

  async #end(): Promise<void> {
    this.#state = 'stopped';
    await this.#running.stop();
    this.#release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #mustServe(what: string): void {
    if (this.#state === 'frozen') throw new Error(`${what}: the server is frozen; call thaw() first`);
    if (this.#state === 'stopped') throw new Error(`${what}: the server is stopped`);
  }
}

async function run(
  parts: Parts,
  config: ServerConfig,
  clock: VirtualClock | null,
): Promise<{ running: AssembledServer; release: () => void }> {
  const release = await parts.data.open(config);
  try {
    const running = await assemble(config, parts.logger, { disk: parts.data.disk, clock: clock ?? machineClock });
    return { running, release };
  } catch (error) {
    release();
    throw error;
  }
}

function hostOf({ clientPortAddress }: ServerConfig): string {
  if (clientPortAddress === null || clientPortAddress === '0.0.0.0' || clientPortAddress === '::') return '127.0.0.1';
  return clientPortAddress.includes(':') ? `[${clientPortAddress}]` : clientPortAddress;
}

/** Looks once per round of the event loop. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await nextTurn();
}
