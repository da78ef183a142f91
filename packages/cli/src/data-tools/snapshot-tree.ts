/**
 * A snapshot in memory for the tools that print and compare: nodes as objects, stats and data as bytes in one buffer.
 * The server never loads a snapshot this way; here, clear code counts more than the last hundred bytes per node.
 */
import { ByteWriter, decodeUtf8, pairToBigint } from '@zoots/base';
import { NodeDisk, nodeGzip } from '@zoots/server';
import { readSnapshotFile, type SnapshotSink, zxidInName } from '@zoots/storage';
import { hashOfLong, hashOfString, inHashOrder } from './hash-order.js';

export interface SnapshotNode {
  /** The last component; empty for the root. */
  readonly name: string;
  /** In the order of the file; see {@link childrenInOrder}. */
  readonly children: SnapshotNode[];
  /** 0 for null data. */
  readonly dataBytes: number;
  /** Where its stat and, if they were asked for, its data lie in `SnapshotTree.bytes`. */
  readonly statAt: number;
}

export interface SnapshotSession {
  readonly id: bigint;
  readonly timeoutMs: number;
}

/** A snapshot that cannot be read. The message names the file, the place and the reason. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

const SLASH = 0x2f;
/** The owner that marks a container. */
const CONTAINER_OWNER = -(1n << 63n);
/** A StatPersisted: long czxid mzxid ctime mtime, int version cversion aversion, long ephemeralOwner pzxid. */
const STAT_BYTES = 60;
const OWNER_OFFSET = 44;

/** How many buckets Java's sets of children, and its map of sessions, start with. */
const CHILD_BUCKETS = 8;
const SESSION_BUCKETS = 16;

export class SnapshotTree implements SnapshotSink {
  readonly #sessions: SnapshotSession[] = [];
  readonly #nodes = new Map<string, SnapshotNode>();
  readonly #ephemeralCounts = new Map<bigint, number>();
  readonly #content = new ByteWriter(64 * 1024);
  readonly #keepsData: boolean;

  constructor(keepsData: boolean) {
    this.#keepsData = keepsData;
  }

  onSession(high: number, low: number, timeoutMs: number): void {
    this.#sessions.push({ id: pairToBigint(high, low), timeoutMs });
  }

  onAcl(): void {}

  onNode(
    bytes: Uint8Array,
    pathStart: number,
    pathEnd: number,
    dataStart: number,
    dataEnd: number,
    _aclId: number,
    statStart: number,
  ): boolean {
    const statAt = this.#content.length;
    const dataBytes = dataStart < 0 ? 0 : dataEnd - dataStart;
    this.#content.raw(bytes, statStart, statStart + STAT_BYTES);
    if (this.#keepsData && dataBytes > 0) this.#content.raw(bytes, dataStart, dataEnd);
    const path = decodeUtf8(bytes, pathStart, pathEnd);
    const slash = bytes.lastIndexOf(SLASH, pathEnd - 1);
    const nameStart = slash < pathStart ? pathStart : slash + 1;
    const node = { name: decodeUtf8(bytes, nameStart, pathEnd), children: [], dataBytes, statAt };
    const parent = this.#nodes.get(path.slice(0, path.lastIndexOf('/')));
    if (path !== '') {
      if (parent === undefined || this.#nodes.has(path)) return false;
      parent.children.push(node);
    }
    this.#nodes.set(path, node);
    this.#countEphemeral(statAt);
    return true;
  }

  #countEphemeral(statAt: number): void {
    const owner = this.#content.view.getBigInt64(statAt + OWNER_OFFSET);
    if (owner === 0n || owner === CONTAINER_OWNER) return;
    this.#ephemeralCounts.set(owner, (this.#ephemeralCounts.get(owner) ?? 0) + 1);
  }

  onSnapshotEnd(): boolean {
    return this.#nodes.has('');
  }

  get root(): SnapshotNode {
    return this.#nodes.get('') as SnapshotNode;
  }

  get nodeCount(): number {
    return this.#nodes.size;
  }

  /** Undefined if there is no such node. */
  nodeAt(path: string): SnapshotNode | undefined {
    return this.#nodes.get(path === '/' ? '' : path);
  }

  stat(node: SnapshotNode): SnapshotStat {
    const view = this.#content.view;
    const at = node.statAt;
    return {
      czxid: view.getBigInt64(at),
      mzxid: view.getBigInt64(at + 8),
      ctime: view.getBigInt64(at + 16),
      mtime: view.getBigInt64(at + 24),
      version: view.getInt32(at + 32),
      cversion: view.getInt32(at + 36),
      aversion: view.getInt32(at + 40),
      ephemeralOwner: view.getBigInt64(at + OWNER_OFFSET),
      pzxid: view.getBigInt64(at + 52),
    };
  }

  /** The node's data; only if the tree was read with data. */
  data(node: SnapshotNode): Uint8Array {
    const start = node.statAt + STAT_BYTES;
    return this.#content.bytes.subarray(start, start + node.dataBytes);
  }

  sessionsInOrder(): SnapshotSession[] {
    return inHashOrder(this.#sessions, (session) => hashOfLong(session.id), SESSION_BUCKETS);
  }

  ephemeralCount(session: bigint): number {
    return this.#ephemeralCounts.get(session) ?? 0;
  }
}

/** As stored: cversion counts the creates only. Times in ms since 1970. */
export interface SnapshotStat {
  readonly czxid: bigint;
  readonly mzxid: bigint;
  readonly ctime: bigint;
  readonly mtime: bigint;
  readonly version: number;
  readonly cversion: number;
  readonly aversion: number;
  readonly ephemeralOwner: bigint;
  readonly pzxid: bigint;
}

/** The children in the order in which Apache's tools print them. */
export function childrenInOrder(node: SnapshotNode): SnapshotNode[] {
  return inHashOrder(node.children, (child) => hashOfString(child.name), CHILD_BUCKETS);
}

/** Reads and checks a whole snapshot, compressed or not. Rejects with {@link SnapshotError}. */
export function loadSnapshot(path: string, options: { readonly keepsData: boolean }): Promise<SnapshotTree> {
  const tree = new SnapshotTree(options.keepsData);
  return new Promise((resolve, reject) => {
    readSnapshotFile(
      new NodeDisk(),
      path,
      tree,
      (error, damage) => {
        if (error !== null) reject(new SnapshotError(error.message));
        else if (damage !== null) reject(new SnapshotError(damageText(path, damage.offset, damage.reason)));
        else resolve(tree);
      },
      nodeGzip,
    );
  });
}

function damageText(path: string, offset: number, reason: string): string {
  return `${path} is damaged at offset ${offset} of its content: ${reason}`;
}

/** The zxid in a snapshot's name; -1 if there is none. */
export function zxidOfName(path: string): number {
  return zxidInName(path.slice(path.lastIndexOf('/') + 1), 'snapshot') ?? -1;
}
