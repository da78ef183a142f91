/**
 * `server.N` lines.
 *
 *     server.N = address ["|" address]... [";" [clientAddress ":"] clientPort]
 *     address  = host ":" quorumPort ":" electionPort [":" ("participant" | "observer")]
 *
 * An IPv6 host stands in brackets. Facts: Apache's QuorumPeer.QuorumServer and ConfigUtils.
 */
import type { PeerAddress, ServerAddress } from './server-config.js';

/** Why a line cannot be read; the caller knows file and line. */
export class ServerAddressError extends Error {
  override readonly name = 'ServerAddressError';
}

const form = 'host:quorumPort:electionPort[:participant|:observer][;[clientAddress:]clientPort]';

/** `multiAddress`: whether several addresses per server are allowed. Throws {@link ServerAddressError}. */
export function parseServerAddress(id: number, text: string, multiAddress: boolean): ServerAddress {
  const [serverPart, clientPart, ...rest] = text.split(';');
  if (rest.length > 0) throw new ServerAddressError(`"${text}" has more than one ";": expected ${form}`);
  const alternatives = (serverPart as string).split('|');
  if (alternatives.length > 1 && !multiAddress) {
    throw new ServerAddressError(`several addresses for server ${id} need multiAddress.enabled=true`);
  }
  const parsed = alternatives.map((alternative) => parseAddress(alternative.trim(), text));
  const roles = new Set(parsed.map((address) => address.role).filter((role) => role !== null));
  if (roles.size > 1) throw new ServerAddressError(`the addresses of server ${id} have different roles`);
  return {
    id,
    role: [...roles][0] ?? 'participant',
    addresses: parsed.map(({ host, quorumPort, electionPort }) => ({ host, quorumPort, electionPort })),
    client: clientPart === undefined || clientPart === '' ? null : parseClientPart(clientPart),
  };
}

type AddressWithRole = PeerAddress & { readonly role: 'participant' | 'observer' | null };

function parseAddress(text: string, wholeText: string): AddressWithRole {
  const parts = splitHostAndPorts(text);
  if (parts.length < 3 || parts.length > 4) {
    throw new ServerAddressError(`"${wholeText}" is not of the form ${form}`);
  }
  const [host, quorumPort, electionPort, role] = parts as [string, string, string, string?];
  if (host === '') throw new ServerAddressError(`"${wholeText}" has no host: expected ${form}`);
  const address = {
    host,
    quorumPort: parsePort(quorumPort),
    electionPort: parsePort(electionPort),
    role: roleOf(role),
  };
  if (address.quorumPort === address.electionPort) {
    throw new ServerAddressError(`"${text}" has the same port for quorum and election: they must differ`);
  }
  return address;
}

function parseClientPart(text: string): { host: string; port: number } {
  const parts = splitHostAndPorts(text.trim());
  if (parts.length > 2) throw new ServerAddressError(`client address "${text}" is not [address:]port`);
  const port = parsePort(parts[parts.length - 1] as string);
  return { host: parts.length === 2 ? (parts[0] as string) : '0.0.0.0', port };
}

/** The host without its brackets, and what stands behind the colons. */
function splitHostAndPorts(text: string): string[] {
  if (!text.startsWith('[')) return text.split(':').map((part) => part.trim());
  const close = text.indexOf(']');
  if (close < 0) throw new ServerAddressError(`"${text}" has a "[" without its "]"`);
  const behind = text.slice(close + 1);
  if (behind === '') return [text.slice(1, close)];
  if (!behind.startsWith(':') || behind === ':') throw new ServerAddressError(`"${text}" has no port behind the "]:"`);
  const ports = behind.slice(1).split(':');
  return [text.slice(1, close), ...ports.map((part) => part.trim())];
}

function parsePort(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(port >= 0 && port <= 65535)) throw new ServerAddressError(`"${text}" is not a port from 0 to 65535`);
  return port;
}

function roleOf(text: string | undefined): 'participant' | 'observer' | null {
  if (text === undefined) return null;
  const role = text.toLowerCase();
  if (role === 'participant' || role === 'observer') return role;
  throw new ServerAddressError(`"${text}" is neither participant nor observer`);
}
