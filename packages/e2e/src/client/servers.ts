/** The servers that rows run against: one alone, or an ensemble, made whole again before every row. */
import { join } from 'node:path';
import { connect } from '@zoots/client';
import { Ensemble, type Member } from '../peers/ensemble.js';
import { freePort, type Peer, type PeerKind, startPeer } from '../peers/peer.js';
import { type SingleServer, Stage } from './row.js';

export interface Servers {
  /**
   * For the next row. Servers that the last one killed are back. `isSpread`: its clients connect to any server of an ensemble, otherwise all
   * to the same one, so that each of them sees at once what another has done.
   */
  stage(workDir: string, isSpread: boolean): Promise<Stage>;
  /** Lets go on what is frozen. */
  thaw(): void;
  stop(): Promise<void>;
}

/** `super:test`. */
const superDigest = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU=';

export const serverConfig = {
  // Short ticks allow short sessions.
  tickTime: '200',
  initLimit: '50',
  syncLimit: '20',
  maxSessionTimeout: '60000',
};

export const serverProperties = {
  'zookeeper.DigestAuthenticationProvider.superDigest': superDigest,
  'zookeeper.extendedTypesEnabled': 'true',
  'zookeeper.enforceQuota': 'true',
  'znode.container.checkIntervalMs': '200',
  'readonlymode.enabled': 'true',
  // Processes are killed here, machines are not.
  'zookeeper.forceSync': 'no',
};

export function openServers(kind: PeerKind, setting: 'alone' | 'ensemble', workDir: string): Promise<Servers> {
  return setting === 'alone' ? openSingle(kind, workDir) : openEnsemble(kind, workDir);
}

async function openSingle(kind: PeerKind, workDir: string): Promise<Servers> {
  const port = await freePort();
  const options = { workDir, port, config: serverConfig, properties: serverProperties };
  const start = (): Promise<Peer> => startPeer(kind, options);
  let peer = await start();
  let isFrozen = false;
  const thaw = (): void => {
    if (isFrozen) process.kill(peer.pid, 'SIGCONT');
    isFrozen = false;
  };
  const single: SingleServer = {
    kill: () => peer.kill(),
    start: async () => {
      if (!peer.alive()) peer = await start();
    },
    freeze: () => {
      process.kill(peer.pid, 'SIGSTOP');
      isFrozen = true;
    },
    thaw,
  };
  let rowCount = 0;
  const stage = async (rowDir: string): Promise<Stage> => {
    await single.start();
    const connectString = `127.0.0.1:${port}`;
    const root = `/row-${++rowCount}`;
    await makeRoot(connectString, root);
    return new Stage({ kind, connectString, port, root, workDir: rowDir, single, ensemble: null });
  };
  return { stage, thaw, stop: () => peer.kill() };
}

async function openEnsemble(kind: PeerKind, workDir: string): Promise<Servers> {
  const ensemble = await Ensemble.start(kind, {
    workDir: join(workDir, 'members'),
    config: { ...serverConfig, reconfigEnabled: 'true' },
    properties: serverProperties,
  });
  let rowCount = 0;
  const stage = async (rowDir: string, isSpread: boolean): Promise<Stage> => {
    await ensemble.heal();
    const root = `/row-${++rowCount}`;
    const { members } = ensemble;
    const { port } = isSpread ? await ensemble.leader() : (members[rowCount % members.length] as Member);
    const connectString = isSpread ? ensemble.connectString() : `127.0.0.1:${port}`;
    await makeRoot(connectString, root);
    return new Stage({ kind, connectString, port, root, workDir: rowDir, single: null, ensemble });
  };
  const thaw = (): void => {
    for (const member of ensemble.members) member.thaw();
  };
  return { stage, thaw, stop: () => ensemble.stop() };
}

async function makeRoot(connectString: string, root: string): Promise<void> {
  const client = await connect(connectString, { sessionTimeoutMs: 10_000 });
  try {
    await client.create(root);
  } finally {
    await client.close();
  }
}
