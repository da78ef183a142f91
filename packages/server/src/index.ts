/** @zoots/server: the Node shell. What the command line and the tests may use. */
export { type ConfigChapter, configChapters, configFamilies } from './config/config-chapters.js';
export {
  type ConfigSources,
  type LoadedConfig,
  loadServerConfig,
  type PropertyWord,
  parsePropertyWord,
  serverConfigOf,
} from './config/config-load.js';
export type { ConfigRow } from './config/config-row.js';
export { ConfigError, type ConfigNotice } from './config/config-settings.js';
export { type PropertyEntry, parseProperties } from './config/properties-file.js';
export * from './config/server-config.js';
export { openDataDirectories } from './data-directories.js';
export { NodeDisk } from './disk/node-disk.js';
export { nodeGzip } from './disk/node-gzip.js';
export * from './exit-codes.js';
export * from './log/logger.js';
export { type OperateOptions, operateServer } from './operate.js';
export * from './running-server.js';
export * from './version.js';
