/**
 * The model's writes: what each is checked for, in the sheet's order, and what it does. One function per op; each returns a
 * code, and on success has changed the model and appended to the reply and the events. Source: `semantics.md` sections 4, 11.
 */
import { type Acl, ERROR, EVENT, OP } from '@zoots/protocol';
import { freshVersion, type Model, parentOf, type Version, type Write } from './model.js';
import { fixUpAcls, permits } from './model-acl.js';
import { multiHeader, writeStat } from './model-bytes.js';
import type { Request } from './request.js';

const PERM = { read: 1, write: 2, create: 4, delete: 8, admin: 16 };
const SYSTEM_PATHS = ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'];

/** All or nothing; returns the codes of the parts if it failed. The reply's own code stays 0. */
export function performMulti(model: Model, write: Write, request: Request): number[] | null {
  const before = write.body.length;
  for (const part of request.parts) {
    const at = write.body.length;
    const op = part.op === OP.createContainer || part.op === OP.createTTL ? OP.create2 : part.op;
    multiHeader(write.body, op, false, 0);
    const code = performWrite(model, write, part.op, part);
    if (code === ERROR.ok) {
      write.part++;
      continue;
    }
    write.body.length = at;
    const codes = request.parts.map((_, i) => (i < write.part ? 0 : i === write.part ? code : -2));
    model.undo(write.zxid);
    write.events.length = 0;
    write.body.length = before;
    for (const one of codes) {
      multiHeader(write.body, -1, false, one);
      write.body.int32(one);
    }
    multiHeader(write.body, -1, true, -1);
    return codes;
  }
  multiHeader(write.body, -1, true, -1);
  return null;
}

export function performWrite(model: Model, write: Write, op: number, request: Request): number {
  switch (op) {
    case OP.create:
    case OP.create2:
    case OP.createContainer:
    case OP.createTTL:
      return create(model, write, op, request);
    case OP.delete:
      return deleteChecked(model, write, request);
    case OP.setData:
      return setData(model, write, request);
    case OP.setACL:
      return setAcl(model, write, request);
    case OP.check:
      return check(model, write, request);
    case OP.reconfig:
      return ERROR.reconfigDisabled;
    default:
      return ERROR.unimplemented;
  }
}

function create(model: Model, write: Write, op: number, request: Request): number {
  const { path, flags, ttlMs, data } = request;
  if (flags < 0 || flags > 6) return ERROR.badArguments;
  const isTtl = flags >= 5;
  if (isTtl && !model.rules.extendedTypesEnabled) return ERROR.unimplemented;
  if (isTtl && (op !== OP.createTTL || ttlMs <= 0 || ttlMs > 0xffffffffff)) return ERROR.badArguments;
  if (!isTtl && op === OP.createTTL) return ERROR.badArguments;
  if (path === null || !path.includes('/') || path.includes('\0')) return ERROR.badArguments;
  const acls = fixUpAcls(request.acls, write.identities);
  if (acls === null) return ERROR.invalidAcl;
  const parentPath = parentOf(path);
  const parent = model.now(parentPath);
  if (parent === undefined) return ERROR.noNode;
  if (!permits(parent.acls, PERM.create, write.identities)) return ERROR.noAuth;
  const isSequential = flags === 2 || flags === 3 || flags === 6;
  const name = isSequential ? path + String(parent.cversion).padStart(10, '0') : path;
  if (!isValidPath(name)) return ERROR.badArguments;
  if (model.now(name) !== undefined) return ERROR.nodeExists;
  if (parent.kind === 'ephemeral') return ERROR.noChildrenForEphemerals;
  if (model.rules.enforceQuota && model.quota.isExceeded(write, name, data?.length ?? 0, 1)) return ERROR.quotaExceeded;
  add(model, write, op, request, name, parentPath, acls);
  return ERROR.ok;
}

function add(
  model: Model,
  write: Write,
  op: number,
  request: Request,
  path: string,
  parentPath: string,
  acls: readonly Acl[],
): void {
  const { zxid, timeMs } = write;
  const node = freshVersion(zxid, timeMs, request.data, acls);
  if (op === OP.createContainer) node.kind = 'container';
  else if (op === OP.createTTL) {
    node.kind = 'ttl';
    node.ttlMs = request.ttlMs;
  } else if (request.flags === 1 || request.flags === 3) {
    node.kind = 'ephemeral';
    node.ownerHigh = write.sessionHigh;
    node.ownerLow = write.sessionLow;
  }
  model.put(path, zxid, node);
  const parent = model.open(parentPath, zxid);
  parent.cversion++;
  parent.pzxid = zxid;
  parent.childCount++;
  model.quota.onCreated(zxid, path, request.data?.length ?? 0);
  write.events.push({ type: EVENT.nodeCreated, path, acls });
  write.events.push({ type: EVENT.nodeChildrenChanged, path: parentPath, acls: parent.acls });
  write.body.string(path);
  if (op !== OP.create) writeStat(write.body, model.now(path) as Version);
}

function deleteChecked(model: Model, write: Write, request: Request): number {
  const { path, version } = request;
  if (path === null || !path.includes('/') || path.includes('\0')) return ERROR.badArguments;
  if (SYSTEM_PATHS.includes(path)) return ERROR.badArguments;
  const parent = model.now(parentOf(path));
  if (parent === undefined) return ERROR.noNode;
  if (!permits(parent.acls, PERM.delete, write.identities)) return ERROR.noAuth;
  const node = model.now(path);
  if (node === undefined) return ERROR.noNode;
  if (version !== -1 && version !== node.version) return ERROR.badVersion;
  if (node.childCount > 0) return ERROR.notEmpty;
  model.removeNode(write.zxid, path, write.events);
  return ERROR.ok;
}

function setData(model: Model, write: Write, request: Request): number {
  const { path, data, version } = request;
  const node = path === null ? undefined : model.now(path);
  if (path === null || node === undefined) return isValidPath(path) ? ERROR.noNode : ERROR.badArguments;
  if (!permits(node.acls, PERM.write, write.identities)) return ERROR.noAuth;
  const grownBytes = (data?.length ?? 0) - (node.data?.length ?? 0);
  if (model.rules.enforceQuota && model.quota.isExceeded(write, path, grownBytes, 0)) return ERROR.quotaExceeded;
  if (version !== -1 && version !== node.version) return ERROR.badVersion;
  const changed = model.open(path, write.zxid);
  changed.data = data;
  changed.version++;
  changed.mzxid = write.zxid;
  changed.mtimeMs = write.timeMs;
  model.quota.onDataChanged(write.zxid, path, grownBytes);
  write.events.push({ type: EVENT.nodeDataChanged, path, acls: changed.acls });
  writeStat(write.body, model.now(path) as Version);
  return ERROR.ok;
}

function setAcl(model: Model, write: Write, request: Request): number {
  const { path, version } = request;
  if (path === null || !isValidPath(path)) return ERROR.badArguments;
  const acls = fixUpAcls(request.acls, write.identities);
  if (acls === null) return ERROR.invalidAcl;
  const node = model.now(path);
  if (node === undefined) return ERROR.noNode;
  if (!permits(node.acls, PERM.admin, write.identities)) return ERROR.noAuth;
  if (version !== -1 && version !== node.aversion) return ERROR.badVersion;
  const changed = model.open(path, write.zxid);
  changed.acls = acls;
  changed.aversion++;
  writeStat(write.body, changed);
  return ERROR.ok;
}

function check(model: Model, write: Write, request: Request): number {
  const { path, version } = request;
  const node = path === null ? undefined : model.now(path);
  if (node === undefined) return isValidPath(path) ? ERROR.noNode : ERROR.badArguments;
  if (!permits(node.acls, PERM.read, write.identities)) return ERROR.noAuth;
  return version !== -1 && version !== node.version ? ERROR.badVersion : ERROR.ok;
}

function isValidPath(path: string | null): boolean {
  if (path === null || !path.startsWith('/')) return false;
  if (path === '/') return true;
  const names = path.slice(1).split('/');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the rule is about them.
  return names.every((name) => name !== '' && name !== '.' && name !== '..' && !/[\0-\x1f\x7f]/.test(name));
}
