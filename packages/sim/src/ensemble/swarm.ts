/**
 * The swarm of ensembles: each seed draws how many servers there are and of which kind, limits that are tiny more often than not, how its
 * machines and networks behave, and which faults there are at all.
 */
import type { Prng } from '@zoots/base';
import type { CoreConfig, EnsembleRules } from '@zoots/core';
import type { EnsembleConfiguration, EnsembleMember } from '@zoots/protocol';
import { CALM_CORE, DATA_DIR, LOG_DIR } from '../calm-core.js';
import type { DiskManner } from '../sim-disk.js';
import type { NetworkManner } from '../sim-network.js';
import { drawHabits, type Habits } from '../workload.js';
import type { MemberOptions } from './member.js';
import type { WorldOptions } from './world.js';

/** What goes wrong, and how often; rates are per simulated second. */
export interface EnsembleFaults {
  readonly killRate: number;
  readonly powerCutRate: number;
  readonly stopRate: number;
  readonly tears: boolean;
  readonly crashesDuringStart: boolean;
  /** The whole ensemble loses its power. */
  readonly blackoutRate: number;
  readonly rollingRestartRate: number;
  readonly partitionRate: number;
  readonly oneWayChance: number;
  readonly swizzleRate: number;
  readonly serverBreakRate: number;
  readonly halfOpenChance: number;
  readonly pauseRate: number;
  readonly wallJumpRate: number;
  readonly diskErrorRate: number;
  readonly diskFullRate: number;
  readonly slowDiskRate: number;
  readonly wipeChance: number;
  readonly bitRotChance: number;
  readonly clientResetRate: number;
  readonly clientStallRate: number;
  readonly clientPauseRate: number;
  readonly purgeRate: number;
}

export interface EnsembleOptions extends WorldOptions {
  readonly chaosMs: number;
  readonly repliesMax: number;
  readonly faults: EnsembleFaults;
  readonly tickTimeMs: number;
  readonly initLimit: number;
  readonly syncLimit: number;
  readonly downMaxMs: number;
}

const REPLIES_MAX = 1_500;

export function drawEnsemble(seed: number, prng: Prng): EnsembleOptions {
  const configuration = drawConfiguration(prng.fork('members'));
  const limits = drawLimits(prng);
  const core = drawCore(prng, limits.tickTimeMs);
  const rules = drawRules(prng, limits, configuration);
  const chaosMs = prng.between(3_000, 25_000) * (limits.tickTimeMs >= 500 ? 2 : 1);
  const own = prng.fork('machines');
  const shared = drawMachine(own);
  const members = configuration.members.map((member) =>
    drawMember(own.fork(`${member.id}`), member, core, rules, own.chance(0.7) ? shared : drawMachine(own)),
  );
  return {
    seed,
    configuration,
    members,
    ...limits,
    chaosMs,
    repliesMax: REPLIES_MAX,
    clientCount: prng.pick([1, 2, 3, 4, 6]),
    coreClientShare: prng.pick([0.5, 0.8, 1]),
    habits: drawEnsembleHabits(prng, core),
    clientNetwork: drawNetwork(prng, 3_000),
    serverNetwork: drawNetwork(prng, limits.tickTimeMs * 100),
    halfCloseChance: prng.pick([0, 0.5]),
    faults: drawFaults(prng, chaosMs),
    downMaxMs: prng.pick([100, 1_000, 5_000]),
  };
}

// ---- who is there ----

function drawConfiguration(prng: Prng): EnsembleConfiguration {
  const voterCount = prng.pick([3, 3, 3, 4, 5, 5]);
  const observerCount = prng.pick([0, 0, 1, 2]);
  const ids = drawIds(prng, Math.min(7, voterCount + observerCount));
  const members = ids.map((id, i): EnsembleMember => {
    const address = { host: `10.1.0.${id}`, quorumPort: 2888, electionPort: 3888 };
    return { id, addresses: [address], role: i < voterCount ? 'participant' : 'observer', client: null };
  });
  const voters = ids.slice(0, voterCount);
  const isGrouped = voterCount === 5 && prng.chance(0.3);
  const groups = isGrouped ? [voters.slice(0, 2), voters.slice(2, 4), voters.slice(4)] : [];
  const weights = new Map<number, number>();
  if (isGrouped && prng.chance(0.5)) weights.set(prng.pick(voters.slice(0, 2)), 2);
  return { members, groups: new Map(groups.map((group, i) => [i + 1, group])), weights, version: 0 };
}

function drawIds(prng: Prng, count: number): number[] {
  const ids = new Set<number>();
  const isPlain = prng.chance(0.7);
  while (ids.size < count) ids.add(isPlain ? ids.size + 1 : prng.below(250));
  return [...ids];
}

// ---- limits ----

interface Limits {
  readonly tickTimeMs: number;
  readonly initLimit: number;
  readonly syncLimit: number;
}

function drawLimits(prng: Prng): Limits {
  const tickTimeMs = prng.pick([100, 200, 500, 2_000]);
  return { tickTimeMs, initLimit: prng.pick([5, 10, 20]), syncLimit: prng.pick([2, 3, 5]) };
}

function drawRules(prng: Prng, limits: Limits, configuration: EnsembleConfiguration): EnsembleRules {
  const { initLimit, syncLimit } = limits;
  const hasLocalSessions = prng.chance(0.15);
  return {
    serverId: 0,
    configuration,
    initLimit,
    syncLimit,
    connectToLearnerMasterLimit: prng.pick([0, 0, 3]),
    leaderConnectDelayMs: 100,
    leaderServes: !prng.chance(0.2),
    readOnlyEnabled: prng.chance(0.1),
    localSessionsEnabled: hasLocalSessions,
    localSessionsUpgradingEnabled: hasLocalSessions,
    notifyMinMs: prng.pick([50, 200]),
    notifyMaxMs: prng.pick([500, 2_000]),
    committedLogCount: prng.pick([3, 10, 50, 500]),
    snapshotSizeFactor: prng.pick([-1, 0.33, 5]),
    forceSnapshotSync: prng.chance(0.1),
    snapSyncsMax: prng.pick([1, 10]),
    diffSyncsMax: prng.pick([1, 30]),
  };
}

function drawCore(prng: Prng, tickTimeMs: number): CoreConfig {
  return {
    ...CALM_CORE,
    dataLogDir: prng.chance(0.5) ? DATA_DIR : LOG_DIR,
    tickTimeMs,
    minSessionTimeoutMs: 2 * tickTimeMs,
    maxSessionTimeoutMs: 20 * tickTimeMs,
    maxClientCnxns: 0,
    globalOutstandingLimit: prng.pick([2, 1000, 1000]),
    connectionThrottle: { ...CALM_CORE.connectionThrottle, fillTimeMs: 50 },
    snapCount: prng.pick([2, 5, 20, 100, 100_000]),
    txnLogSizeLimitBytes: prng.pick([0, 0, 1_000]),
    preAllocBytes: prng.pick([0, 1_024, 8_192]),
    fsyncWarningThresholdMs: 1_000,
    snapshotCompression: prng.pick(['none', 'none', 'snappy', 'gz']),
    serializeLastProcessedZxid: prng.chance(0.7),
    snapshotSliceBytes: prng.pick([500, 5_000, 131_072]),
    framesPerTurnMax: prng.pick([1, 10, 1_000]),
    extendedTypesEnabled: prng.chance(0.5),
    digestEnabled: prng.chance(0.95),
    container: {
      checkIntervalMs: prng.pick([1_000, 60_000]),
      maxPerMinute: 600,
      maxNeverUsedIntervalMs: prng.pick([0, 1_000]),
    },
  };
}

// ---- machines and networks ----

interface Machine {
  readonly disk: DiskManner;
  readonly driftPpm: number;
  readonly turnMaxUs: number;
  readonly withheldTurnChance: number;
  readonly withheldTurnMaxUs: number;
}

function drawMachine(prng: Prng): Machine {
  const syncMinUs = prng.pick([50, 300, 2_000, 10_000]);
  return {
    disk: {
      opMinUs: 2,
      opMaxUs: prng.pick([20, 200, 1_000]),
      syncMinUs,
      syncMaxUs: syncMinUs * prng.pick([2, 10]),
      slowSyncChance: prng.pick([0, 0, 0.01]),
      slowSyncMaxUs: prng.pick([100_000, 1_000_000]),
      syncErrorChance: 0,
      writeErrorChance: 0,
      readErrorChance: 0,
      metadataErrorChance: 0,
      isFull: false,
      keepsFailedPages: prng.chance(0.5),
      liesAboutSync: false,
      liesAboutDirectories: false,
      acksBeforeSync: false,
    },
    driftPpm: prng.pick([0, 0, 200, -200, 20_000]),
    turnMaxUs: prng.pick([60, 60, 2_000]),
    withheldTurnChance: prng.pick([0, 0, 0.01]),
    withheldTurnMaxUs: prng.pick([1_000, 20_000]),
  };
}

function drawMember(
  prng: Prng,
  { id, role }: EnsembleMember,
  core: CoreConfig,
  rules: EnsembleRules,
  machine: Machine,
): MemberOptions {
  return {
    id,
    isObserver: role === 'observer',
    ...machine,
    wallSkewMs: prng.pick([0, 0, 100, -3_000, 3_600_000]),
    core: { ...core, sessionServerId: id, ensemble: { ...rules, serverId: id } },
  };
}

function drawNetwork(prng: Prng, stallMaxUs: number): NetworkManner {
  const delayMinUs = prng.pick([10, 100, 1_000]);
  return {
    delayMinUs,
    delayMaxUs: delayMinUs + prng.pick([50, 1_000, 10_000]),
    chunking: prng.pick(['whole', 'random', 'random', 'tiny']),
    kernelBytes: prng.pick([200, 65_536, 65_536]),
    stallChance: prng.pick([0, 0, 0.001]),
    stallMaxUs,
  };
}

/** What the model of an ensemble cannot tell: quotas depend on what was applied when the leader looked, the configuration's znode on servers. */
function drawEnsembleHabits(prng: Prng, core: CoreConfig): Habits {
  const drawn = drawHabits(prng, core);
  const gapMinUs = prng.pick([2_000, 10_000, 40_000]);
  return {
    ...drawn,
    gapMinUs,
    gapMaxUs: gapMinUs * prng.pick([2, 10]),
    pipelineMax: prng.pick([1, 4, 30]),
    burstMax: prng.pick([1, 1, 5]),
    dataBytesMax: prng.pick([10, 100, 2_000]),
    largeDataChance: 0,
    hasQuotas: false,
    hasConfigPath: false,
  };
}

// ---- faults ----

/** Each kind of fault is on in some seeds only, and then happens a few times. */
function drawFaults(prng: Prng, chaosMs: number): EnsembleFaults {
  const perRun = (chance: number, countMax: number): number =>
    prng.chance(chance) ? ((0.3 + (countMax * prng.below(1000)) / 1000) * 1000) / chaosMs : 0;
  return {
    killRate: perRun(0.5, 10),
    powerCutRate: perRun(0.5, 10),
    stopRate: perRun(0.2, 5),
    tears: prng.chance(0.5),
    crashesDuringStart: prng.chance(0.3),
    blackoutRate: perRun(0.15, 3),
    rollingRestartRate: perRun(0.1, 2),
    partitionRate: perRun(0.6, 10),
    oneWayChance: prng.pick([0, 0.3, 0.8]),
    swizzleRate: perRun(0.15, 3),
    serverBreakRate: perRun(0.4, 15),
    halfOpenChance: prng.pick([0, 0.5]),
    pauseRate: perRun(0.3, 6),
    wallJumpRate: perRun(0.2, 4),
    diskErrorRate: perRun(0.2, 4),
    diskFullRate: perRun(0.15, 3),
    slowDiskRate: perRun(0.2, 4),
    wipeChance: prng.pick([0, 0, 0.3]),
    bitRotChance: prng.pick([0, 0, 0, 0.3]),
    clientResetRate: perRun(0.4, 10),
    clientStallRate: perRun(0.2, 5),
    clientPauseRate: perRun(0.2, 3),
    purgeRate: perRun(0.2, 4),
  };
}

/** For tests, which have less time than a fleet. */
export function shorter(options: EnsembleOptions): EnsembleOptions {
  return { ...options, chaosMs: Math.min(options.chaosMs, 6_000), repliesMax: 300 };
}
