/** Paths as strings, checked before anything is sent. The rules are the server's (protocol/paths.ts). */
import { encodeUtf8 } from '@zoots/base';
import { isValidPath } from '@zoots/protocol';
import { ArgumentError } from './errors.js';

/** Most paths; the exact rules run on the others. */
const PLAIN = /^(?:\/(?!\.{1,2}(?:\/|$))[\x20-\x2e\x30-\x7e]+)+$/;

/** Throws {@link ArgumentError} unless a server would take the path. */
export function checkPath(path: string, operation: string): void {
  if (typeof path === 'string' && (path === '/' || PLAIN.test(path))) return;
  if (typeof path !== 'string') throw new ArgumentError(`a path is a string, not ${typeof path}`, { operation });
  const bytes = encodeUtf8(path);
  if (isValidPath(bytes, 0, bytes.length)) return;
  throw new ArgumentError(remedy(path), { operation, path });
}

function remedy(path: string): string {
  if (!path.startsWith('/')) return 'a path begins with /';
  if (path.endsWith('/')) return 'a path does not end with /';
  if (path.includes('//')) return 'a path has no empty names: remove the second /';
  if (/\/\.{1,2}(?:\/|$)/.test(path)) return 'a path has no . or .. in it: paths are absolute';
  return 'the path has a character that ZooKeeper does not allow (a control character, or one beyond U+FFEF)';
}

/** The path below a base, which is '' or an absolute path. */
export function joinBase(base: string, path: string): string {
  if (base === '') return path;
  return path === '/' ? base : base + path;
}

/** The other way round; a path outside the base stays as it is. */
export function stripBase(base: string, path: string): string {
  if (base === '') return path;
  if (path === base) return '/';
  return path.startsWith(`${base}/`) ? path.slice(base.length) : path;
}

/** `/a` of `/a/b`, `/` of `/a`. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

/** `b` of `/a/b`. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function childOf(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`;
}
