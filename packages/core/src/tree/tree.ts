/**
 * The tree as the txns made it: create, delete, setData, setACL at apply level. Knows nothing of sessions' liveness,
 * permissions or clients; decides nothing that a txn has not decided already.
 *
 * Every change passes {@link Tree.#beforeChange}, which lets a running snapshot keep the row as it was, and is mirrored in
 * the digest, the lists of owners, and the quota usage.
 *
 * Read next: request/apply.ts (the only writer), tree/snapshot-walk.ts.
 */

import { assert, ByteWriter, encodeUtf8, highOf, lowOf, pairToNumber } from '@zoots/base';
import { ERROR, lastSlash, READ_ACL_UNSAFE, writeAcls } from '@zoots/protocol';
import { ACL_OPEN, AclTable } from './acl-table.js';
import { ChildLists } from './child-lists.js';
import { DigestSum, NodeDigest } from './digest.js';
import { Ephemerals, type OwnerRules, ownerKind } from './ephemerals.js';
import { QuotaTable } from './quota.js';
import { contentChange, setField } from './stat-crc.js';
import { S } from './stat-rows.js';
import { F, NONE, ROOT, ZnodeStore } from './znode-store.js';

/** Told before a row changes or goes, and after one came. Implemented by the snapshot walk. */
export interface ChangeListener {
  beforeChange(id: number): void;
  afterCreate(id: number): void;
}

/**
 * What whoever prepared a create or setData has found out about it, so that it is not found out again: 0.3 of the 2.5 µs that
 * the core takes for a setData.
 */
export interface KnownChange {
  /** The znode, NONE if nothing is known; and, for a create, the one above it. Both are pinned. */
  readonly znode: number;
  readonly parent: number;
  /** CRC-32 over path and data, as an int32; of no use where the digest does not count the znode. */
  readonly contentCrc: number;
}

export interface TreeOptions extends OwnerRules {
  /** See {@link ZnodeStore}. */
  readonly hashSeed: number;
  readonly digestEnabled: boolean;
}

export class Tree {
  readonly store: ZnodeStore;
  readonly acls = new AclTable();
  readonly ephemerals = new Ephemerals();
  /** Ids of container znodes, and of znodes with a time to live. */
  readonly containers = new Set<number>();
  readonly ttls = new Set<number>();
  readonly quotas: QuotaTable;
  readonly childLists: ChildLists;
  readonly digest = new DigestSum();
  readonly nodeDigest = new NodeDigest();
  readonly options: TreeOptions;
  lastProcessedZxid = 0;
  listener: ChangeListener | null = null;
  /** The id the last {@link create} made or found. */
  lastId = NONE;

  constructor(options: TreeOptions) {
    this.options = options;
    this.store = new ZnodeStore(options.hashSeed);
    this.childLists = new ChildLists(this.store);
    this.quotas = new QuotaTable(this.store);
    this.quotas.writeUsage = (id, text) => this.#writeQuotaUsage(id, text);
  }

  /** Forgets everything: a load begins. */
  clear(): void {
    this.childLists.clear();
    this.store.clear();
    this.acls.clear();
    this.ephemerals.clear();
    this.containers.clear();
    this.ttls.clear();
    this.quotas.clear();
    this.digest.set(0, 0);
    this.lastProcessedZxid = 0;
  }

  /** The tree of an empty database: the root, /zookeeper, /zookeeper/quota, /zookeeper/config. */
  addSystemNodes(): void {
    this.#addSystemNode('/', NONE);
    const zookeeper = this.#addSystemNode('/zookeeper', ROOT);
    this.#addSystemNode('/zookeeper/quota', zookeeper);
    this.addConfigNode();
  }

  /** Snapshots up to 3.4 lack /zookeeper/config: it is added after the load. */
  addConfigNode(): void {
    const path = encodeUtf8('/zookeeper/config');
    const known = this.store.find(path, 0, path.length);
    if (known !== NONE && this.store.isPresent(known)) return;
    const parentPath = encodeUtf8('/zookeeper');
    const parent = this.store.find(parentPath, 0, parentPath.length);
    if (parent === NONE || !this.store.isPresent(parent)) return;
    const config = this.#addSystemNode('/zookeeper/config', parent);
    const acl = new ByteWriter();
    writeAcls(acl, READ_ACL_UNSAFE);
    this.store.set(config, F.acl, this.acls.intern(acl.bytes, 0, acl.length));
    this.store.setStat(config, S.aversion, -1);
  }

  /**
   * Puts the ensemble's configuration into /zookeeper/config, outside of the txns, as every member does for itself: version -1,
   * modified at the configuration's version. The digest does not count it.
   */
  setConfig(text: string, configVersion: number, wallMs: number): void {
    this.addConfigNode();
    const path = encodeUtf8('/zookeeper/config');
    const id = this.find(path, 0, path.length);
    if (id === NONE) return;
    const data = encodeUtf8(text);
    this.setData(id, data, 0, data.length, -1, configVersion, highOf(wallMs), lowOf(wallMs));
  }

  #addSystemNode(path: string, parent: number): number {
    const bytes = encodeUtf8(path);
    const id = this.store.intern(bytes, 0, bytes.length);
    this.store.attach(id, parent);
    this.store.set(id, F.acl, ACL_OPEN);
    this.store.setData(id, bytes, 0, 0);
    this.#digestAdd(id, null);
    return id;
  }

  // ---- lookups ----

  /** The id of a znode that is present, or NONE. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const id = this.store.find(bytes, start, end);
    return id !== NONE && this.store.isPresent(id) ? id : NONE;
  }

  /** What an ephemeralOwner says. */
  ownerKind(ownerHigh: number, ownerLow: number): ReturnType<typeof ownerKind> {
    return ownerKind(ownerHigh, ownerLow, this.options);
  }

  // ---- changes ----

  /**
   * Adds a znode. `ownerHigh/Low` is its ephemeralOwner (0: persistent). Returns an error code: noNode (no parent),
   * nodeExists (then `lastId` is the znode that is there).
   */
  create(
    bytes: Uint8Array,
    pathStart: number,
    pathEnd: number,
    dataStart: number,
    dataEnd: number,
    acl: number,
    ownerHigh: number,
    ownerLow: number,
    parentCversion: number,
    zxid: number,
    timeHigh: number,
    timeLow: number,
    known: KnownChange | null = null,
  ): number {
    const store = this.store;
    const id = known?.znode ?? store.internChild(bytes, pathStart, pathEnd);
    this.lastId = id;
    if (id === NONE) return ERROR.noNode;
    const parent = known?.parent ?? store.lastParent;
    if (store.isPresent(id)) return ERROR.nodeExists;
    this.#raiseParent(parent, parentCversion, zxid);
    store.attach(id, parent);
    store.setFreshStat(id, highOf(zxid), lowOf(zxid), timeHigh, timeLow);
    store.set(id, F.acl, acl);
    this.acls.retain(acl);
    store.setData(id, bytes, dataStart, dataEnd);
    if (ownerHigh !== 0 || ownerLow !== 0) {
      store.setStat(id, S.owner, ownerHigh);
      store.setStat(id, S.owner + 1, ownerLow);
      this.#own(id);
    }
    this.#digestAdd(id, known);
    this.listener?.afterCreate(id);
    this.quotas.onCreated(id);
    return ERROR.ok;
  }

  #parentOf(bytes: Uint8Array, pathStart: number, pathEnd: number): number {
    const slash = lastSlash(bytes, pathStart, pathEnd);
    return slash < 0 ? NONE : this.find(bytes, pathStart, slash === pathStart ? slash + 1 : slash);
  }

  /**
   * A child came: the parent's cversion and pzxid follow the txn, unless they are ahead already (a replay over a snapshot).
   * -1 means one more than the parent has (logs up to 3.3).
   */
  #raiseParent(parent: number, parentCversion: number, zxid: number): void {
    const store = this.store;
    const current = store.stat(parent, S.cversion);
    const next = parentCversion === -1 ? (current + 1) | 0 : parentCversion;
    // Compared as Java does: a wrapped counter (2^31 creations) stays where it is.
    if (next <= current) return;
    this.listener?.beforeChange(parent);
    const stat = store.ownStatOf(parent);
    this.#digestChange(
      parent,
      setField(stat, store.statStart, S.cversion, next) ^
        setField(stat, store.statStart, S.pzxid, highOf(zxid)) ^
        setField(stat, store.statStart, S.pzxid + 1, lowOf(zxid)),
    );
  }

  /** Replaying a create of a znode that a snapshot has already: only the parent may still be behind. */
  raiseParentOf(bytes: Uint8Array, pathStart: number, pathEnd: number, parentCversion: number, zxid: number): void {
    const parent = this.#parentOf(bytes, pathStart, pathEnd);
    if (parent !== NONE) this.#raiseParent(parent, parentCversion, zxid);
  }

  /** Replaces the ACL list; takes over the reference that the caller's intern took. */
  replaceAcl(id: number, acl: number): void {
    this.listener?.beforeChange(id);
    this.acls.release(this.store.get(id, F.acl));
    this.store.set(id, F.acl, acl);
  }

  /** Removes a childless znode. Error codes: noNode, notEmpty (then nothing was changed). */
  delete(id: number, zxid: number): number {
    const store = this.store;
    if (store.get(id, F.childCount) !== 0) return ERROR.notEmpty;
    assert(id !== ROOT, 'the root is never deleted');
    this.listener?.beforeChange(id);
    this.quotas.onDeleting(id);
    this.#digestSubtract(id);
    this.#disown(id);
    this.acls.release(store.get(id, F.acl));
    const parent = store.get(id, F.parent);
    this.#raisePzxid(parent, zxid);
    store.detach(id);
    return ERROR.ok;
  }

  /** Also when the znode itself is gone already (a replay), its parent's pzxid follows. */
  raisePzxidOfParent(bytes: Uint8Array, pathStart: number, pathEnd: number, zxid: number): void {
    const parent = this.#parentOf(bytes, pathStart, pathEnd);
    if (parent !== NONE) this.#raisePzxid(parent, zxid);
  }

  #raisePzxid(parent: number, zxid: number): void {
    const store = this.store;
    if (pairToNumber(store.stat(parent, S.pzxid), store.stat(parent, S.pzxid + 1)) >= zxid) return;
    this.listener?.beforeChange(parent);
    const stat = store.ownStatOf(parent);
    this.#digestChange(
      parent,
      setField(stat, store.statStart, S.pzxid, highOf(zxid)) ^
        setField(stat, store.statStart, S.pzxid + 1, lowOf(zxid)),
    );
  }

  setData(
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    version: number,
    zxid: number,
    timeHigh: number,
    timeLow: number,
    known: KnownChange | null = null,
  ): void {
    const store = this.store;
    this.listener?.beforeChange(id);
    const oldBytes = Math.max(store.dataLength(id), 0);
    store.setData(id, bytes, start, end);
    const stat = store.ownStatOf(id);
    const at = store.statStart;
    const change =
      setField(stat, at, S.version, version) ^
      setField(stat, at, S.mzxid, highOf(zxid)) ^
      setField(stat, at, S.mzxid + 1, lowOf(zxid)) ^
      setField(stat, at, S.mtime, timeHigh) ^
      setField(stat, at, S.mtime + 1, timeLow);
    this.#digestChange(id, change ^ this.#changeContent(id, known));
    this.quotas.onDataChanged(id, Math.max(store.dataLength(id), 0) - oldBytes);
  }

  /** Takes over the reference that the caller's intern took. */
  setAcl(id: number, acl: number, aversion: number): void {
    this.replaceAcl(id, acl);
    this.#digestChange(id, setField(this.store.ownStatOf(id), this.store.statStart, S.aversion, aversion));
  }

  /** The usage a server keeps in a quota's statistics znode: changed in place, without zxid, version or watch. */
  #writeQuotaUsage(id: number, text: Uint8Array): void {
    this.listener?.beforeChange(id);
    this.store.setData(id, text, 0, text.length);
  }

  // ---- digest ----

  #counts(id: number): boolean {
    return this.options.digestEnabled && !this.store.isUnderSystem(id);
  }

  /** The znode is new. */
  #digestAdd(id: number, known: KnownChange | null): void {
    if (!this.#counts(id)) return;
    const store = this.store;
    const content = known === null ? this.#contentCrcFrom(id) : known.contentCrc;
    const share = this.nodeDigest.ofRowWith(store, id, content);
    store.set(id, F.contentCrc, content);
    store.set(id, F.digest, share);
    this.digest.add(share);
  }

  #contentCrcFrom(id: number): number {
    const store = this.store;
    const length = store.dataLength(id);
    const start = length < 0 ? -1 : store.dataStart(id);
    return this.nodeDigest.contentCrc(store, id, store.dataChunk(id), start, start + length) | 0;
  }

  /** The znode's data is new: what that changes in its share. */
  #changeContent(id: number, known: KnownChange | null): number {
    if (!this.#counts(id)) return 0;
    const content = known === null ? this.#contentCrcFrom(id) : known.contentCrc;
    const before = this.contentCrcOf(id);
    this.store.set(id, F.contentCrc, content);
    return contentChange(before ^ content);
  }

  /** The znode's share is another by `change`; see stat-crc.ts. */
  #digestChange(id: number, change: number): void {
    if (!this.#counts(id)) return;
    const before = this.digestOf(id);
    const share = before ^ change;
    this.store.set(id, F.digest, share);
    this.digest.subtract(before);
    this.digest.add(share);
  }

  #digestSubtract(id: number): void {
    if (this.#counts(id)) this.digest.subtract(this.digestOf(id));
  }

  /** CRC-32, as an int32, over path and data of a znode that is present and counts in the digest. */
  contentCrcOf(id: number): number {
    return this.store.get(id, F.contentCrc);
  }

  /** Its share of the digest, as an int32. */
  digestOf(id: number): number {
    return this.store.get(id, F.digest);
  }

  // ---- owners ----

  #own(id: number): void {
    const high = this.store.stat(id, S.owner);
    const low = this.store.stat(id, S.owner + 1);
    const kind = this.ownerKind(high, low);
    if (kind === 'session') this.ephemerals.add(high, low, id);
    else if (kind === 'container') this.containers.add(id);
    else if (kind === 'ttl') this.ttls.add(id);
  }

  #disown(id: number): void {
    const high = this.store.stat(id, S.owner);
    const low = this.store.stat(id, S.owner + 1);
    const kind = this.ownerKind(high, low);
    if (kind === 'session') this.ephemerals.remove(high, low, id);
    else if (kind === 'container') this.containers.delete(id);
    else if (kind === 'ttl') this.ttls.delete(id);
  }

  // ---- loading ----

  /**
   * A znode of a snapshot, in any order with parents first. The path of the root is empty there. `stat` is where its
   * StatPersisted begins. False if the parent is missing or the ACL list unknown. {@link finishLoad} must follow.
   */
  load(
    bytes: Uint8Array,
    pathStart: number,
    pathEnd: number,
    dataStart: number,
    dataEnd: number,
    acl: number,
    view: DataView,
    stat: number,
  ): boolean {
    const store = this.store;
    if (!this.acls.has(acl)) return false;
    const isRoot = pathStart === pathEnd;
    const id = isRoot ? ROOT : store.appendChild(bytes, pathStart, pathEnd);
    if (id === NONE || store.isPresent(id)) return false;
    const parent = isRoot ? NONE : store.lastParent;
    store.attach(id, parent);
    store.loadStat(id, view, stat);
    store.set(id, F.acl, acl);
    this.acls.retain(acl);
    store.setData(id, bytes, dataStart, dataEnd);
    this.#own(id);
    this.#digestAdd(id, null);
    return true;
  }

  /** After a load: lists that nobody uses go, and the quotas are read from their znodes. False if a znode was there twice. */
  finishLoad(): boolean {
    if (!this.store.finishLoad()) return false;
    this.acls.dropUnused();
    this.quotas.rebuild();
    return true;
  }

  /** Number of znodes as Apache counts them: the root twice (as "" and as "/"). */
  get nodeCount(): number {
    return this.store.presentCount + 1;
  }
}
