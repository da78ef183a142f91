/**
 * Where two versions of Apache ZooKeeper differ, and what the differential test does about each: nothing here
 * loosens a comparison between servers of the same behaviour. Ours behaves as 3.9.5, so it is compared with 3.9.5
 * without any of these rows and with 3.8.0 under all of them.
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

/** 'old' for servers that behave as 3.8.0 does, 'new' for those that behave as 3.9.5 does. */
export function generation(kind: PeerKind): 'old' | 'new' {
  return kind === 'apache-3.8.0' ? 'old' : 'new';
}

/** The rows in force between two servers. */
export function differencesBetween(left: PeerKind, right: PeerKind): ReadonlySet<DifferenceId> {
  // Two old servers agree with each other, but what would stop them must still not be sent.
  const oldAmongThem = generation(left) === 'old' || generation(right) === 'old';
  return new Set(oldAmongThem ? (Object.keys(knownDifferences) as DifferenceId[]) : []);
}
