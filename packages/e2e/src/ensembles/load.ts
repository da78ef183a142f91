/**
 * Writers that go on whatever happens to the servers: each keeps one session, takes it to another server when its connection breaks, and
 * enters every write in a ledger. Values are unique. What they notice themselves - a session that is lost, a read that does not
 * show the session's own write, a zxid that goes back - is a fault.
 *
 * A write whose outcome is unknown (the connection broke) may happen later than the writer's next one, so its znode is not
 * used again.
 */
import { Ledger } from '../crash/ledger.js';
import { WireReader } from '../wire/bytes.js';
import { bodies, errorName, Flags, Op, openAcl, opName } from '../wire/records.js';
import { RequestError, WireSession } from '../wire/session.js';

export interface LoadOptions {
  /** Of the servers, in an order that the writers begin with in turn. */
  readonly ports: readonly number[];
  /** An existing znode. */
  readonly root: string;
  readonly writers?: number;
  readonly inFlightMax?: number;
  /** Between one round of requests and the next, so that the machine has time for servers. */
  readonly pauseMs?: number;
  readonly sessionTimeoutMs?: number;
}

const registersPerWriter = 3;
const retryMs = 20;
/** A connection without an answer for so long is given up: the server may be frozen. */
const silenceMsMax = 4_000;

export class Load {
  readonly ledger = new Ledger();
  /** Each one is a failure. */
  readonly faults: string[] = [];
  readonly #options: Required<LoadOptions>;
  readonly #writers: Writer[];
  readonly #done: Promise<unknown>;

  constructor(options: LoadOptions) {
    this.#options = { writers: 3, inFlightMax: 4, pauseMs: 10, sessionTimeoutMs: 20_000, ...options };
    this.#writers = Array.from({ length: this.#options.writers }, (_, at) => {
      return new Writer(at, this.#options, this.ledger, this.faults);
    });
    this.#done = Promise.all(this.#writers.map((writer) => writer.run()));
  }

  get acks(): number {
    return this.ledger.ackCount;
  }

  get root(): string {
    return this.#options.root;
  }

  /** The longest time in which no writer got an acknowledgement. */
  get longestGapMs(): number {
    const times = this.#writers.flatMap((writer) => writer.ackTimesMs).sort((a, b) => a - b);
    return times.reduce((most, time, at) => Math.max(most, time - (times[at - 1] ?? time)), 0);
  }

  /** Ephemeral znodes of the writers and the sessions that own them. */
  get ephemerals(): ReadonlyMap<string, bigint> {
    return new Map(this.#writers.map((writer) => [writer.ephemeral, writer.sessionId]));
  }

  /** No further writes; waits for the answers to those that were sent. The sessions stay. */
  async settle(): Promise<void> {
    for (const writer of this.#writers) writer.isStopped = true;
    await this.#done;
  }

  /** Closes the sessions. */
  async close(): Promise<void> {
    await this.settle();
    await Promise.all(this.#writers.map((writer) => writer.close()));
  }
}

class Writer {
  isStopped = false;
  sessionId = 0n;
  readonly ephemeral: string;
  readonly ackTimesMs: number[] = [];
  readonly #options: Required<LoadOptions>;
  readonly #ledger: Ledger;
  readonly #faults: string[];
  readonly #home: string;
  readonly #usable: string[] = [];
  #portAt: number;
  #session: WireSession | null = null;
  #password: Buffer = Buffer.alloc(0);
  #lastZxid = 0n;
  #lastAnswerMs = 0;
  #sequence = 0;

  constructor(at: number, options: Required<LoadOptions>, ledger: Ledger, faults: string[]) {
    this.#portAt = at;
    this.#options = options;
    this.#ledger = ledger;
    this.#faults = faults;
    this.#home = `${options.root}/w${at}`;
    this.ephemeral = `${options.root}/ephemeral${at}`;
  }

  async run(): Promise<void> {
    let isFirst = true;
    while (!this.isStopped) {
      const session = await this.#connect();
      if (session === null) return;
      if (isFirst) isFirst = !(await this.#settleIn(session));
      else await this.#write(session);
    }
  }

  async close(): Promise<void> {
    const session = this.#session?.connection.closed === false ? this.#session : await this.#resume();
    await session?.close().catch(() => {});
  }

  /** The present connection, or a new one; null once the load is stopped. */
  async #connect(): Promise<WireSession | null> {
    while (!this.isStopped) {
      if (this.#session?.connection.closed === false) return this.#session;
      this.#session = await this.#resume();
      if (this.#session === null) await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
    return null;
  }

  /** The same session at the next server. Null if that one is not there, or does not have what this session has seen. */
  async #resume(): Promise<WireSession | null> {
    const { ports, sessionTimeoutMs: timeoutMs } = this.#options;
    const port = ports[this.#portAt++ % ports.length] as number;
    const { sessionId, lastZxid } = { sessionId: this.sessionId, lastZxid: this.#lastZxid };
    const request = { timeoutMs, sessionId, password: this.#password, lastZxidSeen: lastZxid };
    try {
      const session = await WireSession.connect(port, sessionId === 0n ? { timeoutMs } : request);
      this.#portAt--;
      this.sessionId = session.sessionId;
      this.#password = Buffer.from(session.password);
      this.#lastAnswerMs = performance.now();
      return session;
    } catch (error) {
      if (error instanceof RequestError) {
        this.#faults.push(`session 0x${sessionId.toString(16)} of ${this.#home} is lost at port ${port}`);
        this.sessionId = 0n;
      }
      return null;
    }
  }

  /** Makes the writer's own znodes. False if that has to be tried again. */
  async #settleIn(session: WireSession): Promise<boolean> {
    const wishes = [
      bodies.create(this.#home, null, openAcl, Flags.persistent),
      bodies.create(this.ephemeral, null, openAcl, Flags.ephemeral),
    ];
    for (const body of wishes) {
      const reply = await this.#within(session, session.request(Op.create, body));
      if (reply === null) return false;
      if (reply.err !== 0 && reply.err !== -110) this.#faults.push(`${this.#home}: create answered ${reply.err}`);
    }
    return true;
  }

  async #write(session: WireSession): Promise<void> {
    const inFlight = new Set<Promise<void>>();
    while (!this.isStopped && !session.connection.closed) {
      const request = this.#one(session).finally(() => inFlight.delete(request));
      inFlight.add(request);
      if (inFlight.size >= this.#options.inFlightMax) {
        await Promise.race(inFlight);
        await new Promise((resolve) => setTimeout(resolve, this.#options.pauseMs));
      }
    }
    await Promise.all(inFlight);
    if (!this.isStopped) session.abandon();
  }

  /** A round: mostly a set that is read back, else a create or a delete. */
  async #one(session: WireSession): Promise<void> {
    const turn = this.#sequence++;
    if (this.#usable.length <= registersPerWriter || turn % 4 === 1) return this.#create(session, turn);
    if (turn % 9 === 2) return this.#delete(session);
    return this.#set(session, turn);
  }

  async #create(session: WireSession, turn: number): Promise<void> {
    const path = `${this.#home}/n${turn}`;
    const body = bodies.create(path, Buffer.from(`${turn}`), openAcl, Flags.persistent);
    if (await this.#attempt(session, Op.create, path, body, `${turn}`)) this.#usable.push(path);
  }

  async #delete(session: WireSession): Promise<void> {
    const path = this.#usable.splice(this.#sequence % this.#usable.length, 1)[0] as string;
    await this.#attempt(session, Op.delete, path, bodies.pathVersion(path, -1), null);
  }

  async #set(session: WireSession, turn: number): Promise<void> {
    // Out of the list meanwhile: two sets of one znode in flight would make the read ambiguous.
    const path = this.#usable.splice(turn % this.#usable.length, 1)[0] as string;
    const value = `${turn}`;
    const writing = this.#attempt(session, Op.setData, path, bodies.setData(path, Buffer.from(value), -1), value);
    const reading = this.#within(session, session.request(Op.getData, bodies.pathWatch(path, false)));
    const [isWritten, read] = await Promise.all([writing, reading]);
    if (!isWritten) return;
    this.#usable.push(path);
    if (read === null || read.err !== 0) return;
    const seen = String(new WireReader(read.body).buffer());
    if (seen !== value) this.#faults.push(`${path} reads ${seen} after the session's own write of ${value}`);
  }

  /** True once acknowledged. */
  async #attempt(session: WireSession, op: number, path: string, body: Buffer, state: string | null): Promise<boolean> {
    const entry = this.#ledger.send(path, state);
    const reply = await this.#within(session, session.request(op, body));
    if (reply === null) return false;
    if (reply.err === 0) {
      this.#ledger.acknowledge(entry, Number(reply.zxid), 0);
      this.ackTimesMs.push(performance.now());
      if (reply.zxid < this.#lastZxid) this.#faults.push(`${path}: zxid ${reply.zxid} after ${this.#lastZxid}`);
      this.#lastZxid = reply.zxid;
      return true;
    }
    this.#faults.push(`${opName(op)} ${path}: ${errorName(reply.err)}`);
    return false;
  }

  /** Null if the connection breaks, or is broken off here because nothing comes. */
  async #within<T>(session: WireSession, answering: Promise<T>): Promise<T | null> {
    const watchdog = setInterval(() => {
      if (performance.now() - this.#lastAnswerMs > silenceMsMax) session.abandon();
    }, 500);
    try {
      const answer = await answering;
      this.#lastAnswerMs = performance.now();
      return answer;
    } catch {
      // The connection broke, which is what these writers are for.
      return null;
    } finally {
      clearInterval(watchdog);
    }
  }
}
