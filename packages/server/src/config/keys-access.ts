/** Configuration rows: authentication, ACLs, audit, TLS. */
import { bareProperty, type ConfigRow, property } from './config-row.js';

export const accessKeys = {
  skipACL: property('effective', 'no unless yes', false, '', 'yes: no ACL is ever checked.'),
  'DigestAuthenticationProvider.enabled': property('effective', 'boolean', true, '', 'The digest scheme exists.'),
  'DigestAuthenticationProvider.superDigest': property(
    'effective',
    'text',
    null,
    '',
    'super:digest of the super user.',
  ),
  'DigestAuthenticationProvider.digestAlg': property('effective', 'text', 'SHA1', '', 'Hash of the digest scheme.'),
  'enforce.auth.enabled': property('effective', 'boolean', false, '', 'Sessions must identify themselves.'),
  'enforce.auth.schemes': property('effective', 'list', null, '', 'By one of these schemes.'),
  sessionRequireClientSASLAuth: property('effective', 'boolean', false, '', 'As enforcing the scheme sasl.'),
  'audit.enable': property('later', 'boolean', false, '', 'Write an audit log.'),
  'audit.impl.class': property('jvm', 'text', '', '', 'Class that writes it.'),
  enableEagerACLCheck: property('later', 'boolean', false, '', 'A learner checks ACLs before it forwards a request.'),
  'IPAuthenticationProvider.usexforwardedfor': property('later', 'boolean', false, '', 'HTTP: X-Forwarded-For counts.'),
  'X509AuthenticationProvider.superUser': property('later', 'text', null, '', 'Distinguished name of the super user.'),
  superUser: property('later', 'text', null, '', 'SASL user with super rights.'),
  ensembleAuthName: property('later', 'list', null, '', 'Names that the scheme ensemble accepts.'),
  allowSaslFailedClients: property('later', 'boolean', false, '', 'Keep a connection after a failed SASL exchange.'),
  'sasl.serverconfig': property('later', 'text', 'Server', '', 'JAAS section of the server.'),
  'SASLAuthenticationProvider.superPassword': property('later', 'text', null, '', 'DIGEST-MD5 password of super.'),
  letAnySaslUserDoX: property('later', 'text', null, '', 'ACL id that every SASL user matches.'),
  'kerberos.removeHostFromPrincipal': property('later', 'boolean', false, '', 'Kerberos names without host.'),
  'kerberos.removeRealmFromPrincipal': property('later', 'boolean', false, '', 'Kerberos names without realm.'),
  'kerberos.canonicalizeHostNames': property('later', 'boolean', false, '', 'Canonical host names between servers.'),
  'kerberos.minReLoginTimeMs': property('later', 'int', 60_000, 'ms', 'Least time between log-ins.'),
  'security.auth_to_local': property('later', 'text', 'DEFAULT', '', 'Rules that shorten Kerberos names.'),
  requireKerberosConfig: property('jvm', 'text', '', '', 'Fail without a krb5 configuration.'),
  kinit: property('later', 'path', '/usr/bin/kinit', '', 'Program that renews tickets.'),
  'java.security.auth.login.config': bareProperty(
    'java.security.auth.login.config',
    'later',
    'path',
    null,
    '',
    'JAAS file with the log-in sections.',
  ),
  'fips-mode': property('later', 'boolean', true, '', 'Only what FIPS allows.'),
} as const;

/** `ssl.` for clients and the metrics page, `ssl.quorum.` between servers: the same suffixes. */
const tlsSuffixes: readonly (readonly [suffix: string, doc: string])[] = [
  ['keyStore.location', 'File with key and certificate.'],
  ['keyStore.password', 'Its password.'],
  ['keyStore.passwordPath', 'File with its password; wins over the password.'],
  ['keyStore.type', 'JKS, PEM, PKCS12 or BCFKS; by the file name unless set.'],
  ['trustStore.location', 'File with the certificates to trust.'],
  ['trustStore.password', 'Its password.'],
  ['trustStore.passwordPath', 'File with its password; wins over the password.'],
  ['trustStore.type', 'JKS, PEM, PKCS12 or BCFKS; by the file name unless set.'],
  ['protocol', 'Protocol of the context.'],
  ['enabledProtocols', 'Protocols that are offered.'],
  ['ciphersuites', 'Cipher suites, by their Java names.'],
  ['context.supplier.class', 'Class that makes the context.'],
  ['hostnameVerification', 'Check the name of the other side.'],
  ['clientHostnameVerification', "Check a client's name too."],
  ['allowReverseDnsLookup', 'Reverse look-up in that check.'],
  ['crl', 'Check revocation lists.'],
  ['ocsp', 'Ask for revocation.'],
  ['clientAuth', 'Whether clients need a certificate: none, want or need.'],
  ['handshakeDetectionTimeoutMillis', 'Time to tell TLS from plain.'],
];

const tlsRows: Record<string, ConfigRow<string | null>> = {};
for (const prefix of ['ssl.', 'ssl.quorum.']) {
  for (const [suffix, doc] of tlsSuffixes) tlsRows[prefix + suffix] = property('later', 'text', null, '', doc);
}

export const tlsKeys: Readonly<Record<string, ConfigRow<unknown>>> = {
  ...tlsRows,
  'ssl.authProvider': property('later', 'text', 'x509', '', 'Scheme of TLS clients.'),
  'ssl.sslProvider': property('jvm', 'text', 'JDK', '', 'Implementation of TLS.'),
  'client.certReload': property('later', 'boolean', false, '', 'Reload certificates when their files change.'),
  'client.portUnification': property('later', 'boolean', false, '', 'clientPort takes TLS and plain.'),
  'jdk.tls.rejectClientInitiatedRenegotiation': bareProperty(
    'jdk.tls.rejectClientInitiatedRenegotiation',
    'jvm',
    'boolean',
    true,
    '',
    'No renegotiation.',
  ),
};
