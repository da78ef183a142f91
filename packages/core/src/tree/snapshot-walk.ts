/**
 * A snapshot of exactly one zxid, written in slices while the server goes on.
 *
 * The walk goes over the ids that existed when it began. Each row carries the number of the last snapshot it is in; before a
 * row that is not in yet changes or goes, it is written as it is now (its ancestors first, so that parents always precede
 * children). Rows that come later are marked as if they were in. So the snapshot shows the tree at its zxid, nothing newer:
 * its digest is known, and replaying the log over it needs none of the tolerance that a fuzzy one does.
 *
 * Cost to a write while a snapshot runs: one comparison, and for the first change of a row, writing that row.
 */
import type { SnapshotSections } from '@zoots/storage';
import type { SessionTable } from '../session/session-table.js';
import { STAT_INTS } from './stat-rows.js';
import type { ChangeListener, Tree } from './tree.js';
import { F, NONE, ROOT } from './znode-store.js';

/** Looked at in one step: after many deletions most rows hold nothing. */
const ROWS_PER_STEP_MAX = 8192;
const STAT_PERSISTED_BYTES = 60;

export class SnapshotWalk implements ChangeListener {
  readonly #tree: Tree;
  readonly #writer: SnapshotSections;
  readonly #mark: number;
  #cursor = 0;
  readonly #idEnd: number;
  readonly zxid: number;
  readonly #digestHigh: number;
  readonly #digestLow: number;
  readonly #ancestors: number[] = [];
  isFailed = false;

  /** Begins: sessions and ACL lists are written at once. `mark` differs from that of any earlier walk (1 … 2^24 - 1). */
  constructor(tree: Tree, sessions: SessionTable, writer: SnapshotSections, mark: number) {
    this.#tree = tree;
    this.#writer = writer;
    this.#mark = mark;
    this.#idEnd = tree.store.idEnd;
    this.zxid = tree.lastProcessedZxid;
    this.#digestHigh = tree.digest.high;
    this.#digestLow = tree.digest.low;
    this.#writeSessions(sessions);
    this.#writeAcls();
    tree.listener = this;
  }

  #writeSessions(sessions: SessionTable): void {
    const applied = [...sessions.all()].filter((session) => session.isApplied);
    applied.sort((left, right) => left.high - right.high || (left.low >>> 0) - (right.low >>> 0));
    this.#writer.beginSessions(applied.length);
    for (const session of applied) this.#writer.session(session.high, session.low, session.recordedTimeoutMs);
  }

  #writeAcls(): void {
    this.#writer.beginAcls(this.#tree.acls.size);
    this.#tree.acls.forEach((id, encoded) => {
      this.#writer.acl(id, encoded, 0, encoded.length);
    });
  }

  /** Writes about `bytes` more; true when every row is in. Rows that are not in use are passed over, not too many at a time. */
  step(bytes: number): boolean {
    const store = this.#tree.store;
    const out = this.#writer.out;
    const limit = out.length + bytes;
    const end = Math.min(this.#idEnd, this.#cursor + ROWS_PER_STEP_MAX);
    while (this.#cursor < end && out.length < limit) {
      const id = this.#cursor++;
      if (store.isPresentWithout(id, this.#mark)) this.#writeWithAncestors(id);
    }
    return this.#cursor >= this.#idEnd;
  }

  /** The tree at the snapshot's zxid, for the digest section. A fresh database has none. */
  get digest(): { readonly zxid: number; readonly high: number; readonly low: number } {
    if (this.zxid === 0) return { zxid: 0, high: 0, low: 0 };
    return { zxid: this.zxid, high: this.#digestHigh, low: this.#digestLow };
  }

  end(): void {
    if (this.#tree.listener === this) this.#tree.listener = null;
  }

  beforeChange(id: number): void {
    const store = this.#tree.store;
    if (store.isPresentWithout(id, this.#mark)) this.#writeWithAncestors(id);
  }

  afterCreate(id: number): void {
    this.#tree.store.setMark(id, this.#mark);
  }

  #writeWithAncestors(id: number): void {
    const store = this.#tree.store;
    const parent = store.get(id, F.parent);
    if (parent === NONE || store.markOf(parent) === this.#mark) {
      this.#writeRow(id);
      return;
    }
    const chain = this.#ancestors;
    chain.length = 0;
    for (let at = id; at !== NONE && store.markOf(at) !== this.#mark; at = store.get(at, F.parent)) chain.push(at);
    for (let i = chain.length - 1; i >= 0; i--) this.#writeRow(chain[i] as number);
  }

  /** ustring path (the root's is empty), buffer data, long acl, StatPersisted. */
  #writeRow(id: number): void {
    const store = this.#tree.store;
    const out = this.#writer.out;
    store.setMark(id, this.#mark);
    out.int32(id === ROOT ? 0 : store.pathLength(id));
    if (id !== ROOT) store.writePath(out, id);
    out.int32(store.dataLength(id));
    store.writeData(out, id);
    out.long(store.get(id, F.acl));
    const stat = store.statOf(id);
    const at = store.statStart;
    out.reserve(STAT_PERSISTED_BYTES);
    const { view, length } = out;
    for (let i = 0; i < STAT_INTS; i++) view.setInt32(length + i * 4, stat[at + i] as number);
    out.length = length + STAT_PERSISTED_BYTES;
  }
}
