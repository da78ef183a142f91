/**
 * The format of `zoots export`: JSON lines, UTF-8.
 *
 *   first   {"zoots":"export","version":1,"root":"/app", …}     more members may follow, for people
 *   then    {"path":"/","data":"…"}                            one per znode, a parent before its children
 *   last    {"end":true}                                         without it the file is cut short, and refused
 *
 * A znode's line: `path`, relative to `root`, which is `/`; `data`, null or text, with `"encoding":"base64"` where the bytes
 * are no UTF-8; `acl`, a list of {scheme, id, perms}, left out where it is world:anyone:cdrwa; `kind` (ephemeral, container,
 * ttl), left out where it is persistent; `ttlMs` and `owner` with the kinds that have them. Other members are ignored.
 * Why so: docs/decisions/0013-export-format.md.
 */
import type { Acl } from '@zoots/client';
import { decodeBase64 } from './data-operand.js';
import { RefusedError } from './problem.js';
import { isOpenAcl, type Kind, kinds, openAcl, type TreeRecord } from './tree-record.js';
import { aclJson, dataJson, permissionBits } from './znode-facts.js';

export const FORMAT_VERSION = 1;

export interface DumpHead {
  readonly root: string;
  /** The server or file that it comes from. */
  readonly from?: string;
  readonly time?: string;
}

export function headLine(head: DumpHead): string {
  return JSON.stringify({ zoots: 'export', version: FORMAT_VERSION, ...head });
}

export const endLine = JSON.stringify({ end: true });

export function recordLine({ path, data, acl, kind, ttlMs, owner }: TreeRecord): string {
  return JSON.stringify({
    path,
    ...dataJson(data),
    ...(isOpenAcl(acl) ? {} : { acl: aclJson(acl) }),
    ...(kind === 'persistent' ? {} : { kind }),
    ...(ttlMs === null ? {} : { ttlMs }),
    ...(owner === null ? {} : { owner }),
  });
}

/**
 * Checks each line as it comes, and the end. Throws {@link RefusedError} with `name`, the line's number and what is wrong.
 * The records come in the order of the file: a parent before its children, no path twice, siblings in any order.
 */
export async function* parseDump(
  lines: Iterable<string> | AsyncIterable<string>,
  name: string,
  onHead: (head: DumpHead) => void = () => {},
): AsyncGenerator<TreeRecord> {
  const seen = new Set<string>();
  let lineNumber = 0;
  let state: 'head' | 'records' | 'ended' = 'head';
  const refuse = (what: string): never => {
    throw new RefusedError(`${name}:${lineNumber}: ${what}`);
  };
  for await (const line of lines) {
    lineNumber++;
    if (line.trim() === '') continue;
    const value = parseLine(line, refuse);
    if (state === 'ended') refuse('there is something behind the line {"end":true}');
    else if (state === 'head') {
      onHead(headOf(value, refuse));
      state = 'records';
    } else if (value.end === true) state = 'ended';
    else {
      const record = recordOf(value, refuse);
      checkPlace(record.path, seen, refuse);
      seen.add(record.path);
      yield record;
    }
  }
  if (state === 'head') refuse('the file is empty; zoots export writes such files');
  if (state === 'records') refuse('the last line {"end":true} is missing: the file was cut short; export it again');
}

type Refuse = (what: string) => never;
type Members = Readonly<Record<string, unknown>>;

function parseLine(line: string, refuse: Refuse): Members {
  let value: unknown = null;
  try {
    value = JSON.parse(line);
  } catch (error) {
    refuse(`no JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse('each line is a JSON object');
  return value as Members;
}

function headOf(value: Members, refuse: Refuse): DumpHead {
  if (value.zoots !== 'export') refuse('this is no file of zoots export: its first line has "zoots":"export"');
  if (value.version !== FORMAT_VERSION) {
    refuse(`version ${JSON.stringify(value.version)} of the format is not known; this zoots reads ${FORMAT_VERSION}`);
  }
  const { root } = value;
  return typeof root === 'string' && isPath(root) ? { root } : refuse('"root" is no path');
}

function isPath(text: string): boolean {
  return /^\/$|^(\/[^/]+)+$/.test(text);
}

function checkPlace(path: string, seen: ReadonlySet<string>, refuse: Refuse): void {
  if (!isPath(path)) refuse(`path ${JSON.stringify(path)} is not valid`);
  if (seen.has(path)) refuse(`path ${path} comes twice`);
  const parent = path.slice(0, path.lastIndexOf('/')) || '/';
  if (path !== '/' && !seen.has(parent)) refuse(`path ${path} comes before its parent ${parent}`);
}

function recordOf(value: Members, refuse: Refuse): TreeRecord {
  const { path, kind = 'persistent', ttlMs = null, owner = null } = value;
  if (typeof path !== 'string') return refuse('"path" is missing');
  if (!(kinds as readonly unknown[]).includes(kind)) refuse(`"kind" is none of ${kinds.join(', ')}`);
  if (kind === 'ttl' && !(Number.isSafeInteger(ttlMs) && (ttlMs as number) > 0)) refuse('"ttlMs" is missing');
  return {
    path,
    data: dataOf(value, refuse),
    acl: aclOf(value.acl, refuse),
    kind: kind as Kind,
    ttlMs: kind === 'ttl' ? (ttlMs as number) : null,
    owner: typeof owner === 'string' ? owner : null,
  };
}

function dataOf({ data = null, encoding = 'utf8' }: Members, refuse: Refuse): Uint8Array | null {
  if (data === null) return null;
  if (typeof data !== 'string') return refuse('"data" is neither null nor a text');
  if (encoding === 'utf8') return Buffer.from(data, 'utf8');
  if (encoding !== 'base64') refuse('"encoding" is neither utf8 nor base64');
  try {
    return decodeBase64(data);
  } catch {
    return refuse('"data" is no base64');
  }
}

function aclOf(value: unknown, refuse: Refuse): readonly Acl[] {
  if (value === undefined) return openAcl;
  if (!Array.isArray(value) || value.length === 0) return refuse('"acl" is no list of {"scheme", "id", "perms"}');
  return value.map((entry: Members | null) => {
    const { scheme, id, perms } = entry ?? {};
    const bits = typeof perms === 'string' ? permissionBits(perms) : null;
    if (typeof scheme !== 'string' || typeof id !== 'string' || bits === null) {
      return refuse('"acl": each entry has "scheme", "id" and "perms", letters of cdrwa');
    }
    return { scheme, id, perms: bits };
  });
}
