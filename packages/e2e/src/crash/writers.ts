/**
 * The load of the crash tests: sessions that create, set and delete with unique values, some requests in flight on each,
 * every one in the ledger. They go on until their connection breaks, which is how a crash looks from outside.
 */
import { fstatSync } from 'node:fs';
import type { Prng } from '../differential/prng.js';
import { WireReader } from '../wire/bytes.js';
import { bodies, Flags, Op, openAcl, readStrings } from '../wire/records.js';
import { WireSession } from '../wire/session.js';
import type { Ledger } from './ledger.js';
import { sleep } from './server-process.js';

export const treeRoot = '/crash';
const registersPerWriter = 4;
const inFlightMax = 8;
const connectRetryMs = 5;

export interface LoadOptions {
  readonly port: number;
  readonly writers: number;
  readonly ledger: Ledger;
  readonly prng: Prng;
  /** Makes keys and values of this round differ from those of every other. */
  readonly round: number;
  /** Open file of the disk journal whose length dates the acknowledgements; null when there is none. */
  readonly journal: number | null;
}

export class Load {
  readonly #options: LoadOptions;
  readonly #sessions: WireSession[] = [];
  readonly #done: Promise<unknown>;
  #stopped = false;
  /** Errors in replies: none is expected from these requests. */
  readonly faults: string[] = [];
  acks = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#done = Promise.all(Array.from({ length: options.writers }, (_, writer) => this.#write(writer)));
  }

  /** Ends the load; call it after the server is gone, so that whatever was in flight has no acknowledgement. */
  async end(): Promise<void> {
    this.#stopped = true;
    for (const session of this.#sessions) session.abandon();
    await this.#done;
  }

  async #connect(): Promise<WireSession | null> {
    while (!this.#stopped) {
      try {
        const session = await WireSession.connect(this.#options.port, { timeoutMs: 30_000 });
        this.#sessions.push(session);
        return session;
      } catch {
        // The server is not up yet, or gone already: the crash tests want writers that cannot wait.
        await sleep(connectRetryMs);
      }
    }
    return null;
  }

  async #write(writer: number): Promise<void> {
    const session = await this.#connect();
    if (session === null) return;
    const home = `${treeRoot}/w${writer}`;
    const source = new WriteSource(home, this.#options.prng, this.#options.round);
    const inFlight = new Set<Promise<void>>();
    // Nodes of the harness's own: they may exist already, and are no part of the ledger.
    for (const path of [treeRoot, home]) {
      await session.request(Op.create, bodies.create(path, null, openAcl, Flags.persistent)).catch(() => {});
    }
    while (!this.#stopped && !session.connection.closed) {
      const request = this.#send(session, source).finally(() => inFlight.delete(request));
      inFlight.add(request);
      if (inFlight.size >= inFlightMax) await Promise.race(inFlight);
    }
    await Promise.all(inFlight);
  }

  async #send(session: WireSession, source: WriteSource): Promise<void> {
    const { ledger, journal } = this.#options;
    const write = source.next();
    const entries = write.changes.map(([key, state]) => ledger.send(key, state));
    const reply = await session.request(write.op, write.body).catch(() => null);
    if (reply === null) return;
    const failed = reply.err !== 0 || (write.op === Op.multi && reply.body.readInt32BE(0) === -1);
    if (failed) {
      this.faults.push(`${write.op} ${write.changes[0]?.[0]}: error ${reply.err}`);
      return;
    }
    const journalBytes = journal === null ? 0 : fstatSync(journal).size;
    for (const entry of entries) ledger.acknowledge(entry, Number(reply.zxid), journalBytes);
    this.acks += 1;
  }
}

interface Write {
  readonly op: number;
  readonly body: Buffer;
  readonly changes: readonly (readonly [key: string, state: string | null])[];
}

/** One writer's requests. It knows which of its nodes exist, because a session's requests happen in order. */
class WriteSource {
  readonly #home: string;
  readonly #prng: Prng;
  readonly #round: number;
  readonly #mine: string[] = [];
  readonly #registers: string[] = [];
  #sequence = 0;

  constructor(home: string, prng: Prng, round: number) {
    this.#home = home;
    this.#prng = prng;
    this.#round = round;
  }

  next(): Write {
    if (this.#registers.length < registersPerWriter) {
      const create = this.#create();
      this.#registers.push(this.#mine.pop() as string);
      return create;
    }
    const kind = this.#prng.weighted({ set: 50, create: 35, delete: 10, multi: 5 });
    if (kind === 'create' || this.#mine.length < 4) return this.#create();
    if (kind === 'delete') return this.#delete();
    return kind === 'multi' ? this.#multi() : this.#set();
  }

  /** Unique in the whole run; now and then long, so that records cross sectors and pages. */
  #value(): string {
    const value = `${this.#round}.${this.#home}.${this.#sequence++}`;
    return this.#prng.chance(0.05) ? value.padEnd(this.#prng.below(9_000), '.') : value;
  }

  #create(): Write {
    const path = `${this.#home}/r${this.#round}n${this.#sequence}`;
    const value = this.#value();
    this.#mine.push(path);
    return { op: Op.create, body: bodies.create(path, Buffer.from(value), openAcl, 0), changes: [[path, value]] };
  }

  #set(): Write {
    const path = this.#prng.pick(this.#registers);
    const value = this.#value();
    return { op: Op.setData, body: bodies.setData(path, Buffer.from(value), -1), changes: [[path, value]] };
  }

  #delete(): Write {
    const path = this.#mine.splice(this.#prng.below(this.#mine.length), 1)[0] as string;
    return { op: Op.delete, body: bodies.pathVersion(path, -1), changes: [[path, null]] };
  }

  #multi(): Write {
    const [a, b] = [this.#create(), this.#set()];
    return {
      op: Op.multi,
      body: bodies.multi([
        { type: a.op, body: a.body },
        { type: b.op, body: b.body },
      ]),
      changes: [...a.changes, ...b.changes],
    };
  }
}

/** Data by path of everything that the writers made. */
export async function readTree(session: WireSession): Promise<Map<string, string>> {
  const tree = new Map<string, string>();
  const homes = await childrenOf(session, treeRoot);
  for (const home of homes) {
    const paths = (await childrenOf(session, `${treeRoot}/${home}`)).map((name) => `${treeRoot}/${home}/${name}`);
    for (let at = 0; at < paths.length; at += 200) {
      const batch = paths.slice(at, at + 200);
      const replies = await Promise.all(batch.map((path) => session.getData(path)));
      batch.forEach((path, i) => {
        tree.set(path, String(replies[i]?.data));
      });
    }
  }
  return tree;
}

async function childrenOf(session: WireSession, path: string): Promise<string[]> {
  const reply = await session.request(Op.getChildren, bodies.pathWatch(path, false));
  if (reply.err === -101) return [];
  return (readStrings(new WireReader(reply.body)) ?? []).map((name) => name ?? '');
}
