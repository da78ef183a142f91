/**
 * The part of the configuration that is about other servers: server.N, group.N and weight.N lines, myid, and the decision whether
 * this is a stand-alone server. `ensemble-rules.ts` makes values for the running server out of it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EnsembleConfiguration, type EnsembleMember, isProblem, parseMember } from '@zoots/protocol';
import { ConfigError, type Values } from './config-settings.js';

/** server.N lines, by id. */
export function membersOf(values: Values): EnsembleMember[] {
  const multiAddress = values.get('multiAddress.enabled');
  const members: EnsembleMember[] = [];
  for (const key of values.keys) {
    if (/^server\.-?\d+$/.test(key)) members.push(memberOf(values, key, multiAddress));
  }
  return members.sort((left, right) => left.id - right.id);
}

function memberOf(values: Values, key: string, multiAddress: boolean): EnsembleMember {
  const id = Number(key.slice('server.'.length));
  const place = values.placeOf(key);
  if (id < 0) throw new ConfigError(`${place}: the number of a server is 0 or more`);
  const member = parseMember(id, withoutComment(values.text(key) as string));
  if (isProblem(member)) throw new ConfigError(`${place}: ${member.problem.replace(`${key}: `, '')}`);
  if (member.addresses.length > 1 && !multiAddress) {
    throw new ConfigError(`${place}: several addresses for server ${id} need multiAddress.enabled=true`);
  }
  if (member.addresses.some(({ quorumPort, electionPort }) => quorumPort === electionPort)) {
    throw new ConfigError(`${place}: quorum port and election port are the same: they must differ`);
  }
  return member;
}

/** A comment cannot stand behind a value in this syntax, but behind server lines many guides have one. */
function withoutComment(text: string): string {
  return text.replace(/\s+#.*$/, '');
}

/** Members, groups and weights. Throws {@link ConfigError} where Apache's server would. */
export function configurationOf(values: Values, members: readonly EnsembleMember[]): EnsembleConfiguration {
  const groups = new Map<number, readonly number[]>();
  const weights = new Map<number, number>();
  for (const key of values.keys) {
    const [, kind, number = ''] = /^(group|weight)\.?(.*)$/.exec(key) ?? [];
    if (kind === undefined) continue;
    const id = numberOf(values, key, number);
    const text = withoutComment(values.text(key) as string);
    if (kind === 'weight') weights.set(id, numberOf(values, key, text));
    else
      groups.set(
        id,
        text.split(':').map((part) => numberOf(values, key, part.trim())),
      );
  }
  if (groups.size > 0 || weights.size > 0) checkGroups(values, members, groups, weights);
  return { members, groups, weights, version: versionOf(values) };
}

function numberOf(values: Values, key: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new ConfigError(`${values.placeOf(key)}: "${text}" is not a number`);
  return Number(text);
}

/** Each participant stands in one group. Weights that are not given are 1, and are told to others like that. */
function checkGroups(
  values: Values,
  members: readonly EnsembleMember[],
  groups: ReadonlyMap<number, readonly number[]>,
  weights: Map<number, number>,
): void {
  const groupOf = new Map<number, number>();
  for (const [group, ids] of groups) {
    for (const id of ids) {
      const place = values.placeOf(`group.${group}`);
      if (groupOf.has(id)) throw new ConfigError(`${place}: server ${id} is in multiple groups`);
      if (!members.some((member) => member.id === id)) {
        throw new ConfigError(`${place}: there is no server.${id} line for member ${id} of the group`);
      }
      groupOf.set(id, group);
    }
  }
  for (const { id, role } of members) {
    if (role !== 'participant') continue;
    if (!groupOf.has(id)) throw new ConfigError(`${values.placeOf(`server.${id}`)}: server ${id} is not in a group`);
    if (!weights.has(id)) weights.set(id, 1);
  }
}

/** Of the list of members: the key `version`, or what a dynamic file's name ends in (`zoo.cfg.dynamic.100000000`). */
function versionOf(values: Values): number {
  const text = values.get('version');
  if (text !== null) {
    if (/^[0-9a-f]{1,13}$/i.test(text)) return Number.parseInt(text, 16);
    throw new ConfigError(`${values.placeOf('version')}: "${text}" is not a hexadecimal number`);
  }
  const suffix = /\.([0-9a-f]{1,13})$/i.exec(values.get('dynamicConfigFile') ?? '')?.[1];
  return suffix === undefined ? 0 : Number.parseInt(suffix, 16);
}

/** dataDir/myid: a decimal number on the first line; null without the file. */
export function readMyid(dataDir: string): number | null {
  const file = join(dataDir, 'myid');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  const line = (text.split(/\r?\n/, 1)[0] as string).trim();
  if (!/^[+-]?\d+$/.test(line)) throw new ConfigError(`${file}: serverid ${line} is not a number`);
  return Number(line);
}

/**
 * Whether this server takes part in an ensemble, which is then checked. Never a stand-alone server by accident, with data of its
 * own.
 */
export function isEnsemble(values: Values, members: readonly EnsembleMember[]): boolean {
  const participants = members.filter(({ role }) => role === 'participant');
  const standaloneEnabled = values.get('standaloneEnabled');
  checkPeerType(values);
  if (participants.length === 0 && !standaloneEnabled) {
    throw new ConfigError(`${values.placeOf('standaloneEnabled')}: false needs at least one participant (server.N)`);
  }
  if (participants.length < 2 && standaloneEnabled) {
    if (participants.length < members.length) {
      throw new ConfigError(`${values.fileName}: observers without an ensemble of participants`);
    }
    if (participants.length === 1) values.warn('Invalid configuration, only one server specified (ignoring)');
    values.warn('Either no config or no quorum defined in config, running in standalone mode');
    return false;
  }
  if (participants.length <= 2) {
    values.warn('No server failure will be tolerated. You need at least 3 servers.');
  } else if (participants.length % 2 === 0) {
    values.warn('Non-optimal configuration, consider an odd number of servers.');
  }
  return true;
}

function checkPeerType(values: Values): void {
  const peerType = values.get('peerType').toLowerCase();
  if (peerType === 'participant' || peerType === 'observer') return;
  throw new ConfigError(
    `${values.placeOf('peerType')}: "${values.get('peerType')}" is neither observer nor participant`,
  );
}

/** This server's own line of the ensemble; `myid` null: there is no such file. Its role counts, whatever peerType says. */
export function ownMemberOf(
  values: Values,
  members: readonly EnsembleMember[],
  myid: number | null,
  dataDir: string,
): EnsembleMember {
  const file = join(dataDir, 'myid');
  const ids = members.map(({ id }) => id).join(', ');
  if (myid === null) {
    throw new ConfigError(
      `${file}: myid file is missing: write the number of this server's server.N line into it (one of ${ids})`,
    );
  }
  const own = members.find(({ id }) => id === myid);
  if (own === undefined) throw new ConfigError(`${file}: My id ${myid} not in the peer list (${ids})`);
  checkId(values, file, myid);
  const peerType = values.get('peerType').toLowerCase();
  if (own.role !== peerType) {
    values.warn(
      `Peer type from servers list (${own.role.toUpperCase()}) doesn't match peerType (${peerType.toUpperCase()}). Defaulting to servers list.`,
    );
  }
  return own;
}

/** The id is the top byte of session ids, and of TTL znodes' owners 255 is taken. */
function checkId(values: Values, file: string, myid: number): void {
  const idMax = values.get('extendedTypesEnabled') ? 254 : 255;
  if (myid >= 0 && myid <= idMax) return;
  const reason = idMax === 254 && myid === 255 ? ' (with extendedTypesEnabled=true)' : '';
  throw new ConfigError(`${file}: ${myid} is not a number from 0 to ${idMax}${reason}`);
}
