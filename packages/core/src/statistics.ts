/** Counters for people and monitoring: flat numbers, bumped on the data path and read by four letter words when asked. */

import { DIGEST_LOG_INTERVAL, DIGEST_LOG_MAX } from './limits.js';
import type { Connection } from './session/connection.js';
import type { DigestSum } from './tree/digest.js';

export interface DigestLogEntry {
  readonly zxid: number;
  readonly high: number;
  readonly low: number;
}

export class Statistics {
  packetsReceived = 0;
  packetsSent = 0;
  bytesReceived = 0;
  requestCount = 0;
  totalLatencyMs = 0;
  minLatencyMs = -1;
  maxLatencyMs = 0;
  connectionsRejected = 0;
  connectionsThrottled = 0;
  syncCount = 0;
  totalSyncMs = 0;
  minSyncMs = -1;
  maxSyncMs = 0;
  sessionsExpired = 0;
  digestMismatches = 0;
  largeRequestsRejected = 0;
  readonly digestLog: DigestLogEntry[] = [];

  onAnswered(
    connection: Connection,
    operation: string,
    xid: number,
    zxid: number,
    nowMs: number,
    receivedMs: number,
  ): void {
    const latencyMs = nowMs - receivedMs;
    this.requestCount++;
    this.totalLatencyMs += latencyMs;
    if (latencyMs > this.maxLatencyMs) this.maxLatencyMs = latencyMs;
    if (this.minLatencyMs < 0 || latencyMs < this.minLatencyMs) this.minLatencyMs = latencyMs;
    connection.requestCount++;
    connection.totalLatencyMs += latencyMs;
    if (latencyMs > connection.maxLatencyMs) connection.maxLatencyMs = latencyMs;
    if (connection.minLatencyMs < 0 || latencyMs < connection.minLatencyMs) connection.minLatencyMs = latencyMs;
    connection.lastOperation = operation;
    // Pings and watch requests do not hide the client's last real operation.
    if (xid >= 0) connection.lastCxid = xid;
    connection.lastZxid = zxid;
    connection.lastResponseMs = nowMs;
    connection.lastLatencyMs = latencyMs;
  }

  /** A log batch is durable. */
  onSynced(tookMs: number): void {
    this.syncCount++;
    this.totalSyncMs += tookMs;
    if (tookMs > this.maxSyncMs) this.maxSyncMs = tookMs;
    if (this.minSyncMs < 0 || tookMs < this.minSyncMs) this.minSyncMs = tookMs;
  }

  onCommitted(zxid: number, digest: DigestSum): void {
    if (zxid % DIGEST_LOG_INTERVAL !== 0) return;
    this.digestLog.push({ zxid, high: digest.high, low: digest.low });
    if (this.digestLog.length > DIGEST_LOG_MAX) this.digestLog.shift();
  }

  /** srst */
  reset(): void {
    this.packetsReceived = 0;
    this.packetsSent = 0;
    this.bytesReceived = 0;
    this.requestCount = 0;
    this.totalLatencyMs = 0;
    this.minLatencyMs = -1;
    this.maxLatencyMs = 0;
  }
}
