/** Values to the EnsembleConfig, for a server that takes part in an ensemble; and what of Apache's ensembles is refused. */
import type { EnsembleConfiguration } from '@zoots/protocol';
import { ConfigError, type Values } from './config-settings.js';
import type { EnsembleConfig } from './server-config.js';

export function ensembleOf(values: Values, serverId: number, configuration: EnsembleConfiguration): EnsembleConfig {
  checkSecurity(values);
  const syncLimit = limitOf(values, 'syncLimit');
  const factor = values.get('snapshotSizeFactor');
  const readTimeoutMs = values.get('quorumCnxnTimeoutMs');
  return {
    serverId,
    configuration,
    initLimit: limitOf(values, 'initLimit'),
    syncLimit,
    connectToLearnerMasterLimit: Math.max(0, values.get('connectToLearnerMasterLimit')),
    leaderConnectDelayMs: Math.max(0, values.get('leaderConnectDelayDuringRetryMs')),
    leaderServes: values.get('leaderServes'),
    readOnlyEnabled: values.get('readonlymode.enabled'),
    localSessionsEnabled: values.get('localSessionsEnabled'),
    localSessionsUpgradingEnabled: values.get('localSessionsUpgradingEnabled'),
    notifyMinMs: Math.max(1, values.get('fastleader.minNotificationInterval')),
    notifyMaxMs: Math.max(1, values.get('fastleader.maxNotificationInterval')),
    committedLogCount: values.get('commitLogCount'),
    snapshotSizeFactor: factor > 1 ? FACTOR_DEFAULT : factor,
    forceSnapshotSync: values.get('forceSnapshotSync'),
    snapSyncsMax: Math.max(1, values.get('leader.maxConcurrentSnapSyncs')),
    diffSyncsMax: Math.max(1, values.get('leader.maxConcurrentDiffSyncs')),
    electionConnectTimeoutMs: Math.max(1, values.get('cnxTimeout')),
    electionReadTimeoutMs: readTimeoutMs < 0 ? syncLimit * values.get('tickTime') : readTimeoutMs,
    electionBindAttemptsMax: Math.max(0, values.get('electionPortBindRetry')),
    listensOnAllAddresses: values.get('quorumListenOnAllIPs'),
    tcpKeepAlive: values.get('tcpKeepAlive'),
    leaderNoDelay: values.get('leader.nodelay'),
    followerNoDelay: values.get('follower.nodelay'),
  };
}

/** More than a snapshot's worth of log makes no sense; Apache takes its default then, too. */
const FACTOR_DEFAULT = 0.33;

function limitOf(values: Values, key: 'initLimit' | 'syncLimit'): number {
  const limit = values.get(key);
  if (limit <= 0) throw new ConfigError(`${values.placeOf(key)} is not set: an ensemble needs it, in ticks`);
  return limit;
}

/** A server that was meant to speak to others under protection must not do so without. */
function checkSecurity(values: Values): void {
  const tooOpen = ['sslQuorum', 'quorum.auth.serverRequireSasl', 'quorum.auth.learnerRequireSasl'] as const;
  for (const key of tooOpen) {
    if (!values.get(key)) continue;
    const what = key === 'sslQuorum' ? 'TLS' : 'SASL';
    throw new ConfigError(
      `${values.placeOf(key)}: ${what} between servers is not in this version, and this server does not speak without where it was asked for`,
    );
  }
}

export function checkSaslBetweenServers(values: Values): void {
  const enabled = values.get('quorum.auth.enableSasl');
  const server = values.get('quorum.auth.serverRequireSasl');
  const learner = values.get('quorum.auth.learnerRequireSasl');
  const rules = [
    [server && !enabled, 'quorum.auth.serverRequireSasl', 'quorum.auth.enableSasl'],
    [learner && !enabled, 'quorum.auth.learnerRequireSasl', 'quorum.auth.enableSasl'],
    [server && !learner, 'quorum.auth.serverRequireSasl', 'quorum.auth.learnerRequireSasl'],
  ] as const;
  for (const [broken, key, needed] of rules) {
    if (broken) throw new ConfigError(`${values.placeOf(key)}: needs ${needed}=true`);
  }
}
