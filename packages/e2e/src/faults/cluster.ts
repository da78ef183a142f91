/**
 * Three real servers of one kind, each a process with a configuration of its own: what it takes for the ports of another member is
 * a link (link.ts), one for each direction and port, so that every way between two members can be troubled alone.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServerProcess, sleep } from '../crash/server-process.js';
import { freePort, type PeerKind } from '../peers/peer.js';
import { fourLetterWord } from '../wire/four-letter-word.js';
import { Link, type Way } from './link.js';

export interface ClusterOptions {
  readonly kind: PeerKind;
  readonly workDir: string;
  /** Further zoo.cfg lines, which win over those below. */
  readonly config?: Readonly<Record<string, string>>;
  /** Without, members talk directly: for measurements. */
  readonly hasLinks: boolean;
}

/** Ticks that are short enough to hear of a dead peer within a test's time. */
const quickConfig = {
  tickTime: '500',
  initLimit: '20',
  syncLimit: '4',
  maxSessionTimeout: '60000',
};

const properties = {
  // Small files, so that a full disk is soon there, and several logs.
  'zookeeper.preAllocSize': '64',
  'zookeeper.snapCount': '2000',
};

const serveTimeoutMs = 60_000;

interface Ports {
  readonly client: number;
  readonly quorum: number;
  readonly election: number;
}

export class ClusterMember {
  readonly id: number;
  readonly port: number;
  readonly dataDir: string;
  readonly #start: (environment: Readonly<Record<string, string>>) => ServerProcess;
  #server: ServerProcess | null = null;
  #isFrozen = false;

  constructor(
    id: number,
    port: number,
    dataDir: string,
    start: (environment: Readonly<Record<string, string>>) => ServerProcess,
  ) {
    this.id = id;
    this.port = port;
    this.dataDir = dataDir;
    this.#start = start;
  }

  get server(): ServerProcess | null {
    return this.#server;
  }

  get isRunning(): boolean {
    return this.#server !== null && this.#server.exit === null;
  }

  /** Does not wait for it to serve. */
  start(environment: Readonly<Record<string, string>> = {}): void {
    if (!this.isRunning) this.#server = this.#start(environment);
  }

  async kill(): Promise<void> {
    this.#isFrozen = false;
    await this.#server?.kill();
  }

  freeze(): void {
    if (!this.isRunning || this.#server === null) return;
    process.kill(this.#server.pid, 'SIGSTOP');
    this.#isFrozen = true;
  }

  thaw(): void {
    if (this.#isFrozen && this.#server !== null && this.isRunning) process.kill(this.#server.pid, 'SIGCONT');
    this.#isFrozen = false;
  }

  /** `leader`, `follower`, …; empty when it says none. */
  async mode(): Promise<string> {
    if (!this.isRunning || this.#isFrozen) return '';
    const text = await fourLetterWord(this.port, 'srvr', 1_000).catch(() => '');
    return /^Mode: (.+)$/m.exec(text)?.[1] ?? '';
  }
}

export class Cluster {
  readonly kind: PeerKind;
  readonly members: readonly ClusterMember[];
  /** By `opener-target`; of each the quorum and the election port's. */
  readonly #links: ReadonlyMap<string, readonly Link[]>;

  private constructor(kind: PeerKind, members: readonly ClusterMember[], links: ReadonlyMap<string, readonly Link[]>) {
    this.kind = kind;
    this.members = members;
    this.#links = links;
  }

  /** Resolves when one leads and two follow. */
  static async start({ kind, workDir, config = {}, hasLinks }: ClusterOptions): Promise<Cluster> {
    const ids = [1, 2, 3];
    const ports = new Map<number, Ports>();
    for (const id of ids) {
      ports.set(id, { client: await freePort(), quorum: await freePort(), election: await freePort() });
    }
    const links = new Map<string, Link[]>();
    const addresses = new Map<string, string>();
    for (const id of ids) {
      for (const other of ids) {
        const real = ports.get(other) as Ports;
        const seen = { quorum: real.quorum, election: real.election };
        if (hasLinks && id !== other) {
          seen.quorum = await freePort();
          seen.election = await freePort();
        }
        addresses.set(`${id}-${other}`, `127.0.0.1:${seen.quorum}:${seen.election}`);
      }
    }
    const electionSeenBy = (id: number, other: number): string => addresses.get(`${id}-${other}`)?.split(':')[2] ?? '';
    for (const id of hasLinks ? ids : []) {
      for (const other of ids.filter((each) => each !== id)) {
        const [, quorum, election] = (addresses.get(`${id}-${other}`) as string).split(':').map(Number);
        const real = ports.get(other) as Ports;
        const own = ports.get(id) as Ports;
        // A greeting on the election port names the address at which to call back: that must be a link as well.
        const rewrite = [`:${own.election}`, `:${electionSeenBy(other, id)}`] as const;
        links.set(`${id}-${other}`, [
          await Link.open({ port: quorum as number, targetPort: real.quorum }),
          await Link.open({ port: election as number, targetPort: real.election, rewrite }),
        ]);
      }
    }
    const members = ids.map((id) => {
      const memberDir = join(workDir, String(id));
      const dataDir = join(memberDir, 'data');
      mkdirSync(dataDir, { recursive: true });
      writeFileSync(join(dataDir, 'myid'), `${id}\n`);
      const lines = Object.fromEntries(
        ids.map((other) => [`server.${other}`, addresses.get(`${id}-${other}`) as string]),
      );
      const { client: port } = ports.get(id) as Ports;
      const server = {
        kind,
        workDir: memberDir,
        dataDir,
        port,
        properties,
        config: { ...quickConfig, ...config, ...lines },
      };
      return new ClusterMember(id, port, dataDir, (environment) => new ServerProcess({ ...server, environment }));
    });
    const cluster = new Cluster(kind, members, links);
    try {
      for (const member of members) member.start();
      await cluster.whole();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async stop(): Promise<void> {
    for (const member of this.members) member.thaw();
    await Promise.all(this.members.map((member) => member.kill()));
    for (const pair of this.#links.values()) await Promise.all(pair.map((link) => link.close()));
  }

  others(...members: readonly ClusterMember[]): ClusterMember[] {
    return this.members.filter((member) => !members.includes(member));
  }

  /** Waits for one; with `among`, for one of those. */
  async leader(among: readonly ClusterMember[] = this.members, timeoutMs = serveTimeoutMs): Promise<ClusterMember> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      for (const member of among) if ((await member.mode()) === 'leader') return member;
      if (performance.now() > deadlineMs) throw new Error(`no leader within ${timeoutMs} ms:\n${this.#ends()}`);
      await sleep(20);
    }
  }

  /** Resolves when all are there: one leads, the others follow. */
  async whole(timeoutMs = serveTimeoutMs): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const modes = await Promise.all(this.members.map((member) => member.mode()));
      if ([...modes].sort().join() === 'follower,follower,leader') return;
      if (performance.now() > deadlineMs) {
        throw new Error(`the ensemble is not whole within ${timeoutMs} ms: ${modes.join()}\n${this.#ends()}`);
      }
      await sleep(20);
    }
  }

  #ends(): string {
    return this.members
      .map(({ id, server }) => `server ${id}: ${server?.log().trim().split('\n').slice(-6).join('\n  ') ?? ''}`)
      .join('\n');
  }

  // ---- the network ----

  /** What `from` sends to `to`, on whichever connection. */
  way(from: ClusterMember, to: ClusterMember, way: Way): void {
    this.#ways.set(`${from.id}-${to.id}`, way);
    for (const [opener, target] of [
      [from, to],
      [to, from],
    ] as const) {
      const there = this.#ways.get(`${opener.id}-${target.id}`) ?? 'open';
      const back = this.#ways.get(`${target.id}-${opener.id}`) ?? 'open';
      for (const link of this.#links.get(`${opener.id}-${target.id}`) ?? []) link.set(there, back);
    }
  }

  readonly #ways = new Map<string, Way>();

  /** Both directions between two members. */
  between(one: ClusterMember, other: ClusterMember, way: Way): void {
    this.way(one, other, way);
    this.way(other, one, way);
  }

  delay(delayMs: () => number): void {
    for (const pair of this.#links.values()) for (const link of pair) link.delay(delayMs);
  }

  resetConnections(): void {
    for (const pair of this.#links.values()) for (const link of pair) link.reset();
  }

  /** Every fault ends: the network is well, frozen members go on, dead ones are started. Resolves when the ensemble is whole. */
  async heal(): Promise<void> {
    this.delay(() => 0);
    for (const from of this.members) for (const to of this.others(from)) this.way(from, to, 'open');
    for (const member of this.members) {
      member.thaw();
      member.start();
    }
    await this.whole();
  }
}
