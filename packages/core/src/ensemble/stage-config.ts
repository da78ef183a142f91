/** For tests: what a member of a small ensemble is configured with. Times are short; every option can be replaced. */
import type { EnsembleConfiguration, EnsembleMember } from '@zoots/protocol';
import type { CoreConfig } from '../ports.js';
import type { EnsembleRules } from '../zab/quorum-net.js';

export const TICK_MS = 100;
export const INIT_LIMIT = 10;
export const SYNC_LIMIT = 4;
export const VERSION_DIR = '/data/version-2';

export interface TestOptions {
  readonly voters?: readonly number[];
  readonly observers?: readonly number[];
  /** Ids by group, for hierarchical quorums. */
  readonly groups?: ReadonlyMap<number, readonly number[]>;
  readonly weights?: ReadonlyMap<number, number>;
  readonly rules?: Partial<EnsembleRules>;
  readonly config?: Partial<CoreConfig>;
  readonly seed?: number;
  /** Bytes between servers arrive in pieces of at most so many. */
  readonly chunkBytesMax?: number;
}

export function configurationOf({
  voters = [1, 2, 3],
  observers = [],
  groups,
  weights,
}: TestOptions): EnsembleConfiguration {
  const member = (id: number, role: EnsembleMember['role']): EnsembleMember => {
    const address = { host: `10.0.0.${id}`, quorumPort: 2888, electionPort: 3888 };
    return { id, role, addresses: [address], client: null };
  };
  return {
    members: [...voters.map((id) => member(id, 'participant')), ...observers.map((id) => member(id, 'observer'))],
    groups: groups ?? new Map(),
    weights: weights ?? new Map(),
    version: 0,
  };
}

export function configOf(serverId: number, configuration: EnsembleConfiguration, options: TestOptions): CoreConfig {
  const ensemble: EnsembleRules = {
    serverId,
    configuration,
    initLimit: INIT_LIMIT,
    syncLimit: SYNC_LIMIT,
    connectToLearnerMasterLimit: 0,
    leaderConnectDelayMs: 10,
    leaderServes: true,
    readOnlyEnabled: false,
    localSessionsEnabled: false,
    localSessionsUpgradingEnabled: false,
    notifyMinMs: 20,
    notifyMaxMs: 200,
    committedLogCount: 500,
    snapshotSizeFactor: 0.33,
    forceSnapshotSync: false,
    snapSyncsMax: 10,
    diffSyncsMax: 100,
    ...options.rules,
  };
  return { ...PLAIN, sessionServerId: serverId, ...options.config, ensemble };
}

const PLAIN: CoreConfig = {
  dataDir: '/data',
  dataLogDir: '/data',
  sessionServerId: 0,
  tickTimeMs: TICK_MS,
  minSessionTimeoutMs: 2 * TICK_MS,
  maxSessionTimeoutMs: 100 * TICK_MS,
  maxClientCnxns: 0,
  maxCnxns: 0,
  sessionlessTimeoutMs: 10_000,
  juteMaxBytes: 1_048_575,
  juteExtraBytes: 1_048_575,
  globalOutstandingLimit: 1000,
  throttle: { requestsMax: 0, stallTimeMs: 100, throttledOpWaitTimeMs: 0 },
  connectionThrottle: {
    tokens: 0,
    fillTimeMs: 1,
    fillCount: 1,
    freezeTimeMs: -1,
    dropIncrease: 0.02,
    dropDecrease: 0.002,
    decreaseRatio: 0,
    weightEnabled: false,
    globalSessionWeight: 3,
    renewSessionWeight: 2,
  },
  largeRequest: { thresholdBytes: -1, bytesMax: 104_857_600 },
  snapCount: 100_000,
  snapSizeLimitBytes: 0,
  txnLogSizeLimitBytes: 0,
  preAllocBytes: 1024,
  fsyncWarningThresholdMs: 1_000,
  forceSync: true,
  snapshotCompression: 'none',
  serializeLastProcessedZxid: true,
  trustEmptySnapshot: false,
  dbAutocreate: true,
  extendedTypesEnabled: true,
  emulate353TtlNodes: false,
  digestEnabled: true,
  enforceQuota: false,
  reconfigEnabled: false,
  container: { checkIntervalMs: 1_000, maxPerMinute: 10_000, maxNeverUsedIntervalMs: 0 },
  skipAcl: false,
  digestAuthEnabled: true,
  superDigest: null,
  digestHash: 'sha1',
  enforceAuth: { enabled: false, schemes: [] },
};
