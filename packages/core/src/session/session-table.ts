/**
 * Sessions and when they end. Activity at t with timeout T keeps a session until the tick after t + T:
 * ((t + T) / tick + 1) * tick. All sessions of a bucket expire together. A closing session is touched no more.
 * Source: ZooKeeper's ExpiryQueue.
 */
import { Int64Map } from '@zoots/base';
import type { Connection } from './connection.js';

export class Session {
  readonly high: number;
  readonly low: number;
  /** What the connection negotiated; a resumed session may have another than it was made with. */
  timeoutMs: number;
  /** What its createSession txn says: this is what snapshots hold. */
  recordedTimeoutMs: number;
  connection: Connection | null = null;
  /** Known to this server alone, without a txn; an ephemeral makes it global, if that is allowed. */
  isLocal = false;
  /** Its createSession is applied: it belongs to the database and to snapshots. */
  isApplied = false;
  /** Its closeSession is on the way: no request of it is taken any more. */
  isClosing = false;
  /** When its bucket expires, in monotonic milliseconds; 0 while it has none. */
  expiryMs = 0;
  /** Writes of it that were taken on, and how many of them are applied: what comes behind one waits for it. */
  writesSubmitted = 0;
  writesSettled = 0;
  /** Ephemerals prepared and not yet applied, by id: how many times, since one may be deleted and created again meanwhile. */
  pendingCreates: Map<number, number> | null = null;
  /** On a leader: through whom its requests come (a learner, or this server); null until somebody claims it. */
  owner: object | null = null;
  /** On a learner: its requests on their way to the leader, oldest first. */
  forwarded: InFlight[] = [];

  constructor(high: number, low: number, timeoutMs: number) {
    this.high = high;
    this.low = low;
    this.timeoutMs = timeoutMs;
    this.recordedTimeoutMs = timeoutMs;
  }

  onEphemeralPrepared(id: number): void {
    this.pendingCreates ??= new Map();
    this.pendingCreates.set(id, (this.pendingCreates.get(id) ?? 0) + 1);
  }

  onEphemeralApplied(id: number): void {
    const pending = this.pendingCreates;
    if (pending === null) return;
    const count = pending.get(id) ?? 0;
    if (count > 1) pending.set(id, count - 1);
    else pending.delete(id);
  }
}

/** A txn in flight: who waits for it. */
export interface InFlight {
  readonly zxid: number;
  readonly op: number;
  readonly xid: number;
  /** Null for the server's own (expiry, containers). */
  readonly connection: Connection | null;
  readonly session: Session | null;
  readonly receivedMs: number;
  readonly frameBytes: number;
  /** What its preparation found out; see `KnownChange` in tree.ts. */
  readonly znode: number;
  readonly parent: number;
  readonly contentCrc: number;
  /** Parts of a multi, by their place, that are logged as create and answered as create2. */
  readonly create2Parts: ReadonlySet<number> | null;
}

/** Top byte of ids the server must not give: it marks TTL owners. */
const ID_COUNTER_HIGH_MASK = 0xffffff;

export class SessionTable {
  readonly #sessions = new Int64Map<Session>();
  readonly #buckets = new Map<number, Set<Session>>();
  readonly #tickMs: number;
  #nextHigh: number;
  #nextLow: number;
  #earliestMs = Number.POSITIVE_INFINITY;
  /** Timeouts of global sessions count here. On a learner they are its leader's business. */
  #judgesGlobal = true;

  /** `wallMs` starts the ids: server id in the top byte, then 40 bits of time and a counter's 16. */
  constructor(serverId: number, tickMs: number, wallMs: number) {
    this.#tickMs = tickMs;
    // ((wallMs << 24) unsigned>> 8) | (serverId << 56): bits 0..39 of the time land in bits 16..55.
    const time40 = wallMs % 0x10000000000;
    this.#nextHigh = ((serverId & 0xff) << 24) | (Math.floor(time40 / 65536) & ID_COUNTER_HIGH_MASK);
    this.#nextLow = ((time40 % 65536) << 16) | 0;
  }

  get count(): number {
    return this.#sessions.size;
  }

  get(high: number, low: number): Session | undefined {
    return this.#sessions.get(high, low);
  }

  all(): Generator<Session> {
    return this.#sessions.values();
  }

  /** A session under a fresh id. */
  create(timeoutMs: number, nowMs: number): Session {
    do this.#advance();
    while (this.#sessions.get(this.#nextHigh, this.#nextLow) !== undefined);
    return this.add(this.#nextHigh, this.#nextLow, timeoutMs, nowMs);
  }

  #advance(): void {
    this.#nextLow = (this.#nextLow + 1) | 0;
    if (this.#nextLow === 0) {
      this.#nextHigh = (this.#nextHigh & 0xff000000) | ((this.#nextHigh + 1) & ID_COUNTER_HIGH_MASK);
    }
  }

  /** A session known from a txn or snapshot (an existing one gets the timeout). */
  add(high: number, low: number, timeoutMs: number, nowMs: number): Session {
    let session = this.#sessions.get(high, low);
    if (session === undefined) {
      session = new Session(high, low, timeoutMs);
      this.#sessions.set(high, low, session);
    }
    session.timeoutMs = timeoutMs;
    session.recordedTimeoutMs = timeoutMs;
    this.touch(session, nowMs);
    return session;
  }

  /** False if the session is closing. */
  touch(session: Session, nowMs: number): boolean {
    if (session.isClosing) return false;
    if (!this.#judgesGlobal && !session.isLocal) return true;
    const expiryMs = (Math.floor((nowMs + session.timeoutMs) / this.#tickMs) + 1) * this.#tickMs;
    if (expiryMs !== session.expiryMs) this.#moveTo(session, expiryMs);
    return true;
  }

  /** Whose timeouts count from now on. */
  judgeGlobal(judges: boolean): void {
    this.#judgesGlobal = judges;
    for (const session of this.#sessions.values()) {
      if (judges || session.isLocal || session.expiryMs === 0) continue;
      this.#leaveBucket(session);
      session.expiryMs = 0;
    }
  }

  /** A session without a txn. */
  createLocal(timeoutMs: number, nowMs: number): Session {
    const session = this.create(timeoutMs, nowMs);
    session.isLocal = true;
    this.touch(session, nowMs);
    return session;
  }

  /** Who judges global sessions judges this one from now on. */
  makeGlobal(session: Session): void {
    session.isLocal = false;
    if (this.#judgesGlobal) return;
    this.#leaveBucket(session);
    session.expiryMs = 0;
  }

  #moveTo(session: Session, expiryMs: number): void {
    this.#leaveBucket(session);
    session.expiryMs = expiryMs;
    let bucket = this.#buckets.get(expiryMs);
    if (bucket === undefined) {
      bucket = new Set();
      this.#buckets.set(expiryMs, bucket);
      if (expiryMs < this.#earliestMs) this.#earliestMs = expiryMs;
    }
    bucket.add(session);
  }

  #leaveBucket(session: Session): void {
    const bucket = this.#buckets.get(session.expiryMs);
    if (bucket === undefined) return;
    bucket.delete(session);
    if (bucket.size > 0) return;
    this.#buckets.delete(session.expiryMs);
    if (session.expiryMs === this.#earliestMs) this.#findEarliest();
  }

  #findEarliest(): void {
    this.#earliestMs = Number.POSITIVE_INFINITY;
    for (const expiryMs of this.#buckets.keys()) if (expiryMs < this.#earliestMs) this.#earliestMs = expiryMs;
  }

  /** When the next bucket expires; infinity if there is none. */
  get nextExpiryMs(): number {
    return this.#earliestMs;
  }

  /** Sessions whose time is up, each marked closing and out of its bucket; the caller submits their closeSession. */
  takeExpired(nowMs: number): Session[] {
    const expired: Session[] = [];
    while (this.#earliestMs <= nowMs) {
      for (const session of this.#buckets.get(this.#earliestMs) ?? []) expired.push(session);
      this.#buckets.delete(this.#earliestMs);
      this.#findEarliest();
    }
    for (const session of expired) {
      session.isClosing = true;
      session.expiryMs = 0;
    }
    return expired;
  }

  /** From here on nothing of the session is taken; it stays in the table until its closeSession is applied. */
  markClosing(session: Session): void {
    session.isClosing = true;
    this.#leaveBucket(session);
    session.expiryMs = 0;
  }

  remove(session: Session): void {
    this.#leaveBucket(session);
    this.#sessions.delete(session.high, session.low);
  }

  clear(): void {
    this.#sessions.clear();
    this.#buckets.clear();
    this.#earliestMs = Number.POSITIVE_INFINITY;
  }

  /** The role ended: what was in flight is gone, and with it sessions whose creation was. */
  dropInFlight(): void {
    for (const session of [...this.#sessions.values()]) {
      session.isClosing = false;
      session.connection = null;
      session.writesSubmitted = 0;
      session.writesSettled = 0;
      session.pendingCreates = null;
      session.owner = null;
      session.forwarded = [];
      session.timeoutMs = session.recordedTimeoutMs;
      if (!session.isApplied) this.remove(session);
    }
  }

  /** After a restart every session has its full timeout again. */
  touchAll(nowMs: number): void {
    for (const session of this.#sessions.values()) this.touch(session, nowMs);
  }

  /** Buckets in order, for `dump`: when each expires and who is in it. */
  buckets(): { readonly expiryMs: number; readonly sessions: readonly Session[] }[] {
    return [...this.#buckets.entries()]
      .sort((left, right) => left[0] - right[0])
      .map(([expiryMs, sessions]) => ({ expiryMs, sessions: [...sessions] }));
  }
}
