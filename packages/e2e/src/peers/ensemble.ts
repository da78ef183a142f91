/**
 * Three real Apache servers that form an ensemble on this machine. Members can be killed, frozen and brought back one by one;
 * `heal` makes the ensemble whole again. (Ours joins them here once it has ensembles.)
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fourLetterWord } from '../wire/four-letter-word.js';
import { freePort, type Peer, startPeer } from './peer.js';
import type { ApacheKind } from './versions.js';

export interface EnsembleOptions {
  /** Holds one directory per member. */
  readonly workDir: string;
  /** Further zoo.cfg lines of every member. */
  readonly config?: Readonly<Record<string, string>>;
  readonly properties?: Readonly<Record<string, string>>;
}

export type Mode = 'leader' | 'follower' | 'read-only' | 'none';

const MEMBER_COUNT = 3;
/** Elections on a busy machine, and JVMs that start meanwhile. */
const START_TIMEOUT_MS = 60_000;

export class Member {
  /** From 1 on, as in server.N. */
  readonly id: number;
  readonly port: number;
  readonly #start: () => Promise<Peer>;
  #peer: Peer | null = null;
  #isFrozen = false;

  constructor(id: number, port: number, start: () => Promise<Peer>) {
    this.id = id;
    this.port = port;
    this.#start = start;
  }

  get isRunning(): boolean {
    return this.#peer?.alive() === true;
  }

  /** Resolves when it says its mode: with a leader, or read-only. */
  async start(): Promise<void> {
    this.thaw();
    if (!this.isRunning) this.#peer = await this.#start();
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#isFrozen = false;
    await this.#peer?.kill();
    this.#peer = null;
  }

  /** SIGSTOP: its connections stay open, and nobody answers. */
  freeze(): void {
    if (this.#peer === null || !this.isRunning) return;
    process.kill(this.#peer.pid, 'SIGSTOP');
    this.#isFrozen = true;
  }

  thaw(): void {
    if (this.#isFrozen && this.#peer !== null) process.kill(this.#peer.pid, 'SIGCONT');
    this.#isFrozen = false;
  }

  async mode(): Promise<Mode> {
    if (!this.isRunning || this.#isFrozen) return 'none';
    const text = await fourLetterWord(this.port, 'srvr', 2_000).catch(() => '');
    return (/^Mode: (leader|follower|read-only)$/m.exec(text)?.[1] as Mode | undefined) ?? 'none';
  }

  log(): string {
    return this.#peer?.log() ?? '';
  }
}

export class Ensemble {
  readonly kind: ApacheKind;
  readonly members: readonly Member[];

  private constructor(kind: ApacheKind, members: readonly Member[]) {
    this.kind = kind;
    this.members = members;
  }

  /** Resolves when all serve. Throws as startPeer does. */
  static async start(kind: ApacheKind, options: EnsembleOptions): Promise<Ensemble> {
    const ids = Array.from({ length: MEMBER_COUNT }, (_, at) => at + 1);
    const ports: { client: number; quorum: number; election: number }[] = [];
    for (const _ of ids) ports.push({ client: await freePort(), quorum: await freePort(), election: await freePort() });
    const servers = Object.fromEntries(
      ports.map(({ quorum, election }, at) => [`server.${at + 1}`, `127.0.0.1:${quorum}:${election}`]),
    );
    const members = ids.map((id, at) => {
      const workDir = join(options.workDir, String(id));
      const dataDir = join(workDir, 'data');
      mkdirSync(dataDir, { recursive: true });
      writeFileSync(join(dataDir, 'myid'), `${id}\n`);
      const { client: port } = ports[at] as { client: number };
      const peerOptions = {
        workDir,
        port,
        config: { ...servers, ...options.config },
        properties: options.properties ?? {},
        startTimeoutMs: START_TIMEOUT_MS,
      };
      return new Member(id, port, () => startPeer(kind, peerOptions));
    });
    const ensemble = new Ensemble(kind, members);
    await ensemble.#all((member) => member.start());
    return ensemble;
  }

  /** For clients; `only` leaves out the others. */
  connectString(only: readonly Member[] = this.members): string {
    return only.map((member) => `127.0.0.1:${member.port}`).join(',');
  }

  memberAt(port: number): Member {
    const member = this.members.find((candidate) => candidate.port === port);
    if (member === undefined) throw new Error(`no member has the client port ${port}`);
    return member;
  }

  async leader(): Promise<Member> {
    for (const member of this.members) if ((await member.mode()) === 'leader') return member;
    throw new Error('the ensemble has no leader');
  }

  async followers(): Promise<Member[]> {
    const modes = await Promise.all(this.members.map((member) => member.mode()));
    return this.members.filter((_, at) => modes[at] === 'follower');
  }

  /** Starts what was killed and lets go on what was frozen; resolves when there is one leader and the others follow it. */
  async heal(): Promise<void> {
    await this.#all((member) => member.start());
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const modes = (await Promise.all(this.members.map((member) => member.mode()))).sort();
      if (modes.join() === 'follower,follower,leader') return;
      if (performance.now() > deadlineMs) throw new Error(`the ensemble does not heal: ${modes.join()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async stop(): Promise<void> {
    await this.#all((member) => member.kill());
  }

  /** One that fails must not leave the others behind. */
  async #all(action: (member: Member) => Promise<void>): Promise<void> {
    const results = await Promise.allSettled(this.members.map(action));
    const failure = results.find((result) => result.status === 'rejected');
    if (failure === undefined) return;
    await Promise.all(this.members.map((member) => member.kill()));
    throw failure.reason;
  }
}
