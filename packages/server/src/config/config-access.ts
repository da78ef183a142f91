/** The part of the configuration that is about authentication: hash, schemes, enforcement. */
import { getHashes } from 'node:crypto';
import { ConfigError, type Values } from './config-settings.js';
import type { EnforceAuthConfig, ServerConfig } from './server-config.js';

/** Java's names of hashes are node:crypto's in lower case without the first hyphen: SHA-512/256 is sha512-256. */
export function digestAlgorithmOf(values: Values): Pick<ServerConfig, 'digestAlg' | 'digestHash'> {
  const digestAlg = values.get('DigestAuthenticationProvider.digestAlg');
  const lower = digestAlg.toLowerCase().replace('/', '-');
  const digestHash = lower === 'sha' ? 'sha1' : lower.replace(/^sha-/, 'sha');
  if (!getHashes().includes(digestHash)) {
    const place = values.placeOf('DigestAuthenticationProvider.digestAlg');
    throw new ConfigError(`${place}: no hash is named "${digestAlg}"`);
  }
  return { digestAlg, digestHash };
}

/** Scheme that each class of an authProvider line brings. */
const schemeOfProvider: Readonly<Record<string, string>> = {
  'org.apache.zookeeper.server.auth.DigestAuthenticationProvider': 'digest',
  'org.apache.zookeeper.server.auth.IPAuthenticationProvider': 'ip',
  'org.apache.zookeeper.server.auth.SASLAuthenticationProvider': 'sasl',
  'org.apache.zookeeper.server.auth.X509AuthenticationProvider': 'x509',
  'org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider': 'ensemble',
};

const schemesOfThisVersion = new Set(['digest', 'ip']);

export function enforceAuthOf(values: Values): EnforceAuthConfig {
  const available = availableSchemes(values);
  if (values.get('sessionRequireClientSASLAuth')) return { enabled: true, schemes: ['sasl'] };
  const enabled = values.get('enforce.auth.enabled');
  const schemes = values.get('enforce.auth.schemes') ?? [];
  if (!enabled) return { enabled, schemes };
  if (schemes.length === 0) {
    throw new ConfigError(`${values.placeOf('enforce.auth.enabled')}: enforce.auth.schemes must be set too`);
  }
  for (const scheme of schemes) {
    if (available.has(scheme)) continue;
    throw new ConfigError(`${values.placeOf('enforce.auth.schemes')}: there is no scheme "${scheme}"`);
  }
  return { enabled, schemes };
}

/** Schemes that exist by default and by authProvider lines, with a notice for those that do nothing yet. */
function availableSchemes(values: Values): ReadonlySet<string> {
  const schemes = new Set(['ip']);
  if (values.get('DigestAuthenticationProvider.enabled')) schemes.add('digest');
  for (const key of values.keys) {
    if (!key.startsWith('authProvider.')) continue;
    const name = values.text(key) as string;
    const scheme = schemeOfProvider[name];
    if (scheme === undefined) {
      values.warn('unknown class of an authentication provider: ignored', { place: values.placeOf(key), name });
      continue;
    }
    schemes.add(scheme);
    if (!schemesOfThisVersion.has(scheme)) {
      values.warn('this authentication scheme is for a later version: nobody can use it yet', {
        place: values.placeOf(key),
        scheme,
      });
    }
  }
  return schemes;
}
