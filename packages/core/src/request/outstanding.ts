/**
 * Outstanding changes: what prepared txns will do to the tree once they are applied. Preparation looks here first and in the
 * tree second, so that many writes can be in flight; the whole overlay is dropped when the server's role changes.
 *
 * A record is keyed by path id (the id is pinned while the record lives) and holds the znode's stat as it will be. A record
 * with `exists` false is a tombstone. Records go when the txn that last wrote them is applied.
 *
 * The overlay also predicts the tree's digest after everything outstanding: it is what a txn carries.
 */
import type { Acl } from '@zoots/protocol';
import { DigestSum } from '../tree/digest.js';
import { contentChange, crcWithStat, setField } from '../tree/stat-crc.js';
import { STAT_INTS } from '../tree/stat-rows.js';
import type { Tree } from '../tree/tree.js';
import { F, NONE, PIN } from '../tree/znode-store.js';

export class ChangeRecord {
  /** The last txn that wrote this record. */
  zxid = 0;
  exists = false;
  childCount = 0;
  /** Null: the open list. */
  acls: readonly Acl[] | null = null;
  dataLength = -1;
  /** CRC-32 over path and data, and the znode's value in the digest, both as int32. */
  contentCrc = 0;
  digest = 0;
  /** The digest is that of the stat and content below; else it is summed up when the record is closed. */
  isSummed = false;
  /** As in the store: in the order of {@link S}. Of a znode that was there before, to be changed by {@link set}. */
  readonly stat = new Int32Array(STAT_INTS);

  set(field: number, value: number): void {
    this.digest ^= setField(this.stat, 0, field, value);
  }

  setContentCrc(value: number): void {
    this.digest ^= contentChange(this.contentCrc ^ value);
    this.contentCrc = value;
  }

  copy(other: ChangeRecord): void {
    this.zxid = other.zxid;
    this.exists = other.exists;
    this.childCount = other.childCount;
    this.acls = other.acls;
    this.dataLength = other.dataLength;
    this.contentCrc = other.contentCrc;
    this.digest = other.digest;
    this.isSummed = other.isSummed;
    this.stat.set(other.stat);
  }
}

interface Undo {
  readonly id: number;
  /** What was there before; null: nothing. */
  readonly before: ChangeRecord | null;
}

export class Overlay {
  readonly #tree: Tree;
  readonly #records = new Map<number, ChangeRecord>();
  /** What {@link Overlay.record} found last: the checks of one request ask five times for the same znode. */
  #lastId = NONE;
  #lastRecord: ChangeRecord | undefined = undefined;
  readonly #pool: ChangeRecord[] = [];
  readonly digest = new DigestSum();
  /** Set while a multi is prepared. */
  #undo: Undo[] | null = null;
  readonly #digestBefore = new DigestSum();

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  get size(): number {
    return this.#records.size;
  }

  /** Call when nothing is outstanding and the tree may have changed under the overlay (after a load). */
  reset(): void {
    for (const id of this.#records.keys()) this.#tree.store.unpin(id, PIN.pending);
    this.#records.clear();
    this.#lastRecord = undefined;
    this.digest.copy(this.#tree.digest);
  }

  // ---- reading ----

  record(id: number): ChangeRecord | undefined {
    if (id !== this.#lastId) {
      this.#lastId = id;
      this.#lastRecord = this.#records.get(id);
    }
    return this.#lastRecord;
  }

  #put(id: number, record: ChangeRecord): void {
    this.#records.set(id, record);
    this.#lastId = id;
    this.#lastRecord = record;
  }

  exists(id: number): boolean {
    const record = this.record(id);
    return record === undefined ? this.#tree.store.isPresent(id) : record.exists;
  }

  /** One int32 of the stat as it will be: `field` of {@link S}, or behind it. */
  stat(id: number, field: number): number {
    const record = this.record(id);
    return record === undefined ? this.#tree.store.stat(id, field) : (record.stat[field] as number);
  }

  childCount(id: number): number {
    return this.record(id)?.childCount ?? this.#tree.store.get(id, F.childCount);
  }

  dataLength(id: number): number {
    return this.record(id)?.dataLength ?? this.#tree.store.dataLength(id);
  }

  acls(id: number): readonly Acl[] | null {
    const record = this.record(id);
    return record === undefined ? this.#tree.acls.listOf(this.#tree.store.get(id, F.acl)) : record.acls;
  }

  // ---- writing ----

  /** The record to change for this txn; its share of the digest is taken out until {@link close}. */
  open(id: number, zxid: number): ChangeRecord {
    let record = this.record(id);
    if (record === undefined) {
      record = this.#newRecord(id);
      this.#undo?.push({ id, before: null });
    } else if (this.#undo !== null) {
      const before = this.#pool.pop() ?? new ChangeRecord();
      before.copy(record);
      this.#undo.push({ id, before });
    }
    if (record.exists) this.digest.subtract(record.digest);
    record.zxid = zxid;
    return record;
  }

  #newRecord(id: number): ChangeRecord {
    const record = this.#pool.pop() ?? new ChangeRecord();
    const store = this.#tree.store;
    record.exists = store.isPresent(id);
    record.digest = 0;
    record.isSummed = false;
    if (record.exists) {
      const stat = store.statOf(id);
      const at = store.statStart;
      for (let i = 0; i < STAT_INTS; i++) record.stat[i] = stat[at + i] as number;
      record.childCount = store.get(id, F.childCount);
      record.acls = this.#tree.acls.listOf(store.get(id, F.acl));
      record.dataLength = store.dataLength(id);
      if (this.#counts(id)) {
        record.contentCrc = this.#tree.contentCrcOf(id);
        record.digest = this.#tree.digestOf(id);
        record.isSummed = true;
      }
    }
    this.#put(id, record);
    store.pin(id, PIN.pending);
    return record;
  }

  #counts(id: number): boolean {
    return this.#tree.options.digestEnabled && !this.#tree.store.isUnderSystem(id);
  }

  /** Sets the record's data (`start` -1: null). */
  setData(id: number, record: ChangeRecord, bytes: Uint8Array, start: number, end: number): void {
    record.dataLength = start < 0 ? -1 : end - start;
    if (!this.#counts(id)) return;
    record.setContentCrc(this.#tree.nodeDigest.contentCrc(this.#tree.store, id, bytes, start, end) | 0);
  }

  /** The record is as it will be: its share of the digest counts again. */
  close(id: number, record: ChangeRecord): void {
    if (!record.exists || !this.#counts(id)) {
      record.digest = 0;
      record.isSummed = false;
      return;
    }
    if (!record.isSummed) {
      record.digest = crcWithStat(record.stat, 0, record.contentCrc);
      record.isSummed = true;
    }
    this.digest.add(record.digest);
  }

  // ---- multi ----

  beginMulti(): void {
    this.#undo = [];
    this.#digestBefore.copy(this.digest);
  }

  /** Keeps (true) or takes back (false) everything since {@link beginMulti}. */
  endMulti(keep: boolean): void {
    const undo = this.#undo ?? [];
    this.#undo = null;
    for (const { id, before } of undo.reverse()) {
      if (keep) {
        if (before !== null) this.#pool.push(before);
      } else this.#restore(id, before);
    }
    if (!keep) this.digest.copy(this.#digestBefore);
  }

  #restore(id: number, before: ChangeRecord | null): void {
    const record = this.record(id) as ChangeRecord;
    if (before === null) this.#drop(id, record);
    else {
      record.copy(before);
      this.#pool.push(before);
    }
  }

  #drop(id: number, record: ChangeRecord): void {
    this.#records.delete(id);
    this.#lastRecord = undefined;
    this.#lastId = id;
    this.#pool.push(record);
    this.#tree.store.unpin(id, PIN.pending);
  }

  /** A txn that touched this id is applied: the record goes unless a later txn wrote it too. */
  release(id: number, zxid: number): void {
    const record = this.record(id);
    if (record !== undefined && record.zxid <= zxid) this.#drop(id, record);
  }
}
