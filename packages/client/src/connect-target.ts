/**
 * Where to connect, from what people write:
 *
 * - ZooKeeper's own: `h1:2181,h2:2181/chroot`, `[::1]:2181`, without a port 2181;
 * - a URL: `zk://h1,h2/chroot?sessionTimeoutMs=10000&readOnly=true`, `zks://` for TLS, `zk://user:password@…` for digest;
 * - an array of addresses, `{host, port}` or text (the last may carry a chroot).
 */
import { ArgumentError } from './errors.js';
import { checkPath } from './paths.js';
import type { AuthInfo, ConnectTarget, ServerAddress } from './types.js';

export const CLIENT_PORT_DEFAULT = 2181;

export interface ParsedTarget {
  readonly servers: readonly ServerAddress[];
  /** '' or an absolute path. */
  readonly chroot: string;
  readonly tls: boolean;
  readonly auth: readonly AuthInfo[];
  readonly sessionTimeoutMs: number | null;
  readonly readOnly: boolean | null;
}

/** Throws {@link ArgumentError} with what is wrong. */
export function parseTarget(target: ConnectTarget): ParsedTarget {
  if (typeof target === 'string') return target.includes('://') ? parseUrl(target) : parseList(target);
  if (target instanceof URL) return parseUrl(target.href);
  const addresses = target.map((one) => (typeof one === 'string' ? one : `${bracketed(one.host)}:${one.port}`));
  return parseList(addresses.join(','));
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

function parseList(text: string): ParsedTarget {
  const slash = text.indexOf('/');
  const hosts = slash < 0 ? text : text.slice(0, slash);
  const servers = hosts
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseAddress);
  if (servers.length === 0)
    throw new ArgumentError(`there is no server in "${text}": write host:port,host:port/chroot`);
  const chroot = slash < 0 ? '' : parseChroot(text.slice(slash).trim());
  return { servers, chroot, tls: false, auth: [], sessionTimeoutMs: null, readOnly: null };
}

function parseChroot(path: string): string {
  if (path === '/') return '';
  checkPath(path, 'connect');
  return path;
}

/** `host`, `host:port`, `[v6]`, `[v6]:port`; an IPv6 address with no brackets and no port is taken, too. */
function parseAddress(text: string): ServerAddress {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(text);
  if (match === null) {
    if (/^[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text)) return { host: text, port: CLIENT_PORT_DEFAULT };
    throw new ArgumentError(`"${text}" is no address: write host:port, and an IPv6 address as [::1]:2181`);
  }
  const host = (match[1] ?? match[2]) as string;
  const port = match[3] === undefined ? CLIENT_PORT_DEFAULT : Number(match[3]);
  if (port < 1 || port > 65_535) throw new ArgumentError(`port ${port} of "${text}" is not between 1 and 65535`);
  return { host, port };
}

const URL_PARTS = /^(zks?):\/\/(?:([^@/?]*)@)?([^/?]*)(\/[^?]*)?(?:\?(.*))?$/;

/** By hand: URL knows one host only. */
function parseUrl(text: string): ParsedTarget {
  const match = URL_PARTS.exec(text);
  if (match === null) throw new ArgumentError(`"${text}" is no ZooKeeper URL: write zk://host:port,host:port/chroot`);
  const [, scheme, user, hosts, path, query] = match;
  const list = parseList(`${hosts}${path === undefined ? '' : decodeURIComponent(path)}`);
  const auth = user === undefined ? [] : [{ scheme: 'digest', auth: decodeURIComponent(user) }];
  return { ...list, tls: scheme === 'zks', auth, ...parseQuery(query ?? '', text) };
}

function parseQuery(query: string, text: string): Pick<ParsedTarget, 'sessionTimeoutMs' | 'readOnly'> {
  let sessionTimeoutMs: number | null = null;
  let readOnly: boolean | null = null;
  for (const [key, value] of new URLSearchParams(query)) {
    if (key === 'sessionTimeoutMs' || key === 'timeout') {
      sessionTimeoutMs = Number(value);
      if (!(sessionTimeoutMs > 0)) throw new ArgumentError(`${key}=${value} of "${text}" is no number of milliseconds`);
    } else if (key === 'readOnly') readOnly = value !== 'false';
    else throw new ArgumentError(`"${text}" has the unknown option ${key}: there are timeout and readOnly`);
  }
  return { sessionTimeoutMs, readOnly };
}
