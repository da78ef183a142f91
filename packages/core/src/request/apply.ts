/**
 * Apply: a txn changes the tree. The only writer of the tree, on every path: commit, replay at start, and (with ensembles)
 * what a leader sends. Idempotent: replaying a txn over a snapshot that has it already changes nothing.
 *
 * Reads the entry's bytes; raises lastProcessedZxid after the whole txn. Watches fire while it is applied.
 * Replay rules: ZooKeeper's DataTree.processTxn.
 */
import { ByteReader } from '@zoots/base';
import { ERROR, MULTI_SUB_TYPES, OP, TXN_DIGEST_BYTES, TxnBody, TxnHeader } from '@zoots/protocol';
import type { SessionTable } from '../session/session-table.js';
import { CONTAINER_OWNER_HIGH, ttlOwnerHigh } from '../tree/ephemerals.js';
import type { KnownChange, Tree } from '../tree/tree.js';
import { F, NONE } from '../tree/znode-store.js';
import type { WatchTable } from '../watch/watch-table.js';

/** Told which path ids a txn touched: the overlay lets go of them. */
export type TouchListener = (id: number) => void;

/** The outcome of one part of a txn (a txn that is no multi has one part). */
export interface PartResult {
  /** Txn type of the part. */
  type: number;
  /** 0, or the code an error part carries. */
  error: number;
  /** The znode created or changed; NONE if there is none (any more). */
  id: number;
  /** The path, in the entry's bytes. */
  pathStart: number;
  pathEnd: number;
}

/** Called after each part of a txn is applied, so that a multi's results show the state as of that part. */
export type PartSink = (part: PartResult, body: TxnBody) => void;

export class Applier {
  readonly header = new TxnHeader();
  readonly #tree: Tree;
  readonly #sessions: SessionTable;
  readonly #watches: WatchTable;
  readonly #reader = new ByteReader();
  readonly #body = new TxnBody();
  /** Of the multi in hand. */
  #hasFailedPart = false;
  /** The outcome of the part applied last; of a txn that is no multi, its outcome. */
  readonly part: PartResult = { type: 0, error: 0, id: NONE, pathStart: 0, pathEnd: 0 };
  onTouched: TouchListener = () => {};
  /** A digest in a txn that the tree does not have after it: something went wrong somewhere. */
  digestMismatchCount = 0;
  onDigestMismatch: (zxid: number) => void = () => {};
  /** False while a fuzzy snapshot is being caught up with: the tree is ahead of the txns that are replayed into it. */
  comparesDigests = true;
  /** A leader's snapshot, which may be fuzzy, came over the network: differences count again after the first agreement. */
  isCatchingUp = false;
  /** Sessions whose timeouts start now. */
  nowMs = 0;

  constructor(tree: Tree, sessions: SessionTable, watches: WatchTable) {
    this.#tree = tree;
    this.#sessions = sessions;
    this.#watches = watches;
  }

  /** Reads who asked for the entry into {@link header}; false if it is no entry. Its type, zxid and origin are known then. */
  peek(bytes: Uint8Array, start: number, end: number): boolean {
    return this.header.read(this.#reader.reset(bytes, start, end));
  }

  /** Why the entry could not be applied; null if it could. Changes nothing. */
  check(bytes: Uint8Array, start: number, end: number, zxid: number): string | null {
    if (!this.peek(bytes, start, end)) return 'its header is short or its zxid out of range';
    if (this.header.zxid !== zxid) return `it calls itself ${this.header.zxid}`;
    const problem = this.#body.read(this.#reader, this.header.type);
    if (problem !== null || this.header.type !== OP.multi) return problem;
    return this.#checkParts(bytes, end);
  }

  /**
   * Applies the entry in the range. `known`: what its preparation here found out. Null, or why it cannot be decoded (then
   * nothing was changed).
   */
  apply(
    bytes: Uint8Array,
    start: number,
    end: number,
    sink: PartSink | null,
    known: KnownChange | null = null,
  ): string | null {
    const reader = this.#reader.reset(bytes, start, end);
    if (!this.header.read(reader)) return 'the txn header is short or its zxid out of range';
    const { type, zxid } = this.header;
    const problem = this.#body.read(reader, type);
    if (problem !== null) return problem;
    const digestAt = reader.offset;
    if (type === OP.multi) {
      const subProblem = this.#applyMulti(bytes, end, sink);
      if (subProblem !== null) return subProblem;
    } else this.#applyPart(type, sink, known !== null && known.znode !== NONE ? known : null);
    if (zxid > this.#tree.lastProcessedZxid) this.#tree.lastProcessedZxid = zxid;
    this.#compareDigest(reader.reset(bytes, digestAt, end));
    return null;
  }

  #compareDigest(reader: ByteReader): void {
    if (reader.remaining < TXN_DIGEST_BYTES || !this.comparesDigests || !this.#tree.options.digestEnabled) return;
    if (reader.int32() !== 2) return;
    const high = reader.int32();
    const low = reader.int32();
    if (this.#tree.digest.equals(high, low)) {
      this.isCatchingUp = false;
      return;
    }
    if (this.isCatchingUp) return;
    this.digestMismatchCount++;
    this.onDigestMismatch(this.header.zxid);
  }

  // ---- multi ----

  /** Null if every part of the multi in {@link #body} can be decoded. Finds out whether the multi failed. */
  #checkParts(bytes: Uint8Array, end: number): string | null {
    const { listCount, listStart } = this.#body;
    const reader = this.#reader;
    this.#hasFailedPart = false;
    reader.reset(bytes, listStart, end);
    for (let i = 0; i < listCount; i++) {
      const type = reader.int32();
      reader.range();
      if (!MULTI_SUB_TYPES.has(type)) return `txn type ${type} inside a multi`;
      if (type === OP.error) this.#hasFailedPart = true;
      const next = reader.rangeEnd;
      const problem = this.#body.read(reader.reset(bytes, reader.rangeStart, next), type);
      if (problem !== null) return problem;
      reader.reset(bytes, next, end);
    }
    return null;
  }

  /** A multi with an error part is a failed one: nothing of it is applied, its results are the codes. */
  #applyMulti(bytes: Uint8Array, end: number, sink: PartSink | null): string | null {
    const { listCount, listStart } = this.#body;
    const reader = this.#reader;
    const problem = this.#checkParts(bytes, end);
    if (problem !== null) return problem;
    reader.reset(bytes, listStart, end);
    for (let i = 0; i < listCount; i++) {
      const type = reader.int32();
      reader.range();
      const next = reader.rangeEnd;
      this.#body.read(reader.reset(bytes, reader.rangeStart, next), type);
      if (this.#hasFailedPart) this.#reportFailedPart(type, sink);
      else this.#applyPart(type, sink, null);
      reader.reset(bytes, next, end);
    }
    return null;
  }

  #reportFailedPart(type: number, sink: PartSink | null): void {
    if (sink === null) return;
    this.part.type = OP.error;
    this.part.error = type === OP.error ? this.#body.error : ERROR.ok;
    this.part.id = NONE;
    sink(this.part, this.#body);
  }

  // ---- one part ----

  #applyPart(type: number, sink: PartSink | null, known: KnownChange | null): void {
    const part = this.part;
    const body = this.#body;
    part.type = type;
    part.error = ERROR.ok;
    part.id = NONE;
    part.pathStart = body.pathStart;
    part.pathEnd = body.pathEnd;
    switch (type) {
      case OP.create:
      case OP.create2:
      case OP.createContainer:
      case OP.createTTL:
        this.#applyCreate(type, known);
        break;
      case OP.delete:
      case OP.deleteContainer:
        this.#applyDelete(body.bytes, body.pathStart, body.pathEnd);
        break;
      case OP.setData:
      case OP.reconfig:
        this.#applySetData(known);
        break;
      case OP.setACL:
        this.#applySetAcl();
        break;
      case OP.createSession:
        this.#sessions.add(this.header.sessionHigh, this.header.sessionLow, body.timeoutMs, this.nowMs).isApplied =
          true;
        break;
      case OP.closeSession:
        this.#applyCloseSession();
        break;
      case OP.error:
        part.error = body.error;
        break;
      default:
        break;
    }
    sink?.(part, body);
  }

  #applyCreate(type: number, known: KnownChange | null): void {
    const body = this.#body;
    const header = this.header;
    const tree = this.#tree;
    let ownerHigh = 0;
    let ownerLow = 0;
    if (type === OP.createContainer) ownerHigh = CONTAINER_OWNER_HIGH;
    else if (type === OP.createTTL) {
      ownerHigh = ttlOwnerHigh(body.ttlHigh);
      ownerLow = body.ttlLow;
    } else if (body.isEphemeral) {
      ownerHigh = header.sessionHigh;
      ownerLow = header.sessionLow;
    }
    const acl = tree.acls.intern(body.bytes, body.aclStart, body.aclEnd);
    const { bytes, pathStart, pathEnd, dataStart, dataEnd, parentCversion } = body;
    const code = tree.create(
      bytes,
      pathStart,
      pathEnd,
      dataStart,
      dataEnd,
      acl,
      ownerHigh,
      ownerLow,
      parentCversion,
      header.zxid,
      header.timeHigh,
      header.timeLow,
      known,
    );
    const id = tree.lastId;
    if (code === ERROR.nodeExists) {
      if (type === OP.create) tree.raiseParentOf(bytes, pathStart, pathEnd, parentCversion, header.zxid);
      tree.replaceAcl(id, acl);
      this.part.id = id;
      return;
    }
    // The tree took a reference of its own, or there is no znode.
    tree.acls.release(acl);
    if (code !== ERROR.ok) return;
    this.part.id = id;
    const parent = tree.store.get(id, F.parent);
    if (body.isEphemeral) this.#sessions.get(ownerHigh, ownerLow)?.onEphemeralApplied(id);
    this.#watches.onCreated(id, parent, header.zxid);
    this.onTouched(id);
    this.onTouched(parent);
  }

  #applyDelete(bytes: Uint8Array, pathStart: number, pathEnd: number): void {
    const tree = this.#tree;
    const id = tree.find(bytes, pathStart, pathEnd);
    if (id === NONE || tree.store.get(id, F.childCount) !== 0 || id === 0) {
      tree.raisePzxidOfParent(bytes, pathStart, pathEnd, this.header.zxid);
      return;
    }
    this.#deleteNode(id);
  }

  #deleteNode(id: number): void {
    const parent = this.#tree.store.get(id, F.parent);
    this.#watches.onDeleting(id, parent, this.header.zxid);
    this.#tree.delete(id, this.header.zxid);
    this.onTouched(id);
    this.onTouched(parent);
  }

  #applySetData(known: KnownChange | null): void {
    const body = this.#body;
    const header = this.header;
    const id = known?.znode ?? this.#tree.find(body.bytes, body.pathStart, body.pathEnd);
    if (id === NONE) return;
    this.#tree.setData(
      id,
      body.bytes,
      body.dataStart,
      body.dataEnd,
      body.version,
      header.zxid,
      header.timeHigh,
      header.timeLow,
      known,
    );
    this.part.id = id;
    this.#watches.onDataChanged(id, header.zxid);
    this.onTouched(id);
  }

  #applySetAcl(): void {
    const body = this.#body;
    const id = this.#tree.find(body.bytes, body.pathStart, body.pathEnd);
    if (id === NONE) return;
    this.#tree.setAcl(id, this.#tree.acls.intern(body.bytes, body.aclStart, body.aclEnd), body.version);
    this.part.id = id;
    this.onTouched(id);
  }

  /** The listed paths in their order, then whatever else the session owns. */
  #applyCloseSession(): void {
    const { sessionHigh, sessionLow } = this.header;
    const body = this.#body;
    const reader = this.#reader;
    const { listCount, listStart } = body;
    if (listCount > 0) {
      reader.reset(body.bytes, listStart, body.bytes.length);
      for (let i = 0; i < listCount; i++) {
        reader.range();
        const { rangeStart, rangeEnd } = reader;
        this.#applyDelete(body.bytes, rangeStart, rangeEnd);
      }
    }
    for (const id of [...this.#tree.ephemerals.of(sessionHigh, sessionLow)]) {
      if (this.#tree.store.get(id, F.childCount) === 0) this.#deleteNode(id);
    }
    const session = this.#sessions.get(sessionHigh, sessionLow);
    if (session !== undefined) this.#sessions.remove(session);
  }

  /** Removes an ephemeral whose owner is gone (at start, before anything is served): no txn, no watch. */
  dropOrphan(id: number): void {
    this.#tree.delete(id, this.#tree.lastProcessedZxid);
  }
}
