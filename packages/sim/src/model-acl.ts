/** The model's view of ACLs: who may, and what list a request's list becomes. Source: `semantics.md` section 6. */
import type { Acl, Id, RawAcl } from '@zoots/protocol';

export function permits(acls: readonly Acl[], perm: number, identities: readonly Id[]): boolean {
  if (acls.length === 0) return true;
  return acls.some((acl) => {
    if ((acl.perms & perm) === 0) return false;
    if (acl.scheme === 'world') return acl.id === 'anyone';
    return identities.some((identity) => identity.scheme === acl.scheme && identity.id === acl.id);
  });
}

/** Null if the list is refused. The simulated clients use whole addresses as ip ids. */
export function fixUpAcls(raw: readonly RawAcl[] | null, identities: readonly Id[]): readonly Acl[] | null {
  if (raw === null || raw.length === 0) return null;
  const seen = new Set<string>();
  const result: Acl[] = [];
  for (const { perms, scheme, id } of raw) {
    const key = JSON.stringify([perms, scheme, id]);
    if (seen.has(key)) continue;
    seen.add(key);
    if (scheme === null || id === null) return null;
    if (scheme === 'auth') {
      const own = identities.filter((identity) => identity.scheme === 'digest');
      if (own.length === 0) return null;
      for (const identity of own) result.push({ perms, scheme: identity.scheme, id: identity.id });
    } else if (isValidId(scheme, id)) result.push({ perms, scheme, id });
    else return null;
  }
  return result;
}

function isValidId(scheme: string, id: string): boolean {
  if (scheme === 'world') return id === 'anyone';
  if (scheme === 'digest') return /^[^:]*:[^:]+$/.test(id);
  return scheme === 'ip' && /^\d{1,3}(\.\d{1,3}){3}$/.test(id);
}
