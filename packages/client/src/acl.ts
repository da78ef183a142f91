/** ACLs that people need, and their ids. */
import { createHash } from 'node:crypto';
import { type Acl, PERM } from '@zoots/protocol';

export { PERM } from '@zoots/protocol';
export { OPEN_ACL } from './records.js';

/** Everybody may read. */
export const READ_ACL: readonly Acl[] = [{ perms: PERM.read, scheme: 'world', id: 'anyone' }];

/** Whoever created it may do everything; needs an identity from `addAuth`. */
export const CREATOR_ALL_ACL: readonly Acl[] = [{ perms: PERM.all, scheme: 'auth', id: '' }];

/** An entry for a user of scheme digest, with the password hashed as servers keep it. */
export function digestAcl(user: string, password: string, perms: number = PERM.all): Acl {
  const hash = createHash('sha1').update(`${user}:${password}`).digest('base64');
  return { perms, scheme: 'digest', id: `${user}:${hash}` };
}
