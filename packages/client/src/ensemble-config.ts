/** The ensemble's configuration as applications see it, from the text of /zookeeper/config. */
import { type EnsembleMember, isProblem, parseEnsemble } from '@zoots/protocol';
import { ProtocolError } from './errors.js';
import type { EnsembleConfig, EnsembleServer, Stat } from './types.js';

export function parseEnsembleConfig(data: Buffer | null, stat: Stat): EnsembleConfig {
  const text = data?.toString('utf8') ?? '';
  const parsed = parseEnsemble(text);
  if (isProblem(parsed)) throw new ProtocolError(`/zookeeper/config cannot be read: ${parsed.problem}`, 'refused');
  return { text, version: BigInt(parsed.version), servers: parsed.members.map(serverOf), stat };
}

/** Of several addresses of a server the first speaks for it. */
function serverOf({ id, role, addresses: [address], client }: EnsembleMember): EnsembleServer {
  const { host = '', quorumPort = 0, electionPort = 0 } = address ?? {};
  return { id, role, host, quorumPort, electionPort, clientAddress: client };
}
