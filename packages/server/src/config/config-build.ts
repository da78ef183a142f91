/**
 * Collected settings to the ServerConfig: values by the table's types, Apache's checks, units.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { EnsembleMember } from '@zoots/protocol';
import { digestAlgorithmOf, enforceAuthOf } from './config-access.js';
import { configurationOf, isEnsemble, membersOf, ownMemberOf, readMyid } from './config-ensemble.js';
import { type CollectedSettings, ConfigError, Values } from './config-settings.js';
import { checkSaslBetweenServers, ensembleOf } from './ensemble-rules.js';
import type { EnsembleConfig, ServerConfig } from './server-config.js';

/** Throws {@link ConfigError}. Adds to the notices. */
export function buildServerConfig(collected: CollectedSettings, givenMyid: number | null = null): ServerConfig {
  const values = new Values(collected);
  checkSaslBetweenServers(values);
  checkMetricsProvider(values);
  const dataDir = directoryOf(values, 'dataDir');
  if (dataDir === null) throw new ConfigError(`${values.fileName}: dataDir is not set`);
  const tickTimeMs = values.get('tickTime');
  const timeouts = sessionTimeoutsOf(values, tickTimeMs);
  const servers = membersOf(values);
  const myid = givenMyid ?? readMyid(dataDir);
  const ensemble = ensembleOfMember(values, servers, myid, dataDir);
  const client = clientAddressOf(values, servers, myid);
  const readonlymodeEnabled = values.get('readonlymode.enabled');
  const juteMaxBytes = values.get('jute.maxbuffer');
  const flushDelayMs = values.get('flushDelay');
  return deepFreeze<ServerConfig>({
    configFile: collected.configFile,
    dataDir,
    dataLogDir: directoryOf(values, 'dataLogDir') ?? dataDir,
    datadirAutocreate: values.get('datadir.autocreate'),
    dbAutocreate: values.get('db.autocreate'),
    ...client,
    clientPortListenBacklog: values.get('clientPortListenBacklog'),
    serverId: ensemble?.serverId ?? 0,
    sessionServerId: ensemble?.serverId ?? 1,
    myid,
    servers,
    ensemble,
    standaloneEnabled: values.get('standaloneEnabled'),
    reconfigEnabled: values.get('reconfigEnabled'),
    tickTimeMs,
    ...timeouts,
    maxClientCnxns: Math.max(0, values.get('maxClientCnxns')),
    maxCnxns: Math.max(0, values.get('maxCnxns')),
    sessionlessTimeoutMs: values.get('nio.sessionlessCnxnTimeout'),
    clientTcpKeepAlive: values.get('clientTcpKeepAlive'),
    readonlymodeEnabled,
    fourLetterWhitelist: fourLetterWhitelistOf(values, readonlymodeEnabled),
    juteMaxBytes,
    juteExtraBytes: values.get('jute.maxbuffer.extrasize') ?? Math.max(1024, juteMaxBytes),
    globalOutstandingLimit: values.get('globalOutstandingLimit'),
    throttle: throttleOf(values),
    connectionThrottle: connectionThrottleOf(values),
    largeRequest: {
      bytesMax: values.get('largeRequestMaxBytes'),
      thresholdBytes: Math.max(-1, values.get('largeRequestThreshold')),
    },
    flushDelayMs,
    maxWriteQueuePollTimeMs: values.get('maxWriteQueuePollTime') ?? Math.trunc(flushDelayMs / 3),
    maxBatchSize: values.get('maxBatchSize'),
    ...diskOf(values),
    extendedTypesEnabled: values.get('extendedTypesEnabled'),
    emulate353TtlNodes: values.get('emulate353TTLNodes'),
    digestEnabled: values.get('digest.enabled'),
    closeSessionTxnEnabled: values.get('closeSessionTxn.enabled'),
    enforceQuota: values.get('enforceQuota'),
    container: {
      checkIntervalMs: values.get('znode.container.checkIntervalMs'),
      maxPerMinute: values.get('znode.container.maxPerMinute'),
      maxNeverUsedIntervalMs: Math.max(0, values.get('znode.container.maxNeverUsedIntervalMs')),
    },
    skipAcl: values.get('skipACL'),
    digestAuthEnabled: values.get('DigestAuthenticationProvider.enabled'),
    superDigest: values.get('DigestAuthenticationProvider.superDigest'),
    ...digestAlgorithmOf(values),
    enforceAuth: enforceAuthOf(values),
    audit: { enabled: values.get('audit.enable') },
  });
}

/** Null: a stand-alone server. */
function ensembleOfMember(
  values: Values,
  members: readonly EnsembleMember[],
  myid: number | null,
  dataDir: string,
): EnsembleConfig | null {
  const configuration = configurationOf(values, members);
  if (!isEnsemble(values, members)) return null;
  const own = ownMemberOf(values, members, myid, dataDir);
  return ensembleOf(values, own.id, configuration);
}

/** The absolute path of a directory key; null if it is not set. */
function directoryOf(values: Values, key: 'dataDir' | 'dataLogDir'): string | null {
  const text = values.get(key);
  if (text === null) return null;
  const directory = resolve(values.workingDirectory, text);
  // Java reads zoo.cfg as ISO 8859-1, so a name in UTF-8 has led its server to a directory with a garbled name. Never
  // start empty beside it.
  const garbled = resolve(values.workingDirectory, Buffer.from(text, 'utf8').toString('latin1'));
  if (garbled !== directory && existsSync(join(garbled, 'version-2')) && !existsSync(join(directory, 'version-2'))) {
    throw new ConfigError(
      `${values.placeOf(key)}: the data is in ${garbled}, where a Java server put it; rename that directory to ${directory}`,
    );
  }
  return directory;
}

function sessionTimeoutsOf(
  values: Values,
  tickTimeMs: number,
): Pick<ServerConfig, 'minSessionTimeoutMs' | 'maxSessionTimeoutMs'> {
  const min = values.get('minSessionTimeout');
  const max = values.get('maxSessionTimeout');
  const minSessionTimeoutMs = min === -1 ? 2 * tickTimeMs : min;
  const maxSessionTimeoutMs = max === -1 ? 20 * tickTimeMs : max;
  if (minSessionTimeoutMs > maxSessionTimeoutMs) {
    const place = values.placeOf(values.text('minSessionTimeout') === null ? 'maxSessionTimeout' : 'minSessionTimeout');
    throw new ConfigError(
      `${place}: minSessionTimeout (${minSessionTimeoutMs} ms) must not be larger than maxSessionTimeout (${maxSessionTimeoutMs} ms)`,
    );
  }
  return { minSessionTimeoutMs, maxSessionTimeoutMs };
}

function clientAddressOf(
  values: Values,
  servers: readonly EnsembleMember[],
  myid: number | null,
): Pick<ServerConfig, 'clientPort' | 'clientPortAddress'> {
  let clientPort = values.get('clientPort');
  let clientPortAddress = values.get('clientPortAddress');
  const ownClient = servers.find((server) => server.id === myid)?.client ?? null;
  if (clientPort === null && clientPortAddress !== null) {
    throw new ConfigError(`${values.placeOf('clientPortAddress')}: clientPortAddress is set but clientPort is not set`);
  }
  if (values.get('secureClientPort') === null && values.get('secureClientPortAddress') !== null) {
    throw new ConfigError(
      `${values.placeOf('secureClientPortAddress')}: secureClientPortAddress is set but secureClientPort is not set`,
    );
  }
  if (ownClient !== null) {
    if (clientPort !== null && clientPort !== ownClient.port) {
      throw new ConfigError(
        `${values.placeOf(`server.${myid}`)}: client port ${ownClient.port} differs from clientPort=${clientPort}`,
      );
    }
    clientPort = ownClient.port;
    clientPortAddress ??= isAnyAddress(ownClient.host) ? null : ownClient.host;
  }
  if (clientPort === null) {
    const secure = values.get('secureClientPort') === null ? '' : ' (secureClientPort needs TLS: a later version)';
    throw new ConfigError(`${values.fileName}: clientPort is not set${secure}: nobody could connect`);
  }
  return { clientPort, clientPortAddress: clientPortAddress === '' ? null : clientPortAddress };
}

function isAnyAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function checkMetricsProvider(values: Values): void {
  const name = values.text('metricsProvider.className');
  if (name === null || metricsProviders.includes(name)) return;
  const place = values.placeOf('metricsProvider.className');
  throw new ConfigError(`${place}: "${name}" is not one of ${metricsProviders.join(', ')}`);
}

const metricsProviders = [
  'org.apache.zookeeper.metrics.impl.DefaultMetricsProvider',
  'org.apache.zookeeper.metrics.impl.NullMetricsProvider',
  'org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider',
];

function fourLetterWhitelistOf(values: Values, readonlymode: boolean): ReadonlySet<string> | '*' {
  const words = values.get('4lw.commands.whitelist') ?? [];
  if (words.includes('*')) return '*';
  return new Set(['srvr', ...(readonlymode ? ['isro'] : []), ...words]);
}

function throttleOf(values: Values): ServerConfig['throttle'] {
  return {
    requestsMax: Math.max(0, values.get('request_throttle_max_requests')),
    stallTimeMs: values.get('request_throttle_stall_time'),
    dropStale: values.get('request_throttle_drop_stale'),
    staleConnectionCheck: values.get('request_stale_connection_check'),
    staleLatencyCheck: values.get('request_stale_latency_check'),
    shutdownTimeoutMs: values.get('request_throttler.shutdownTimeout'),
    throttledOpWaitTimeMs: Math.max(0, values.get('throttled_op_wait_time')),
  };
}

function connectionThrottleOf(values: Values): ServerConfig['connectionThrottle'] {
  return {
    tokens: Math.max(0, values.get('connection_throttle_tokens')),
    fillTimeMs: values.get('connection_throttle_fill_time'),
    fillCount: values.get('connection_throttle_fill_count'),
    freezeTimeMs: values.get('connection_throttle_freeze_time'),
    dropIncrease: values.get('connection_throttle_drop_increase'),
    dropDecrease: values.get('connection_throttle_drop_decrease'),
    decreaseRatio: values.get('connection_throttle_decrease_ratio'),
    weightEnabled: values.get('connection_throttle_weight_enabled'),
    globalSessionWeight: values.get('connection_throttle_global_session_weight'),
    localSessionWeight: values.get('connection_throttle_local_session_weight'),
    renewSessionWeight: values.get('connection_throttle_renew_session_weight'),
  };
}

type DiskPart = Pick<
  ServerConfig,
  | 'snapCount'
  | 'snapSizeLimitBytes'
  | 'txnLogSizeLimitBytes'
  | 'preAllocBytes'
  | 'forceSync'
  | 'fsyncWarningThresholdMs'
  | 'snapshotCompression'
  | 'serializeLastProcessedZxid'
  | 'trustEmptySnapshot'
  | 'allowLogGaps'
  | 'autopurge'
>;

function diskOf(values: Values): DiskPart {
  const compression = values.get('snapshot.compression.method');
  return {
    snapCount: values.get('snapCount'),
    snapSizeLimitBytes: bytesOfKib(values.get('snapSizeLimitInKb')),
    txnLogSizeLimitBytes: bytesOfKib(values.get('txnLogSizeLimitInKb')),
    preAllocBytes: bytesOfKib(values.get('preAllocSize')),
    forceSync: values.get('forceSync'),
    fsyncWarningThresholdMs: values.get('fsync.warningthresholdms'),
    snapshotCompression: compression === 'gz' || compression === 'snappy' ? compression : 'none',
    serializeLastProcessedZxid: values.get('serializeLastProcessedZxid.enabled'),
    trustEmptySnapshot: values.get('snapshot.trust.empty'),
    allowLogGaps: values.get('zoots.recovery.allowGaps'),
    autopurge: {
      snapRetainCount: values.get('autopurge.snapRetainCount'),
      purgeIntervalMs: purgeIntervalOf(values),
    },
  };
}

function bytesOfKib(kib: number): number {
  return Math.max(0, kib) * 1024;
}

const millisecondsPerUnit: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function purgeIntervalOf(values: Values): number {
  const text = values.get('autopurge.purgeInterval');
  const match = /^([+-]?\d+)(ms|s|m|h|d)?$/.exec(text);
  if (match === null) {
    const place = values.placeOf('autopurge.purgeInterval');
    throw new ConfigError(`${place}: "${text}" is not a number of hours, or a number with ms, s, m, h or d`);
  }
  return Math.max(0, Number(match[1]) * (millisecondsPerUnit[match[2] ?? 'h'] as number));
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (part !== null && typeof part === 'object' && !Object.isFrozen(part)) deepFreeze(part);
  }
  return Object.freeze(value);
}
