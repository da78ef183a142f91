/** A port that cannot be bound, in one sentence that names the place and the remedy. */

export type PortName = 'client' | 'election' | 'quorum';

/** What to change in zoo.cfg to have another port, or another address. */
const remedies: Readonly<Record<PortName, { readonly port: string; readonly address: string }>> = {
  client: { port: 'set another clientPort', address: 'set clientPortAddress to an address of this machine' },
  election: {
    port: "change the second port of this server's server.N line, on all servers",
    address:
      "let this server's server.N line (is it the right myid?) name this machine, or set quorumListenOnAllIPs=true",
  },
  quorum: {
    port: "change the first port of this server's server.N line, on all servers",
    address:
      "let this server's server.N line (is it the right myid?) name this machine, or set quorumListenOnAllIPs=true",
  },
};

/** `host` null: all addresses. */
export function bindFailure(name: PortName, host: string | null, port: number, error: Error): string {
  const where = `${host ?? '*'}:${port}`;
  const { code } = error as NodeJS.ErrnoException;
  const remedy = remedies[name];
  const place = name === 'client' ? `port ${where}` : `${name} port ${where}`;
  if (code === 'EADDRINUSE') return `${place} is in use: stop what listens there or ${remedy.port}`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return `cannot listen on ${place}: ${code === 'EADDRNOTAVAIL' ? 'this machine does not have that address' : 'the name cannot be resolved'}; ${remedy.address}`;
  }
  return `cannot listen on ${name === 'client' ? where : place}: ${error.message}`;
}
