/** Loader: what recovery finds on disk becomes the tree and the session table. */
import { ByteReader, type Logger, logLevels } from '@zoots/base';
import { DIGEST_VERSION, formatZxid } from '@zoots/protocol';
import type { RecoverySink } from '@zoots/storage';
import type { Applier } from './request/apply.js';
import type { SessionTable } from './session/session-table.js';
import type { Tree } from './tree/tree.js';

export class Loader implements RecoverySink {
  readonly #tree: Tree;
  readonly #sessions: SessionTable;
  readonly #applier: Applier;
  readonly #logger: Logger;
  readonly #reader = new ByteReader();
  /** Monotonic time the sessions' timeouts start from; moved on when the load is done. */
  nowMs = 0;
  /** Told of each txn that was replayed. */
  onReplayed: (bytes: Uint8Array, start: number, end: number) => void = () => {};
  #isEmpty = true;
  /** The digest a snapshot promises for a zxid that the replay has yet to reach; -1: none. */
  #digestZxid = -1;
  #digestHigh = 0;
  #digestLow = 0;

  constructor(tree: Tree, sessions: SessionTable, applier: Applier, logger: Logger) {
    this.#tree = tree;
    this.#sessions = sessions;
    this.#applier = applier;
    this.#logger = logger;
  }

  reset(): void {
    this.#tree.clear();
    this.#sessions.clear();
    this.#isEmpty = true;
    this.#digestZxid = -1;
    this.#applier.comparesDigests = true;
  }

  onSession(high: number, low: number, timeoutMs: number): void {
    this.#sessions.add(high, low, timeoutMs, this.nowMs).isApplied = true;
  }

  onAcl(id: number, bytes: Uint8Array, start: number, end: number): void {
    this.#tree.acls.load(id, bytes, start, end);
  }

  onNode(
    bytes: Uint8Array,
    pathStart: number,
    pathEnd: number,
    dataStart: number,
    dataEnd: number,
    aclId: number,
    statStart: number,
  ): boolean {
    this.#isEmpty = false;
    const { view } = this.#reader.reset(bytes, 0, bytes.length);
    return this.#tree.load(bytes, pathStart, pathEnd, dataStart, dataEnd, aclId, view, statStart);
  }

  onSnapshotEnd(
    zxid: number,
    digestZxid: number,
    digestVersion: number,
    digestHigh: number,
    digestLow: number,
  ): boolean {
    if (this.#isEmpty) return false;
    if (!this.#tree.finishLoad()) return false;
    this.#tree.lastProcessedZxid = zxid;
    this.#tree.addConfigNode();
    // A fuzzy snapshot (Apache's) is taken at its name's zxid but shows later changes: its digest holds from `digestZxid` on.
    if (digestVersion === DIGEST_VERSION && digestZxid > 0 && digestZxid >= zxid) {
      this.#digestZxid = digestZxid;
      this.#digestHigh = digestHigh;
      this.#digestLow = digestLow;
      this.#applier.comparesDigests = false;
      this.#compareSnapshotDigest(zxid);
    }
    return true;
  }

  onTxn(bytes: Uint8Array, start: number, end: number): string | null {
    if (this.#isEmpty) this.finish();
    this.#applier.nowMs = this.nowMs;
    const problem = this.#applier.apply(bytes, start, end, null);
    if (problem !== null) return problem;
    if (this.#digestZxid >= 0) this.#compareSnapshotDigest(this.#tree.lastProcessedZxid);
    this.onReplayed(bytes, start, end);
    return null;
  }

  #compareSnapshotDigest(zxid: number): void {
    if (zxid < this.#digestZxid) return;
    if (zxid === this.#digestZxid && this.#tree.options.digestEnabled) {
      if (!this.#tree.digest.equals(this.#digestHigh, this.#digestLow)) this.#applier.onDigestMismatch(zxid);
    }
    this.#digestZxid = -1;
    this.#applier.comparesDigests = true;
  }

  /** Everything is read: an empty database gets its system znodes, and ephemerals without a session go. */
  finish(): void {
    this.#applier.comparesDigests = true;
    if (this.#isEmpty) {
      this.#isEmpty = false;
      this.#tree.addSystemNodes();
    }
  }

  /** Ephemerals whose owner is not in the session table are removed, as Apache does at this point. */
  dropOrphans(): void {
    for (const owned of [...this.#tree.ephemerals.owners()]) {
      if (this.#sessions.get(owned.high, owned.low) !== undefined) continue;
      for (const id of [...owned.ids]) this.#applier.dropOrphan(id);
      this.#logger.log(logLevels.info, 'ephemerals of an unknown session removed', {
        count: owned.ids.size,
        zxid: formatZxid(this.#tree.lastProcessedZxid),
      });
    }
  }
}
