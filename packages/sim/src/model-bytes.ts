/** Bytes of what the model expects: reply frames, Stat, headers inside multis. */
import { ByteWriter } from '@zoots/base';
import type { Version } from './model.js';

export function multiHeader(out: ByteWriter, type: number, isDone: boolean, code: number): void {
  out.int32(type);
  out.bool(isDone);
  out.int32(code);
}

/** int length, int xid, long zxid, int err, and the body if there was no error. */
export function replyFrame(xid: number, zxid: number, code: number, body: ByteWriter): Uint8Array {
  const out = new ByteWriter(20 + body.length);
  const bodyBytes = code === 0 ? body.length : 0;
  out.int32(16 + bodyBytes);
  out.int32(xid);
  out.long(zxid);
  out.int32(code);
  out.raw(body.bytes, 0, bodyBytes);
  return out.bytes.subarray(0, out.length);
}

/** Stat as clients see it. */
export function writeStat(out: ByteWriter, node: Version): void {
  out.long(node.czxid);
  out.long(node.mzxid);
  out.long(node.ctimeMs);
  out.long(node.mtimeMs);
  out.int32(node.version);
  out.int32(2 * node.cversion - node.childCount);
  out.int32(node.aversion);
  out.longPair(node.ownerHigh, node.ownerLow);
  out.int32(node.data?.length ?? 0);
  out.int32(node.childCount);
  out.long(node.pzxid);
}
