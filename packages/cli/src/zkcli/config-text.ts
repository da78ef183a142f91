/** The ensemble's configuration as `config -c` sums it up: its version, and where clients connect. */
import { hashOfString, inHashOrder } from '../data-tools/hash-order.js';

/** Java's table of properties begins with so many buckets. */
const BUCKETS = 16;

/** `100000000 127.0.0.1:2181,127.0.0.1:2182`; servers in the order in which Apache's prints them, that of a hash table. */
export function clientConfigText(text: string): string {
  const entries = text.split('\n').flatMap((line) => {
    const at = line.indexOf('=');
    return at < 0 ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()] as const];
  });
  const version = entries.find(([key]) => key === 'version')?.[1] ?? '';
  const servers = inHashOrder(entries, ([key]) => hashOfString(key), BUCKETS).filter(([key]) =>
    key.startsWith('server.'),
  );
  return `${version} ${servers.map(([, value]) => clientAddress(value)).join(',')}`;
}

/** `host:2888:3888:participant;[address:]2181`; empty if it does not say where clients connect. */
function clientAddress(server: string): string {
  const address = server.split(';')[1]?.trim();
  if (address === undefined || address === '') return '';
  return /^\d+$/.test(address) ? `0.0.0.0:${address}` : address;
}
