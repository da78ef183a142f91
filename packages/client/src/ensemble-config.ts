/**
 * The text of /zookeeper/config: lines `server.N=host:quorumPort:electionPort[:role][;[address:]clientPort]` and `version=HEX`.
 * Several addresses of one server (`|` between them, 3.6 and later) are read as the first.
 */
import { ProtocolError } from './errors.js';
import type { EnsembleConfig, EnsembleServer, ServerAddress, Stat } from './types.js';

const SERVER = /^server\.(\d+)=(\[[^\]]+\]|[^:;|]+):(\d+):(\d+)(?::(participant|observer))?[^;]*(?:;(.*))?$/;

export function parseEnsembleConfig(data: Buffer | null, stat: Stat): EnsembleConfig {
  const text = data?.toString('utf8') ?? '';
  const servers: EnsembleServer[] = [];
  let version = 0n;
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    if (trimmed.startsWith('version=')) version = parseVersion(trimmed.slice('version='.length));
    else if (trimmed.startsWith('server.')) servers.push(parseServer(trimmed));
  }
  return { text, version, servers, stat };
}

function parseVersion(hex: string): bigint {
  if (!/^-?[0-9a-f]+$/i.test(hex))
    throw new ProtocolError(`"version=${hex}" in /zookeeper/config is no hex number`, 'refused');
  return hex.startsWith('-') ? -BigInt(`0x${hex.slice(1)}`) : BigInt(`0x${hex}`);
}

function parseServer(line: string): EnsembleServer {
  const match = SERVER.exec(line);
  if (match === null) throw new ProtocolError(`"${line}" in /zookeeper/config is no server`, 'refused');
  const [, id, host, quorumPort, electionPort, role, client] = match as unknown as string[];
  return {
    id: Number(id),
    role: role === 'observer' ? 'observer' : 'participant',
    host: withoutBrackets(host as string),
    quorumPort: Number(quorumPort),
    electionPort: Number(electionPort),
    clientAddress: parseClientAddress(client),
  };
}

function parseClientAddress(text: string | undefined): ServerAddress | null {
  if (text === undefined || text.trim() === '') return null;
  const colon = text.lastIndexOf(':');
  const host = colon < 0 ? '0.0.0.0' : withoutBrackets(text.slice(0, colon));
  return { host, port: Number(text.slice(colon + 1)) };
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}
