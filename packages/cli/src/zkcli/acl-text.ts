/** ACLs as zkCli reads and prints them. */
import type { Acl } from '@zoots/client';

const PERMISSIONS = { r: 1, w: 2, c: 4, d: 8, a: 16 } as const;
const PRINTED_ORDER = ['c', 'd', 'r', 'w', 'a'] as const;

export interface ParsedAcl {
  readonly acl: readonly Acl[];
  /** What is wrong with parts; these were left out, and unknown letters too. */
  readonly problems: readonly string[];
}

/** `scheme:id:perms`, several with commas between them. The id is what stands between the first colon and the last. */
export function parseAcl(text: string): ParsedAcl {
  const acl: Acl[] = [];
  const problems: string[] = [];
  for (const part of withoutEmptyEnd(text.split(','))) {
    const first = part.indexOf(':');
    const last = part.lastIndexOf(':');
    if (first === last) {
      problems.push(`${part} does not have the form scheme:id:perm`);
      continue;
    }
    const perms = parsePermissions(part.slice(last + 1), problems);
    acl.push({ perms, scheme: part.slice(0, first), id: part.slice(first + 1, last) });
  }
  return { acl, problems };
}

/** Commas at the end count for nothing. */
function withoutEmptyEnd(parts: string[]): string[] {
  if (parts.length === 1) return parts;
  let end = parts.length;
  while (end > 0 && parts[end - 1] === '') end--;
  return parts.slice(0, end);
}

function parsePermissions(letters: string, problems: string[]): number {
  let perms = 0;
  for (const letter of letters) {
    if (Object.hasOwn(PERMISSIONS, letter)) perms |= PERMISSIONS[letter as keyof typeof PERMISSIONS];
    else problems.push(`Unknown perm type: ${letter}`);
  }
  return perms;
}

/** Two lines: `'world,'anyone` and `: cdrwa`. */
export function aclEntryText({ perms, scheme, id }: Acl): string {
  const letters = PRINTED_ORDER.filter((letter) => (perms & PERMISSIONS[letter]) !== 0).join('');
  return `'${escaped(scheme)},'${escaped(id)}\n: ${letters}`;
}

/** What would end a field in the text form of records is written as `%` and its code. */
function escaped(text: string): string {
  return text.replace(/[\0\n\r,}%]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`);
}
