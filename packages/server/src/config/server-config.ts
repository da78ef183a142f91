/**
 * ServerConfig: what the rest of the server reads. A plain frozen object in the units that the code computes with,
 * built by `config-load.ts` from zoo.cfg, `-D` words and the environment; `config-table.ts` says where each field comes
 * from, its default and its bounds.
 *
 * Nothing in here is -1 or 0 for "not set" unless the comment says so.
 */

import type { EnsembleRules } from '@zoots/core';
import type { EnsembleMember } from '@zoots/protocol';

export interface ServerConfig {
  /** Absolute path of the file this came from; null for built-in defaults or the `port dataDir` form. */
  readonly configFile: string | null;

  // -- where ------------------------------------------------------------------------------------------------------
  /** Absolute path without `version-2`: snapshots and myid. */
  readonly dataDir: string;
  /** Absolute path without `version-2`: transaction logs. Equals dataDir unless configured. */
  readonly dataLogDir: string;
  /** false: missing `version-2` directories are an error rather than made. */
  readonly datadirAutocreate: boolean;
  readonly dbAutocreate: boolean;
  /** Null: no plain client port. 0: any free port. */
  readonly clientPort: number | null;
  /** Address to listen on; null: every address, IPv4 and IPv6. */
  readonly clientPortAddress: string | null;
  /** listen() backlog; -1: the default of 50. */
  readonly clientPortListenBacklog: number;

  // -- who --------------------------------------------------------------------------------------------------------
  /** What `conf` and the audit log print: myid, 0 for a stand-alone server. */
  readonly serverId: number;
  /** Top byte of the session ids made here: myid, 1 for a stand-alone server. */
  readonly sessionServerId: number;
  /** From dataDir/myid; null without that file. */
  readonly myid: number | null;
  /** server.N lines, by id. A stand-alone server has none or one. */
  readonly servers: readonly EnsembleMember[];
  /** Null: a stand-alone server. */
  readonly ensemble: EnsembleConfig | null;
  readonly standaloneEnabled: boolean;
  readonly reconfigEnabled: boolean;

  // -- sessions and connections -----------------------------------------------------------------------------------
  readonly tickTimeMs: number;
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  /** Connections per client address; 0: no limit. */
  readonly maxClientCnxns: number;
  /** Connections in all; 0: no limit. */
  readonly maxCnxns: number;
  /** A connection that has not asked for a session by then is closed. */
  readonly sessionlessTimeoutMs: number;
  readonly clientTcpKeepAlive: boolean;
  readonly readonlymodeEnabled: boolean;
  /** Words that may be asked; `srvr` is always in, `isro` too with readonlymode. */
  readonly fourLetterWhitelist: ReadonlySet<string> | '*';

  // -- requests ---------------------------------------------------------------------------------------------------
  /** Length of a frame at most (jute.maxbuffer). */
  readonly juteMaxBytes: number;
  /** What a record read back from disk may be longer. */
  readonly juteExtraBytes: number;
  /** Requests in flight above which no more are read. */
  readonly globalOutstandingLimit: number;
  readonly throttle: RequestThrottleConfig;
  readonly connectionThrottle: ConnectionThrottleConfig;
  readonly largeRequest: LargeRequestConfig;
  readonly flushDelayMs: number;
  readonly maxWriteQueuePollTimeMs: number;
  /** Txns per sync at most. */
  readonly maxBatchSize: number;

  // -- disk -------------------------------------------------------------------------------------------------------
  /** Txns between snapshots (a random half to all of it). */
  readonly snapCount: number;
  /** Log bytes between snapshots; 0: no such limit. */
  readonly snapSizeLimitBytes: number;
  /** Log bytes above which the file is rolled; 0: no such limit. */
  readonly txnLogSizeLimitBytes: number;
  /** Log files grow by this; 0: no preallocation. */
  readonly preAllocBytes: number;
  /** false: acknowledge without syncing (unsafe). */
  readonly forceSync: boolean;
  readonly fsyncWarningThresholdMs: number;
  readonly snapshotCompression: 'none' | 'gz' | 'snappy';
  readonly serializeLastProcessedZxid: boolean;
  /** Start from logs alone when there is no snapshot. */
  readonly trustEmptySnapshot: boolean;
  /** Start although txns are missing between the logs. */
  readonly allowLogGaps: boolean;
  readonly autopurge: AutopurgeConfig;

  // -- znodes -----------------------------------------------------------------------------------------------------
  readonly extendedTypesEnabled: boolean;
  readonly emulate353TtlNodes: boolean;
  readonly digestEnabled: boolean;
  readonly closeSessionTxnEnabled: boolean;
  readonly enforceQuota: boolean;
  readonly container: ContainerConfig;

  // -- access -----------------------------------------------------------------------------------------------------
  readonly skipAcl: boolean;
  readonly digestAuthEnabled: boolean;
  /** `super:<base64 digest>`; null: nobody is super by digest. */
  readonly superDigest: string | null;
  /** As configured, in Java's spelling (`SHA1`, `SHA-256`). */
  readonly digestAlg: string;
  /** The same algorithm by node:crypto's name. */
  readonly digestHash: string;
  readonly enforceAuth: EnforceAuthConfig;
  readonly audit: AuditConfig;
}

/** The request throttle (RequestThrottler). */
export interface RequestThrottleConfig {
  /** Requests in process above which new ones wait; 0: off. */
  readonly requestsMax: number;
  readonly stallTimeMs: number;
  readonly dropStale: boolean;
  /** A request whose connection is gone is stale. */
  readonly staleConnectionCheck: boolean;
  /** A request older than its session's timeout is stale. */
  readonly staleLatencyCheck: boolean;
  readonly shutdownTimeoutMs: number;
  /** Requests that waited longer are answered THROTTLEDOP; 0: off. */
  readonly throttledOpWaitTimeMs: number;
}

/** The token bucket for new sessions (BlueThrottle). */
export interface ConnectionThrottleConfig {
  /** Size of the bucket; 0: off. */
  readonly tokens: number;
  readonly fillTimeMs: number;
  readonly fillCount: number;
  /** How long a drop probability stands; -1: no probabilistic drops. */
  readonly freezeTimeMs: number;
  readonly dropIncrease: number;
  readonly dropDecrease: number;
  readonly decreaseRatio: number;
  readonly weightEnabled: boolean;
  readonly globalSessionWeight: number;
  readonly localSessionWeight: number;
  readonly renewSessionWeight: number;
}

export interface LargeRequestConfig {
  /** Sum of the large requests in process. */
  readonly bytesMax: number;
  /** Size from which a request is large; -1: none is. */
  readonly thresholdBytes: number;
}

export interface AutopurgeConfig {
  readonly snapRetainCount: number;
  /** 0: off. */
  readonly purgeIntervalMs: number;
}

export interface ContainerConfig {
  readonly checkIntervalMs: number;
  readonly maxPerMinute: number;
  /** Age at which a container that never had a child goes; 0: never. */
  readonly maxNeverUsedIntervalMs: number;
}

export interface EnforceAuthConfig {
  readonly enabled: boolean;
  /** One of these schemes must have identified the session before its first request. */
  readonly schemes: readonly string[];
}

export interface AuditConfig {
  readonly enabled: boolean;
}

/** How this server takes part in its ensemble: the core's rules, and what the links to other members need. */
export interface EnsembleConfig extends EnsembleRules {
  /** Election port: to get through to a member; and for a caller to say who it is. */
  readonly electionConnectTimeoutMs: number;
  readonly electionReadTimeoutMs: number;
  /** 0: for ever. */
  readonly electionBindAttemptsMax: number;
  /** Election and quorum port listen on all addresses rather than on the one of the server.N line. */
  readonly listensOnAllAddresses: boolean;
  /** SO_KEEPALIVE on election connections. */
  readonly tcpKeepAlive: boolean;
  /** TCP_NODELAY on quorum connections, of a leader and of a learner. */
  readonly leaderNoDelay: boolean;
  readonly followerNoDelay: boolean;
}
