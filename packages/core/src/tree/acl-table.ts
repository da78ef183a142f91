/**
 * ACL lists, interned: a znode keeps an int32. -1 stands for "everybody may do everything" (by far the most common list and
 * the value Apache writes in snapshots); others have an id from 1 on and are counted, so that unused ones go.
 */

import { assert, ByteReader, ByteWriter } from '@zoots/base';
import { type Acl, readAcls, writeAcls } from '@zoots/protocol';

export const ACL_OPEN = -1;

interface Entry {
  readonly id: number;
  readonly key: string;
  readonly acls: readonly Acl[];
  /** The encoded vector, as snapshots hold it. */
  readonly encoded: Uint8Array;
  references: number;
}

export class AclTable {
  readonly #byId = new Map<number, Entry>();
  readonly #byKey = new Map<string, Entry>();
  readonly #reader = new ByteReader();
  #nextId = 1;

  /** Null stands for the open list. */
  listOf(id: number): readonly Acl[] | null {
    return id === ACL_OPEN ? null : (this.#byId.get(id) as Entry).acls;
  }

  has(id: number): boolean {
    return id === ACL_OPEN || this.#byId.has(id);
  }

  /** Interns the encoded vector in the range and takes a reference. NONE of the fields may be null. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    if (isOpenAcl(bytes, start, end)) return ACL_OPEN;
    const key = keyOf(bytes, start, end);
    let entry = this.#byKey.get(key);
    if (entry === undefined) {
      while (this.#byId.has(this.#nextId)) this.#nextId++;
      entry = this.#add(this.#nextId++, key, bytes, start, end);
    }
    entry.references++;
    return entry.id;
  }

  /** A list of a snapshot under the id it has there; without references until a znode takes one. */
  load(id: number, bytes: Uint8Array, start: number, end: number): void {
    this.#add(id, keyOf(bytes, start, end), bytes, start, end);
    if (id >= this.#nextId) this.#nextId = id + 1;
  }

  #add(id: number, key: string, bytes: Uint8Array, start: number, end: number): Entry {
    const acls = readAcls(this.#reader.reset(bytes, start, end)) as Acl[] | null;
    const entry: Entry = { id, key, acls: acls ?? [], encoded: bytes.slice(start, end), references: 0 };
    this.#byId.set(id, entry);
    if (!this.#byKey.has(key)) this.#byKey.set(key, entry);
    return entry;
  }

  retain(id: number): void {
    if (id === ACL_OPEN) return;
    (this.#byId.get(id) as Entry).references++;
  }

  release(id: number): void {
    if (id === ACL_OPEN) return;
    const entry = this.#byId.get(id) as Entry;
    assert(entry.references > 0, 'an ACL list is released once per reference');
    entry.references--;
    if (entry.references === 0) this.#drop(entry);
  }

  #drop(entry: Entry): void {
    this.#byId.delete(entry.id);
    if (this.#byKey.get(entry.key) === entry) this.#byKey.delete(entry.key);
  }

  /** After a snapshot is loaded: lists that no znode uses go. */
  dropUnused(): void {
    for (const entry of [...this.#byId.values()]) if (entry.references === 0) this.#drop(entry);
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Every list, for a snapshot. */
  forEach(visit: (id: number, encoded: Uint8Array) => void): void {
    for (const entry of this.#byId.values()) visit(entry.id, entry.encoded);
  }

  clear(): void {
    this.#byId.clear();
    this.#byKey.clear();
    this.#nextId = 1;
  }
}

/** [ALL world:anyone], encoded. */
export const OPEN_ACL_BYTES = ((): Uint8Array => {
  const writer = new ByteWriter();
  writeAcls(writer, [{ perms: 31, scheme: 'world', id: 'anyone' }]);
  return writer.toBytes();
})();

/** Is the encoded vector exactly [ALL world:anyone]? */
export function isOpenAcl(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== OPEN_ACL_BYTES.length) return false;
  for (let i = 0; i < OPEN_ACL_BYTES.length; i++) if (bytes[start + i] !== OPEN_ACL_BYTES[i]) return false;
  return true;
}

/** A string that is equal exactly for equal bytes. */
function keyOf(bytes: Uint8Array, start: number, end: number): string {
  let key = '';
  for (let i = start; i < end; i++) key += String.fromCharCode(bytes[i] as number);
  return key;
}
