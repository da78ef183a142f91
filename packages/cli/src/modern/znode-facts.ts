/** What a znode's stat, data and ACL mean, as text for people and as JSON for programs. The JSON is described in docs/cli.md. */
import { isUtf8 } from 'node:buffer';
import type { Acl, Stat } from '@zoots/client';
import { UsageError } from './command-line.js';
import { countText, localTimeText } from './quantities.js';

/** The session that owns an ephemeral znode, as `0x100…`; null for all others: containers and TTL znodes look persistent. */
export function ownerOf({ ephemeralOwner }: Pick<Stat, 'ephemeralOwner'>): string | null {
  return ephemeralOwner === 0n ? null : sessionText(ephemeralOwner);
}

export function sessionText(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`;
}

export function zxidText(zxid: number): string {
  return `0x${zxid.toString(16)}`;
}

/** zxids are numbers, times ISO 8601; null where an ACL denies it. */
export function statJson(stat: Stat): Record<string, unknown>;
export function statJson(stat: Stat | null): Record<string, unknown> | null;
export function statJson(stat: Stat | null): Record<string, unknown> | null {
  if (stat === null) return null;
  return {
    owner: ownerOf(stat),
    dataLength: stat.dataLength,
    numChildren: stat.numChildren,
    version: stat.version,
    cversion: stat.cversion,
    aversion: stat.aversion,
    czxid: stat.czxid,
    mzxid: stat.mzxid,
    pzxid: stat.pzxid,
    ctime: isoTime(stat.ctime),
    mtime: isoTime(stat.mtime),
  };
}

function isoTime(timeMs: number): string | null {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

export function statLines(stat: Stat): string[] {
  const owner = ownerOf(stat);
  const rows: readonly (readonly [string, string])[] = [
    ['data', `${countText(stat.dataLength, 'byte')}, version ${stat.version}`],
    ['children', `${stat.numChildren}, version ${stat.cversion}`],
    ['acl', `version ${stat.aversion}`],
    ['created', `${localTimeText(stat.ctime)}, zxid ${zxidText(stat.czxid)}`],
    ['changed', `${localTimeText(stat.mtime)}, zxid ${zxidText(stat.mzxid)}`],
    ['last child', `zxid ${zxidText(stat.pzxid)}`],
    ['ephemeral', owner === null ? 'no' : `of session ${owner}`],
  ];
  return rows.map(([name, text]) => `${name.padEnd(12)}${text}`);
}

/** `encoding` is there only if the data are no UTF-8 text. */
export interface DataJson {
  readonly data: string | null;
  readonly encoding?: 'base64';
}

export function dataJson(data: Uint8Array | null): DataJson {
  if (data === null) return { data: null };
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return isUtf8(bytes) ? { data: bytes.toString('utf8') } : { data: bytes.toString('base64'), encoding: 'base64' };
}

/** The data in one line, for differences and remarks: quoted text, or the size of what is none. */
export function dataSummary(data: Uint8Array | null, charactersMax: number): string {
  if (data === null) return 'null';
  if (!isUtf8(data)) return `binary, ${countText(data.length, 'byte')}`;
  const text = Buffer.from(data.buffer, data.byteOffset, Math.min(data.byteLength, charactersMax * 4)).toString('utf8');
  const quoted = JSON.stringify(text.slice(0, charactersMax));
  return text.length > charactersMax ? `${quoted}… (${data.length} bytes)` : quoted;
}

/** Offset, sixteen bytes in hex, and what of them is ASCII. */
export function hexLines(data: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < data.length; at += 16) {
    const row = data.subarray(at, at + 16);
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = Array.from(row, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(47)}  ${text}`);
  }
  return lines;
}

/** In the order in which zkCli writes them. */
const permissions: readonly (readonly [letter: string, bit: number])[] = [
  ['c', 4],
  ['d', 8],
  ['r', 1],
  ['w', 2],
  ['a', 16],
];

export interface AclJson {
  readonly scheme: string;
  readonly id: string;
  /** Letters of `cdrwa`. */
  readonly perms: string;
}

export function aclJson(acl: readonly Acl[]): AclJson[] {
  return acl.map(({ scheme, id, perms }) => ({ scheme, id, perms: permissionLetters(perms) }));
}

/** `world:anyone:cdrwa,ip:10.0.0.0/8:r` */
export function aclText(acl: readonly Acl[]): string {
  return acl.map(({ scheme, id, perms }) => `${scheme}:${id}:${permissionLetters(perms)}`).join(',');
}

function permissionLetters(perms: number): string {
  return permissions.map(([letter, bit]) => ((perms & bit) === 0 ? '' : letter)).join('');
}

/** Null if a letter is none of `cdrwa`. */
export function permissionBits(letters: string): number | null {
  let bits = 0;
  for (const letter of letters) {
    const row = permissions.find(([candidate]) => candidate === letter);
    if (row === undefined) return null;
    bits |= row[1];
  }
  return bits;
}

/** What {@link aclText} writes; the id of an entry may hold colons and commas. Throws {@link UsageError}. */
export function parseAcl(text: string): Acl[] {
  const acl: Acl[] = [];
  let rest = text;
  while (rest !== '') {
    const match = /^([^:,]+):(.*?):([cdrwa]+)(?:,|$)/.exec(rest);
    if (match === null) {
      throw new UsageError(`the ACL "${rest}" is not understood; write scheme:id:perms, world:anyone:cdrwa say`);
    }
    const [entry, scheme, id, letters] = match as unknown as [string, string, string, string];
    acl.push({ scheme, id, perms: permissionBits(letters) as number });
    rest = rest.slice(entry.length);
  }
  if (acl.length === 0) throw new UsageError('an ACL has at least one entry: scheme:id:perms, world:anyone:cdrwa say');
  return acl;
}
