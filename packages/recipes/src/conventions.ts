/**
 * How the znodes of locks are named, so that locks of several libraries exclude each other on the same path. Facts from
 * Curator's `StandardLockInternalsDriver`, `InterProcessReadWriteLock` and `LeaderLatch` and kazoo's `recipe/lock.py`.
 *
 * Ours read every name by the sequence number at its end, so they always respect the others. Whether the others respect ours
 * depends on the name: Curator looks for its own words only; kazoo for its own and for `extra_lock_patterns`, such as
 * `['-lock-']`. Contenders of Curator and of kazoo cannot share a path, whatever we do: Curator does not understand kazoo.
 */
import { randomUUID } from 'node:crypto';

export type Convention = 'curator' | 'kazoo';
/** What the znode asks for. */
export type Role = 'lock' | 'read' | 'write' | 'latch' | 'lease';

interface Names {
  /** What makes the name its creator's own. */
  readonly unique: () => string;
  readonly words: Readonly<Record<Role, string>>;
}

const CONVENTIONS: Readonly<Record<Convention, Names>> = {
  curator: {
    unique: () => `_c_${randomUUID()}-`,
    words: { lock: 'lock-', read: '__READ__', write: '__WRIT__', latch: 'latch-', lease: 'lease-' },
  },
  kazoo: {
    unique: () => randomUUID().replaceAll('-', ''),
    // kazoo elects leaders by plain locks.
    words: { lock: '__lock__', read: '__rlock__', write: '__lock__', latch: '__lock__', lease: '__lease__' },
  },
};

/** A name that nobody else makes, and the word before the number. */
export function newName(convention: Convention, role: Role): { readonly unique: string; readonly name: string } {
  const { unique, words } = CONVENTIONS[convention];
  const own = unique();
  return { unique: own, name: own + words[role] };
}

const readWords = /(?:__READ__|__rlock__)-?\d{9,10}$/;

/** Whether the name asks for a shared lock; everything else asks for an exclusive one. */
export function isReader(name: string): boolean {
  return readWords.test(name);
}
