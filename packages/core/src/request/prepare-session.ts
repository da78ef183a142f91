/**
 * Preparing createSession and closeSession. The latter lists what the session owns, outstanding creations included.
 */
import { ERROR } from '@zoots/protocol';
import { S } from '../tree/stat-rows.js';
import { NONE, ROOT } from '../tree/znode-store.js';
import type { Preparer } from './prepare.js';
import { ENTRY_OVERHEAD_BYTES, findParent, recordDelete } from './prepare-checks.js';

export function prepareCreateSession(p: Preparer): number {
  p.entry.int32(p.reader.int32());
  return ERROR.ok;
}

/**
 * The txn lists the ephemerals to delete, those still outstanding included. The list stops where the entry would become
 * too long for some reader: whoever applies the txn deletes what the session still owns anyway.
 */
export function prepareCloseSession(p: Preparer): number {
  const { sessionHigh, sessionLow, session } = p.requester;
  const entry = p.entry;
  const countAt = entry.length;
  entry.int32(0);
  let count = 0;
  const limit = countAt + p.rules.entryBytesMax - ENTRY_OVERHEAD_BYTES;
  for (const id of ownedIds(p, sessionHigh, sessionLow, session?.pendingCreates?.keys() ?? [])) {
    const length = p.tree.store.pathLength(id);
    if (entry.length + length + 4 <= limit) {
      const start = p.tree.store.pathStart(id);
      entry.bufferRange(p.tree.store.pathChunk(id), start, start + length);
      count++;
    }
    const parent = parentOfOwned(p, id);
    recordDelete(p, id, parent);
  }
  entry.setInt32At(countAt, count);
  return ERROR.ok;
}

function ownedIds(p: Preparer, high: number, low: number, pending: Iterable<number>): number[] {
  const overlay = p.overlay;
  const ids: number[] = [];
  for (const id of p.tree.ephemerals.of(high, low)) if (isOwnedBy(p, id, high, low)) ids.push(id);
  for (const id of pending) {
    // Its path may hold another session's ephemeral, whose deletion is outstanding; one of its own is in the list already.
    if (overlay.record(id) === undefined || isOwnedInTree(p, id, high, low)) continue;
    if (isOwnedBy(p, id, high, low)) ids.push(id);
  }
  return ids;
}

function isOwnedInTree(p: Preparer, id: number, high: number, low: number): boolean {
  const { store } = p.tree;
  return store.isPresent(id) && store.stat(id, S.owner) === high && store.stat(id, S.owner + 1) === low;
}

function isOwnedBy(p: Preparer, id: number, high: number, low: number): boolean {
  const overlay = p.overlay;
  return overlay.exists(id) && overlay.stat(id, S.owner) === high && overlay.stat(id, S.owner + 1) === low;
}

function parentOfOwned(p: Preparer, id: number): number {
  const store = p.tree.store;
  const start = store.pathStart(id);
  const parent = findParent(p, store.pathChunk(id), start, start + store.pathLength(id));
  return parent === NONE ? ROOT : parent;
}
