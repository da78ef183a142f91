/** Transactions as leaders propose them, for stories. Most are creations of `/t<zxid>`, so that a tree says which of them it has. */
import { ByteWriter, encodeUtf8 } from '@zoots/base';
import { formatZxid, OP, writeTxnHeader } from '@zoots/protocol';

/** The creation of `/t<zxid in hex>`. */
export function txn(zxid: number): Uint8Array {
  return createTxn(zxid, pathOf(zxid));
}

export const pathOf = (zxid: number): string => `/t${formatZxid(zxid)}`;

export function createTxn(zxid: number, path: string, ownerHigh = 0, ownerLow = 0): Uint8Array {
  const out = new ByteWriter(128);
  writeTxnHeader(out, ownerHigh, ownerLow, 1, zxid, 1_700_000_000_000, OP.create);
  out.string(path);
  out.buffer(encodeUtf8('x'));
  out.int32(1);
  out.int32(31);
  out.string('world');
  out.string('anyone');
  out.bool(ownerHigh !== 0 || ownerLow !== 0);
  out.int32(-1);
  return out.toBytes();
}

export function sessionTxn(zxid: number, high: number, low: number, timeoutMs: number): Uint8Array {
  const out = new ByteWriter(64);
  writeTxnHeader(out, high, low, 0, zxid, 1_700_000_000_000, OP.createSession);
  out.int32(timeoutMs);
  return out.toBytes();
}

export function closeSessionTxn(zxid: number, high: number, low: number, paths: readonly string[]): Uint8Array {
  const out = new ByteWriter(64);
  writeTxnHeader(out, high, low, 1, zxid, 1_700_000_000_000, OP.closeSession);
  out.int32(paths.length);
  for (const path of paths) out.string(path);
  return out.toBytes();
}
