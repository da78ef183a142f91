/**
 * The frames that the load generator sends, encoded once. A template is a whole frame of fixed length with two places
 * to patch before each use: the xid, and seven decimal digits in the path that name the key. So a request in the
 * measured loop costs one short copy and nothing is encoded.
 */
import { ByteWriter } from '@zoots/base';

export const OP = {
  create: 1,
  delete: 2,
  exists: 3,
  get: 4,
  set: 5,
  children: 8,
  sync: 9,
  ping: 11,
  close: -11,
} as const;

export const PING_XID = -2;
export const WATCH_EVENT_XID = -1;

/** Digits of a key in a path: `/zbench/k0000042`. */
export const KEY_DIGITS = 7;

export interface Template {
  readonly op: number;
  readonly bytes: Uint8Array;
  /** Offset of the last key digit, or -1 when the path has no key. */
  readonly keyEndsAt: number;
}

/** The znode that all rows live under. */
export const ROOT = '/zbench';
/** Creates are dealt over this many parents, so that no child list grows without bound. */
export const PARENTS = 100;

export function connectFrame(sessionTimeoutMs: number): Uint8Array {
  return frame((out) => {
    out.int32(0);
    out.long(0);
    out.int32(sessionTimeoutMs);
    out.long(0);
    out.buffer(new Uint8Array(16));
    out.bool(false);
  }).bytes;
}

export function createTemplate(path: string, dataBytes: number): Template {
  return request(OP.create, path, (out) => {
    out.buffer(new Uint8Array(dataBytes).fill(0x78));
    out.int32(1);
    out.int32(31);
    out.string('world');
    out.string('anyone');
    out.int32(0);
  });
}

export function setTemplate(path: string, dataBytes: number): Template {
  return request(OP.set, path, (out) => {
    out.buffer(new Uint8Array(dataBytes).fill(0x79));
    out.int32(-1);
  });
}

/** exists, getData, getChildren: a path and the watch flag. */
export function readTemplate(op: number, path: string, watch: boolean): Template {
  return request(op, path, (out) => out.bool(watch));
}

export function deleteTemplate(path: string): Template {
  return request(OP.delete, path, (out) => out.int32(-1));
}

/** sync: a path alone. */
export function pathTemplate(op: number, path: string): Template {
  return request(op, path, () => {});
}

export function bareTemplate(op: number): Template {
  return request(op, null, () => {});
}

/** A path whose key digits are zeros, to be patched. */
export function keyPath(prefix: string): string {
  return prefix + '0'.repeat(KEY_DIGITS);
}

function request(op: number, path: string | null, body: (out: ByteWriter) => void): Template {
  const { bytes, bodyAt } = frame((out) => {
    out.int32(0);
    out.int32(op);
    if (path !== null) out.string(path);
    body(out);
  });
  const hasKey = path?.endsWith('0'.repeat(KEY_DIGITS)) ?? false;
  return { op, bytes, keyEndsAt: hasKey && path !== null ? bodyAt + 8 + 4 + path.length - 1 : -1 };
}

function frame(body: (out: ByteWriter) => void): { bytes: Uint8Array; bodyAt: number } {
  const out = new ByteWriter(256);
  out.int32(0);
  body(out);
  out.setInt32At(0, out.length - 4);
  return { bytes: out.bytes.slice(0, out.length), bodyAt: 4 };
}
