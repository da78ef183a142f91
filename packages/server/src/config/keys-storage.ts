/** Configuration rows: logs, snapshots, and what is stored in znodes; the unsafe ones too. */
import { bareProperty, fileKey, property } from './config-row.js';

export const storageKeys = {
  'autopurge.snapRetainCount': fileKey('effective', 'int', 3, 'snapshots', 'Snapshots that a purge keeps.', {
    floor: 3,
  }),
  /** A bare number is hours; the suffixes ms, s, m, h, d are those of Apache's next release. */
  'autopurge.purgeInterval': fileKey('effective', 'text', '0', 'hours', 'Time between purges; 0 is off.'),
  snapCount: property('effective', 'int', 100_000, 'txns', 'Txns between snapshots, a random half to all of it.', {
    floor: 2,
  }),
  snapSizeLimitInKb: property('effective', 'long', 4_194_304, 'KiB', 'Log between snapshots; 0 is no such limit.'),
  txnLogSizeLimitInKb: property('effective', 'long', -1, 'KiB', 'Size at which a new log begins; -1 is off.'),
  preAllocSize: property('effective', 'int', 65_536, 'KiB', 'Block by which a log file grows; 0 is off.'),
  'fsync.warningthresholdms': property('effective', 'long', 1000, 'ms', 'A sync that takes longer is logged.', {
    aliases: ['-Dfsync.warningthresholdms'],
  }),
  'snapshot.compression.method': property('effective', 'text', '', '', 'gz or snappy; anything else is none.'),
  'snapshot.trust.empty': property('effective', 'boolean', false, '', 'Start from logs without any snapshot.'),
  /** Ours alone: the way out that recovery names when log files are missing in the middle. */
  'zoots.recovery.allowGaps': bareProperty(
    'zoots.recovery.allowGaps',
    'effective',
    'boolean',
    false,
    '',
    'Start although txns are missing between the logs; for one start, after reading what the refusal says.',
  ),
  'datadir.autocreate': property('effective', 'boolean', true, '', 'Make missing directories.'),
  'db.autocreate': property('effective', 'boolean', true, '', 'An empty data directory is a database.'),
  'serializeLastProcessedZxid.enabled': property('effective', 'boolean', true, '', 'Snapshots end with their zxid.'),
  'digest.enabled': property('effective', 'boolean', true, '', 'Keep and store a digest of the tree.'),
  'closeSessionTxn.enabled': property('effective', 'boolean', true, '', 'The end of a session lists its znodes.'),
  extendedTypesEnabled: property('effective', 'boolean', false, '', 'TTL znodes.'),
  emulate353TTLNodes: property('effective', 'boolean', false, '', 'TTL znodes in the encoding of 3.5.3.'),
  'znode.container.checkIntervalMs': bareProperty(
    'znode.container.checkIntervalMs',
    'effective',
    'int',
    60_000,
    'ms',
    'Time between searches for empty containers and expired znodes.',
    { min: 1 },
  ),
  'znode.container.maxPerMinute': bareProperty(
    'znode.container.maxPerMinute',
    'effective',
    'int',
    10_000,
    'znodes',
    'How many of them go in a minute.',
    { min: 1 },
  ),
  'znode.container.maxNeverUsedIntervalMs': bareProperty(
    'znode.container.maxNeverUsedIntervalMs',
    'effective',
    'long',
    0,
    'ms',
    'Age at which a container that never had a child goes; 0 is never.',
  ),
  forceSync: property('effective', 'yes unless no', true, '', 'Sync the log before answering; no is unsafe.'),
  'readonlymode.enabled': bareProperty(
    'readonlymode.enabled',
    'effective',
    'boolean',
    false,
    '',
    'Serve reads without a quorum; stand-alone it only lets isro through.',
  ),
  'jute.maxbuffer': bareProperty(
    'jute.maxbuffer',
    'effective',
    'int',
    1_048_575,
    'bytes',
    'Longest request and longest value.',
    { min: 1 },
  ),
  'jute.maxbuffer.extrasize': property(
    'effective',
    'int',
    null,
    'bytes',
    'What a record on disk may be longer; jute.maxbuffer unless set.',
    { floor: 1024 },
  ),
} as const;
