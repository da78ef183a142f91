/**
 * The table of every setting that Apache ZooKeeper 3.9.5 knows, and the look-up of a name in it.
 *
 * Rows stand in `keys-*.ts` by chapter. To add one: write the row, read its value in `config-build.ts` if it is
 * `effective`, and name it in the documentation, which is generated from here.
 */
import type { ConfigRow } from './config-row.js';
import { accessKeys, tlsKeys } from './keys-access.js';
import { adminKeys, clientKeys, type KeyFamily, keyFamilies } from './keys-admin.js';
import { basicKeys, ensembleKeys } from './keys-basic.js';
import { javaTuningKeys, limitKeys } from './keys-limits.js';
import { storageKeys } from './keys-storage.js';

/** Rows whose value the server reads; the build of ServerConfig is typed by them. */
export const typedKeys = { ...basicKeys, ...ensembleKeys, ...storageKeys, ...limitKeys, ...accessKeys } as const;

export const configTable: Readonly<Record<string, ConfigRow<unknown>>> = {
  ...typedKeys,
  ...javaTuningKeys,
  ...tlsKeys,
  ...adminKeys,
  ...clientKeys,
};

export type TypedKey = keyof typeof typedKeys;

/** Value of a row: its type, or null where the default is null. */
export type ValueOfKey<K extends TypedKey> = (typeof typedKeys)[K] extends ConfigRow<infer Value> ? Value : never;

/** What a name stands for. `key` is the row's own name, or the name itself for a member of a family. */
export type Known =
  | { readonly key: string; readonly row: ConfigRow<unknown>; readonly family: null }
  | { readonly key: string; readonly row: null; readonly family: KeyFamily };

const propertyPrefix = 'zookeeper.';

interface NameIndex {
  /** zoo.cfg spelling to key. */
  readonly fileNames: ReadonlyMap<string, string>;
  /** Property name to key. */
  readonly propertyNames: ReadonlyMap<string, string>;
}

const nameIndex: NameIndex = indexNames();

function indexNames(): NameIndex {
  const fileNames = new Map<string, string>();
  const propertyNames = new Map<string, string>();
  for (const [key, row] of Object.entries(configTable)) {
    fileNames.set(key, key);
    if (row.sort === 'property' || row.more.property !== undefined) {
      propertyNames.set(row.more.property ?? propertyPrefix + key, key);
    }
    for (const alias of row.more.aliases ?? []) {
      if (alias.startsWith('-D')) {
        propertyNames.set(alias.slice(2), key);
      } else {
        fileNames.set(alias, key);
        propertyNames.set(propertyPrefix + alias, key);
      }
    }
  }
  return { fileNames, propertyNames };
}

/** What a key of zoo.cfg stands for; null if nobody knows it. */
export function lookUpFileKey(name: string): Known | null {
  const key = nameIndex.fileNames.get(name);
  if (key !== undefined) return { key, row: configTable[key] as ConfigRow<unknown>, family: null };
  return familyOf(name, 'any sort');
}

/** What the name of a `-D` word stands for; null if nobody knows it. */
export function lookUpProperty(name: string): Known | null {
  const key = nameIndex.propertyNames.get(name);
  if (key !== undefined) return { key, row: configTable[key] as ConfigRow<unknown>, family: null };
  return name.startsWith(propertyPrefix) ? familyOf(name.slice(propertyPrefix.length), 'property') : null;
}

function familyOf(name: string, sort: 'any sort' | 'property'): Known | null {
  for (const family of keyFamilies) {
    if ((sort === 'any sort' || family.sort === sort) && family.pattern.test(name)) {
      return { key: name, row: null, family };
    }
  }
  return null;
}

/** The known name that a mistyped one was probably meant to be, or null. */
export function nearestFileKey(name: string): string | null {
  return nearestOf(name, nameIndex.fileNames.keys());
}

export function nearestProperty(name: string): string | null {
  return nearestOf(name, nameIndex.propertyNames.keys());
}

function nearestOf(name: string, candidates: Iterable<string>): string | null {
  const wanted = comparable(name);
  // A quarter of the letters may be wrong, and one or two in a short name.
  let distanceMax = Math.max(wanted.length <= 4 ? 1 : 2, Math.floor(wanted.length / 4));
  let nearest: string | null = null;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, comparable(candidate), distanceMax);
    if (distance <= distanceMax) {
      nearest = candidate;
      if (distance === 0) return candidate;
      distanceMax = distance - 1;
    }
  }
  return nearest;
}

/** Case, dots and underscores are the usual mistakes: they cost nothing. */
function comparable(name: string): string {
  return name.toLowerCase().replace(/[._-]/g, '');
}

/** Insertions, deletions and replacements from `a` to `b`; anything above `distanceMax` once it must exceed it. */
function editDistance(a: string, b: string, distanceMax: number): number {
  if (Math.abs(a.length - b.length) > distanceMax) return distanceMax + 1;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[j] as number) + 1, (current[j - 1] as number) + 1));
    }
    previous = current;
  }
  return previous[b.length] as number;
}
