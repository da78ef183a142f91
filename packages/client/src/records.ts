/**
 * The records of requests and replies, as the client writes and reads them.
 *
 *   Stat   long czxid, mzxid, ctime, mtime; int version, cversion, aversion; long ephemeralOwner; int dataLength, numChildren; long pzxid
 *
 * Everything read is copied: the bytes belong to the socket's buffer.
 */
import type { ByteReader, ByteWriter } from '@zoots/base';
import { pairToBigint } from '@zoots/base';
import { type Acl, CREATE_MODE, OP, readAcls, writeAcls } from '@zoots/protocol';
import { ArgumentError } from './errors.js';
import type { CreateMode, Data, NodeOptions, Stat } from './types.js';

export const OPEN_ACL: readonly Acl[] = [{ perms: 31, scheme: 'world', id: 'anyone' }];

export function bytesOf(data: Data): Uint8Array | null {
  return typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
}

export function readStat(reader: ByteReader): Stat {
  const czxid = reader.long();
  const mzxid = reader.long();
  const ctime = reader.long();
  const mtime = reader.long();
  const version = reader.int32();
  const cversion = reader.int32();
  const aversion = reader.int32();
  const ownerHigh = reader.int32();
  const ownerLow = reader.int32();
  const dataLength = reader.int32();
  const numChildren = reader.int32();
  const pzxid = reader.long();
  const ephemeralOwner = ownerHigh === 0 && ownerLow === 0 ? 0n : pairToBigint(ownerHigh, ownerLow);
  return {
    czxid,
    mzxid,
    ctime,
    mtime,
    version,
    cversion,
    aversion,
    ephemeralOwner,
    dataLength,
    numChildren,
    pzxid,
  };
}

export function readData(reader: ByteReader): Buffer | null {
  if (!reader.range()) return null;
  const copy = Buffer.allocUnsafe(reader.rangeEnd - reader.rangeStart);
  copy.set(reader.bytes.subarray(reader.rangeStart, reader.rangeEnd));
  return copy;
}

export function readText(reader: ByteReader): string {
  if (!reader.range()) return '';
  // Paths and names are ASCII mostly, and short: then this is the fastest way to a string.
  return Buffer.prototype.utf8Slice.call(reader.bytes, reader.rangeStart, reader.rangeEnd);
}

export function readTexts(reader: ByteReader): string[] {
  const texts: string[] = [];
  for (let count = reader.count(4); count > 0; count--) texts.push(readText(reader));
  return texts;
}

export function readAclList(reader: ByteReader): Acl[] {
  return (readAcls(reader) ?? []).map(({ perms, scheme, id }) => ({ perms, scheme: scheme ?? '', id: id ?? '' }));
}

/** What a create sends, alone or in a transaction. */
export interface CreateArguments {
  readonly path: string;
  readonly data: Uint8Array | null;
  readonly acl: readonly Acl[];
  readonly flags: number;
  readonly ttlMs: number;
}

const FLAGS: Readonly<Record<CreateMode, number>> = {
  persistent: CREATE_MODE.persistent,
  'persistent-sequential': CREATE_MODE.persistentSequential,
  ephemeral: CREATE_MODE.ephemeral,
  'ephemeral-sequential': CREATE_MODE.ephemeralSequential,
  container: CREATE_MODE.container,
  'persistent-with-ttl': CREATE_MODE.persistentTtl,
  'persistent-sequential-with-ttl': CREATE_MODE.persistentSequentialTtl,
};

const TTL_MS_MAX = 2 ** 40 - 1;

export function createArguments(path: string, data: Data, options: NodeOptions | undefined): CreateArguments {
  const mode = options?.mode ?? 'persistent';
  const facts = { operation: 'create', path };
  const flags = FLAGS[mode];
  if (flags === undefined) throw new ArgumentError(`there is no mode "${mode}"`, facts);
  const ttlMs = options?.ttlMs ?? 0;
  const isTtl = flags === CREATE_MODE.persistentTtl || flags === CREATE_MODE.persistentSequentialTtl;
  if (!isTtl && ttlMs !== 0) throw new ArgumentError('ttlMs needs a mode with TTL, as persistent-with-ttl', facts);
  if (isTtl && !(Number.isInteger(ttlMs) && ttlMs > 0 && ttlMs <= TTL_MS_MAX)) {
    throw new ArgumentError(`ttlMs is a whole number from 1 to ${TTL_MS_MAX}`, facts);
  }
  const acl = options?.acl ?? OPEN_ACL;
  if (acl.length === 0) throw new ArgumentError('an ACL has at least one entry', facts);
  return { path, data: bytesOf(data), acl, flags, ttlMs };
}

/** Which operation creates such a znode: only the newer ones answer with the stat. */
export function createOp(flags: number, withStat: boolean): number {
  if (flags === CREATE_MODE.container) return OP.createContainer;
  if (flags === CREATE_MODE.persistentTtl || flags === CREATE_MODE.persistentSequentialTtl) return OP.createTTL;
  return withStat ? OP.create2 : OP.create;
}

/** CreateRequest: ustring path, buffer data, vector<ACL> acl, int flags; CreateTTLRequest: then long ttl. */
export function writeCreate(writer: ByteWriter, op: number, { path, data, acl, flags, ttlMs }: CreateArguments): void {
  writer.string(path);
  writer.buffer(data);
  writeAcls(writer, acl);
  writer.int32(flags);
  if (op === OP.createTTL) writer.long(ttlMs);
}
