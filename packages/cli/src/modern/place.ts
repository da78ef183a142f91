/**
 * Where a tree is, as cp, diff and their like take it:
 *
 *   /app                        a znode of the server that --server names
 *   zk://h1:2181,h2/app         a znode of another server
 *   dump.jsonl, file:/tmp/x     a file: an export or a snapshot; with #/app a subtree of it
 */
import type { Namespace } from '@zoots/client';
import { type CommandLine, UsageError } from './command-line.js';
import type { Invocation } from './invocation.js';
import { RefusedError } from './problem.js';

export type Place =
  | { readonly type: 'znode'; readonly server: string | null; readonly path: string }
  | { readonly type: 'file'; readonly file: string; readonly path: string };

export function parsePlace(text: string): Place {
  if (text.startsWith('/')) return { type: 'znode', server: null, path: text };
  if (text.startsWith('zk://')) {
    const rest = text.slice('zk://'.length);
    const slash = rest.indexOf('/');
    const server = slash < 0 ? rest : rest.slice(0, slash);
    if (server === '') throw new UsageError(`"${text}" names no server; write zk://HOST:PORT/PATH`);
    const path = slash < 0 ? '/' : rest.slice(slash);
    return { type: 'znode', server, path: path.length > 1 ? path.replace(/\/$/, '') : path };
  }
  const name = text.replace(/^file:/, '');
  const hash = name.indexOf('#/');
  return hash < 0
    ? { type: 'file', file: name, path: '/' }
    : { type: 'file', file: name.slice(0, hash), path: name.slice(hash + 1) };
}

/** As {@link parsePlace}, for commands that take no files. */
export function parseZnodePlace(text: string): Place & { type: 'znode' } {
  const place = parsePlace(text);
  if (place.type === 'znode') return place;
  throw new UsageError(`"${text}" is no znode; write /PATH, or zk://HOST:PORT/PATH on another server`);
}

/** Clients of up to two places: one of the same server is shared. */
export class PlaceClients {
  readonly #invocation: Invocation;
  #own: Promise<Namespace> | null = null;

  constructor(invocation: Invocation) {
    this.#invocation = invocation;
  }

  of(place: Place & { type: 'znode' }, auth: readonly string[]): Promise<Namespace> {
    if (place.server !== null) return this.#invocation.connect({ server: place.server, auth });
    this.#own ??= this.#invocation.connect();
    return this.#own;
  }
}

/** Identities are never sent to another server than the one they were meant for. */
export const otherAuthOption = {
  long: 'other-auth',
  value: 'SCHEME:AUTH',
  isRepeatable: true,
  text: 'an identity for the servers of zk://…, which --auth is not for',
} as const;

export function otherAuthOf(line: CommandLine): readonly string[] {
  return line.values('other-auth');
}

/** An absolute file name looks like a znode's path: says so where the znode is not there. */
export function asMissingZnode(error: unknown, path: string): unknown {
  if ((error as { code?: string }).code !== 'ZK_NO_NODE') return error;
  return new RefusedError(`${path}: the znode does not exist (a file is written file:${path})`);
}
