/**
 * Writes records below a path, many at once: requests of one session are done in the order in which they were sent, so
 * a child may follow its parent without waiting. Either nothing was there before, or what is there is brought up to date
 * (`isMerge`); nothing is ever deleted.
 */
import type { CreateMode, Namespace } from '@zoots/client';
import { RefusedError } from './problem.js';
import { absolutePath, type Kind, sameAcl, type TreeRecord } from './tree-record.js';

export interface WriteWish {
  /** Where the records' root goes. */
  readonly root: string;
  readonly isMerge: boolean;
  readonly isDryRun: boolean;
  /** Give new znodes the records' ACLs, and in a merge those that have others. */
  readonly hasAcls: boolean;
  /** All kinds become persistent, ephemeral ones, too; else ephemerals are left out. */
  readonly isPlain: boolean;
}

export interface WriteCounts {
  created: number;
  changed: number;
  unchanged: number;
  /** Ephemeral znodes. */
  leftOut: number;
}

export type Change = keyof WriteCounts;

const IN_FLIGHT_MAX = 200;
/** Znodes hold about 1 MB at most; so much data may be on their way at once. */
const IN_FLIGHT_BYTES_MAX = 16 * 1024 * 1024;

const modes: Readonly<Record<Kind, CreateMode>> = {
  persistent: 'persistent',
  ephemeral: 'persistent',
  container: 'container',
  ttl: 'persistent-with-ttl',
};

/** Rejects with the first failure, after all that was sent is answered; what was written until then stays. */
export async function writeTree(
  namespace: Namespace,
  records: AsyncIterable<TreeRecord> | Iterable<TreeRecord>,
  wish: WriteWish,
  onChange: (change: Change, path: string) => void,
): Promise<WriteCounts> {
  const counts: WriteCounts = { created: 0, changed: 0, unchanged: 0, leftOut: 0 };
  const pending = new Set<Promise<void>>();
  let [bytesInFlight, failure] = [0, null as unknown];
  const note = (change: Change, path: string): void => {
    counts[change]++;
    onChange(change, path);
  };
  for await (const record of records) {
    const path = absolutePath(wish.root, record.path);
    if (record.kind === 'ephemeral' && !wish.isPlain) {
      note('leftOut', path);
      continue;
    }
    while (pending.size >= IN_FLIGHT_MAX || bytesInFlight > IN_FLIGHT_BYTES_MAX) await Promise.race(pending);
    if (failure !== null) break;
    const size = record.data?.length ?? 0;
    bytesInFlight += size;
    const writing = writeRecord(namespace, path, record, wish)
      .then(
        (change) => note(change, path),
        (error) => {
          failure ??= error;
        },
      )
      .then(() => {
        bytesInFlight -= size;
        pending.delete(writing);
      });
    pending.add(writing);
  }
  await Promise.all(pending);
  if (failure !== null) throw failure;
  return counts;
}

async function writeRecord(namespace: Namespace, path: string, record: TreeRecord, wish: WriteWish): Promise<Change> {
  // The root of all is always there, and so are the znodes of ZooKeeper itself.
  if (wish.isDryRun) return changeOf(namespace, path, record, wish);
  if (path === '/') return updateRecord(namespace, path, record, wish);
  try {
    await namespace.create(path, record.data, {
      mode: wish.isPlain ? 'persistent' : modes[record.kind],
      ...(record.ttlMs === null || wish.isPlain ? {} : { ttlMs: record.ttlMs }),
      ...(wish.hasAcls ? { acl: record.acl } : {}),
    });
    return 'created';
  } catch (error) {
    if ((error as { code?: string }).code !== 'ZK_NODE_EXISTS') throw withAclRemedy(error, path, wish);
    if (!wish.isMerge) throw existsAlready(path);
    return updateRecord(namespace, path, record, wish);
  }
}

export function existsAlready(path: string): RefusedError {
  return new RefusedError(`${path} exists already; --merge writes what differs over what is there`);
}

function withAclRemedy(error: unknown, path: string, { hasAcls }: WriteWish): unknown {
  const { code, message } = error as { code?: string; message: string };
  if (!hasAcls || (code !== 'ZK_NO_AUTH' && code !== 'ZK_INVALID_ACL')) return error;
  return new RefusedError(
    `${path}: ${message}; present an identity that the ACLs permit (--auth SCHEME:AUTH), or leave the ACLs out (--no-acl)`,
  );
}

async function updateRecord(namespace: Namespace, path: string, record: TreeRecord, wish: WriteWish): Promise<Change> {
  const difference = await differenceOf(namespace, path, record, wish);
  if (difference.inData) await namespace.set(path, record.data);
  if (difference.inAcl) await namespace.setAcl(path, record.acl);
  return difference.inData || difference.inAcl ? 'changed' : 'unchanged';
}

/** What would be done, for a dry run. */
async function changeOf(namespace: Namespace, path: string, record: TreeRecord, wish: WriteWish): Promise<Change> {
  if ((await namespace.exists(path)) === null) return 'created';
  if (!wish.isMerge && path !== '/') throw existsAlready(path);
  const difference = await differenceOf(namespace, path, record, wish);
  return difference.inData || difference.inAcl ? 'changed' : 'unchanged';
}

async function differenceOf(namespace: Namespace, path: string, { data, acl }: TreeRecord, { hasAcls }: WriteWish) {
  const [present, presentAcl] = await Promise.all([
    namespace.get(path),
    hasAcls ? namespace.getAcl(path).then((node) => node.acl) : acl,
  ]);
  return { inData: !sameData(present.data, data), inAcl: !sameAcl(presentAcl, acl) };
}

export function sameData(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return Buffer.compare(a, b) === 0;
}
