/**
 * A ZooKeeper session for tests: requests with their replies in order, watch events aside in a queue.
 * Every call names the error code it got, so a test can ask for an error as easily as for a result.
 */
import { WireReader } from './bytes.js';
import { ConnectionClosedError, WireConnection } from './connection.js';
import {
  type Acl,
  bodies,
  type ConnectRequest,
  type ConnectResponse,
  errorName,
  Flags,
  type MultiResult,
  Op,
  openAcl,
  opName,
  readAcls,
  readConnectResponse,
  readMultiResults,
  readStat,
  readStrings,
  readWatcherEvent,
  type Stat,
  type WatcherEvent,
  writeConnectRequest,
} from './records.js';

export interface Reply {
  readonly xid: number;
  readonly zxid: bigint;
  readonly err: number;
  /** What follows the reply header. */
  readonly body: Buffer;
}

/** A reply whose err is not 0, from a call that promised a result. */
export class RequestError extends Error {
  readonly code: number;
  constructor(type: number, path: string, code: number) {
    super(`${opName(type)} ${path}: ${errorName(code)}`);
    this.code = code;
  }
}

type Waiter = { readonly type: number; resolve(reply: Reply): void; reject(error: Error): void };

export class WireSession {
  readonly connection: WireConnection;
  readonly connected: ConnectResponse;
  readonly events: WatcherEvent[] = [];
  /** The largest zxid of any reply, for reconnecting. */
  lastZxid = 0n;
  readonly #waiters: Waiter[] = [];
  #eventWaiter: (() => void) | null = null;
  #xid = 0;

  private constructor(connection: WireConnection, connected: ConnectResponse) {
    this.connection = connection;
    this.connected = connected;
  }

  /** Opens a session, or resumes one when `sessionId` and `password` are given. A refusal throws, and so does silence. */
  static async connect(port: number, request: ConnectRequest = {}, answerTimeoutMs = 10_000): Promise<WireSession> {
    const connection = await WireConnection.open(port);
    connection.sendFrame(writeConnectRequest({ readOnly: false, ...request }));
    const frame = await connection.nextFrame(answerTimeoutMs).catch((error) => {
      connection.destroy();
      throw error;
    });
    if (frame === null)
      throw new ConnectionClosedError('the server closed the connection instead of a ConnectResponse');
    const connected = readConnectResponse(frame);
    if (connected.timeoutMs <= 0) {
      connection.destroy();
      throw new RequestError(Op.createSession, 'session', -112);
    }
    const session = new WireSession(connection, connected);
    void session.#readFrames();
    return session;
  }

  get sessionId(): bigint {
    return this.connected.sessionId;
  }

  get password(): Buffer {
    return this.connected.password ?? Buffer.alloc(0);
  }

  async #readFrames(): Promise<void> {
    for (;;) {
      const frame = await this.connection.nextFrame(24 * 3_600_000);
      if (frame === null) break;
      if (frame.readInt32BE(0) === -1) {
        this.events.push(readWatcherEvent(frame));
        this.#wakeEventWaiter();
        continue;
      }
      const reply = {
        xid: frame.readInt32BE(0),
        zxid: frame.readBigInt64BE(4),
        err: frame.readInt32BE(12),
        body: frame.subarray(16),
      };
      if (reply.zxid > this.lastZxid) this.lastZxid = reply.zxid;
      this.#waiters.shift()?.resolve(reply);
    }
    for (const { type, reject } of this.#waiters.splice(0)) {
      reject(new ConnectionClosedError(`port ${this.connection.port} closed before the reply to ${opName(type)}`));
    }
    this.#wakeEventWaiter();
  }

  #wakeEventWaiter(): void {
    const waiter = this.#eventWaiter;
    this.#eventWaiter = null;
    waiter?.();
  }

  /** One request; any number may be in flight. Rejects only when the connection closes before the reply. */
  request(type: number, body: Uint8Array, xid = ++this.#xid): Promise<Reply> {
    if (this.connection.closed)
      return Promise.reject(
        new ConnectionClosedError(`port ${this.connection.port} has closed, before ${opName(type)}`),
      );
    return new Promise((resolve, reject) => {
      this.#waiters.push({ type, resolve, reject });
      this.connection.sendRequest(xid, type, body);
    });
  }

  async #ok(type: number, path: string, body: Uint8Array): Promise<WireReader> {
    const reply = await this.request(type, body);
    if (reply.err !== 0) throw new RequestError(type, path, reply.err);
    return new WireReader(reply.body);
  }

  /** Returns the path made, which for sequential flags has the suffix. */
  async create(
    path: string,
    data: Uint8Array | string | null = '',
    { flags = Flags.persistent as number, acl = openAcl as readonly Acl[] | null } = {},
  ): Promise<string> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    return (await this.#ok(Op.create, path, bodies.create(path, bytes, acl, flags))).string() as string;
  }

  async createTTL(path: string, data: string, ttlMs: bigint, flags: number = Flags.persistentWithTTL): Promise<string> {
    const body = bodies.createTTL(path, Buffer.from(data), openAcl, flags, ttlMs);
    return (await this.#ok(Op.createTTL, path, body)).string() as string;
  }

  async createContainer(path: string, data = ''): Promise<string> {
    const body = bodies.create(path, Buffer.from(data), openAcl, Flags.container);
    return (await this.#ok(Op.createContainer, path, body)).string() as string;
  }

  async delete(path: string, version = -1): Promise<void> {
    await this.#ok(Op.delete, path, bodies.pathVersion(path, version));
  }

  /** Null when there is no such node. */
  async exists(path: string, watch = false): Promise<Stat | null> {
    const reply = await this.request(Op.exists, bodies.pathWatch(path, watch));
    if (reply.err === -101) return null;
    if (reply.err !== 0) throw new RequestError(Op.exists, path, reply.err);
    return readStat(new WireReader(reply.body));
  }

  async getData(path: string, watch = false): Promise<{ data: Buffer | null; stat: Stat }> {
    const reader = await this.#ok(Op.getData, path, bodies.pathWatch(path, watch));
    return { data: reader.buffer(), stat: readStat(reader) };
  }

  async setData(path: string, data: Uint8Array | string | null, version = -1): Promise<Stat> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    return readStat(await this.#ok(Op.setData, path, bodies.setData(path, bytes, version)));
  }

  async getACL(path: string): Promise<{ acl: Acl[]; stat: Stat }> {
    const reader = await this.#ok(Op.getACL, path, bodies.path(path));
    return { acl: readAcls(reader) ?? [], stat: readStat(reader) };
  }

  async setACL(path: string, acl: readonly Acl[], version = -1): Promise<Stat> {
    return readStat(await this.#ok(Op.setACL, path, bodies.setACL(path, acl, version)));
  }

  async getChildren(path: string, watch = false): Promise<string[]> {
    const reader = await this.#ok(Op.getChildren, path, bodies.pathWatch(path, watch));
    return (readStrings(reader) ?? []).map((name) => name ?? '').sort();
  }

  async multi(ops: readonly { type: number; body: Uint8Array }[]): Promise<MultiResult[]> {
    return readMultiResults(await this.#ok(Op.multi, '', bodies.multi(ops)));
  }

  async getEphemerals(prefix = ''): Promise<string[]> {
    const reader = await this.#ok(Op.getEphemerals, prefix, bodies.path(prefix));
    return (readStrings(reader) ?? []).map((path) => path ?? '').sort();
  }

  async sync(path = '/'): Promise<void> {
    await this.#ok(Op.sync, path, bodies.path(path));
  }

  async auth(scheme: string, credentials: string): Promise<void> {
    const reply = await this.request(Op.auth, bodies.auth(scheme, Buffer.from(credentials)), -4);
    if (reply.err !== 0) throw new RequestError(Op.auth, scheme, reply.err);
  }

  async ping(): Promise<Reply> {
    return this.request(Op.ping, bodies.empty(), -2);
  }

  /** The oldest unread event; null when none came in time. */
  async nextEvent(timeoutMs = 5_000): Promise<WatcherEvent | null> {
    if (this.events.length === 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#eventWaiter = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.events.shift() ?? null;
  }

  /** Closes the session: its ephemerals go. */
  async close(): Promise<void> {
    await this.request(Op.closeSession, bodies.empty());
    this.connection.destroy();
  }

  /** Cuts the connection; the session lives on until its timeout. */
  abandon(): void {
    this.connection.destroy();
  }
}
