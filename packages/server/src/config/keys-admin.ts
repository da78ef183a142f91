/** Configuration rows: the HTTP admin server, metrics (both later), and what only clients read. */
import { fileKey, property } from './config-row.js';

export const adminKeys = {
  'admin.enableServer': property('later', 'boolean', true, '', 'The admin server runs.'),
  'admin.serverAddress': property('later', 'text', '0.0.0.0', '', 'Its address.'),
  'admin.serverPort': property('later', 'port', 8080, '', 'Its port.'),
  'admin.idleTimeout': property('later', 'int', 30_000, 'ms', 'Idle connections are closed after this.'),
  'admin.commandURL': property('later', 'text', '/commands', '', 'Base path of the commands.'),
  'admin.httpVersion': property('jvm', 'int', 11, '', 'Version number that a Java HTTP server answers.'),
  'admin.portUnification': property('later', 'boolean', false, '', 'HTTP and HTTPS on one port.'),
  'admin.forceHttps': property('later', 'boolean', false, '', 'HTTPS only.'),
  'admin.needClientAuth': property('later', 'boolean', false, '', 'Clients need a certificate.'),
  'admin.rateLimiterIntervalInMS': property('later', 'int', 300_000, 'ms', 'Least time between snapshots or restores.'),
  'admin.snapshot.enabled': property('later', 'boolean', true, '', 'The snapshot command exists.'),
  'admin.restore.enabled': property('later', 'boolean', true, '', 'The restore command exists.'),
  'metricsProvider.className': fileKey(
    'later',
    'text',
    'org.apache.zookeeper.metrics.impl.DefaultMetricsProvider',
    '',
    'Class that keeps metrics: the default, null or Prometheus one.',
  ),
} as const;

export const clientKeys = {
  'sasl.client': property('client', 'boolean', true, '', 'Use SASL.'),
  'sasl.clientconfig': property('client', 'text', 'Client', '', 'JAAS section.'),
  'sasl.client.username': property('client', 'text', 'zookeeper', '', "Primary of the server's principal."),
  'sasl.client.canonicalize.hostname': property('client', 'boolean', true, '', 'Canonical host name.'),
  'sasl.client.allowReverseDnsLookup': property('client', 'boolean', false, '', 'By reverse look-up.'),
  'server.principal': property('client', 'text', null, '', "The server's principal.", { aliases: [] }),
  'server.realm': property('client', 'text', null, '', "The server's realm."),
  disableAutoWatchReset: property('client', 'boolean', false, '', 'Do not set watches again.'),
  clientCnxnSocket: property('client', 'text', '', '', 'Class that connects.'),
  'client.secure': property('client', 'boolean', false, '', 'TLS.'),
  'request.timeout': property('client', 'int', 0, 'ms', 'Longest wait for an answer.'),
  shuffleDnsResponse: property('client', 'boolean', false, '', 'Random choice among addresses.'),
  'hostProvider.dnsSrvRefreshIntervalSeconds': property('client', 'int', 60, 's', 'Time between SRV look-ups.'),
} as const;

/** Families of keys with a free part, tried in order after the exact names. */
export interface KeyFamily {
  readonly pattern: RegExp;
  readonly sort: 'file key' | 'property';
  readonly kind: 'effective' | 'later' | 'jvm' | 'client';
  readonly doc: string;
}

export const keyFamilies: readonly KeyFamily[] = [
  { pattern: /^server\.-?\d+$/, sort: 'file key', kind: 'effective', doc: 'A server of the ensemble.' },
  { pattern: /^group\.?.*$/, sort: 'file key', kind: 'effective', doc: 'Servers of a hierarchical group.' },
  { pattern: /^weight\.?.*$/, sort: 'file key', kind: 'effective', doc: "Weight of a server's vote." },
  { pattern: /^metricsProvider\..+$/, sort: 'file key', kind: 'later', doc: 'Handed to the metrics provider.' },
  { pattern: /^authProvider\..+$/, sort: 'property', kind: 'effective', doc: 'Class of an authentication scheme.' },
  { pattern: /^superUser\..+$/, sort: 'property', kind: 'later', doc: 'SASL user with super rights.' },
];
