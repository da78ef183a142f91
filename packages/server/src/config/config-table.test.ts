import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configTable, lookUpFileKey, lookUpProperty, nearestFileKey, nearestProperty } from './config-table.js';
import { readValue } from './config-values.js';

/** Every name that Apache ZooKeeper 3.9.5 (and, as far as known, its next release) reads, by how it can be given. */
const fileKeys = `
  dataDir dataLogDir clientPort clientPortAddress secureClientPort secureClientPortAddress tickTime minSessionTimeout
  maxSessionTimeout maxClientCnxns clientPortListenBacklog localSessionsEnabled localSessionsUpgradingEnabled
  metricsProvider.className metricsProvider.httpHost metricsProvider.httpPort metricsProvider.exportJvmInfo
  metricsProvider.numWorkerThreads metricsProvider.maxQueueSize metricsProvider.workerShutdownTimeoutMs
  metricsProvider.ssl.keyStore.location 4lw.commands.whitelist
  server.1 server.255 group.1 weight.1 initLimit syncLimit connectToLearnerMasterLimit electionAlg peerType
  observerMasterPort standaloneEnabled reconfigEnabled quorumListenOnAllIPs oraclePath syncEnabled multiAddress.enabled
  multiAddress.reachabilityCheckEnabled multiAddress.reachabilityCheckTimeoutMs dynamicConfigFile
  autopurge.snapRetainCount autopurge.purgeInterval quorum.cnxn.threads.size sslQuorum portUnification
  sslQuorumReloadCertFiles quorum.auth.enableSasl quorum.auth.learnerRequireSasl quorum.auth.serverRequireSasl
  quorum.auth.learner.saslLoginContext quorum.auth.server.saslLoginContext quorum.auth.kerberos.servicePrincipal
  jvm.pause.monitor jvm.pause.sleep.time.ms jvm.pause.warn-threshold.ms jvm.pause.info-threshold.ms
  connectionMaxTokens connectionTokenFillTime connectionTokenFillCount connectionFreezeTime connectionDropIncrease
  connectionDropDecrease connectionDecreaseRatio requestThrottleLimit requestThrottleStallTime requestThrottleDropStale
  requestStaleLatencyCheck requestStaleConnectionCheck throttledOpWaitTime maxConcurrentSnapSyncs
  maxConcurrentDiffSyncs advancedFlowControlEnabled maxTimeToWaitForEpoch outstandingHandshake.limit`;

/** Without the prefix `zookeeper.`; all of them can be keys of zoo.cfg as well. */
const prefixed = `
  4lw.commands.whitelist observer.syncEnabled leaderServes cnxTimeout quorumCnxnTimeoutMs electionPortBindRetry
  fastleader.minNotificationInterval fastleader.maxNotificationInterval leader.maxTimeToWaitForEpoch
  leader.maxConcurrentSnapSyncs leader.maxConcurrentDiffSyncs leader.ackLoggingFrequency
  leaderConnectDelayDuringRetryMs observer.reconnectDelayMs observer.election.DelayMs observerMaster.sizeLimit
  tcpKeepAlive leader.closeSocketAsync learner.closeSocketAsync learner.asyncSending
  forward_learner_requests_to_commit_processor_disabled follower.skipLearnerRequestToNextProcessor forceSnapshotSync
  messageTracker.Enabled messageTracker.BufferSize testingonly.initialZxid test.allowDiscontinuousProposals
  snapCount snapSizeLimitInKb txnLogSizeLimitInKb preAllocSize commitLogCount snapshotSizeFactor
  fsync.warningthresholdms snapshot.compression.method snapshot.trust.empty datadir.autocreate db.autocreate
  serializeLastProcessedZxid.enabled digest.enabled closeSessionTxn.enabled extendedTypesEnabled emulate353TTLNodes
  globalOutstandingLimit maxCnxns flushDelay maxWriteQueuePollTime maxBatchSize maxResponseCacheSize
  maxGetChildrenResponseCacheSize intBufferStartingSizeBytes enforceQuota request_throttle_max_requests
  request_throttle_stall_time request_throttle_drop_stale request_stale_connection_check request_stale_latency_check
  request_throttler.shutdownTimeout throttled_op_wait_time largeRequestMaxBytes largeRequestThreshold
  connection_throttle_tokens connection_throttle_fill_time connection_throttle_fill_count
  connection_throttle_freeze_time connection_throttle_drop_increase connection_throttle_drop_decrease
  connection_throttle_decrease_ratio connection_throttle_weight_enabled connection_throttle_global_session_weight
  connection_throttle_local_session_weight connection_throttle_renew_session_weight nio.sessionlessCnxnTimeout
  nio.numSelectorThreads nio.numWorkerThreads nio.directBufferBytes nio.shutdownTimeout clientTcpKeepAlive
  commitProcessor.numWorkerThreads commitProcessor.shutdownTimeout commitProcessor.maxReadBatchSize
  commitProcessor.maxCommitBatchSize watchManagerName watcherCleanThreadsNum watcherCleanThreshold
  watcherCleanIntervalInSeconds maxInProcessingDeadWatchers bitHashCacheSize pathStats.enabled pathStats.slotCapacity
  pathStats.slotDuration pathStats.maxDepth pathStats.sampleRate pathStats.initialDelay pathStats.delay
  pathStats.topPathMax serverCnxnFactory netty.advancedFlowControl.enabled netty.server.outstandingHandshake.limit
  netty.server.earlyDropSecureConnectionHandshakes skipACL enableEagerACLCheck DigestAuthenticationProvider.enabled
  DigestAuthenticationProvider.superDigest DigestAuthenticationProvider.digestAlg
  IPAuthenticationProvider.usexforwardedfor X509AuthenticationProvider.superUser superUser superUser.1
  ssl.authProvider authProvider.1 authProvider.sasl ensembleAuthName sessionRequireClientSASLAuth enforce.auth.enabled
  enforce.auth.schemes allowSaslFailedClients sasl.serverconfig SASLAuthenticationProvider.superPassword
  letAnySaslUserDoX kerberos.removeHostFromPrincipal kerberos.removeRealmFromPrincipal kerberos.canonicalizeHostNames
  kerberos.minReLoginTimeMs security.auth_to_local requireKerberosConfig kinit fips-mode audit.enable audit.impl.class
  client.certReload client.portUnification ssl.sslProvider admin.enableServer admin.serverAddress admin.serverPort
  admin.idleTimeout admin.commandURL admin.httpVersion admin.portUnification admin.forceHttps admin.needClientAuth
  admin.rateLimiterIntervalInMS admin.snapshot.enabled admin.restore.enabled forceSync jute.maxbuffer.extrasize
  jmx.log4j.disable jmx.log4j.mbean log.dir log.file log.threshold console.threshold log.maxfilesize
  log.maxbackupindex tracelog.dir tracelog.file controllerPort
  sasl.client sasl.clientconfig sasl.client.username sasl.client.canonicalize.hostname
  sasl.client.allowReverseDnsLookup server.realm disableAutoWatchReset clientCnxnSocket client.secure request.timeout
  shuffleDnsResponse hostProvider.dnsSrvRefreshIntervalSeconds`;

const tlsSuffixes = `
  keyStore.location keyStore.password keyStore.passwordPath keyStore.type trustStore.location trustStore.password
  trustStore.passwordPath trustStore.type protocol enabledProtocols ciphersuites context.supplier.class
  hostnameVerification clientHostnameVerification allowReverseDnsLookup crl ocsp clientAuth
  handshakeDetectionTimeoutMillis`;

/** Properties whose whole name this is. */
const bare = `
  readonlymode.enabled jute.maxbuffer znode.container.checkIntervalMs znode.container.maxPerMinute
  znode.container.maxNeverUsedIntervalMs leader.nodelay follower.nodelay leader.closeSocketAsync
  learner.closeSocketAsync learner.asyncSending fsync.warningthresholdms java.security.auth.login.config
  jdk.tls.rejectClientInitiatedRenegotiation zookeeper.server.principal zookeeper.clientPortAddress httpVersion`;

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

test('every key of zoo.cfg is known', () => {
  const tls = words(tlsSuffixes).flatMap((suffix) => [`ssl.${suffix}`, `ssl.quorum.${suffix}`]);
  const unknown = [...words(fileKeys), ...words(prefixed), ...tls].filter((name) => lookUpFileKey(name) === null);
  assert.deepEqual(unknown, []);
});

test('every property is known', () => {
  const tls = words(tlsSuffixes).flatMap((suffix) => [`ssl.${suffix}`, `ssl.quorum.${suffix}`]);
  const names = [...[...words(prefixed), ...tls].map((name) => `zookeeper.${name}`), ...words(bare)];
  assert.deepEqual(
    names.filter((name) => lookUpProperty(name) === null),
    [],
  );
});

test('a file key is not a property', () => {
  assert.equal(lookUpProperty('dataDir'), null);
  assert.equal(lookUpProperty('zookeeper.dataDir'), null);
});

test('typing mistakes find the name that was meant', () => {
  assert.equal(nearestFileKey('datadir'), 'dataDir');
  assert.equal(nearestFileKey('clientport'), 'clientPort');
  assert.equal(nearestFileKey('tickTme'), 'tickTime');
  assert.equal(nearestFileKey('autopurge.snapRetainCont'), 'autopurge.snapRetainCount');
  assert.equal(nearestFileKey('maxSessionTimeOut'), 'maxSessionTimeout');
  assert.equal(nearestFileKey('somethingElse'), null);
  assert.equal(nearestProperty('jute.maxbufer'), 'jute.maxbuffer');
});

test('every default fits its own row', () => {
  for (const [key, row] of Object.entries(configTable)) {
    if (row.default === null || row.default === '' || row.type === 'list') continue;
    if (row.type === 'yes unless no' || row.type === 'no unless yes') continue;
    // initLimit 0 stands for "not set".
    const read = readValue(row, String(row.default));
    assert.deepEqual(read, { value: row.default, warning: null }, key);
    assert.ok(row.doc.length > 0, key);
  }
});
