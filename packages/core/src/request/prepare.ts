/**
 * Preparation: a write request becomes a txn in the log batch. Each request is checked against the tree plus everything
 * outstanding; the outcome, success or error, takes the next zxid. Nothing of the tree changes here.
 *
 * The checks of each op, in ZooKeeper's order, are in prepare-ops.ts; this file is the frame around them: header, body or
 * error, digest, size limit. The txn is encoded once, straight into the batch.
 */
import { ByteReader, ByteWriter } from '@zoots/base';
import { DIGEST_VERSION, ERROR, OP, TXN_HEADER_BYTES, writeTxnHeader } from '@zoots/protocol';
import type { LogBatch } from '@zoots/storage';
import type { Requester } from '../session/requester.js';
import type { KnownChange, Tree } from '../tree/tree.js';
import { NONE } from '../tree/znode-store.js';
import type { AclChecker } from './acl-check.js';
import type { Overlay } from './outstanding.js';
import { prepareMulti } from './prepare-multi.js';
import { PREPARE } from './prepare-ops.js';

export interface PrepareRules {
  readonly digestEnabled: boolean;
  readonly extendedTypesEnabled: boolean;
  readonly enforceQuota: boolean;
  readonly reconfigEnabled: boolean;
  /** Longest entry that every reader of the log accepts: jute.maxbuffer and its extra. */
  readonly entryBytesMax: number;
}

const TYPE_AT = TXN_HEADER_BYTES - 4;

export class Preparer implements KnownChange {
  readonly tree: Tree;
  readonly overlay: Overlay;
  readonly aclChecker: AclChecker;
  readonly rules: PrepareRules;

  /** The request in hand; valid during {@link prepare}. */
  readonly reader = new ByteReader();
  entry: ByteWriter;
  requester: Requester;
  zxid = 0;
  timeMs = 0;
  /** Room for a path with its sequence number. */
  readonly pathScratch = new ByteWriter(256);
  /** Room for an ACL list after the fix-up. */
  readonly aclScratch = new ByteWriter(256);
  /** After the fix-up it is the open list, which needs no room. */
  hasOpenAcl = false;
  /** Created by the multi in hand, for sessions to forget if it fails. */
  readonly createdEphemerals: number[] = [];
  /** Of a create or setData that was let pass; see {@link KnownChange}. */
  znode = NONE;
  parent = NONE;
  contentCrc = 0;
  /** Which parts of the multi in hand asked for create2, by their place: they are logged as create. */
  readonly create2Parts: number[] = [];

  constructor(tree: Tree, overlay: Overlay, aclChecker: AclChecker, rules: PrepareRules) {
    this.tree = tree;
    this.overlay = overlay;
    this.aclChecker = aclChecker;
    this.rules = rules;
    this.entry = this.pathScratch;
    this.requester = NOBODY;
  }

  /**
   * Appends the txn of a request to the batch under `zxid`. The body of the request is `bytes` from `start` to `end`.
   * `refusal`: the code to refuse it with, whatever it says. Returns the error code that the txn carries (0 for success).
   */
  prepare(
    batch: LogBatch,
    op: number,
    requester: Requester,
    cxid: number,
    zxid: number,
    timeMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    refusal: number = ERROR.ok,
  ): number {
    this.requester = requester;
    this.zxid = zxid;
    this.timeMs = timeMs;
    this.znode = NONE;
    this.reader.reset(bytes, start, end);
    // Setting the length of an array takes 33 ns even when it is 0, as here it nearly always is.
    if (this.createdEphemerals.length > 0) this.createdEphemerals.length = 0;
    if (this.create2Parts.length > 0) this.create2Parts.length = 0;
    const entry = batch.openEntry();
    this.entry = entry;
    const entryStart = entry.length;
    writeTxnHeader(entry, requester.sessionHigh, requester.sessionLow, cxid, zxid, timeMs, op);
    const code = refusal !== ERROR.ok ? refusal : this.#prepareAny(op);
    if (code !== ERROR.ok) this.#writeError(entryStart, code);
    if (this.rules.digestEnabled) {
      entry.int32(DIGEST_VERSION);
      entry.longPair(this.overlay.digest.high, this.overlay.digest.low);
    }
    batch.closeEntry(zxid);
    return code;
  }

  #prepareAny(op: number): number {
    return op === OP.multi ? prepareMulti(this) : this.#prepareSingle(op);
  }

  #prepareSingle(op: number): number {
    const prepareOp = PREPARE.get(op);
    if (prepareOp === undefined) return ERROR.unimplemented;
    const code = prepareOp(this);
    if (code === ERROR.ok) this.noteCreated();
    return code;
  }

  /** The session must find its ephemerals even before they are applied, should it close now. */
  noteCreated(): void {
    const session = this.requester.session;
    if (session === null || this.createdEphemerals.length === 0) return;
    for (const id of this.createdEphemerals) session.onEphemeralPrepared(id);
  }

  #writeError(entryStart: number, code: number): void {
    this.entry.length = entryStart + TXN_HEADER_BYTES;
    this.entry.setInt32At(entryStart + TYPE_AT, OP.error);
    this.entry.int32(code);
  }
}

const NOBODY: Requester = { sessionHigh: 0, sessionLow: 0, identities: [], session: null, isInternal: true };

/** The requester of container and TTL deletions. */
export const SERVER_ITSELF: Requester = NOBODY;
