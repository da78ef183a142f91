/**
 * The model's reads: the reply a request must get from the tree as of a zxid. Lists whose order is open (children,
 * ephemerals) are sorted here, and {@link sortLists} sorts those of a real reply, so that the two can be compared.
 * Source: `semantics.md` section 5.
 */
import { ByteReader, ByteWriter } from '@zoots/base';
import { ERROR, type Id, OP } from '@zoots/protocol';
import type { Model, Version } from './model.js';
import { permits } from './model-acl.js';
import { multiHeader, replyFrame, writeStat } from './model-bytes.js';
import type { Request } from './request.js';

const READ = 1;
const ADMIN = 16;
const HEADER_BYTES = 20;

interface Reader {
  readonly model: Model;
  readonly zxid: number;
  readonly identities: readonly Id[];
  readonly sessionHigh: number;
  readonly sessionLow: number;
  readonly body: ByteWriter;
}

type Read = (reader: Reader, request: Request) => number;

/** The whole frame of the reply, lists sorted. */
export function expectedRead(
  model: Model,
  request: Request,
  zxid: number,
  sessionHigh: number,
  sessionLow: number,
): Uint8Array {
  const body = new ByteWriter(128);
  const reader = { model, zxid, identities: request.identities, sessionHigh, sessionLow, body };
  const read = READS.get(request.op) as Read;
  const code = request.cutBytes > 0 ? ERROR.marshallingError : read(reader, request);
  return replyFrame(request.xid, zxid, code, body);
}

export function isRead(op: number): boolean {
  return READS.has(op);
}

/** The znode if it exists and may be read with one of `perms`; else the code. */
function find(reader: Reader, path: string | null, perms: number): Version | number {
  if (path === null) return ERROR.marshallingError;
  const node = reader.model.at(path, reader.zxid);
  if (node === undefined) return ERROR.noNode;
  return permits(node.acls, perms, reader.identities) ? node : ERROR.noAuth;
}

const exists: Read = (reader, request) => {
  const node = find(reader, request.path, READ);
  if (typeof node === 'number') return node;
  writeStat(reader.body, node);
  return ERROR.ok;
};

const getData: Read = (reader, request) => {
  const node = find(reader, request.path, READ);
  if (typeof node === 'number') return node;
  reader.body.string(node.data);
  writeStat(reader.body, node);
  return ERROR.ok;
};

function writeNames(reader: Reader, path: string): void {
  const prefix = path === '/' ? 1 : path.length + 1;
  const children = reader.model.childrenAt(path, reader.zxid);
  reader.body.int32(children.length);
  for (const child of children) reader.body.string(child.slice(prefix));
}

function getChildren(withStat: boolean): Read {
  return (reader, request) => {
    const node = find(reader, request.path, READ);
    if (typeof node === 'number') return node;
    writeNames(reader, request.path as string);
    if (withStat) writeStat(reader.body, node);
    return ERROR.ok;
  };
}

const getAcl: Read = (reader, request) => {
  const node = find(reader, request.path, READ | ADMIN);
  if (typeof node === 'number') return node;
  const mayAdmin = permits(node.acls, ADMIN, reader.identities);
  reader.body.int32(node.acls.length);
  for (const acl of node.acls) {
    reader.body.int32(acl.perms);
    reader.body.string(acl.scheme);
    reader.body.string(!mayAdmin && acl.scheme === 'digest' ? `${acl.id.split(':')[0]}:x` : acl.id);
  }
  writeStat(reader.body, node);
  return ERROR.ok;
};

const getAllChildrenNumber: Read = (reader, request) => {
  const node = find(reader, request.path, READ);
  if (typeof node === 'number') return node;
  const prefix = request.path === '/' ? '/' : `${request.path}/`;
  const below = reader.model.pathsAt(reader.zxid).filter((path) => path !== '/' && path.startsWith(prefix));
  reader.body.int32(below.length);
  return ERROR.ok;
};

const getEphemerals: Read = (reader, request) => {
  const prefix = request.path === '/' ? '' : (request.path ?? '');
  const own = reader.model.ephemeralsOf(reader.sessionHigh, reader.sessionLow, reader.zxid);
  const found = own.filter((path) => path.startsWith(prefix));
  reader.body.int32(found.length);
  for (const path of found) reader.body.string(path);
  return ERROR.ok;
};

const multiRead: Read = (reader, request) => {
  for (const part of request.parts) {
    const node = find(reader, part.path, READ);
    if (typeof node === 'number') {
      multiHeader(reader.body, -1, false, node);
      reader.body.int32(node);
      continue;
    }
    multiHeader(reader.body, part.op, false, 0);
    if (part.op === OP.getChildren) writeNames(reader, part.path as string);
    else {
      reader.body.string(node.data);
      writeStat(reader.body, node);
    }
  }
  multiHeader(reader.body, -1, true, -1);
  return ERROR.ok;
};

const sync: Read = (reader, request) => {
  reader.body.string(request.path);
  return ERROR.ok;
};

const whoAmI: Read = (reader, request) => {
  reader.body.int32(request.identities.length);
  for (const identity of request.identities) {
    reader.body.string(identity.scheme);
    reader.body.string(identity.scheme === 'digest' ? (identity.id.split(':')[0] as string) : identity.id);
  }
  return ERROR.ok;
};

const READS: ReadonlyMap<number, Read> = new Map<number, Read>([
  [OP.exists, exists],
  [OP.getData, getData],
  [OP.getChildren, getChildren(false)],
  [OP.getChildren2, getChildren(true)],
  [OP.getACL, getAcl],
  [OP.getAllChildrenNumber, getAllChildrenNumber],
  [OP.getEphemerals, getEphemerals],
  [OP.multiRead, multiRead],
  [OP.sync, sync],
  [OP.whoAmI, whoAmI],
]);

// ---- replies with lists ----

/** The frame with its lists sorted; other frames as they are. */
export function sortLists(request: Request, bytes: Uint8Array, start: number, end: number): Uint8Array {
  const { op } = request;
  const hasList = op === OP.getChildren || op === OP.getChildren2 || op === OP.getEphemerals || op === OP.multiRead;
  if (!hasList || end - start <= HEADER_BYTES) return bytes.slice(start, end);
  const reader = new ByteReader(bytes, start + HEADER_BYTES, end);
  const out = new ByteWriter(end - start);
  out.raw(bytes, start, start + HEADER_BYTES);
  if (op === OP.multiRead) sortParts(reader, out);
  else copySorted(reader, out);
  out.raw(bytes, reader.offset, end);
  return out.toBytes();
}

function copySorted(reader: ByteReader, out: ByteWriter): void {
  const names: string[] = [];
  const count = reader.count(4);
  for (let i = 0; i < count; i++) names.push(reader.string() ?? '');
  out.int32(count);
  for (const name of names.sort()) out.string(name);
}

function sortParts(reader: ByteReader, out: ByteWriter): void {
  while (!reader.failed && reader.remaining >= 9) {
    const type = reader.int32();
    const isDone = reader.bool();
    const code = reader.int32();
    multiHeader(out, type, isDone, code);
    if (isDone) return;
    if (type === -1) out.int32(reader.int32());
    else if (type === OP.getChildren) copySorted(reader, out);
    else {
      const at = reader.offset;
      reader.range();
      out.raw(reader.bytes, at, reader.offset + 68);
      reader.offset += 68;
    }
  }
}
