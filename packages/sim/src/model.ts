/**
 * The model: what a ZooKeeper tree is, written down naively and independently of the core. It is fed with the *requests* of
 * the clients in the order of their zxids (which the log gives) and says what each reply must be, byte for byte, and which
 * events each txn causes.
 *
 * It remembers versions: every znode keeps what it was after each txn that touched it, so that a read that was answered at
 * zxid z can be checked against the tree at z, however long the reply was on its way. A crash takes back the versions of
 * txns that did not survive ({@link Model.rollBack}).
 *
 * Source: ZooKeeper's documented and observed behaviour, not this server's code. Paths and data are ASCII.
 */
import { ByteWriter } from '@zoots/base';
import { type Acl, ERROR, EVENT, type Id, OP } from '@zoots/protocol';
import { replyFrame } from './model-bytes.js';
import { ModelQuota } from './model-quota.js';
import { performMulti, performWrite } from './model-writes.js';
import type { Request } from './request.js';

export type NodeKind = 'persistent' | 'ephemeral' | 'container' | 'ttl';

/** A znode as it was from `zxid` on. */
export interface Version {
  zxid: number;
  exists: boolean;
  kind: NodeKind;
  data: string | null;
  acls: readonly Acl[];
  czxid: number;
  mzxid: number;
  pzxid: number;
  ctimeMs: number;
  mtimeMs: number;
  version: number;
  /** Creations of children only, as it is kept. */
  cversion: number;
  aversion: number;
  childCount: number;
  /** The session of an ephemeral, or 0 0. */
  ownerHigh: number;
  ownerLow: number;
  ttlMs: number;
}

export interface ModelEvent {
  readonly type: number;
  readonly path: string;
  /** Who receives it must be able to read under this list. */
  readonly acls: readonly Acl[];
}

export interface ModelTxn {
  readonly zxid: number;
  readonly sessionHigh: number;
  readonly sessionLow: number;
  readonly op: number;
  /** 0, or the code the reply carries. */
  code: number;
  /** The whole frame of the reply; null for what is answered to nobody. */
  reply: Uint8Array | null;
  readonly events: ModelEvent[];
  readonly request: Request | null;
  /** Codes of a failed multi's parts. */
  partCodes: readonly number[] | null;
}

export interface ModelSession {
  readonly high: number;
  readonly low: number;
  readonly createdZxid: number;
  timeoutMs: number;
  /** 0 while it lives. */
  closedZxid: number;
}

export interface ModelRules {
  readonly extendedTypesEnabled: boolean;
  readonly enforceQuota: boolean;
}

/** What the log says about a txn, beside what the client asked for. */
export interface Logged {
  readonly zxid: number;
  readonly timeMs: number;
  readonly sessionHigh: number;
  readonly sessionLow: number;
  readonly op: number;
  /** States whose quota usage the server may have looked at (it looks at what is applied). */
  readonly quotaStates: readonly number[];
  /** Did the server find a quota exceeded? Asked only where the states disagree. */
  readonly exceededPart: number;
}

/** One write on its way through the checks. */
export interface Write extends Logged {
  readonly identities: readonly Id[];
  readonly events: ModelEvent[];
  readonly body: ByteWriter;
  part: number;
}

const OPEN: readonly Acl[] = [{ perms: 31, scheme: 'world', id: 'anyone' }];
const READ_ONLY: readonly Acl[] = [{ perms: 1, scheme: 'world', id: 'anyone' }];

/** Why the server's own removal of a znode may come too late. */
const FAILURES_OF_REMOVAL: readonly number[] = [ERROR.noNode, ERROR.notEmpty, ERROR.badVersion];

export function sessionKey(high: number, low: number): string {
  return `${high}:${low}`;
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

export class Model {
  readonly rules: ModelRules;
  lastZxid = 0;
  readonly txns = new Map<number, ModelTxn>();
  readonly sessions = new Map<string, ModelSession>();
  readonly quota: ModelQuota;
  readonly #versions = new Map<string, Version[]>();
  /** Of {@link txns}, ascending. */
  #zxids: number[] = [];
  /** Every child there ever was (until pruned); whether it exists is asked of its versions. */
  readonly #children = new Map<string, Set<string>>();

  constructor(rules: ModelRules) {
    this.rules = rules;
    this.quota = new ModelQuota(this);
    const root = this.put('/', 0, freshVersion(0, 0, '', OPEN));
    root.childCount = 1;
    this.put('/zookeeper', 0, freshVersion(0, 0, '', OPEN)).childCount = 2;
    this.put('/zookeeper/quota', 0, freshVersion(0, 0, '', OPEN));
    this.put('/zookeeper/config', 0, freshVersion(0, 0, '', READ_ONLY)).aversion = -1;
  }

  // ---- looking ----

  /** The znode as of `zxid`, or undefined if it did not exist then. */
  at(path: string, zxid: number): Version | undefined {
    const versions = this.#versions.get(path);
    if (versions === undefined) return undefined;
    for (let i = versions.length - 1; i >= 0; i--) {
      const version = versions[i] as Version;
      if (version.zxid <= zxid) return version.exists ? version : undefined;
    }
    return undefined;
  }

  now(path: string): Version | undefined {
    const version = this.#versions.get(path)?.at(-1);
    return version?.exists === true ? version : undefined;
  }

  /** Paths of the children as of `zxid`, sorted. */
  childrenAt(path: string, zxid: number): string[] {
    const found: string[] = [];
    for (const child of this.#children.get(path) ?? []) if (this.at(child, zxid) !== undefined) found.push(child);
    return found.sort();
  }

  /** Every path that exists as of `zxid`, sorted. */
  pathsAt(zxid: number): string[] {
    return [...this.#versions.keys()].filter((path) => this.at(path, zxid) !== undefined).sort();
  }

  /** The first txn behind `zxid`; zxids have gaps where epochs begin. */
  txnAfter(zxid: number): ModelTxn | undefined {
    const next = this.txns.get(zxid + 1);
    if (next !== undefined || zxid >= this.lastZxid) return next;
    const zxids = this.#zxids;
    let low = 0;
    let high = zxids.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((zxids[middle] as number) > zxid) high = middle;
      else low = middle + 1;
    }
    return this.txns.get(zxids[low] ?? -1);
  }

  isSessionAlive(high: number, low: number): boolean {
    return this.sessions.get(sessionKey(high, low))?.closedZxid === 0;
  }

  /** Paths of the ephemerals a session has now, sorted. */
  ephemeralsOf(high: number, low: number, zxid = Number.MAX_SAFE_INTEGER): string[] {
    const paths: string[] = [];
    for (const path of this.#versions.keys()) {
      const version = this.at(path, zxid);
      if (version?.kind === 'ephemeral' && version.ownerHigh === high && version.ownerLow === low) paths.push(path);
    }
    return paths.sort();
  }

  // ---- changing ----

  /** The version to change for this txn. */
  open(path: string, zxid: number): Version {
    const versions = this.#versions.get(path) as Version[];
    const last = versions.at(-1) as Version;
    if (last.zxid === zxid && zxid > 0) return last;
    const copy = { ...last, zxid };
    versions.push(copy);
    return copy;
  }

  put(path: string, zxid: number, version: Version): Version {
    const versions = this.#versions.get(path);
    if (versions === undefined) this.#versions.set(path, [version]);
    else if (versions.at(-1)?.zxid === zxid && zxid > 0) versions[versions.length - 1] = version;
    else versions.push(version);
    if (path !== '/') {
      const siblings = this.#children.get(parentOf(path));
      if (siblings === undefined) this.#children.set(parentOf(path), new Set([path]));
      else siblings.add(path);
    }
    return version;
  }

  /** Changes data in place, as servers do with quota usage: nothing else of the stat moves. */
  overwrite(path: string, zxid: number, data: string): void {
    this.open(path, zxid).data = data;
  }

  /** Txns above `zxid` never were. */
  rollBack(zxid: number): void {
    for (const [path, versions] of this.#versions) {
      while (versions.length > 0 && (versions.at(-1) as Version).zxid > zxid) versions.pop();
      if (versions.length === 0) this.#forget(path);
    }
    for (const one of this.txns.keys()) if (one > zxid) this.txns.delete(one);
    this.#zxids = this.#zxids.filter((one) => one <= zxid);
    for (const [key, session] of this.sessions) {
      if (session.createdZxid > zxid) this.sessions.delete(key);
      else if (session.closedZxid > zxid) session.closedZxid = 0;
    }
    this.lastZxid = zxid;
  }

  /** Nobody asks about states before `zxid` any more. */
  prune(zxid: number): void {
    for (const [path, versions] of this.#versions) {
      let first = versions.length - 1;
      while (first > 0 && (versions[first] as Version).zxid > zxid) first--;
      if (first > 0) versions.splice(0, first);
      const only = versions[0] as Version;
      if (versions.length === 1 && !only.exists && only.zxid <= zxid) this.#forget(path);
    }
    for (const one of this.txns.keys()) if (one <= zxid) this.txns.delete(one);
    this.#zxids = this.#zxids.filter((one) => one > zxid);
  }

  #forget(path: string): void {
    this.#versions.delete(path);
    this.#children.get(parentOf(path))?.delete(path);
  }

  // ---- txns ----

  /** A client's write takes its turn. */
  execute(logged: Logged, request: Request): ModelTxn {
    const write: Write = {
      ...logged,
      identities: request.identities,
      events: [],
      body: new ByteWriter(128),
      part: 0,
    };
    const txn = this.#begin(logged, request, write.events);
    if (request.cutBytes > 0) txn.code = ERROR.marshallingError;
    else if (request.op === OP.multi) txn.partCodes = performMulti(this, write, request);
    else txn.code = performWrite(this, write, request.op, request);
    txn.reply = replyFrame(request.xid, logged.zxid, txn.code, write.body);
    return txn;
  }

  #begin(logged: Logged, request: Request | null, events: ModelEvent[]): ModelTxn {
    const { zxid, sessionHigh, sessionLow, op } = logged;
    const txn = { zxid, sessionHigh, sessionLow, op, code: 0, reply: null, events, request, partCodes: null };
    this.txns.set(zxid, txn);
    this.#zxids.push(zxid);
    this.lastZxid = zxid;
    return txn;
  }

  /** A server of the ensemble refused the write for what it knows of the session: expired by then, or moved elsewhere. */
  refuse(logged: Logged, request: Request, code: number): ModelTxn {
    const txn = this.#begin(logged, request, []);
    txn.code = code;
    txn.reply = replyFrame(request.xid, logged.zxid, code, new ByteWriter(0));
    return txn;
  }

  createSession(logged: Logged, timeoutMs: number): ModelTxn {
    const { sessionHigh: high, sessionLow: low, zxid } = logged;
    this.sessions.set(sessionKey(high, low), { high, low, createdZxid: zxid, timeoutMs, closedZxid: 0 });
    return this.#begin(logged, null, []);
  }

  /** Deletes the ephemerals in the order in which the server does (any will do), by the client's wish or because time is up. */
  closeSession(logged: Logged, order: readonly string[], request: Request | null): ModelTxn {
    const events: ModelEvent[] = [];
    const txn = this.#begin(logged, request, events);
    for (const path of order) if (this.now(path) !== undefined) this.removeNode(logged.zxid, path, events);
    const session = this.sessions.get(sessionKey(logged.sessionHigh, logged.sessionLow));
    if (session !== undefined) session.closedZxid = logged.zxid;
    if (request !== null) txn.reply = replyFrame(request.xid, logged.zxid, 0, new ByteWriter(0));
    return txn;
  }

  /**
   * The server's own removal of a container or TTL znode. One that failed says only its code: the znode is gone or has
   * children by then.
   */
  deleteContainer(logged: Logged, path: string | null, failureCode: number): ModelTxn {
    const txn = this.#begin(logged, null, []);
    if (path === null) {
      if (FAILURES_OF_REMOVAL.includes(failureCode)) txn.code = failureCode;
      return txn;
    }
    const node = this.now(path);
    if (node === undefined) txn.code = ERROR.noNode;
    else if (node.childCount > 0) txn.code = ERROR.notEmpty;
    else if (node.kind !== 'container' && !(node.kind === 'ttl' && logged.timeMs - node.mtimeMs > node.ttlMs)) {
      txn.code = ERROR.badVersion;
    } else this.removeNode(logged.zxid, path, txn.events);
    return txn;
  }

  removeNode(zxid: number, path: string, events: ModelEvent[]): void {
    const node = this.now(path) as Version;
    const parentPath = parentOf(path);
    events.push({ type: EVENT.nodeDeleted, path, acls: node.acls });
    this.quota.onDeleting(zxid, path, node.data?.length ?? 0);
    this.open(path, zxid).exists = false;
    const parent = this.open(parentPath, zxid);
    parent.childCount--;
    parent.pzxid = Math.max(parent.pzxid, zxid);
    events.push({ type: EVENT.nodeChildrenChanged, path: parentPath, acls: parent.acls });
  }

  /** A multi failed: what its earlier parts did never was. */
  undo(zxid: number): void {
    for (const [path, versions] of this.#versions) {
      if (versions.at(-1)?.zxid === zxid) versions.pop();
      if (versions.length === 0) this.#forget(path);
    }
  }
}

export function freshVersion(zxid: number, timeMs: number, data: string | null, acls: readonly Acl[]): Version {
  return {
    zxid,
    exists: true,
    kind: 'persistent',
    data,
    acls,
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctimeMs: timeMs,
    mtimeMs: timeMs,
    version: 0,
    cversion: 0,
    aversion: 0,
    childCount: 0,
    ownerHigh: 0,
    ownerLow: 0,
    ttlMs: 0,
  };
}
