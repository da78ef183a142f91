/**
 * The members of an ensemble as text: values of `server.N` in zoo.cfg, and the whole configuration as servers exchange and store it
 * (/zookeeper/config, notifications of an election, NEWLEADER).
 *
 *   server.<id>=<host>:<quorumPort>:<electionPort>[|…][:participant|:observer][;[<clientHost>:]<clientPort>]
 *   group.<g>=<id>:<id>…      hierarchical quorums only, and then
 *   weight.<id>=<weight>      for each voter
 *   version=<hex>             last, without a newline behind it
 *
 * IPv6 addresses stand in brackets. Source: ZooKeeper's QuorumServer and QuorumVerifier texts; reference, quorum protocol section 10.
 */

export interface QuorumAddress {
  readonly host: string;
  readonly quorumPort: number;
  readonly electionPort: number;
}

export interface EnsembleMember {
  readonly id: number;
  /** One, unless multiAddress is enabled. */
  readonly addresses: readonly QuorumAddress[];
  readonly role: 'participant' | 'observer';
  /** Null where the configuration does not say it (the static clientPort counts then). */
  readonly client: { readonly host: string; readonly port: number } | null;
}

export interface EnsembleConfiguration {
  readonly members: readonly EnsembleMember[];
  /** Ids by group; empty for plain majorities. */
  readonly groups: ReadonlyMap<number, readonly number[]>;
  /** Votes by id; who is missing has one. */
  readonly weights: ReadonlyMap<number, number>;
  /** The zxid of the reconfiguration that made it; 0 for a static one. */
  readonly version: number;
}

/** Why a text is no configuration: for people, names the piece. */
export interface ConfigurationProblem {
  readonly problem: string;
}

export function isProblem(value: object): value is ConfigurationProblem {
  return 'problem' in value;
}

const ADDRESS = /^(\[[^\]]+\]|[^:[\]]+):(\d+):(\d+)$/;
const CLIENT = /^(?:(\[[^\]]+\]|[^:[\]]+):)?(\d+)$/;
const WILDCARD = '0.0.0.0';

/** The value of `server.<id>`. */
export function parseMember(id: number, value: string): EnsembleMember | ConfigurationProblem {
  const [members = '', client] = splitOnce(value.trim(), ';');
  const { text, role } = splitRole(members.trim());
  if (role === null) return { problem: `server.${id}: "${members}" ends in neither participant nor observer` };
  const addresses: QuorumAddress[] = [];
  for (const part of text.split('|')) {
    const match = ADDRESS.exec(part.trim());
    const address = match === null ? null : addressOf(match);
    if (address === null) {
      return { problem: `server.${id}: "${part.trim()}" is not host:quorumPort:electionPort with ports up to 65535` };
    }
    addresses.push(address);
  }
  if (client === undefined || client.trim() === '') return { id, addresses, role, client: null };
  const match = CLIENT.exec(client.trim());
  if (match === null || Number(match[2]) > PORT_MAX) return { problem: `server.${id}: ";${client}" is no client port` };
  return { id, addresses, role, client: { host: bare(match[1] ?? WILDCARD), port: Number(match[2]) } };
}

const PORT_MAX = 65_535;

function addressOf(match: RegExpExecArray): QuorumAddress | null {
  const [quorumPort, electionPort] = [Number(match[2]), Number(match[3])];
  if (quorumPort > PORT_MAX || electionPort > PORT_MAX) return null;
  return { host: bare(match[1] as string), quorumPort, electionPort };
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** Takes the role off the end; the part behind the last port counts as one only if it is no number. */
function splitRole(text: string): { readonly text: string; readonly role: EnsembleMember['role'] | null } {
  const colon = text.lastIndexOf(':');
  const last = text
    .slice(colon + 1)
    .trim()
    .toLowerCase();
  if (/^\d+$/.test(last)) return { text, role: 'participant' };
  const role = last === 'participant' || last === 'observer' ? last : null;
  return { text: text.slice(0, Math.max(colon, 0)), role };
}

function bare(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** The whole text, as a server sends it. */
export function parseEnsemble(text: string): EnsembleConfiguration | ConfigurationProblem {
  const members: EnsembleMember[] = [];
  const groups = new Map<number, number[]>();
  const weights = new Map<number, number>();
  let version = 0;
  for (const line of text.split('\n')) {
    const [key = '', value = ''] = splitOnce(line.trim(), '=').map((part) => part?.trim());
    const [kind, number] = splitOnce(key, '.');
    const id = Number(number);
    if (key === '') continue;
    if (key === 'version') {
      if (!/^[0-9a-f]{1,16}$/i.test(value)) return { problem: `version=${value} is no hex number` };
      version = Number.parseInt(value, 16);
    } else if (number === undefined || !/^-?\d+$/.test(number))
      return { problem: `"${line}" is no line of a configuration` };
    else if (kind === 'server') {
      const member = parseMember(id, value);
      if (isProblem(member)) return member;
      members.push(member);
    } else if (kind === 'group') groups.set(id, value.split(':').map(Number));
    else if (kind === 'weight') weights.set(id, Number(value));
    else return { problem: `"${line}" is no line of a configuration` };
  }
  return { members, groups, weights, version };
}

/** One line's value, as every version from 3.5 on parses it. */
export function formatMember({ addresses, role, client }: EnsembleMember): string {
  const places = addresses.map(
    ({ host, quorumPort, electionPort }) => `${bracketed(host)}:${quorumPort}:${electionPort}`,
  );
  const clientPart = client === null ? '' : `;${bracketed(client.host)}:${client.port}`;
  return `${places.join('|')}:${role}${clientPart}`;
}

export function formatEnsemble({ members, groups, weights, version }: EnsembleConfiguration): string {
  const lines = members.map((member) => `server.${member.id}=${formatMember(member)}`);
  for (const [group, ids] of groups) lines.push(`group.${group}=${ids.join(':')}`);
  if (groups.size > 0) for (const [id, weight] of weights) lines.push(`weight.${id}=${weight}`);
  lines.push(`version=${version.toString(16)}`);
  return lines.join('\n');
}
