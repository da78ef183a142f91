/**
 * The configuration that nothing is drawn in: of a server in a story, and of what simulations leave alone. Ticks of a second, no snapshot
 * unless the story wants one, nothing throttled.
 */
import type { CoreConfig } from '@zoots/core';

export const DATA_DIR = '/data';
export const LOG_DIR = '/log';

export const CALM_CORE: CoreConfig = {
  dataDir: DATA_DIR,
  dataLogDir: DATA_DIR,
  sessionServerId: 0,
  tickTimeMs: 1_000,
  minSessionTimeoutMs: 4_000,
  maxSessionTimeoutMs: 20_000,
  maxClientCnxns: 60,
  maxCnxns: 0,
  sessionlessTimeoutMs: 10_000,
  juteMaxBytes: 1_048_575,
  juteExtraBytes: 1_048_575,
  globalOutstandingLimit: 1_000,
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
  preAllocBytes: 4_096,
  forceSync: true,
  fsyncWarningThresholdMs: 100_000,
  snapshotCompression: 'none',
  serializeLastProcessedZxid: true,
  trustEmptySnapshot: false,
  dbAutocreate: true,
  extendedTypesEnabled: true,
  emulate353TtlNodes: false,
  digestEnabled: true,
  enforceQuota: false,
  reconfigEnabled: false,
  container: { checkIntervalMs: 60_000, maxPerMinute: 10_000, maxNeverUsedIntervalMs: 0 },
  skipAcl: false,
  digestAuthEnabled: true,
  superDigest: null,
  digestHash: 'sha1',
  enforceAuth: { enabled: false, schemes: [] },
};

/** Of a member of an ensemble. */
export const CALM_RULES = {
  initLimit: 10,
  syncLimit: 5,
  connectToLearnerMasterLimit: 0,
  leaderConnectDelayMs: 100,
  leaderServes: true,
  readOnlyEnabled: false,
  localSessionsEnabled: false,
  localSessionsUpgradingEnabled: false,
  notifyMinMs: 200,
  notifyMaxMs: 1_000,
  committedLogCount: 500,
  snapshotSizeFactor: 0.33,
  forceSnapshotSync: false,
  snapSyncsMax: 10,
  diffSyncsMax: 100,
} as const;
