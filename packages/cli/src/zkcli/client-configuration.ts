/**
 * The file of `-client-configuration`, and `-D` words in CLIENT_JVMFLAGS and JVMFLAGS: properties of Apache's client. Those about
 * TLS and the request timeout are in effect; others are accepted silently, as they are of the Java client.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { ClientOptions } from '@zoots/client';
import { parseProperties } from '@zoots/server';

export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

/** Key and trust stores that Node reads, by their ending; JKS is Java's own. */
const STORE_KINDS: Readonly<Record<string, 'pem' | 'pkcs12'>> = {
  pem: 'pem',
  crt: 'pem',
  p12: 'pkcs12',
  pfx: 'pkcs12',
};

/** `file`: null without one. Its keys win over `-D` words. Throws {@link ConfigurationError}. */
export function clientOptions(file: string | null, jvmWords: string): ClientOptions {
  const properties = new Map<string, string>();
  for (const [, key, value] of jvmWords.matchAll(/-D(zookeeper\.[^=\s]+)=(\S*)/g)) {
    properties.set(key as string, value as string);
  }
  if (file !== null) for (const { key, value } of readFile(file)) properties.set(key, value);
  const requestTimeoutMs = Number(properties.get('zookeeper.request.timeout') ?? 0);
  return {
    ...(requestTimeoutMs > 0 ? { requestTimeoutMs } : {}),
    ...(properties.get('zookeeper.client.secure') === 'true' ? { tls: tlsOptions(properties) } : {}),
  };
}

function readFile(file: string): ReturnType<typeof parseProperties> {
  if (!existsSync(file)) throw new ConfigurationError(`Error while processing ${file}: the file is missing`);
  try {
    return parseProperties(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ConfigurationError(`Error while processing ${file}: ${(error as Error).message}`);
  }
}

function tlsOptions(properties: ReadonlyMap<string, string>): NonNullable<ClientOptions['tls']> {
  const keyStore = readStore(properties, 'keyStore');
  const trustStore = readStore(properties, 'trustStore');
  const verifiesHost = properties.get('zookeeper.ssl.hostnameVerification') !== 'false';
  return {
    ...(keyStore?.kind === 'pem' ? { cert: keyStore.bytes, key: keyStore.bytes } : {}),
    ...(keyStore?.kind === 'pkcs12' ? { pfx: keyStore.bytes } : {}),
    ...(keyStore === null ? {} : { passphrase: keyStore.password }),
    ...(trustStore === null ? {} : { ca: trustStore.bytes }),
    ...(verifiesHost ? {} : { checkServerIdentity: () => undefined }),
  };
}

function readStore(properties: ReadonlyMap<string, string>, name: 'keyStore' | 'trustStore') {
  const location = properties.get(`zookeeper.ssl.${name}.location`);
  if (location === undefined) return null;
  const type = properties.get(`zookeeper.ssl.${name}.type`)?.toLowerCase();
  const ending = location.slice(location.lastIndexOf('.') + 1).toLowerCase();
  const kind = type === 'pem' || type === 'pkcs12' ? type : STORE_KINDS[ending];
  if (kind === undefined || (kind === 'pkcs12' && name === 'trustStore')) {
    throw new ConfigurationError(
      `${location}: a ${name} must be ${name === 'keyStore' ? 'PEM or PKCS12' : 'PEM'} here; keytool -exportcert -rfc writes PEM`,
    );
  }
  if (!existsSync(location))
    throw new ConfigurationError(`zookeeper.ssl.${name}.location: there is no file ${location}`);
  const password = passwordOf(properties, name);
  return { kind, bytes: readFileSync(location), password };
}

function passwordOf(properties: ReadonlyMap<string, string>, name: string): string {
  const path = properties.get(`zookeeper.ssl.${name}.passwordPath`);
  if (path !== undefined && existsSync(path)) return readFileSync(path, 'utf8').trim();
  return properties.get(`zookeeper.ssl.${name}.password`) ?? '';
}
