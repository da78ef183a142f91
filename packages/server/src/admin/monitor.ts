/**
 * The values of `mntr`, under Apache's names. What Apache measures about its threads and queues has no counterpart in one
 * event loop and is left out rather than shown as zero.
 */
import { fullVersion } from '../version.js';
import { ensembleValues, modeOf, stateValues } from './ensemble-words.js';
import { fileDescriptors } from './host-facts.js';
import { javaDouble, type WordContext } from './word-context.js';

export function monitorValues(context: WordContext): (readonly [string, string])[] {
  const { server } = context;
  const { statistics, tree, watches } = server;
  const meanMs = statistics.requestCount === 0 ? 0 : statistics.totalLatencyMs / statistics.requestCount;
  const descriptors = fileDescriptors();
  const localCount = localSessionCount(context);
  const values: (readonly [string, string | number])[] = [
    ['version', fullVersion],
    ['server_state', modeOf(server)],
    ...stateValues(context),
    ['avg_latency', javaDouble(meanMs)],
    ['min_latency', Math.max(statistics.minLatencyMs, 0)],
    ['max_latency', statistics.maxLatencyMs],
    ['packets_received', statistics.packetsReceived],
    ['packets_sent', statistics.packetsSent],
    ['num_alive_connections', server.connections.size],
    ['outstanding_requests', server.outstandingRequests],
    ['znode_count', tree.nodeCount],
    ['watch_count', watches.dataCount],
    ['ephemerals_count', tree.ephemerals.count],
    ['approximate_data_size', tree.store.dataBytes + tree.store.pathBytes],
    ['global_sessions', server.sessions.count - localCount],
    ['local_sessions', localCount],
    ['uptime', Math.max(Math.floor(performance.now()) - context.startedMs, 0)],
    ...(descriptors === null
      ? []
      : ([
          ['open_file_descriptor_count', descriptors.open],
          ['max_file_descriptor_count', descriptors.max],
        ] as const)),
    ['bytes_received_count', statistics.bytesReceived],
    ['connection_rejected', statistics.connectionsRejected],
    ['stale_sessions_expired', statistics.sessionsExpired],
    ['large_requests_rejected', statistics.largeRequestsRejected],
    ['digest_mismatches_count', statistics.digestMismatches],
    ['connection_drop_count', statistics.connectionsThrottled],
    ['connection_drop_probability', javaDouble(server.dropProbability)],
    ...summary('fsynctime', statistics.totalSyncMs, statistics.syncCount, statistics.minSyncMs, statistics.maxSyncMs),
    ['snapshot_error_count', server.snapshotter.failedCount],
    ...ensembleValues(context),
  ];
  return values.map(([key, value]) => [key, String(value)]);
}

/** A summary as Apache's default provider prints one. */
function summary(name: string, total: number, count: number, min: number, max: number): [string, string | number][] {
  return [
    [`avg_${name}`, javaDouble(count === 0 ? 0 : total / count)],
    [`min_${name}`, Math.max(min, 0)],
    [`max_${name}`, max],
    [`cnt_${name}`, count],
    [`sum_${name}`, total],
  ];
}

function localSessionCount({ server, config }: WordContext): number {
  if (config.ensemble === null) return 0;
  let count = 0;
  for (const { isLocal } of server.sessions.all()) if (isLocal) count++;
  return count;
}
