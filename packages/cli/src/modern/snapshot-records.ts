/** The tree of a snapshot of a data directory, Apache's or ours, as records: to compare it with servers and exports. */
import { ByteReader, decodeUtf8 } from '@zoots/base';
import type { Acl } from '@zoots/client';
import { readAcls } from '@zoots/protocol';
import { NodeDisk, nodeGzip } from '@zoots/server';
import { readSnapshotFile, type SnapshotSink } from '@zoots/storage';
import { RefusedError } from './problem.js';
import { type Kind, openAcl, type TreeRecord } from './tree-record.js';
import { sessionText } from './znode-facts.js';

/** A StatPersisted: long czxid mzxid ctime mtime, int version cversion aversion, long ephemeralOwner pzxid. */
const OWNER_OFFSET = 44;

const CONTAINER_OWNER = 1n << 63n;
/**
 * A TTL znode's owner: a byte 0xff, two bytes of zeros, and the TTL in ms in the lower 40 bits. The id of a session of server
 * 255 begins with 0xff, too, but has the time in the next bytes.
 */
const TTL_MARK = 0xff0000n;
const TTL_BITS = 40n;

function kindOfOwner(owner: bigint): Kind {
  if (owner === 0n) return 'persistent';
  if (owner === CONTAINER_OWNER) return 'container';
  return owner >> TTL_BITS === TTL_MARK ? 'ttl' : 'ephemeral';
}

class RecordSink implements SnapshotSink {
  readonly records: TreeRecord[] = [];
  readonly #acls = new Map<number, readonly Acl[]>();

  onSession(): void {}

  onAcl(id: number, bytes: Uint8Array, start: number, end: number): void {
    const entries = readAcls(new ByteReader(bytes.slice(start, end))) ?? [];
    this.#acls.set(
      id,
      entries.map(({ perms, scheme, id: entryId }) => ({ perms, scheme: scheme ?? '', id: entryId ?? '' })),
    );
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
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const owner = view.getBigUint64(statStart + OWNER_OFFSET);
    const kind = kindOfOwner(owner);
    const path = decodeUtf8(bytes, pathStart, pathEnd);
    if (path === '/zookeeper' || path.startsWith('/zookeeper/')) return true;
    this.records.push({
      path: path === '' ? '/' : path,
      data: dataStart < 0 ? null : bytes.slice(dataStart, dataEnd),
      // A znode without an ACL of its own (-1) is open.
      acl: this.#acls.get(aclId) ?? openAcl,
      kind,
      ttlMs: kind === 'ttl' ? Number(BigInt.asUintN(Number(TTL_BITS), owner)) : null,
      owner: kind === 'ephemeral' ? sessionText(owner) : null,
    });
    return true;
  }

  onSnapshotEnd(): boolean {
    return this.records.length > 0;
  }
}

/** All but /zookeeper, ephemerals included. Rejects with {@link RefusedError}: the file, the place, the reason. */
export function recordsOfSnapshot(file: string): Promise<TreeRecord[]> {
  const sink = new RecordSink();
  return new Promise((resolve, reject) => {
    readSnapshotFile(
      new NodeDisk(),
      file,
      sink,
      (error, damage) => {
        if (error !== null) reject(new RefusedError(error.message));
        else if (damage !== null) {
          reject(new RefusedError(`${file} is damaged at offset ${damage.offset} of its content: ${damage.reason}`));
        } else resolve(sink.records);
      },
      nodeGzip,
    );
  });
}
