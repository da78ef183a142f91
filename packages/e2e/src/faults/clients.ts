/**
 * The load of the fault tests: clients with one session each that read, write, create and delete a few registers, one request at a
 * time, at whichever server they are connected to. They write down what they did and heard (history.ts). A server that breaks off
 * or stays silent is left for another, and the session goes on there.
 *
 * A linear read here is a write of the client's own followed by the read on the same connection: the write went through a quorum, and
 * a server answers a session in order. (`sync` alone asks no quorum.)
 */
import { sleep } from '../crash/server-process.js';
import type { Prng } from '../differential/prng.js';
import { WireReader } from '../wire/bytes.js';
import { bodies, errorName, Flags, Op, openAcl, readStat } from '../wire/records.js';
import { type Reply, RequestError, WireSession } from '../wire/session.js';
import type { Operation, OperationKind } from './history.js';

export const registersRoot = '/registers';
export const sessionTimeoutMs = 40_000;
/** Silence for this long means: try another server. Real clients wait for a third of the session's timeout. */
const answerTimeoutMs = 1_200;
const connectRetryMs = 10;

const noNode = -101;
const badVersion = -103;
const nodeExists = -110;
const refusals: Readonly<Record<OperationKind, readonly number[]>> = {
  read: [],
  write: [noNode],
  cas: [noNode, badVersion],
  create: [nodeExists],
  delete: [noNode],
};

export interface LoadOptions {
  readonly ports: readonly number[];
  readonly clients: number;
  readonly registers: number;
  readonly prng: Prng;
  /** Between two requests of a client, on average. */
  readonly pauseMs: number;
}

export class Load {
  readonly history: Operation[] = [];
  /** What no answer of a correct server can be. */
  readonly faults: string[] = [];
  readonly clients: readonly LoadClient[];
  #isStopped = false;
  readonly #done: Promise<unknown>;

  constructor(options: LoadOptions) {
    this.clients = Array.from({ length: options.clients }, (_, at) => new LoadClient(at, options, this));
    this.#done = Promise.all(this.clients.map((client) => client.run(() => this.#isStopped)));
  }

  get acknowledgedCount(): number {
    return this.history.filter(({ outcome, kind }) => outcome === 'ok' && kind !== 'read').length;
  }

  /** Sessions stay open. */
  async end(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }
}

/** Makes the znode above all registers. */
export async function makeRoot(port: number): Promise<void> {
  const session = await WireSession.connect(port);
  await session.create(registersRoot);
  await session.close();
}

export class LoadClient {
  readonly #at: number;
  readonly #options: LoadOptions;
  readonly #load: Load;
  readonly #prng: Prng;
  #session: WireSession | null = null;
  #identity: { sessionId: bigint; password: Buffer } | null = null;
  #lastZxid = 0n;
  #xid = 0;
  #sequence = 0;
  /** Versions seen last, for `cas`. */
  readonly #versions = new Map<string, number>();
  /** An ephemeral znode that lives as long as the session. */
  ephemeral: string | null = null;

  constructor(at: number, options: LoadOptions, load: Load) {
    this.#at = at;
    this.#options = options;
    this.#load = load;
    this.#prng = options.prng;
  }

  async run(isStopped: () => boolean): Promise<void> {
    while (!isStopped()) {
      if (this.#session === null || this.#session.connection.closed) {
        if (!(await this.#connect())) await sleep(connectRetryMs);
        continue;
      }
      await this.#act(this.#session);
      await sleep(this.#prng.below(2 * this.#options.pauseMs + 1));
    }
    this.#session?.abandon();
  }

  async #connect(): Promise<boolean> {
    const port = this.#prng.pick(this.#options.ports);
    const request = { timeoutMs: sessionTimeoutMs, lastZxidSeen: this.#lastZxid, ...this.#identity };
    try {
      this.#session = await WireSession.connect(port, request, answerTimeoutMs);
    } catch (error) {
      const isExpired = error instanceof RequestError && this.#identity !== null;
      if (isExpired) {
        // Nobody was away for as long as a session lives.
        this.#load.faults.push(`session 0x${this.#identity?.sessionId.toString(16)} of client ${this.#at} is lost`);
        this.#identity = null;
        this.ephemeral = null;
      }
      return false;
    }
    if (this.#identity === null) {
      this.#identity = { sessionId: this.#session.sessionId, password: this.#session.password };
      this.#xid = 0;
      await this.#makeEphemeral(this.#session);
    }
    return true;
  }

  async #makeEphemeral(session: WireSession): Promise<void> {
    const path = `${registersRoot}/alive-${session.sessionId.toString(16)}`;
    const body = bodies.create(path, null, openAcl, Flags.ephemeral);
    const reply = await this.#ask(session, Op.create, body);
    if (reply?.err === 0) this.ephemeral = path;
  }

  async #act(session: WireSession): Promise<void> {
    const register = `${registersRoot}/r${this.#prng.below(this.#options.registers)}`;
    const kind = this.#prng.weighted({ read: 40, write: 25, cas: 15, create: 12, delete: 3, linear: 5 });
    if (kind === 'linear') await this.#readLinearly(session, register);
    else await this.#request(session, kind, register);
  }

  async #readLinearly(session: WireSession, register: string): Promise<void> {
    const fence = `${registersRoot}/fence-${this.#at}`;
    const calledMs = performance.now();
    const written = await this.#request(session, 'write', fence);
    if (written?.outcome === 'refused') await this.#request(session, 'create', fence);
    else if (written?.outcome === 'ok') await this.#request(session, 'read', register, calledMs);
  }

  /** With `linearSinceMs`: a linear read, which began then. */
  async #request(
    session: WireSession,
    kind: OperationKind,
    key: string,
    linearSinceMs: number | null = null,
  ): Promise<Operation | null> {
    const writesValue = kind === 'write' || kind === 'cas' || kind === 'create';
    const expectedVersion = kind === 'cas' ? (this.#versions.get(key) ?? 0) : -1;
    const operation: Operation = {
      client: this.#at,
      session: session.sessionId,
      xid: this.#xid + 1,
      key,
      kind,
      value: writesValue ? `${this.#at}.${++this.#sequence}` : null,
      expectedVersion,
      isLinear: linearSinceMs !== null,
      outcome: 'unknown',
      version: -1,
      mzxid: -1,
      zxid: -1,
      calledMs: linearSinceMs ?? performance.now(),
      returnedMs: Number.POSITIVE_INFINITY,
    };
    const [op, body] = bodyOf(operation);
    this.#load.history.push(operation);
    const reply = await this.#ask(session, op, body);
    if (reply !== null) this.#take(operation, reply);
    return operation;
  }

  /** Null when no answer came; the connection is given up then. */
  async #ask(session: WireSession, op: number, body: Buffer): Promise<Reply | null> {
    const timer = setTimeout(() => session.abandon(), answerTimeoutMs);
    try {
      return await session.request(op, body, ++this.#xid);
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  #take(operation: Operation, reply: Reply): void {
    const { kind, key } = operation;
    if (reply.zxid > this.#lastZxid) this.#lastZxid = reply.zxid;
    operation.zxid = Number(reply.zxid);
    operation.returnedMs = performance.now();
    const isRead = kind === 'read';
    if (reply.err === 0) {
      operation.outcome = 'ok';
      try {
        this.#takeStat(operation, new WireReader(reply.body));
      } catch (error) {
        this.#load.faults.push(
          `${kind} ${key} was answered with ${reply.body.length} bytes: ${(error as Error).message}`,
        );
      }
    } else if (isRead && reply.err === noNode) {
      operation.outcome = 'ok';
    } else if (refusals[kind].includes(reply.err)) {
      operation.outcome = 'refused';
      this.#versions.delete(key);
    } else {
      this.#load.faults.push(`${kind} ${key} was answered with ${errorName(reply.err)}`);
    }
  }

  #takeStat(operation: Operation, reader: WireReader): void {
    const { kind, key } = operation;
    if (kind === 'read') operation.value = String(reader.buffer());
    if (kind !== 'read' && kind !== 'write' && kind !== 'cas') return;
    const stat = readStat(reader);
    operation.version = stat.version;
    operation.mzxid = Number(stat.mzxid);
    this.#versions.set(key, stat.version);
  }
}

function bodyOf({ kind, key, value, expectedVersion }: Operation): readonly [op: number, body: Buffer] {
  const data = value === null ? null : Buffer.from(value);
  if (kind === 'read') return [Op.getData, bodies.pathWatch(key, false)];
  if (kind === 'create') return [Op.create, bodies.create(key, data, openAcl, Flags.persistent)];
  if (kind === 'delete') return [Op.delete, bodies.pathVersion(key, -1)];
  return [Op.setData, bodies.setData(key, data, expectedVersion)];
}
