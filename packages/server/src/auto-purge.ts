/**
 * autopurge: at the start and then every so often, snapshots beyond the newest `snapRetainCount` go, and the logs that only
 * they needed. Off with an interval of 0.
 */
import { type Logger, logLevels } from '@zoots/base';
import { type Disk, purge } from '@zoots/storage';
import type { ServerConfig } from './config/server-config.js';

/** Node's timers cannot wait longer than this. */
const WAIT_MS_MAX = 2 ** 31 - 1;

/** Starts purging; the returned function ends it. */
export function startAutoPurge(config: ServerConfig, disk: Disk, logger: Logger): () => void {
  const { purgeIntervalMs, snapRetainCount } = config.autopurge;
  if (purgeIntervalMs <= 0) return () => {};
  const options = {
    snapshotDirectory: `${config.dataDir}/version-2`,
    logDirectory: `${config.dataLogDir}/version-2`,
    keepCount: snapRetainCount,
  };
  const run = (): void => {
    purge(disk, options, (error, removed) => {
      if (error !== null) logger.log(logLevels.warn, 'purge failed', { reason: error.message });
      else logger.log(logLevels.info, 'purged', { fileCount: removed.length, files: removed.join(' ') });
    });
  };
  run();
  const timer = setInterval(run, Math.min(purgeIntervalMs, WAIT_MS_MAX));
  timer.unref();
  return () => clearInterval(timer);
}
