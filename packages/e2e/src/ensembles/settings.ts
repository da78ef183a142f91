/** How every member of these ensembles is configured. */
import { superDigest } from './judge.js';

/** Short ticks: a server that says nothing is given up after syncLimit of them. */
const config = {
  tickTime: '400',
  initLimit: '25',
  syncLimit: '8',
  maxSessionTimeout: '60000',
};

const properties = {
  'zookeeper.DigestAuthenticationProvider.superDigest': superDigest,
  'zookeeper.extendedTypesEnabled': 'true',
  'znode.container.checkIntervalMs': '500',
  // In KB: a log of 64 MB per start would make the disk the slowest part.
  'zookeeper.preAllocSize': '64',
  // Processes are killed here, machines are not.
  'zookeeper.forceSync': 'no',
};

/** They say how a server is brought up to date, and why it looks for a leader. */
const loggers = {
  'org.apache.zookeeper.server.quorum': 'INFO',
};

export const ensembleOptions = { config, properties, loggers };
