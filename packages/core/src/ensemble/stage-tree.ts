/** For tests: a server's state as lines of text, so that servers can be compared and differences read. */
import { decodeUtf8 } from '@zoots/base';
import type { Server } from '../server.js';
import { STAT_INTS } from '../tree/stat-rows.js';
import { F, NONE, ROOT, type ZnodeStore } from '../tree/znode-store.js';

/** Each member writes it for itself. */
const CONFIG_PATH = '/zookeeper/config';

/**
 * Every znode with data and stat, by path, then the sessions; sorted. The digest comes first. The zxid
 * is not there: who has an epoch's zero, which is no transaction, and who has only the last one before it are of one state.
 */
export function stateOf({ tree, sessions }: Server): string[] {
  const lines: string[] = [];
  addZnode(tree.store, ROOT, lines);
  for (const { high, low, recordedTimeoutMs, isApplied } of sessions.all()) {
    if (isApplied) lines.push(`session ${high} ${low}: ${recordedTimeoutMs}`);
  }
  const { high, low } = tree.digest;
  return [`digest ${high} ${low}`, ...lines.sort()];
}

function addZnode(store: ZnodeStore, id: number, lines: string[]): void {
  const path = pathOf(store, id);
  const stat: number[] = [];
  for (let i = 0; i < STAT_INTS; i++) stat.push(store.stat(id, i));
  if (path !== CONFIG_PATH) lines.push(`${path} "${dataOf(store, id)}" ${stat.join(' ')}`);
  for (let child = store.get(id, F.firstChild); child !== NONE; child = store.get(child, F.nextSibling)) {
    addZnode(store, child, lines);
  }
}

function pathOf(store: ZnodeStore, id: number): string {
  const start = store.pathStart(id);
  return decodeUtf8(store.pathChunk(id), start, start + store.pathLength(id));
}

function dataOf(store: ZnodeStore, id: number): string | null {
  const length = store.dataLength(id);
  if (length < 0) return null;
  const start = store.dataStart(id);
  return length === 0 ? '' : decodeUtf8(store.dataChunk(id), start, start + length);
}

export function hasPath({ tree }: Server, path: string): boolean {
  const bytes = Uint8Array.from(path, (char) => char.charCodeAt(0));
  return tree.find(bytes, 0, bytes.length) !== NONE;
}

export function dataAt({ tree }: Server, path: string): string | null {
  const bytes = Uint8Array.from(path, (char) => char.charCodeAt(0));
  const id = tree.find(bytes, 0, bytes.length);
  return id === NONE ? null : dataOf(tree.store, id);
}
