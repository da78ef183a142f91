/**
 * A 64-bit integer that many processes add to.
 *
 *     const sent = new AtomicLong(zk, '/stats/sent');
 *     const { after } = await sent.add(10n);
 *     console.log(after.value); // a bigint
 *
 * Guaranteed and when things fail: as for {@link AtomicValue}, which it is made of. Sums wrap around at 2⁶³, as in Java.
 *
 * Layout: 8 bytes, big-endian, two's complement; no data or no znode is 0. The same as Curator's DistributedAtomicLong.
 */
import type { CallOptions, Codec, Namespace } from '@zoots/client';
import { type AtomicChange, AtomicValue, type AtomicValueOptions } from './atomic-value.js';

/** Throws if the znode holds something else than 8 bytes or nothing. */
export function int64(path: string): Codec<bigint> {
  return {
    encode(value) {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(BigInt.asIntN(64, value));
      return bytes;
    },
    decode(data) {
      if (data === null || data.length === 0) return 0n;
      if (data.length !== 8) throw new Error(`${path} holds ${data.length} bytes, and a 64-bit integer has 8`);
      return data.readBigInt64BE();
    },
  };
}

export class AtomicLong extends AtomicValue<bigint> {
  constructor(zk: Namespace, path: string, options?: AtomicValueOptions) {
    super(zk, path, int64(path), 0n, options);
  }

  add(delta: bigint | number, options?: CallOptions): Promise<AtomicChange<bigint>> {
    const step = BigInt(delta);
    return this.update((value) => BigInt.asIntN(64, value + step), options);
  }

  increment(options?: CallOptions): Promise<AtomicChange<bigint>> {
    return this.add(1n, options);
  }

  decrement(options?: CallOptions): Promise<AtomicChange<bigint>> {
    return this.add(-1n, options);
  }
}
