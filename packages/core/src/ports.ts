/**
 * What the core asks of the world outside. Each port has two implementations: the Node shell's and the simulator's.
 * All calls are synchronous and only buffer or compute; nothing here waits. (The Disk port is in @zoots/storage, the Logger in
 * @zoots/base.)
 */
import type { Logger, Prng } from '@zoots/base';
import type { Disk, GzipPort } from '@zoots/storage';
import type { Connection } from './session/connection.js';
import type { ConnectionThrottleRules } from './session/connection-throttle.js';
import type { EnsembleRules, QuorumNet } from './zab/quorum-net.js';

/** Read once at the first input of a turn; every request of the turn sees the same time. */
export interface Clock {
  /** Monotonic milliseconds, an integer; for timeouts and latencies. */
  nowMs(): number;
  /** Milliseconds since 1970, an integer; for ctime, mtime and txn headers. */
  wallMs(): number;
}

export interface Hashes {
  /** `algorithm` as node:crypto names it (`sha1`, `sha256`, …). */
  digest(algorithm: string, bytes: Uint8Array): Uint8Array;
}

export interface Shell {
  /** A turn began: call `Server.endTurn` once the inputs at hand are in. */
  onTurnOpened(): void;
  /**
   * A four letter word came as the first bytes of a connection. The shell answers through {@link Connection.out} and closes.
   * `argument` is what followed in the same chunk (stmk's mask).
   */
  onCommandWord(connection: Connection, word: string, argument: Uint8Array): void;
  /** The server cannot go on: nothing more may be acknowledged. `exitCode` as in Apache (10: disk). */
  onFatal(reason: string, exitCode: number): void;
}

export interface Ports {
  readonly clock: Clock;
  readonly hashes: Hashes;
  readonly disk: Disk;
  readonly gzip: GzipPort | null;
  readonly logger: Logger;
  readonly shell: Shell;
  /** Snapshot jitter and the seed of the path hash. */
  readonly prng: Prng;
  /** To the other servers; missing or null for a stand-alone server. */
  readonly quorumNet?: QuorumNet | null;
}

/** The part of the configuration the core reads; the server's ServerConfig has it all, under the same names. */
export interface CoreConfig {
  /** Without `version-2`. */
  readonly dataDir: string;
  readonly dataLogDir: string;
  readonly sessionServerId: number;
  readonly tickTimeMs: number;
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  readonly maxClientCnxns: number;
  readonly maxCnxns: number;
  readonly sessionlessTimeoutMs: number;
  readonly juteMaxBytes: number;
  readonly juteExtraBytes: number;
  readonly globalOutstandingLimit: number;
  readonly throttle: {
    readonly requestsMax: number;
    readonly stallTimeMs: number;
    readonly throttledOpWaitTimeMs: number;
  };
  readonly connectionThrottle: ConnectionThrottleRules;
  readonly largeRequest: { readonly thresholdBytes: number; readonly bytesMax: number };
  readonly snapCount: number;
  readonly snapSizeLimitBytes: number;
  readonly txnLogSizeLimitBytes: number;
  readonly preAllocBytes: number;
  readonly forceSync: boolean;
  readonly fsyncWarningThresholdMs: number;
  readonly snapshotCompression: 'none' | 'gz' | 'snappy';
  readonly serializeLastProcessedZxid: boolean;
  readonly trustEmptySnapshot: boolean;
  readonly dbAutocreate: boolean;
  readonly allowLogGaps?: boolean;
  /** Limits of limits.ts that the simulator makes tiny; the server leaves them out. */
  readonly framesPerTurnMax?: number;
  readonly snapshotSliceBytes?: number;
  readonly extendedTypesEnabled: boolean;
  readonly emulate353TtlNodes: boolean;
  readonly digestEnabled: boolean;
  readonly enforceQuota: boolean;
  readonly reconfigEnabled: boolean;
  /** Missing or null: a stand-alone server. */
  readonly ensemble?: EnsembleRules | null;
  readonly container: {
    readonly checkIntervalMs: number;
    readonly maxPerMinute: number;
    readonly maxNeverUsedIntervalMs: number;
  };
  readonly skipAcl: boolean;
  readonly digestAuthEnabled: boolean;
  readonly superDigest: string | null;
  readonly digestHash: string;
  readonly enforceAuth: { readonly enabled: boolean; readonly schemes: readonly string[] };
}
