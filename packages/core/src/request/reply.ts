/**
 * Replies and notifications, written straight into the connection's buffer.
 *
 *   int length; ReplyHeader{int xid, long zxid, int err}; [body]
 *
 * A reply is begun with error 0; {@link failReply} turns it into a bare header with a code, dropping what was written.
 */
import { type ByteWriter, decodeUtf8 } from '@zoots/base';
import { STATE_SYNC_CONNECTED, XID } from '@zoots/protocol';
import { S } from '../tree/stat-rows.js';
import type { Tree } from '../tree/tree.js';
import { F, type ZnodeStore } from '../tree/znode-store.js';

const HEADER_BYTES = 16;

/** Returns where the frame begins; give it to {@link endReply}. */
export function beginReply(out: ByteWriter, xid: number, zxid: number): number {
  out.reserve(4 + HEADER_BYTES);
  const start = out.length;
  out.int32(0);
  out.int32(xid);
  out.long(zxid);
  out.int32(0);
  return start;
}

/** `loanBytes`: what the reply has beside the bytes in `out`. */
export function endReply(out: ByteWriter, start: number, loanBytes = 0): void {
  out.setInt32At(start, out.length - start - 4 + loanBytes);
}

/** Leaves the header alone, with the code. */
export function failReply(out: ByteWriter, start: number, code: number): void {
  out.length = start + 4 + HEADER_BYTES;
  out.setInt32At(start + HEADER_BYTES, code);
  out.setInt32At(start, HEADER_BYTES);
}

/** A whole reply without a body. */
export function writeBareReply(out: ByteWriter, xid: number, zxid: number, code: number): void {
  out.reserve(4 + HEADER_BYTES);
  out.int32(HEADER_BYTES);
  out.int32(xid);
  out.long(zxid);
  out.int32(code);
}

/** WatcherEvent{int type, int state, ustring path}. */
export function writeNotification(
  out: ByteWriter,
  zxid: number,
  eventType: number,
  store: ZnodeStore,
  path: number,
): void {
  const start = beginReply(out, XID.notification, zxid);
  out.int32(eventType);
  out.int32(STATE_SYNC_CONNECTED);
  const at = store.pathStart(path);
  out.bufferRange(store.pathChunk(path), at, at + store.pathLength(path));
  endReply(out, start);
}

/** The same for a path given as bytes, which may be anything a client sent. */
export function writeNotificationFor(
  out: ByteWriter,
  zxid: number,
  eventType: number,
  bytes: Uint8Array,
  pathStart: number,
  pathEnd: number,
): void {
  const start = beginReply(out, XID.notification, zxid);
  out.int32(eventType);
  out.int32(STATE_SYNC_CONNECTED);
  writeEchoedText(out, bytes, pathStart, pathEnd);
  endReply(out, start);
}

/** Text of a client's back to it, as Java would after decoding it: malformed UTF-8 becomes U+FFFD, the rest CESU-8. */
export function writeEchoedText(out: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  if (start < 0) {
    out.int32(-1);
    return;
  }
  for (let i = start; i < end; i++) {
    if ((bytes[i] as number) >= 0x80) {
      out.string(decodeUtf8(bytes, start, end));
      return;
    }
  }
  out.bufferRange(bytes, start, end);
}

/** Stat as clients see it: 68 bytes. */
export function writeStat(out: ByteWriter, tree: Tree, id: number): void {
  const store = tree.store;
  const stat = store.statOf(id);
  const at = store.statStart;
  const childCount = store.get(id, F.childCount);
  const ownerHigh = stat[at + S.owner] as number;
  const ownerLow = stat[at + S.owner + 1] as number;
  const isOwned = (ownerHigh !== 0 || ownerLow !== 0) && tree.ownerKind(ownerHigh, ownerLow) === 'session';
  out.reserve(68);
  const view = out.view;
  const to = out.length;
  for (let i = S.czxid; i < S.cversion; i++) view.setInt32(to + i * 4, stat[at + i] as number);
  view.setInt32(to + 36, (2 * (stat[at + S.cversion] as number) - childCount) | 0);
  view.setInt32(to + 40, stat[at + S.aversion] as number);
  view.setInt32(to + 44, isOwned ? ownerHigh : 0);
  view.setInt32(to + 48, isOwned ? ownerLow : 0);
  view.setInt32(to + 52, Math.max(store.dataLength(id), 0));
  view.setInt32(to + 56, childCount);
  view.setInt32(to + 60, stat[at + S.pzxid] as number);
  view.setInt32(to + 64, stat[at + S.pzxid + 1] as number);
  out.length = to + 68;
}

/** Data as a jute buffer: null, empty, or bytes, exactly as stored. */
export function writeData(out: ByteWriter, store: ZnodeStore, id: number): void {
  out.int32(store.dataLength(id));
  store.writeData(out, id);
}

export function writePath(out: ByteWriter, store: ZnodeStore, id: number): void {
  const start = store.pathStart(id);
  out.bufferRange(store.pathChunk(id), start, start + store.pathLength(id));
}
