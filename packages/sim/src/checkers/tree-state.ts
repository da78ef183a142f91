/**
 * Is the server's tree the model's? Every path, its data, ACL and stat; the sessions; and the digest, both as the server
 * kept it and computed afresh from the model.
 */
import { crc32, decodeUtf8, encodeUtf8, pairToNumber } from '@zoots/base';
import { F, S, type Server } from '@zoots/core';
import type { Acl } from '@zoots/protocol';
import { type Model, sessionKey, type Version } from '../model.js';
import { fail, hex } from './violation.js';

const CONFIG_PATH = '/zookeeper/config';
const OPEN: readonly Acl[] = [{ perms: 31, scheme: 'world', id: 'anyone' }];

/** Compares with the model as of the server's last applied zxid. */
export function compareState(server: Server, model: Model, when: string): void {
  const zxid = server.tree.lastProcessedZxid;
  const paths = new Set(model.pathsAt(zxid));
  const { store } = server.tree;
  for (let id = 0; id < store.idEnd; id++) {
    if (!store.isPresent(id)) continue;
    const start = store.pathStart(id);
    const path = decodeUtf8(store.pathChunk(id), start, start + store.pathLength(id));
    // Each member of an ensemble writes the configuration by itself; no transaction makes it.
    if (path === CONFIG_PATH && server.peer !== null) {
      paths.delete(path);
      continue;
    }
    const expected = model.at(path, zxid);
    if (expected === undefined) fail('tree', `${when}, at ${hex(zxid)}: ${path} should not exist`);
    paths.delete(path);
    const real = textOf(server, id);
    const wanted = textOfVersion(expected);
    const childCount = store.get(id, F.childCount);
    if (childCount !== expected.childCount)
      fail('tree', `${when}: ${path} has ${childCount} children, not ${expected.childCount}`);
    if (real !== wanted) fail('tree', `${when}, at ${hex(zxid)}: ${path} is ${real}, not ${wanted}`);
  }
  for (const path of paths) fail('tree', `${when}, at ${hex(zxid)}: ${path} is missing`);
  compareSessions(server, model, zxid, when);
  if (server.config.digestEnabled) compareDigest(server, model, zxid, when);
}

/** Data of a znode as the server has it; null also if it does not exist. */
export function dataOf(server: Server, path: string): string | null {
  const bytes = encodeUtf8(path);
  const id = server.tree.find(bytes, 0, bytes.length);
  return id < 0 ? null : (JSON.parse(textOf(server, id)) as [string | null])[0];
}

function textOf(server: Server, id: number): string {
  const { store, acls } = server.tree;
  const long = (field: number): number => pairToNumber(store.stat(id, field), store.stat(id, field + 1));
  const length = store.dataLength(id);
  const start = length > 0 ? store.dataStart(id) : 0;
  const data = length < 0 ? null : length === 0 ? '' : decodeUtf8(store.dataChunk(id), start, start + length);
  const stat = [S.czxid, S.mzxid, S.ctime, S.mtime, S.pzxid].map(long);
  const counts = [S.version, S.cversion, S.aversion, S.owner, S.owner + 1].map((field) => store.stat(id, field));
  return nodeText(data, acls.listOf(store.get(id, F.acl)), stat, counts);
}

/** A znode as one comparable line; `acls` null is the open list. */
export function nodeText(
  data: string | null,
  acls: readonly Acl[] | null,
  stat: readonly number[],
  counts: readonly number[],
): string {
  const aclText = (acls ?? OPEN).map((acl) => `${acl.scheme}:${acl.id}:${acl.perms}`).join(' ');
  return JSON.stringify([data, aclText, stat, counts]);
}

export function textOfVersion(node: Version): string {
  const [high, low] = ownerOf(node);
  const stat = [node.czxid, node.mzxid, node.ctimeMs, node.mtimeMs, node.pzxid];
  return nodeText(node.data, node.acls, stat, [node.version, node.cversion, node.aversion, high, low]);
}

/** The ephemeralOwner as it is kept. */
function ownerOf(node: Version): readonly [number, number] {
  if (node.kind === 'container') return [0x80000000 | 0, 0];
  if (node.kind === 'ttl') return [(0xff << 24) | Math.floor(node.ttlMs / 4294967296), node.ttlMs | 0];
  return [node.ownerHigh, node.ownerLow];
}

function compareSessions(server: Server, model: Model, zxid: number, when: string): void {
  const alive = new Set<string>();
  for (const [key, session] of model.sessions) {
    const isOpen = session.createdZxid <= zxid && (session.closedZxid === 0 || session.closedZxid > zxid);
    if (isOpen) alive.add(key);
  }
  for (const session of server.sessions.all()) {
    if (!session.isApplied || session.isLocal) continue;
    const key = sessionKey(session.high, session.low);
    if (!alive.delete(key)) fail('sessions', `${when}: the server knows session ${key}, which is closed`);
  }
  for (const key of alive) fail('sessions', `${when}: the server does not know session ${key}`);
}

/** The sum of one CRC-32 per znode, as ZooKeeper's DigestCalculator defines it. */
function compareDigest(server: Server, model: Model, zxid: number, when: string): void {
  let sum = 0n;
  for (const path of model.pathsAt(zxid)) {
    if (!path.startsWith('/zookeeper/')) sum += BigInt(digestOf(path, model.at(path, zxid) as Version));
  }
  const { high, low } = server.tree.digest;
  const kept = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  if (kept !== BigInt.asUintN(64, sum)) {
    fail('digest', `${when}, at ${hex(zxid)}: the server has ${kept.toString(16)}, the model ${sum.toString(16)}`);
  }
}

function digestOf(path: string, node: Version): number {
  const stat = new DataView(new ArrayBuffer(60));
  const longs = [node.czxid, node.mzxid, node.pzxid, node.ctimeMs, node.mtimeMs];
  longs.forEach((value, i) => {
    stat.setBigInt64(i * 8, BigInt(value));
  });
  stat.setInt32(40, node.version);
  stat.setInt32(44, node.cversion);
  stat.setInt32(48, node.aversion);
  const [high, low] = ownerOf(node);
  stat.setInt32(52, high);
  stat.setInt32(56, low);
  const pathBytes = encodeUtf8(path === '/' ? '' : path);
  let crc = crc32(pathBytes, 0, pathBytes.length, 0);
  if (node.data !== null) {
    const data = encodeUtf8(node.data);
    crc = crc32(data, 0, data.length, crc);
  }
  const bytes = new Uint8Array(stat.buffer);
  return crc32(bytes, 0, bytes.length, crc);
}
