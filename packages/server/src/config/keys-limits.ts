/** Configuration rows: limits, throttles, and the tuning of Java threads that has no meaning here. */
import { bareProperty, fileKey, property } from './config-row.js';

export const limitKeys = {
  globalOutstandingLimit: property(
    'effective',
    'int',
    1000,
    'requests',
    'Requests in process above which reading pauses.',
  ),
  maxCnxns: property('effective', 'int', 0, 'connections', 'Connections in all; 0 is no limit.'),
  flushDelay: property('jvm', 'long', 0, 'ms', 'Time to wait for more txns before a sync.', { min: 0 }),
  maxWriteQueuePollTime: property('jvm', 'long', null, 'ms', 'Idle wait before a sync; flushDelay/3 unless set.'),
  maxBatchSize: property('jvm', 'int', 1000, 'txns', 'Txns per sync.', { min: 1 }),
  enforceQuota: property('effective', 'boolean', false, '', 'Refuse what exceeds a hard quota.'),
  request_throttle_max_requests: property('effective', 'int', 0, 'requests', 'Throttle above this; 0 is off.', {
    aliases: ['requestThrottleLimit'],
  }),
  request_throttle_stall_time: property('jvm', 'int', 100, 'ms', 'How long a throttled request waits at most.', {
    aliases: ['requestThrottleStallTime'],
    min: 0,
  }),
  request_throttle_drop_stale: property('jvm', 'boolean', true, '', 'Drop stale requests while throttled.', {
    aliases: ['requestThrottleDropStale'],
  }),
  request_stale_connection_check: property('jvm', 'boolean', true, '', 'Stale: its connection is gone.', {
    aliases: ['requestStaleConnectionCheck'],
  }),
  request_stale_latency_check: property('jvm', 'boolean', false, '', 'Stale: older than the session timeout.', {
    aliases: ['requestStaleLatencyCheck'],
  }),
  'request_throttler.shutdownTimeout': property('jvm', 'int', 10_000, 'ms', 'Time to drain at shutdown.'),
  throttled_op_wait_time: property('effective', 'int', 0, 'ms', 'Wait after which THROTTLEDOP is answered; 0 is off.', {
    aliases: ['throttledOpWaitTime'],
  }),
  largeRequestMaxBytes: property('effective', 'int', 104_857_600, 'bytes', 'Sum of large requests in process.'),
  largeRequestThreshold: property('effective', 'int', -1, 'bytes', 'Size that counts as large; -1 is off.'),
  connection_throttle_tokens: property('effective', 'int', 0, 'tokens', 'Bucket for new sessions; 0 is off.', {
    aliases: ['connectionMaxTokens'],
  }),
  connection_throttle_fill_time: property('effective', 'int', 1, 'ms', 'Time between refills.', {
    aliases: ['connectionTokenFillTime'],
  }),
  connection_throttle_fill_count: property('effective', 'int', 1, 'tokens', 'Tokens per refill.', {
    aliases: ['connectionTokenFillCount'],
  }),
  connection_throttle_freeze_time: property('effective', 'int', -1, 'ms', 'How long a drop chance stands; -1 is off.', {
    aliases: ['connectionFreezeTime'],
  }),
  connection_throttle_drop_increase: property('effective', 'float', 0.02, '', 'Step up of the drop chance.', {
    aliases: ['connectionDropIncrease'],
    min: 0,
    max: 1,
  }),
  connection_throttle_drop_decrease: property('effective', 'float', 0.002, '', 'Step down of the drop chance.', {
    aliases: ['connectionDropDecrease'],
    min: 0,
    max: 1,
  }),
  connection_throttle_decrease_ratio: property('effective', 'float', 0, '', 'Free share of tokens for a step down.', {
    aliases: ['connectionDecreaseRatio'],
    min: 0,
    max: 1,
  }),
  connection_throttle_weight_enabled: property('effective', 'boolean', false, '', 'Tokens by kind of session.'),
  connection_throttle_global_session_weight: property('effective', 'int', 3, 'tokens', 'A global session.', { min: 1 }),
  connection_throttle_local_session_weight: property('later', 'int', 1, 'tokens', 'A local session.', { min: 1 }),
  connection_throttle_renew_session_weight: property('effective', 'int', 2, 'tokens', 'A renewed session.', { min: 1 }),
  'nio.sessionlessCnxnTimeout': property('effective', 'int', 10_000, 'ms', 'Time for a connection to ask for one.', {
    min: 1,
  }),
  clientTcpKeepAlive: property('effective', 'boolean', false, '', 'SO_KEEPALIVE on client connections.'),
  'pathStats.enabled': property('later', 'boolean', false, '', 'Log the busiest paths.'),
  'pathStats.slotCapacity': property('later', 'int', 60, 'slots', 'Slots kept.'),
  'pathStats.slotDuration': property('later', 'int', 15, 's', 'Length of a slot.'),
  'pathStats.maxDepth': property('later', 'int', 6, '', 'Depth to which paths are told apart.'),
  'pathStats.sampleRate': property('later', 'float', 0.1, '', 'Share of requests.'),
  'pathStats.initialDelay': property('later', 'int', 5, 'min', 'Time before the first report.'),
  'pathStats.delay': property('later', 'int', 5, 'min', 'Time between reports.'),
  'pathStats.topPathMax': property('later', 'int', 20, 'paths', 'Paths per report.'),
  'netty.server.outstandingHandshake.limit': property('later', 'int', -1, '', 'TLS handshakes at a time.', {
    aliases: ['outstandingHandshake.limit'],
  }),
  'netty.server.earlyDropSecureConnectionHandshakes': property('later', 'boolean', false, '', 'Drop TLS early.'),
} as const;

export const javaTuningKeys = {
  maxResponseCacheSize: property('jvm', 'int', 400, 'entries', 'Cache of serialised values.'),
  maxGetChildrenResponseCacheSize: property('jvm', 'int', 400, 'entries', 'Cache of serialised children.'),
  intBufferStartingSizeBytes: property('jvm', 'int', 1024, 'bytes', 'First size of a serialisation buffer.'),
  'nio.numSelectorThreads': property('jvm', 'int', 1, 'threads', 'Selectors.'),
  'nio.numWorkerThreads': property('jvm', 'int', 4, 'threads', 'Workers.'),
  'nio.directBufferBytes': property('jvm', 'int', 65_536, 'bytes', 'Direct buffer of a selector.'),
  'nio.shutdownTimeout': property('jvm', 'int', 5000, 'ms', 'Time for selectors to end.'),
  'commitProcessor.numWorkerThreads': property('jvm', 'int', 4, 'threads', 'Workers.'),
  'commitProcessor.shutdownTimeout': property('jvm', 'int', 5000, 'ms', 'Time for workers to end.'),
  'commitProcessor.maxReadBatchSize': property('jvm', 'int', -1, 'requests', 'Reads before commits.'),
  'commitProcessor.maxCommitBatchSize': property('jvm', 'int', 1, 'requests', 'Commits before reads.'),
  watchManagerName: property('jvm', 'text', '', '', 'Class that keeps watches.'),
  watcherCleanThreadsNum: property('jvm', 'int', 2, 'threads', 'Cleaners of dead watches.'),
  watcherCleanThreshold: property('jvm', 'int', 1000, 'watches', 'Dead watches that start a cleaning.'),
  watcherCleanIntervalInSeconds: property('jvm', 'int', 600, 's', 'Time between cleanings.'),
  maxInProcessingDeadWatchers: property('jvm', 'int', -1, 'watches', 'Dead watches in process.'),
  bitHashCacheSize: property('jvm', 'int', 10, 'entries', 'Cache of watch sets.'),
  serverCnxnFactory: property('jvm', 'text', '', '', 'Class that serves connections; both of them are served here.'),
  'netty.advancedFlowControl.enabled': property('jvm', 'boolean', false, '', 'Flow control of one of them.', {
    aliases: ['advancedFlowControlEnabled'],
  }),
  'jvm.pause.monitor': fileKey('jvm', 'boolean', false, '', 'Watch for pauses of the virtual machine.'),
  'jvm.pause.sleep.time.ms': fileKey('jvm', 'long', 500, 'ms', 'Time between probes.'),
  'jvm.pause.warn-threshold.ms': fileKey('jvm', 'long', 10_000, 'ms', 'A pause worth a warning.'),
  'jvm.pause.info-threshold.ms': fileKey('jvm', 'long', 1000, 'ms', 'A pause worth a line.'),
  'jmx.log4j.disable': property('jvm', 'text', '', '', 'JMX.'),
  'jmx.log4j.mbean': property('jvm', 'text', '', '', 'JMX.'),
  'log.dir': property('jvm', 'path', '', '', 'Directory of the log file.'),
  'log.file': property('jvm', 'text', '', '', 'Name of the log file.'),
  'log.threshold': property('jvm', 'text', '', '', 'Level of the log file.'),
  'log.maxfilesize': property('jvm', 'text', '256MB', '', 'Size at which the log file is rolled.'),
  'log.maxbackupindex': property('jvm', 'int', 20, 'files', 'Rolled log files kept.'),
  'tracelog.dir': property('jvm', 'path', '', '', 'Directory of the trace file.'),
  'tracelog.file': property('jvm', 'text', '', '', 'Name of the trace file.'),
  'console.threshold': property('jvm', 'text', '', '', 'Level of the console.'),
  'root.logger': property('jvm', 'text', '', '', 'Loggers of releases before 3.8.'),
  'auditlog.file': property('jvm', 'text', '', '', 'Name of the audit file.'),
  'auditlog.threshold': property('jvm', 'text', '', '', 'Level of the audit file.'),
  controllerPort: property('jvm', 'int', 0, '', 'Port of the controller service of the Java tests.', {
    aliases: ['-Dzookeeper.clientPortAddress'],
  }),
  httpVersion: bareProperty('httpVersion', 'jvm', 'int', 11, '', 'Version number that a Java HTTP server answers.'),
} as const;
