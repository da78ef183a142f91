/**
 * The swarm: each seed draws its own sizes, limits, habits and faults, most of them tiny or extreme, many of them off. A run
 * with everything on all the time would hide what only happens when something else does not.
 */

import type { Prng } from '@zoots/base';
import type { CoreConfig } from '@zoots/core';
import { CALM_CORE, DATA_DIR, LOG_DIR } from './calm-core.js';
import type { DiskManner } from './sim-disk.js';
import type { NetworkManner } from './sim-network.js';
import { drawHabits, type Habits, LARGE_DATA_BYTES } from './workload.js';

/** What goes wrong in the run, and how often; rates are per simulated second. */
export interface FaultOptions {
  killRate: number;
  powerCutRate: number;
  cleanStopRate: number;
  /** Unsynced bytes may be torn at any byte. */
  tears: boolean;
  crashesDuringStart: boolean;
  connectionResetRate: number;
  halfOpenChance: number;
  stallRate: number;
  diskFullRate: number;
  /** Windows in which syncs, writes, reads or directory changes fail now and then. */
  diskErrorRate: number;
  bitRotChance: number;
  wallJumpRate: number;
  purgeRate: number;
  clientPauseRate: number;
  /** Chance that a client that goes ends its side first and listens on. */
  halfCloseChance: number;
}

export interface RunOptions {
  readonly seed: number;
  readonly chaosMs: number;
  /** Chaos ends when so many replies have come. */
  readonly repliesMax: number;
  readonly clientCount: number;
  /** How many of them run the real session core; the others speak for themselves. */
  readonly coreClientShare: number;
  readonly core: CoreConfig;
  readonly habits: Habits;
  readonly faults: FaultOptions;
  readonly network: NetworkManner;
  readonly disk: DiskManner;
  readonly driftPpm: number;
  /** Usual time between an input and endTurn, at most. */
  readonly turnMaxUs: number;
  /** Longest time between an input and endTurn, and the chance that it is drawn. */
  readonly withheldTurnChance: number;
  readonly withheldTurnMaxUs: number;
  readonly expirySlackMs: number;
}

/** What one machine needs of it. */
export type HostOptions = Pick<
  RunOptions,
  'core' | 'driftPpm' | 'turnMaxUs' | 'withheldTurnChance' | 'withheldTurnMaxUs'
>;

export const VERSION_DIR = 'version-2';

export function drawOptions(seed: number, prng: Prng): RunOptions {
  const drawnCore = drawCore(prng);
  const disk = drawDisk(prng);
  const drawnHabits = drawHabits(prng, drawnCore);
  // Trees of many bytes are there to have snapshots that take many turns.
  const isLarge = drawnHabits.largeDataChance > 0;
  const core = isLarge ? { ...drawnCore, snapCount: prng.pick([10, 30, 100]) } : drawnCore;
  const habits = isLarge ? { ...drawnHabits, pipelineMax: Math.min(drawnHabits.pipelineMax, 30) } : drawnHabits;
  const clientCount = prng.pick([1, 2, 3, 5, 8]);
  const withheldTurnMaxUs = prng.pick([1_000, 20_000, 100_000]);
  const chaosMs = Math.min(prng.between(3_000, 15_000), chaosMsMax(habits, clientCount));
  return {
    seed,
    chaosMs,
    repliesMax: Math.floor(1.2 * requestsMax(habits)),
    clientCount,
    coreClientShare: prng.pick([0, 0.5, 0.7, 1]),
    core,
    habits,
    faults: drawFaults(prng, core, chaosMs),
    network: drawNetwork(prng),
    disk,
    driftPpm: prng.pick([0, 0, 200, -200, 20_000]),
    turnMaxUs: prng.pick([60, 60, 3_000]),
    withheldTurnChance: prng.pick([0, 0.02, 0.3]),
    withheldTurnMaxUs,
    expirySlackMs: 500 + Math.ceil((2 * disk.slowSyncMaxUs + 2 * disk.syncMaxUs + 4 * withheldTurnMaxUs) / 1000),
  };
}

/** Busy clients get less time: a run is to make some ten thousand requests at most. */
function chaosMsMax(habits: Habits, clientCount: number): number {
  const gapUs = (habits.gapMinUs + habits.gapMaxUs) / 2;
  const perSecond = (clientCount * ((habits.burstMax + 1) / 2) * 1e6) / gapUs;
  return Math.max(500, Math.floor((requestsMax(habits) * 1000) / perSecond));
}

/** How many requests the run is worth. */
function requestsMax(habits: Habits): number {
  const bytes = habits.dataBytesMax + habits.largeDataChance * LARGE_DATA_BYTES;
  return Math.floor(Math.min(REQUESTS_PER_RUN, BYTES_PER_RUN / bytes));
}

const REQUESTS_PER_RUN = 12_000;
const BYTES_PER_RUN = 30_000_000;

function drawCore(prng: Prng): CoreConfig {
  const tickTimeMs = prng.pick([50, 200, 500, 2000]);
  return {
    ...CALM_CORE,
    dataLogDir: prng.chance(0.5) ? DATA_DIR : LOG_DIR,
    sessionServerId: 1,
    tickTimeMs,
    minSessionTimeoutMs: 2 * tickTimeMs,
    maxSessionTimeoutMs: 20 * tickTimeMs,
    maxClientCnxns: prng.pick([60, 60, 60, 3]),
    sessionlessTimeoutMs: prng.pick([10_000, 500]),
    globalOutstandingLimit: prng.pick([1, 2, 10, 1000]),
    throttle: {
      requestsMax: prng.pick([0, 0, 0, 3]),
      stallTimeMs: 100,
      throttledOpWaitTimeMs: prng.pick([0, 0, 0, 0, 0, 20]),
    },
    connectionThrottle: { ...CALM_CORE.connectionThrottle, tokens: prng.pick([0, 0, 0, 4]), fillTimeMs: 50 },
    snapCount: prng.pick([3, 20, 50, 200, 500, 100_000]),
    snapSizeLimitBytes: prng.pick([0, 0, 20_000]),
    txnLogSizeLimitBytes: prng.pick([0, 0, 1_000, 10_000]),
    preAllocBytes: prng.pick([0, 1_024, 8_192, 65_536]),
    fsyncWarningThresholdMs: 1_000,
    forceSync: !prng.chance(0.05),
    snapshotCompression: prng.pick(['none', 'none', 'snappy', 'gz']),
    serializeLastProcessedZxid: prng.chance(0.7),
    snapshotSliceBytes: prng.pick([1, 500, 5_000, 131_072]),
    framesPerTurnMax: prng.pick([1, 10, 1_000]),
    extendedTypesEnabled: prng.chance(0.5),
    digestEnabled: prng.chance(0.9),
    enforceQuota: prng.chance(0.5),
    container: {
      checkIntervalMs: prng.pick([200, 1_000, 60_000]),
      maxPerMinute: prng.pick([600, 10_000]),
      maxNeverUsedIntervalMs: prng.pick([0, 1_000]),
    },
  };
}

function drawNetwork(prng: Prng): NetworkManner {
  const delayMinUs = prng.pick([10, 100, 1_000]);
  return {
    delayMinUs,
    delayMaxUs: delayMinUs + prng.pick([50, 1_000, 30_000]),
    chunking: prng.pick(['whole', 'random', 'random', 'tiny']),
    kernelBytes: prng.pick([0, 200, 65_536]),
    stallChance: prng.pick([0, 0, 0.001]),
    stallMaxUs: 300_000,
  };
}

function drawDisk(prng: Prng): DiskManner {
  const syncMinUs = prng.pick([50, 300, 2_000]);
  return {
    opMinUs: 2,
    opMaxUs: prng.pick([20, 200, 3_000]),
    syncMinUs,
    syncMaxUs: syncMinUs * prng.pick([2, 10]),
    slowSyncChance: prng.pick([0, 0, 0.01]),
    slowSyncMaxUs: prng.pick([200_000, 2_000_000]),
    syncErrorChance: 0,
    writeErrorChance: 0,
    readErrorChance: 0,
    metadataErrorChance: 0,
    isFull: false,
    keepsFailedPages: prng.chance(0.5),
    liesAboutSync: false,
    liesAboutDirectories: false,
    acksBeforeSync: false,
  };
}

/** Each kind of fault is on in some seeds only, and then happens a few times. */
function drawFaults(prng: Prng, core: CoreConfig, chaosMs: number): FaultOptions {
  const perRun = (chance: number, countMax: number): number =>
    prng.chance(chance) ? ((0.3 + (countMax * prng.below(1000)) / 1000) * 1000) / chaosMs : 0;
  return {
    killRate: perRun(0.5, 6),
    // Without forceSync nothing is promised across a power cut.
    powerCutRate: core.forceSync ? perRun(0.6, 6) : 0,
    cleanStopRate: perRun(0.3, 3),
    tears: prng.chance(0.5),
    crashesDuringStart: prng.chance(0.3),
    connectionResetRate: perRun(0.5, 10),
    halfOpenChance: prng.pick([0, 0, 0.5]),
    stallRate: perRun(0.3, 5),
    diskFullRate: core.forceSync ? perRun(0.2, 3) : 0,
    diskErrorRate: core.forceSync ? perRun(0.25, 4) : 0,
    bitRotChance: core.forceSync ? prng.pick([0, 0, 0.5]) : 0,
    wallJumpRate: perRun(0.2, 4),
    purgeRate: perRun(0.3, 5),
    clientPauseRate: perRun(0.4, 4),
    halfCloseChance: prng.pick([0, 0.5]),
  };
}
