/**
 * Permissions: may this set of identities do this under this ACL list, and is a list that a client sends acceptable?
 *
 * Schemes are rows: what an ACL id of the scheme may look like, how it matches an identity, and whether identities of the
 * scheme stand for `auth`. `world`, `auth` and `super` are not schemes in this sense and are handled by name.
 * Source: ZooKeeper's checkACL and fixupACL.
 */
import { type Acl, ERROR, type Id, type RawAcl } from '@zoots/protocol';
import { ipMatches, isValidIpId } from './ip-address.js';

export interface Scheme {
  readonly name: string;
  /** Identities of this scheme replace `auth` in an ACL list. */
  readonly isAuthenticated: boolean;
  isValidId(id: string): boolean;
  matches(identity: string, aclId: string): boolean;
  /** What whoAmI and audit lines show of an identity. */
  userName(identity: string): string;
}

const IP_SCHEME: Scheme = {
  name: 'ip',
  isAuthenticated: false,
  isValidId: isValidIpId,
  matches: ipMatches,
  userName: (identity) => identity,
};

const DIGEST_SCHEME: Scheme = {
  name: 'digest',
  isAuthenticated: true,
  isValidId: isTwoParts,
  matches: (identity, aclId) => identity === aclId,
  userName: (identity) => identity.split(':')[0] as string,
};

/** Two parts around a colon, counted as Java's split does: empty parts at the end do not count. */
function isTwoParts(id: string): boolean {
  const parts = id.split(':');
  while (parts.length > 0 && parts[parts.length - 1] === '') parts.pop();
  return parts.length === 2;
}

export interface AclRules {
  readonly skipAcl: boolean;
  readonly digestAuthEnabled: boolean;
}

/** An ACL list after the fix-up has no more entries than this; `auth` could otherwise multiply without end. */
const ENTRIES_MAX = 100_000;

export class AclChecker {
  readonly #skipAcl: boolean;
  readonly #schemes = new Map<string, Scheme>();

  constructor(rules: AclRules) {
    this.#skipAcl = rules.skipAcl;
    this.#schemes.set('ip', IP_SCHEME);
    if (rules.digestAuthEnabled) this.#schemes.set('digest', DIGEST_SCHEME);
  }

  scheme(name: string): Scheme | undefined {
    return this.#schemes.get(name);
  }

  /** `acls` null is the open list. `perms`: one granted bit is enough. */
  permits(acls: readonly Acl[] | null, perms: number, identities: readonly Id[]): boolean {
    if (acls === null || this.#skipAcl || acls.length === 0) return true;
    for (const identity of identities) if (identity.scheme === 'super') return true;
    for (const acl of acls) {
      if ((acl.perms & perms) === 0) continue;
      if (acl.scheme === 'world' && acl.id === 'anyone') return true;
      const scheme = this.#schemes.get(acl.scheme);
      if (scheme === undefined) continue;
      for (const identity of identities) {
        if (identity.scheme === acl.scheme && scheme.matches(identity.id, acl.id)) return true;
      }
    }
    return false;
  }

  /**
   * The list as it goes into the txn: duplicates dropped, `auth` replaced by the identities that stand for it; or an error
   * code (invalidAcl, or marshallingError for a null id).
   */
  fixUp(raw: readonly RawAcl[] | null, identities: readonly Id[]): readonly Acl[] | number {
    if (raw === null || raw.length === 0) return ERROR.invalidAcl;
    const result: Acl[] = [];
    for (const entry of withoutDuplicates(raw)) {
      // The id of `auth` is not looked at, and kazoo sends a null one.
      if (entry.scheme === 'auth') {
        if (!this.#expandAuth(entry.perms, identities, result)) return ERROR.invalidAcl;
        if (result.length > ENTRIES_MAX) return ERROR.invalidAcl;
        continue;
      }
      if (entry.scheme === null) return ERROR.invalidAcl;
      // A null id is an exception of Java's wherever it is looked at, and is looked at only by schemes that exist.
      if (entry.id === null) return this.#looksAtId(entry.scheme) ? ERROR.marshallingError : ERROR.invalidAcl;
      if (entry.scheme === 'world' && entry.id === 'anyone') result.push(entry as Acl);
      else if (this.#schemes.get(entry.scheme)?.isValidId(entry.id) === true) result.push(entry as Acl);
      else return ERROR.invalidAcl;
    }
    return result;
  }

  #looksAtId(scheme: string): boolean {
    return scheme === 'world' || this.#schemes.has(scheme);
  }

  #expandAuth(perms: number, identities: readonly Id[], result: Acl[]): boolean {
    let found = false;
    for (const identity of identities) {
      if (this.#schemes.get(identity.scheme)?.isAuthenticated !== true) continue;
      found = true;
      result.push({ perms, scheme: identity.scheme, id: identity.id });
    }
    return found;
  }
}

function withoutDuplicates(raw: readonly RawAcl[]): RawAcl[] {
  if (raw.length === 1) return [raw[0] as RawAcl];
  const seen = new Set<string>();
  return raw.filter((acl) => {
    const key = JSON.stringify([acl.perms, acl.scheme, acl.id]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
