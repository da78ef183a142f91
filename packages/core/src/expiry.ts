/**
 * What time alone brings about: sessions expire, empty containers and outlived TTL znodes go, connections that never ask for
 * a session are closed. Each becomes an ordinary request of the server's own, checked again when it is prepared.
 * Source: ZooKeeper's SessionTrackerImpl and ContainerManager.
 */
import { ByteWriter, pairToNumber } from '@zoots/base';
import { OP } from '@zoots/protocol';
import { EXPIRY_SLICE_COUNT } from './limits.js';
import type { CoreConfig } from './ports.js';
import type { Connection } from './session/connection.js';
import type { Session, SessionTable } from './session/session-table.js';
import { ttlOf } from './tree/ephemerals.js';
import { S } from './tree/stat-rows.js';
import type { Tree } from './tree/tree.js';
import { F } from './tree/znode-store.js';

export interface ExpiryHost {
  readonly nowMs: number;
  readonly wallMs: number;
  submitCloseSession(session: Session): void;
  submitInternal(op: number, bytes: Uint8Array, start: number, end: number): void;
  close(connection: Connection): void;
}

const MINUTE_MS = 60_000;

export class Expiry {
  readonly #config: CoreConfig;
  readonly #tree: Tree;
  readonly #sessions: SessionTable;
  readonly #host: ExpiryHost;
  /** Connections without a session, oldest first. */
  readonly #sessionless = new Set<Connection>();
  /** Judges containers and TTL znodes. Learners leave that to their leader. */
  isJudging = true;
  #nextCheckMs = 0;
  /** Paths found by the last check and not yet submitted. */
  #candidates: Uint8Array[] = [];
  #candidateAt = 0;
  #nextDeleteMs = 0;
  readonly #path = new ByteWriter(256);

  constructor(config: CoreConfig, tree: Tree, sessions: SessionTable, host: ExpiryHost) {
    this.#config = config;
    this.#tree = tree;
    this.#sessions = sessions;
    this.#host = host;
  }

  /** The server begins to serve. */
  start(): void {
    this.#nextCheckMs = this.#host.nowMs + this.#config.container.checkIntervalMs;
    this.#candidates = [];
    this.#candidateAt = 0;
  }

  onAccepted(connection: Connection): void {
    this.#sessionless.add(connection);
  }

  /** The connection has a session, or is gone. */
  onSettled(connection: Connection): void {
    this.#sessionless.delete(connection);
  }

  /** When {@link run} has something to do next. */
  get deadlineMs(): number {
    let deadline = this.#sessions.nextExpiryMs;
    if (this.isJudging) deadline = Math.min(deadline, this.#nextCheckMs);
    if (this.isJudging && this.#candidateAt < this.#candidates.length)
      deadline = Math.min(deadline, this.#nextDeleteMs);
    for (const oldest of this.#sessionless) {
      deadline = Math.min(deadline, oldest.acceptedMs + this.#config.sessionlessTimeoutMs);
      break;
    }
    return deadline;
  }

  run(): void {
    const nowMs = this.#host.nowMs;
    this.#closeSessionless(nowMs);
    if (this.#sessions.nextExpiryMs <= nowMs) {
      for (const session of this.#sessions.takeExpired(nowMs)) this.#host.submitCloseSession(session);
    }
    if (!this.isJudging) return;
    if (this.#nextCheckMs <= nowMs) this.#findCandidates(nowMs);
    if (this.#candidateAt < this.#candidates.length) this.#deleteCandidates(nowMs);
  }

  #closeSessionless(nowMs: number): void {
    for (const connection of this.#sessionless) {
      if (connection.acceptedMs + this.#config.sessionlessTimeoutMs > nowMs) break;
      this.#sessionless.delete(connection);
      this.#host.close(connection);
    }
  }

  #findCandidates(nowMs: number): void {
    this.#nextCheckMs = nowMs + this.#config.container.checkIntervalMs;
    // What an earlier check found and could not delete yet is found again.
    this.#candidates = [];
    this.#candidateAt = 0;
    for (const id of this.#tree.containers) if (this.#isSpentContainer(id)) this.#candidates.push(this.#pathOf(id));
    for (const id of this.#tree.ttls) if (this.#isOutlived(id)) this.#candidates.push(this.#pathOf(id));
    this.#nextDeleteMs = nowMs;
  }

  /** Meanwhile it may have been used, renewed, deleted, or made anew as something else. */
  #isStillDue(path: Uint8Array): boolean {
    const id = this.#tree.find(path, 0, path.length);
    if (this.#tree.containers.has(id)) return this.#isSpentContainer(id);
    return this.#tree.ttls.has(id) && this.#isOutlived(id);
  }

  /** Empty, and it had a child once; or never had one for longer than the configured time. */
  #isSpentContainer(id: number): boolean {
    const store = this.#tree.store;
    if (store.get(id, F.childCount) > 0) return false;
    if (store.stat(id, S.cversion) > 0) return true;
    const ageMaxMs = this.#config.container.maxNeverUsedIntervalMs;
    return ageMaxMs > 0 && this.#ageMs(id) > ageMaxMs;
  }

  #isOutlived(id: number): boolean {
    const store = this.#tree.store;
    if (store.get(id, F.childCount) > 0) return false;
    return this.#ageMs(id) > ttlOf(store.stat(id, S.owner), store.stat(id, S.owner + 1));
  }

  #ageMs(id: number): number {
    const store = this.#tree.store;
    return this.#host.wallMs - pairToNumber(store.stat(id, S.mtime), store.stat(id, S.mtime + 1));
  }

  #pathOf(id: number): Uint8Array {
    const store = this.#tree.store;
    const start = store.pathStart(id);
    return store.pathChunk(id).slice(start, start + store.pathLength(id));
  }

  /** As many as the rate allows since the last time. */
  #deleteCandidates(nowMs: number): void {
    const intervalMs = MINUTE_MS / this.#config.container.maxPerMinute;
    for (let count = 0; count < EXPIRY_SLICE_COUNT && this.#nextDeleteMs <= nowMs; count++) {
      const path = this.#candidates[this.#candidateAt];
      if (path === undefined) return;
      this.#candidateAt++;
      if (!this.#isStillDue(path)) continue;
      this.#nextDeleteMs += intervalMs;
      this.#path.clear();
      this.#path.buffer(path);
      this.#host.submitInternal(OP.deleteContainer, this.#path.bytes, 0, this.#path.length);
    }
  }
}
