/**
 * One instance of a service, and the JSON it is stored as: that of Curator's x-discovery.
 *
 *     {"name":"mail","id":"…","address":"10.0.0.7","port":8080,"sslPort":null,"payload":null,
 *      "registrationTimeUTC":1700000000000,"serviceType":"DYNAMIC","uriSpec":null,"enabled":true}
 *
 * A payload that a Java program reads as a class of its own needs that class's name in the property `@class`. Unknown properties
 * are ignored on both sides.
 */
import type { Codec } from '@zoots/client';

/**
 * - `DYNAMIC`: goes with its session (the default).
 * - `STATIC`: stays until it is unregistered, also after its process has ended.
 * - `PERMANENT`: as STATIC; here it is not deleted when the registration is closed either.
 */
export type ServiceType = 'DYNAMIC' | 'STATIC' | 'PERMANENT';

/** Parts of an address to be put together: texts, and names of variables: `scheme`, `address`, `port` … */
export interface UriSpec {
  readonly parts: readonly { readonly value: string; readonly variable: boolean }[];
}

export interface ServiceInstance<P = unknown> {
  readonly name: string;
  /** Unique among the instances of the service. */
  readonly id: string;
  readonly address: string | null;
  readonly port: number | null;
  readonly sslPort: number | null;
  readonly payload: P | null;
  /** Milliseconds since 1970. */
  readonly registrationTimeUTC: number;
  /** Of Curator there is DYNAMIC_SEQUENTIAL, too: its instances are read, but not registered. */
  readonly serviceType: ServiceType | 'DYNAMIC_SEQUENTIAL';
  readonly uriSpec: UriSpec | null;
  /** Providers leave out instances that are not. */
  readonly enabled: boolean;
}

/** Throws if the bytes are no JSON object with name and id. */
export function instanceCodec<P>(): Codec<ServiceInstance<P>> {
  return {
    encode: (instance) => Buffer.from(JSON.stringify(instance)),
    decode(data) {
      const found = JSON.parse(data?.toString() ?? '') as Partial<ServiceInstance<P>>;
      if (typeof found?.name !== 'string' || typeof found.id !== 'string') {
        throw new Error('not a service instance: name and id are missing');
      }
      const { name, id, address = null, port = null, sslPort = null, payload = null, uriSpec = null } = found;
      const { registrationTimeUTC = 0, serviceType = 'DYNAMIC', enabled = true } = found;
      return { name, id, address, port, sslPort, payload, registrationTimeUTC, serviceType, uriSpec, enabled };
    },
  };
}

/** `{scheme}://{address}:{port}` as parts. */
export function parseUriSpec(text: string): UriSpec {
  const parts = text.split(/(\{[^{}]*\})/).filter((part) => part !== '');
  return {
    parts: parts.map((part) => {
      const [, variable] = /^\{([^{}]*)\}$/.exec(part) ?? [];
      if (variable !== undefined) return { value: variable.trim(), variable: true };
      if (/[{}]/.test(part)) throw new Error(`"${text}": every { needs its }, and none may be inside another`);
      return { value: part, variable: false };
    }),
  };
}

/** The address that an instance's uriSpec describes; null if it has none. Variables that are not known are left empty. */
export function uriOf(
  instance: ServiceInstance,
  variables: Readonly<Record<string, string | number>> = {},
): string | null {
  const { uriSpec, serviceType, registrationTimeUTC, sslPort } = instance;
  if (uriSpec === null) return null;
  const known: Readonly<Record<string, string | number | null>> = {
    '[': '{',
    ']': '}',
    scheme: sslPort === null ? 'http' : 'https',
    name: instance.name,
    id: instance.id,
    address: instance.address,
    port: instance.port,
    'ssl-port': sslPort,
    'registration-time-utc': registrationTimeUTC,
    'service-type': serviceType.toLowerCase(),
    ...variables,
  };
  return uriSpec.parts.map(({ value, variable }) => (variable ? String(known[value] ?? '') : value)).join('');
}
