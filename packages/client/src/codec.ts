/** Typed data of znodes: how a value becomes bytes, and back. */

export interface Codec<T> {
  encode(value: T): Uint8Array | null;
  /** May throw, which rejects the call that read. `data` is null where the znode holds null. */
  decode(data: Buffer | null): T;
}

/** JSON in UTF-8. `check` may validate or transform what was parsed; without it the type is a promise of yours. */
export function json<T>(check?: (value: unknown) => T): Codec<T> {
  return {
    encode: (value) => Buffer.from(JSON.stringify(value), 'utf8'),
    decode: (data) => {
      const value: unknown = data === null ? null : JSON.parse(data.toString('utf8'));
      return check === undefined ? (value as T) : check(value);
    },
  };
}

/** Text in UTF-8; null data is the empty text. */
export function text(): Codec<string> {
  return {
    encode: (value) => Buffer.from(value, 'utf8'),
    decode: (data) => data?.toString('utf8') ?? '',
  };
}

/** The bytes as they are. */
export function raw(): Codec<Uint8Array | null> {
  return { encode: (value) => value, decode: (data) => data };
}
