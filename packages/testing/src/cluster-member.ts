/** ClusterMember: one server of an ensemble in this process, and the ways to trouble it. */
import type { Logger } from '@zoots/base';
import type { ServerConfig } from '@zoots/server';
import { type AssembledServer, startServer as assemble } from '@zoots/server/assemble';
import type { ServerData } from './server-data.js';

/** What a member is: `down` after {@link ClusterMember.kill}; `looking` without a leader. */
export type MemberRole = 'leading' | 'following' | 'observing' | 'looking' | 'read-only' | 'down';

interface Parts {
  readonly id: number;
  readonly config: ServerConfig;
  readonly data: ServerData;
  readonly logger: Logger;
}

export class ClusterMember {
  /** N of server.N, from 1 on. */
  readonly id: number;
  /** The port that clients connect to; the same after a restart. */
  readonly port: number;
  /** For clients of this member alone: `127.0.0.1:port`. */
  readonly connectString: string;
  readonly #parts: Parts;
  #running: AssembledServer | null = null;
  #release: () => void = () => {};
  #isFrozen = false;
  #isIsolated = false;
  /** Why it ended by itself. */
  #failure: Error | null = null;

  /** @internal */
  constructor(parts: Parts) {
    this.id = parts.id;
    this.port = parts.config.clientPort as number;
    this.connectString = `127.0.0.1:${this.port}`;
    this.#parts = parts;
  }

  /** What it thinks it is. A leader that is frozen or isolated may be the last one to hear that it is none any more. */
  get role(): MemberRole {
    const role = this.#running?.server.peer?.role ?? 'down';
    return role === 'standalone' ? 'down' : role;
  }

  /** Whether clients can work with it: it has a role in an ensemble that has a leader, and nobody keeps it from that. */
  get isServing(): boolean {
    const hasLeader = this.role === 'leading' || this.role === 'following' || this.role === 'observing';
    return hasLeader && this.#running?.server.state === 'serving' && this.isAble;
  }

  /** @internal It runs, and nobody keeps it from the others. */
  get isAble(): boolean {
    return this.#running !== null && !this.#isFrozen && !this.#isIsolated;
  }

  /** One sentence for people: by which vote it has its role, or what it waits for. */
  get why(): string {
    if (this.#failure !== null) return this.#failure.message;
    return this.#running?.server.peer?.status.why ?? 'not running';
  }

  /** @internal The epoch that it has established or joined. */
  get epoch(): number {
    return this.#running?.server.peer?.status.epoch ?? -1;
  }

  /** @internal Its parts, while it runs. */
  get running(): AssembledServer | null {
    return this.#running;
  }

  /** @internal */
  get failure(): Error | null {
    return this.#failure;
  }

  // ---- life ----

  /** Starts it with the data that it had. Resolves when it runs; {@link TestCluster.whenServing} waits until it serves. */
  async start(): Promise<void> {
    if (this.#running !== null) return;
    const { config, data, logger } = this.#parts;
    this.#release = await data.open(config);
    try {
      const running = await assemble(config, logger, { disk: data.disk });
      this.#running = running;
      running.failed.then((error) => {
        if (this.#running === running) this.#failure = error;
      });
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /** Cuts all its connections, to clients and other members, and ends it. What it has acknowledged is there when it starts again. */
  async kill(): Promise<void> {
    const running = this.#running;
    if (running === null) return;
    // First of all nobody hears anything of it any more.
    running.listener.gate = 'closed';
    if (running.links !== null) running.links.gate = 'closed';
    this.#running = null;
    if (this.#isFrozen) running.turn.resume();
    this.#isFrozen = false;
    this.#isIsolated = false;
    await running.stop();
    this.#release();
  }

  /** {@link kill} and {@link start}. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** @internal After the last {@link kill}. */
  async discard(): Promise<void> {
    await this.kill();
    await this.#parts.data.discard();
  }

  // ---- trouble ----

  /** It falls silent, as if its machine hung: all connections stay open, and nothing is read, done or answered, until {@link thaw}. */
  freeze(): void {
    const { listener, links, turn } = this.#mustRun('freeze');
    this.#isFrozen = true;
    listener.gate = 'held';
    if (links !== null) links.gate = 'held';
    turn.suspend();
  }

  /** Ends {@link freeze}. */
  thaw(): void {
    if (!this.#isFrozen || this.#running === null) return;
    const { listener, links, turn } = this.#running;
    this.#isFrozen = false;
    turn.resume();
    listener.gate = 'open';
    if (links !== null) links.gate = this.#isIsolated ? 'closed' : 'open';
  }

  /** The network between it and all other members fails; clients reach it still. Until {@link rejoin}. */
  isolate(): void {
    const { links } = this.#mustRun('isolate');
    this.#isIsolated = true;
    if (links !== null) links.gate = 'closed';
  }

  /** Ends {@link isolate}. */
  rejoin(): void {
    if (!this.#isIsolated || this.#running === null) return;
    this.#isIsolated = false;
    if (this.#running.links !== null && !this.#isFrozen) this.#running.links.gate = 'open';
  }

  /** Cuts the TCP connections of its clients. Sessions live on. */
  dropConnections(): void {
    this.#mustRun('dropConnections').listener.dropAll();
  }

  #mustRun(what: string): AssembledServer {
    if (this.#running === null) throw new Error(`${what}: member ${this.id} is not running; call start() first`);
    return this.#running;
  }
}
