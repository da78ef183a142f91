/** ACL entries and their wire form: vector<ACL{int perms, Id{ustring scheme, ustring id}}>. */
import type { ByteReader, ByteWriter } from '@zoots/base';

export interface Id {
  readonly scheme: string;
  readonly id: string;
}

export interface Acl extends Id {
  readonly perms: number;
}

/** What a decoder may meet before the list is checked: Java allows null in each field. */
export interface RawAcl {
  readonly perms: number;
  readonly scheme: string | null;
  readonly id: string | null;
}

export const OPEN_ACL_UNSAFE: readonly Acl[] = [{ perms: 31, scheme: 'world', id: 'anyone' }];
export const READ_ACL_UNSAFE: readonly Acl[] = [{ perms: 1, scheme: 'world', id: 'anyone' }];

/** perms, and two empty strings. */
const ACL_BYTES_MIN = 12;

export function writeAcls(writer: ByteWriter, acls: readonly Acl[]): void {
  writer.int32(acls.length);
  for (const acl of acls) {
    writer.int32(acl.perms);
    writer.string(acl.scheme);
    writer.string(acl.id);
  }
}

/** Null for a null vector or (with `reader.failed`) a malformed one. */
export function readAcls(reader: ByteReader): RawAcl[] | null {
  const count = reader.count(ACL_BYTES_MIN);
  if (reader.failed || count < 0) return null;
  const acls: RawAcl[] = [];
  for (let i = 0; i < count; i++) {
    const perms = reader.int32();
    acls.push({ perms, scheme: reader.string(), id: reader.string() });
  }
  return reader.failed ? null : acls;
}
