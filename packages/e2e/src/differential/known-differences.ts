/**
 * Where two versions of Apache ZooKeeper differ, and what the differential test does about each: nothing here
 * loosens a comparison between servers of the same behaviour. Ours behaves as 3.9.5 but for the rows that
 * say so, and is compared with 3.8.0 under nearly all of them.
 *
 * A row either keeps a request from being sent (`avoid`), or masks one field (`mask`), or restricts how requests
 * combine (`restrict`), or accounts for one counted transaction (`account`).
 */
import type { PeerKind } from '../peers/versions.js';

export type DifferenceId =
  | 'eventZxid'
  | 'topLevelCheck'
  | 'deleteContainerBody'
  | 'readPermission'
  | 'watchModes'
  | 'watcherTypes'
  | 'malformedWriteZxid'
  | 'deleteContainerPermission'
  | 'malformedReconfigZxid'
  | 'spentEntries'
  | 'emptyPathWatch'
  | 'ipv6Acl'
  | 'multiCreate'
  | 'checkWatches';

interface KnownDifference {
  readonly kind: 'avoid' | 'mask' | 'restrict' | 'account';
  readonly what: string;
  /** The first version of the 3.8 and of the 3.9 line that behaves as 3.9.5 does. */
  readonly since: string;
}

export const knownDifferences: Readonly<Record<DifferenceId, KnownDifference>> = {
  eventZxid: {
    kind: 'mask',
    what: 'the header zxid of a watch event is that of the transaction; before, always -1',
    since: '3.9.0',
  },
  topLevelCheck: {
    kind: 'avoid',
    what: 'check outside a multi is refused; before, it was logged as a transaction nobody can read back',
    since: '3.8.5, 3.9.3',
  },
  deleteContainerBody: {
    kind: 'avoid',
    what: 'the body of deleteContainer is a jute string; before, the bare bytes of the path',
    since: '3.9.0',
  },
  readPermission: {
    kind: 'restrict',
    what: 'exists and watch events need READ on the node; before, neither did',
    since: '3.8.4, 3.9.2',
  },
  watchModes: {
    kind: 'restrict',
    what: 'several watch modes of one connection on one path live side by side; before, the last one won',
    since: '3.9.0',
  },
  watcherTypes: {
    kind: 'avoid',
    what: 'watcher types 4 and 5 exist; before, they were a marshalling error',
    since: '3.9.0',
  },
  malformedWriteZxid: {
    kind: 'account',
    what: 'a write whose body does not decode reuses the current zxid; before, it took a new one',
    since: '3.9.0',
  },
  deleteContainerPermission: {
    kind: 'restrict',
    what: 'Apache lets any client send deleteContainer for any node; ours asks for the permission that delete needs',
    since: 'ours',
  },
  malformedReconfigZxid: {
    kind: 'account',
    what: 'a reconfig whose body does not decode takes a zxid in ours, as other writes do; in Apache never',
    since: 'ours',
  },
  spentEntries: {
    kind: 'mask',
    what: 'Apache goes on listing what has become empty: connections whose watches all fired, sessions whose ephemerals are gone',
    since: 'ours',
  },
  emptyPathWatch: {
    kind: 'avoid',
    what: "a watch on the empty path is the root's in ours, on the null path an error; Apache keeps both and they never fire",
    since: 'ours',
  },
  ipv6Acl: {
    kind: 'avoid',
    what: 'an ACL of scheme ip may hold an IPv6 address; before, InvalidACL',
    since: '3.9.5',
  },
  multiCreate: {
    kind: 'avoid',
    what: 'create2 in a multi is create2, bad flags and null fields fail its decoding; before, the flags alone chose the kind',
    since: '3.8.2, 3.9.0',
  },
  checkWatches: {
    kind: 'avoid',
    what: "checkWatches looks at the connection's own watches; before, at anybody's",
    since: '3.9.0',
  },
};

/** Rows in which ours behaves as 3.8.0 does. A malformed write takes a zxid of its own: no zxid names two transactions. */
const oursAsOld: ReadonlySet<DifferenceId> = new Set(['malformedWriteZxid']);
/** Rows in which ours differs from every Apache version, on purpose. */
const oursAlone: ReadonlySet<DifferenceId> = new Set([
  'deleteContainerPermission',
  'malformedReconfigZxid',
  'spentEntries',
  'emptyPathWatch',
]);

type Behaviour = 'old' | 'new' | 'ours';

function behaviour(kind: PeerKind, row: DifferenceId): Behaviour {
  if (oursAlone.has(row)) return kind === 'zoots' ? 'ours' : 'new';
  return kind === 'apache-3.8.0' || (kind === 'zoots' && oursAsOld.has(row)) ? 'old' : 'new';
}

/** The rows in force between two servers. */
export function differencesBetween(left: PeerKind, right: PeerKind): ReadonlySet<DifferenceId> {
  const rows = Object.keys(knownDifferences) as DifferenceId[];
  return new Set(rows.filter((row) => rowInForce(row, behaviour(left, row), behaviour(right, row))));
}

function rowInForce(row: DifferenceId, left: Behaviour, right: Behaviour): boolean {
  // What would harm an old server is not sent to two of them either.
  return left !== right || (left === 'old' && knownDifferences[row].kind === 'avoid');
}
