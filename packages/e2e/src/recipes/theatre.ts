/** Where the rows run: one real server, or an ensemble of three, which the rows may restart. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@zoots/client';
import { Ensemble } from '../peers/ensemble.js';
import { freePort, type Peer, type PeerKind, startPeer } from '../peers/peer.js';
import { type Stage, sleep } from './row.js';

/** Short ticks, so that sessions of the killed expire within seconds. */
const serverConfig = { tickTime: '500', minSessionTimeout: '1000', maxSessionTimeout: '40000' };
const properties = { 'zookeeper.extendedTypesEnabled': 'true' };

/** How long the leader of an ensemble is away: the others elect another one. */
const leaderAwayMs = 1_000;

interface Servers {
  readonly ports: readonly number[];
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export class Theatre {
  /** As on the command line: `x3` at the end stands for three servers. */
  readonly kind: string;
  readonly #workDir: string;
  #servers: Servers | null = null;

  constructor(kind: string, workDir: string) {
    this.kind = kind;
    this.#workDir = workDir;
  }

  get isEnsemble(): boolean {
    return this.kind.endsWith('x3');
  }

  async start(): Promise<void> {
    this.#servers = this.isEnsemble
      ? await ensembleOf(this.kind.slice(0, -2) as PeerKind, this.#workDir)
      : await serverOf(this.kind as PeerKind, this.#workDir);
  }

  async stop(): Promise<void> {
    await this.#servers?.stop();
  }

  /** `notes` receives what the row tells. */
  async stageOf(number: number, seed: number, notes: string[]): Promise<Stage> {
    const { ports, restart } = this.#servers as Servers;
    const connectString = ports.map((port) => `127.0.0.1:${port}`).join();
    const root = `/rows/${number}`;
    await using client = await connect(connectString);
    await client.ensurePath(root);
    const workDir = join(this.#workDir, String(number));
    mkdirSync(workDir, { recursive: true });
    const note = (text: string): void => {
      notes.push(text);
    };
    const port = ports[0] as number;
    return { kind: this.kind, port, ports, connectString, root, workDir, seed, restartServer: restart, note };
  }
}

async function serverOf(kind: PeerKind, workDir: string): Promise<Servers> {
  const port = await freePort();
  const start = (): Promise<Peer> => startPeer(kind, { workDir, port, config: serverConfig, properties });
  let peer = await start();
  return {
    ports: [port],
    restart: async () => {
      await peer.kill();
      peer = await start();
    },
    stop: () => peer.stop(),
  };
}

async function ensembleOf(kind: PeerKind, workDir: string): Promise<Servers> {
  const ensemble = await Ensemble.start(kind, { workDir, config: serverConfig, properties });
  return {
    ports: ensemble.members.map((member) => member.port),
    restart: async () => {
      await (await ensemble.leader()).kill();
      await sleep(leaderAwayMs);
      await ensemble.heal();
    },
    stop: () => ensemble.stop(),
  };
}
