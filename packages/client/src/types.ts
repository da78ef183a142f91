/**
 * What goes in and what comes out of the client's calls: options, stats, events, states. Read `namespace.ts` next, which has
 * the calls themselves.
 */
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Acl } from '@zoots/protocol';
import type { AuthInfo } from './session-core/index.js';

export type { Acl } from '@zoots/protocol';
export type { AuthInfo, SessionState } from './session-core/index.js';

/** What a znode can hold: bytes, text (sent as UTF-8), or null, which is not the same as empty. At most about 1 MB. */
export type Data = Uint8Array | string | null;

/** A znode's metadata. Times are milliseconds since 1970; zxids are exact up to epoch 2²¹. */
export interface Stat {
  /** zxid of the transaction that created the znode. */
  readonly czxid: number;
  /** zxid of the transaction that changed its data last. */
  readonly mzxid: number;
  readonly ctime: number;
  readonly mtime: number;
  /** Changes of the data, from 0. */
  readonly version: number;
  /** Changes of the list of children. */
  readonly cversion: number;
  /** Changes of the ACL. */
  readonly aversion: number;
  /** The session that owns an ephemeral znode; 0n for all others: a stat does not tell containers and TTL znodes. */
  readonly ephemeralOwner: bigint;
  readonly dataLength: number;
  readonly numChildren: number;
  /** zxid of the transaction that added or removed a child last. */
  readonly pzxid: number;
}

export interface NodeData {
  readonly data: Buffer | null;
  readonly stat: Stat;
}

export interface CreatedNode {
  /** As the server named it: with the sequence number, if it is sequential. */
  readonly path: string;
  readonly stat: Stat;
}

export interface NodeChildren {
  /** Names, not paths, in no particular order. */
  readonly children: string[];
  readonly stat: Stat;
}

export interface NodeAcl {
  readonly acl: Acl[];
  readonly stat: Stat;
}

/** Every call takes these. */
export interface CallOptions {
  /** Gives the call up. A write that was sent by then has an unknown outcome, and the error says so. */
  readonly signal?: AbortSignal | undefined;
  /** Gives the call up after so many milliseconds, as `signal` does. Default: `requestTimeoutMs` of the client. */
  readonly timeoutMs?: number | undefined;
}

export interface ReadOptions extends CallOptions {
  /**
   * Called once, at the first change of what was read (a one-shot watch): of the data or the znode's existence for `get` and
   * `exists`, of the list of children or the znode's end for `children`. It survives reconnects and new sessions.
   */
  readonly watch?: WatchListener | undefined;
}

export interface VersionOptions extends CallOptions {
  /** The call fails with {@link BadVersionError} unless the znode has this version; -1, the default, is any. */
  readonly version?: number | undefined;
}

export type CreateMode =
  | 'persistent'
  | 'persistent-sequential'
  | 'ephemeral'
  | 'ephemeral-sequential'
  | 'container'
  | 'persistent-with-ttl'
  | 'persistent-sequential-with-ttl';

export interface NodeOptions {
  /** Default: `persistent`. */
  readonly mode?: CreateMode | undefined;
  /** Default: everybody may do everything (`world:anyone:cdrwa`). */
  readonly acl?: readonly Acl[] | undefined;
  /** For the modes with TTL, 1 to 2⁴⁰ - 1: the znode goes when it had no children and no change for so long. */
  readonly ttlMs?: number | undefined;
}

export interface CreateOptions extends NodeOptions, CallOptions {
  /** Creates missing parents first (persistent ones, or containers). They stay if the create fails. */
  readonly parents?: boolean | 'container' | undefined;
  /**
   * The name gets a prefix of its own, `_c_<uuid>-`, as Curator's withProtection() does. If the connection breaks before the
   * answer, the client looks whether the znode is there and either returns it or creates it, instead of failing with an unknown outcome.
   */
  readonly protected?: boolean | undefined;
}

export type WatchEventType =
  | 'created'
  | 'deleted'
  | 'changed'
  | 'children'
  /**
   * Events may be missing: the connection was made anew (a server does not replay events of persistent watches), or events came
   * faster than they were read. Read again what you need.
   */
  | 'gap';

export interface WatchEvent {
  readonly type: WatchEventType;
  /** As seen from the namespace that set the watch. */
  readonly path: string;
  /** The transaction that fired it, where the server says so (3.9 and later, and Zoots). */
  readonly zxid: number | null;
}

export type WatchListener = (event: WatchEvent) => void;

export interface WatchOptions {
  /** Watches the whole subtree: creations, deletions and changes of data (no `children` events). Default: false. */
  readonly recursive?: boolean | undefined;
  /** Closes the watch. */
  readonly signal?: AbortSignal | undefined;
  /** Events kept for a slow reader, 10,000 by default; when there are more, all become one `gap`. */
  readonly bufferMax?: number | undefined;
}

/** Which watches of a path `removeWatches` takes away; `any` is all of them. */
export type WatchKind = 'children' | 'data' | 'any' | 'persistent' | 'recursive';

/** A session, from the server's first answer until it is closed or must be taken for gone. */
export interface Session {
  readonly id: bigint;
  /** Together with the id it is the right to resume the session. */
  readonly password: Uint8Array;
  /** As negotiated with the server. */
  readonly timeoutMs: number;
  /** Aborted when the session is closed, expired, or must be assumed gone because no server could be reached in time. */
  readonly signal: AbortSignal;
}

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export interface BackoffOptions {
  /** Pause before the first attempt to reconnect, at most; attempts are jittered over all of it. Default 100. */
  readonly minMs?: number;
  /** Longest pause. Default 5000. */
  readonly maxMs?: number;
}

export interface ClientOptions {
  /** Wanted session timeout; the server has the last word (2 to 20 of its ticks). Default 30,000. */
  readonly sessionTimeoutMs?: number | undefined;
  /** How long one server may take to accept the session. Default: session timeout / number of servers, at most 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** Default `timeoutMs` of every call. Default: none; a call ends at the latest when the session is lost. */
  readonly requestTimeoutMs?: number | undefined;
  /** Accept a read-only server while there is no other. Default false. */
  readonly readOnly?: boolean | undefined;
  /** TLS to the servers: true, or Node's own options (ca, cert, key, servername …). */
  readonly tls?: boolean | TlsOptions | undefined;
  /** Identities that are presented on every connection, as `addAuth` does. */
  readonly auth?: readonly AuthInfo[] | undefined;
  /** A session to resume instead of a new one. */
  readonly session?: { readonly id: bigint; readonly password: Uint8Array } | undefined;
  /** Try servers in random order. Default true. */
  readonly shuffle?: boolean | undefined;
  readonly backoff?: BackoffOptions | undefined;
  /** After the loss of a session, open another one; with false the client closes instead. Default true. */
  readonly newSession?: boolean | undefined;
  /** Requests sent and not yet answered, at most; others wait for their turn. Default 1000. */
  readonly inFlightMax?: number | undefined;
  /** Requests that wait, at most; above it calls fail with {@link OverloadedError}. Default 100,000. */
  readonly waitingMax?: number | undefined;
  /** What calls do without a connection: wait for it (as long as the session may live), or fail at once. Default `wait`. */
  readonly whenSuspended?: 'wait' | 'fail' | undefined;
  /**
   * Largest request in bytes, path and data and all. Default 1,048,575: what servers take unless their `jute.maxbuffer` says
   * otherwise. A larger one is refused here, because a server would end the connection without a word.
   */
  readonly requestBytesMax?: number | undefined;
  /** Largest reply in bytes. Default 64 MiB: a list of many children may be long. */
  readonly replyBytesMax?: number | undefined;
}

/** `h1:2181,h2:2181/chroot`, `zk://h1,h2/chroot?timeout=…`, `zks://` with TLS, or addresses in an array. */
export type ConnectTarget = string | URL | readonly (string | ServerAddress)[];

/** A server of the ensemble, from `config()`. */
export interface EnsembleConfig {
  /** The text of /zookeeper/config. */
  readonly text: string;
  /** The version of the configuration, as the text has it in hex. */
  readonly version: bigint;
  readonly servers: readonly EnsembleServer[];
  readonly stat: Stat;
}

export interface EnsembleServer {
  readonly id: number;
  readonly role: 'participant' | 'observer';
  readonly host: string;
  readonly quorumPort: number;
  readonly electionPort: number;
  /** Null if the configuration does not say where clients connect. */
  readonly clientAddress: ServerAddress | null;
}

export interface Reconfiguration {
  /** Incremental: `server.N=…` lines of servers that join, comma separated or as an array. */
  readonly joining?: string | readonly string[] | undefined;
  /** Incremental: ids of servers that leave. */
  readonly leaving?: readonly number[] | undefined;
  /** Instead of both: the whole new list. */
  readonly members?: string | readonly string[] | undefined;
  /** Fails unless the current configuration has this version (see {@link EnsembleConfig}). Default -1n: any. */
  readonly fromConfig?: bigint | undefined;
}

/** One identity of this connection, as the server sees it. */
export interface ClientIdentity {
  readonly scheme: string;
  readonly user: string;
}
