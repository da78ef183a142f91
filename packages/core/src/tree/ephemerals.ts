/** Who owns which ephemeral znodes, and which znodes are containers or have a time to live. */
import { Int64Map } from '@zoots/base';

/** ephemeralOwner of a container, and the marks of TTL owners. */
export const CONTAINER_OWNER_HIGH = 0x80000000 | 0;
const TTL_MARK = 0xff;
/** Largest ttl: 40 bits of milliseconds. */
export const TTL_MS_MAX = 0xffffffffff;

export type OwnerKind = 'none' | 'session' | 'container' | 'ttl';

/** How owners are read: TTL owners count only with extended types on, as in Apache. */
export interface OwnerRules {
  readonly extendedTypesEnabled: boolean;
  readonly emulate353TtlNodes: boolean;
}

/** What the 64-bit ephemeralOwner says about a znode. */
export function ownerKind(high: number, low: number, rules: OwnerRules): OwnerKind {
  if (high === 0 && low === 0) return 'none';
  if (high === CONTAINER_OWNER_HIGH && low === 0) return 'container';
  if (rules.extendedTypesEnabled && high >>> 24 === TTL_MARK) return 'ttl';
  if (rules.emulate353TtlNodes && high < 0) return 'ttl';
  return 'session';
}

/** The ttl, in milliseconds, that a TTL owner holds. */
export function ttlOf(high: number, low: number): number {
  return high >>> 24 === TTL_MARK
    ? (high & 0xff) * 4294967296 + (low >>> 0)
    : (high & 0x7fffffff) * 4294967296 + (low >>> 0);
}

/** High half of the owner of a znode with this ttl. */
export function ttlOwnerHigh(ttlHigh: number): number {
  return (TTL_MARK << 24) | (ttlHigh & 0xff);
}

interface Owned {
  readonly high: number;
  readonly low: number;
  readonly ids: Set<number>;
}

const NOBODY: ReadonlySet<number> = new Set();

export class Ephemerals {
  readonly #bySession = new Int64Map<Owned>();
  /** Znodes, not sessions. */
  count = 0;

  add(high: number, low: number, id: number): void {
    let owned = this.#bySession.get(high, low);
    if (owned === undefined) {
      owned = { high, low, ids: new Set() };
      this.#bySession.set(high, low, owned);
    }
    owned.ids.add(id);
    this.count++;
  }

  remove(high: number, low: number, id: number): void {
    const owned = this.#bySession.get(high, low);
    if (owned === undefined || !owned.ids.delete(id)) return;
    this.count--;
    if (owned.ids.size === 0) this.#bySession.delete(high, low);
  }

  /** Ids in the order of creation. */
  of(high: number, low: number): ReadonlySet<number> {
    return this.#bySession.get(high, low)?.ids ?? NOBODY;
  }

  get sessionCount(): number {
    return this.#bySession.size;
  }

  /** Every owner, in no particular order. */
  owners(): Generator<Owned> {
    return this.#bySession.values();
  }

  clear(): void {
    this.#bySession.clear();
    this.count = 0;
  }
}
