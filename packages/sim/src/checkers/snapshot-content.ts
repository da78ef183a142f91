/**
 * Is a finished snapshot the tree at its zxid? Read back from the disk with the storage package's reader and compared with
 * the model: every znode, every session. A snapshot that shows a later moment would be mended by the replay of the log, so
 * nobody would see it but here.
 */
import { ByteReader, decodeUtf8, pairToNumber } from '@zoots/base';
import { type Acl, readAcls } from '@zoots/protocol';
import { type GzipPort, MemoryDisk, readSnapshotFile, type SnapshotSink } from '@zoots/storage';
import { type Model, sessionKey } from '../model.js';
import { nodeText, textOfVersion } from './tree-state.js';
import { fail, hex } from './violation.js';

class Collector implements SnapshotSink {
  readonly nodes = new Map<string, string>();
  readonly sessions = new Set<string>();
  readonly #acls = new Map<number, readonly Acl[]>();

  onSession(high: number, low: number): void {
    this.sessions.add(sessionKey(high, low));
  }

  onAcl(id: number, bytes: Uint8Array, start: number, end: number): void {
    this.#acls.set(id, (readAcls(new ByteReader(bytes, start, end)) ?? []) as readonly Acl[]);
  }

  onNode(
    bytes: Uint8Array,
    pathStart: number,
    pathEnd: number,
    dataStart: number,
    dataEnd: number,
    aclId: number,
    statStart: number,
  ): boolean {
    const path = pathStart === pathEnd ? '/' : decodeUtf8(bytes, pathStart, pathEnd);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const int = (offset: number): number => view.getInt32(statStart + offset);
    const long = (offset: number): number => pairToNumber(int(offset), int(offset + 4));
    // StatPersisted: czxid, mzxid, ctime, mtime, version, cversion, aversion, ephemeralOwner, pzxid.
    const stat = [long(0), long(8), long(16), long(24), long(52)];
    const counts = [int(32), int(36), int(40), int(44), int(48)];
    const data = dataStart < 0 ? null : decodeUtf8(bytes, dataStart, dataEnd);
    this.nodes.set(path, nodeText(data, this.#acls.get(aclId) ?? null, stat, counts));
    return true;
  }

  onSnapshotEnd(): boolean {
    return true;
  }
}

export function compareSnapshot(path: string, bytes: Uint8Array, zxid: number, model: Model, gzip: GzipPort): void {
  const disk = new MemoryDisk();
  disk.put(path, bytes);
  const collector = new Collector();
  let problem: string | null = 'it was not read to its end';
  readSnapshotFile(
    disk,
    path,
    collector,
    (error, damage) => {
      problem = error?.message ?? damage?.reason ?? null;
    },
    gzip,
  );
  disk.run();
  if (problem !== null) fail('snapshot', `${path} cannot be read: ${problem}`);
  const paths = model.pathsAt(zxid);
  for (const one of paths) {
    const version = model.at(one, zxid);
    const must = version === undefined ? '' : textOfVersion(version);
    const real = collector.nodes.get(one);
    if (real !== must) fail('snapshot', `${path}: ${one} is ${real ?? 'missing'}, not ${must}`);
  }
  if (collector.nodes.size !== paths.length) fail('snapshot', `${path} has znodes that did not exist at ${hex(zxid)}`);
  for (const [key, session] of model.sessions) {
    const isOpen = session.createdZxid <= zxid && (session.closedZxid === 0 || session.closedZxid > zxid);
    if (isOpen !== collector.sessions.has(key))
      fail('snapshot', `${path}: session ${key} should${isOpen ? '' : ' not'} be in it`);
  }
}
