/**
 * Commit: what was prepared and is now durable is applied in zxid order, and whoever asked gets the answer.
 *
 * The window holds one entry per txn in flight, oldest first. The pipeline hands in the bytes of each txn that may be
 * applied; after each, watches have fired (apply), the reply is written, and the session's parked reads run. That order is what
 * clients may rely on: event before the data it announces, own writes before later reads.
 */
import { ByteWriter } from '@zoots/base';
import { ERROR, OP, type TxnHeader } from '@zoots/protocol';
import type { Connection } from '../session/connection.js';
import type { InFlight, Session, SessionTable } from '../session/session-table.js';
import type { Tree } from '../tree/tree.js';
import { NONE } from '../tree/znode-store.js';
import type { Applier, PartResult } from './apply.js';
import type { ApplyEntry } from './pipeline.js';
import { writeMultiEnd, writeMultiError, writeMultiHeader } from './read.js';
import { beginReply, endReply, writeBareReply, writePath, writeStat } from './reply.js';

/** First in, first out, without moving elements at every step. */
export class Window {
  #entries: InFlight[] = [];
  #head = 0;

  get length(): number {
    return this.#entries.length - this.#head;
  }

  push(entry: InFlight): void {
    this.#entries.push(entry);
  }

  clear(): void {
    this.#entries = [];
    this.#head = 0;
  }

  take(): InFlight | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }
}

/**
 * Where the one who waits for an entry is found. Null: nobody here does (another server's client asked). Undefined: there
 * must be somebody, and is not.
 */
export interface InFlightSource {
  take(bytes: Uint8Array, start: number, end: number): InFlight | null | undefined;
}

/** Nobody waits: everything in flight was dropped when the role ended. */
export const NOBODY_WAITS: InFlightSource = { take: () => null };

/** What the server does around a commit; implemented by server.ts. */
export interface CommitHost {
  outOf(connection: Connection): ByteWriter;
  onSessionCreated(entry: InFlight): void;
  onSessionClosed(closed: Session | null): void;
  close(connection: Connection): void;
  onAnswered(entry: InFlight, connection: Connection): void;
  /** The txn is applied and answered: what waited behind it may run. */
  onSettled(entry: InFlight): void;
  /** `bytes`: the entry, as in the log. */
  onCommitted(zxid: number, bytes: Uint8Array, start: number, end: number): void;
  onUndecodable(zxid: number, problem: string): void;
}

export class Committer {
  readonly window = new Window();
  /** Who orders the writes knows them in order; a learner looks up whose they are. */
  source: InFlightSource = this.window;
  readonly #tree: Tree;
  readonly #sessions: SessionTable;
  readonly #applier: Applier;
  readonly #host: CommitHost;
  readonly #multiResults = new ByteWriter(1024);
  /** Of the multi being applied. */
  #create2Parts: ReadonlySet<number> | null = null;
  #partIndex = 0;

  constructor(tree: Tree, sessions: SessionTable, applier: Applier, host: CommitHost) {
    this.#tree = tree;
    this.#sessions = sessions;
    this.#applier = applier;
    this.#host = host;
  }

  /** Applies an entry and answers who waits for it; false if it cannot be applied. */
  readonly commit: ApplyEntry = (bytes, start, end) => {
    const entry = this.source.take(bytes, start, end);
    if (entry === null) return this.#commitForeign(bytes, start, end);
    if (entry === undefined) {
      this.#host.onUndecodable(-1, 'a durable txn that nobody prepared');
      return false;
    }
    const connection = entry.connection?.state === 'open' ? entry.connection : null;
    const isMulti = entry.op === OP.multi && connection !== null;
    if (isMulti) {
      this.#multiResults.clear();
      this.#create2Parts = entry.create2Parts;
      this.#partIndex = 0;
    }
    const problem = this.#applier.apply(bytes, start, end, isMulti ? this.#addMultiResult : null, entry);
    if (problem !== null) {
      this.#host.onUndecodable(entry.zxid, problem);
      return false;
    }
    this.#host.onCommitted(this.#applier.header.zxid, bytes, start, end);
    if (entry.op === OP.createSession) this.#host.onSessionCreated(entry);
    else this.#answer(entry, connection, bytes);
    return true;
  };

  #commitForeign(bytes: Uint8Array, start: number, end: number): boolean {
    const applier = this.#applier;
    const closed = applier.peek(bytes, start, end) ? this.#sessionClosedBy(applier.header) : null;
    const problem = applier.apply(bytes, start, end, null);
    if (problem !== null) {
      this.#host.onUndecodable(applier.header.zxid, problem);
      return false;
    }
    this.#host.onCommitted(applier.header.zxid, bytes, start, end);
    if (closed !== null) this.#host.onSessionClosed(closed);
    return true;
  }

  #sessionClosedBy({ type, sessionHigh, sessionLow }: TxnHeader): Session | null {
    return type === OP.closeSession ? (this.#sessions.get(sessionHigh, sessionLow) ?? null) : null;
  }

  #answer(entry: InFlight, connection: Connection | null, bytes: Uint8Array): void {
    const { header, part } = this.#applier;
    if (connection !== null && header.type === OP.error && part.error === ERROR.sessionMoved) {
      // The client is elsewhere by now: what it hears on its old connection must not reach it, so there is no answer.
      this.#host.close(connection);
    } else if (connection !== null) {
      this.#reply(entry, connection, bytes);
      this.#host.onAnswered(entry, connection);
    }
    this.#host.onSettled(entry);
    if (entry.op === OP.closeSession) this.#host.onSessionClosed(entry.session);
  }

  #reply(entry: InFlight, connection: Connection, bytes: Uint8Array): void {
    const out = this.#host.outOf(connection);
    const zxid = this.#tree.lastProcessedZxid;
    const { part, header } = this.#applier;
    if (header.type === OP.error) {
      writeBareReply(out, entry.xid, zxid, part.error);
      return;
    }
    const write = REPLY_BODIES.get(entry.op);
    if (write === undefined) {
      writeBareReply(out, entry.xid, zxid, ERROR.ok);
      return;
    }
    const start = beginReply(out, entry.xid, zxid);
    if (entry.op === OP.multi) this.#writeMultiBody(out);
    else write(out, this.#tree, part, bytes);
    endReply(out, start);
  }

  #writeMultiBody(out: ByteWriter): void {
    out.raw(this.#multiResults.bytes, 0, this.#multiResults.length);
    writeMultiEnd(out);
  }

  /** The result of one part, while the tree is as that part left it. */
  readonly #addMultiResult = (part: PartResult, body: { readonly bytes: Uint8Array }): void => {
    const out = this.#multiResults;
    const index = this.#partIndex++;
    // In a failed multi the parts before the failing one report error entries with code 0.
    if (part.type === OP.error) {
      writeMultiError(out, part.error);
      return;
    }
    const type = this.#create2Parts?.has(index) === true ? OP.create2 : part.type;
    writeMultiHeader(out, RESULT_TYPES.get(type) ?? type, ERROR.ok);
    REPLY_BODIES.get(type)?.(out, this.#tree, part, body.bytes);
  };
}

type ReplyBody = (out: ByteWriter, tree: Tree, part: PartResult, bytes: Uint8Array) => void;

const replyPath: ReplyBody = (out, _tree, part, bytes) => {
  out.bufferRange(bytes, part.pathStart, part.pathEnd);
};

const replyStat: ReplyBody = (out, tree, part) => {
  if (part.id !== NONE) writeStat(out, tree, part.id);
};

const replyPathAndStat: ReplyBody = (out, tree, part) => {
  if (part.id === NONE) return;
  writePath(out, tree.store, part.id);
  writeStat(out, tree, part.id);
};

/** Bodies of successful replies; ops that are missing here answer with the header alone. */
const REPLY_BODIES: ReadonlyMap<number, ReplyBody> = new Map<number, ReplyBody>([
  [OP.create, replyPath],
  [OP.create2, replyPathAndStat],
  [OP.createContainer, replyPathAndStat],
  [OP.createTTL, replyPathAndStat],
  [OP.setData, replyStat],
  [OP.setACL, replyStat],
  [OP.multi, () => {}],
]);

/** In a multi, every create but the plain one answers as create2. */
const RESULT_TYPES: ReadonlyMap<number, number> = new Map<number, number>([
  [OP.createContainer, OP.create2],
  [OP.createTTL, OP.create2],
]);
