/**
 * Real servers that form an ensemble on this machine: Apache's of any version, ours, or some of each. Members can be killed, frozen,
 * wiped, turned into another kind on the same data, and brought back one by one; `heal` makes the ensemble whole again.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fourLetterWord } from '../wire/four-letter-word.js';
import {
  freePort,
  launchPeer,
  type Peer,
  type PeerKind,
  PeerMissingError,
  type PeerOptions,
  untilServing,
} from './peer.js';

export interface MemberSpec {
  readonly kind: PeerKind;
  readonly isObserver?: boolean;
}

export interface EnsembleOptions {
  /** Holds one directory per member. */
  readonly workDir: string;
  /** Further zoo.cfg lines of every member. */
  readonly config?: Readonly<Record<string, string>>;
  readonly properties?: Readonly<Record<string, string>>;
  /** See PeerOptions. */
  readonly loggers?: Readonly<Record<string, string>>;
  /** Who is to lead after the start; see `Ensemble.startLedBy`. Default: whoever is elected. */
  readonly leader?: number;
}

export type Mode = 'leader' | 'follower' | 'observer' | 'read-only' | 'none';

const MEMBER_COUNT = 3;
/** Elections on a busy machine, and JVMs that start meanwhile. */
const START_TIMEOUT_MS = 60_000;

export class Member {
  /** As in server.N. */
  readonly id: number;
  readonly port: number;
  readonly isObserver: boolean;
  kind: PeerKind;
  /** Of the next start. */
  properties: Readonly<Record<string, string>>;
  /** Lines of zoo.cfg that the next start has besides those of the ensemble. */
  config: Readonly<Record<string, string>> = {};
  readonly #options: PeerOptions;
  #peer: Peer | null = null;
  #isFrozen = false;

  constructor(id: number, { kind, isObserver = false }: MemberSpec, options: PeerOptions) {
    this.id = id;
    this.port = options.port;
    this.isObserver = isObserver;
    this.kind = kind;
    this.properties = options.properties ?? {};
    this.#options = options;
    this.#layOut();
  }

  get isRunning(): boolean {
    return this.#peer?.alive() === true;
  }

  get dataDir(): string {
    return join(this.#options.workDir, 'data');
  }

  #layOut(): void {
    mkdirSync(this.dataDir, { recursive: true });
    writeFileSync(join(this.dataDir, 'myid'), `${this.id}\n`);
  }

  /** Starts the process and does not wait: alone, it has nobody to follow or lead. */
  launch(): void {
    this.thaw();
    if (!this.isRunning) this.#peer = launchPeer(this.kind, this.#startOptions());
  }

  #startOptions(): PeerOptions {
    const { properties } = this;
    return { ...this.#options, properties, config: { ...this.#options.config, ...this.config } };
  }

  /** Resolves when it says its mode: with a leader, or read-only. */
  async start(): Promise<void> {
    this.launch();
    await untilServing(this.#peer as Peer, this.#startOptions());
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#isFrozen = false;
    await this.#peer?.kill();
    this.#peer = null;
  }

  /** SIGTERM. */
  async stop(): Promise<void> {
    this.thaw();
    await this.#peer?.stop();
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

  /** Takes everything that it knows but its id from a member that does not run. */
  wipe(): void {
    if (this.isRunning) throw new Error(`member ${this.id} runs; kill it before you wipe its data`);
    rmSync(this.dataDir, { recursive: true });
    this.#layOut();
  }

  async mode(): Promise<Mode> {
    if (!this.isRunning || this.#isFrozen) return 'none';
    const text = await fourLetterWord(this.port, 'srvr', 2_000).catch(() => '');
    return (/^Mode: (leader|follower|observer|read-only)$/m.exec(text)?.[1] as Mode | undefined) ?? 'none';
  }

  /** What it has written since its last start. */
  log(): string {
    return this.#peer?.log() ?? '';
  }

  /** For messages: `2 (zoots)`. */
  toString(): string {
    return `${this.id} (${this.kind}${this.isObserver ? ', observer' : ''})`;
  }
}

export class Ensemble {
  /** Of the first member. */
  readonly kind: PeerKind;
  readonly members: readonly Member[];

  private constructor(members: readonly Member[]) {
    this.kind = (members[0] as Member).kind;
    this.members = members;
  }

  /** Three of one kind, or whatever is asked for, in the order of their ids. Resolves when all serve. Throws as startPeer does. */
  static async start(specs: PeerKind | readonly MemberSpec[], options: EnsembleOptions): Promise<Ensemble> {
    const ensemble = await Ensemble.prepare(specs, options);
    if (options.leader === undefined) await ensemble.#all(ensemble.members, (member) => member.start());
    else await ensemble.startLedBy(options.leader);
    return ensemble;
  }

  /** As `start`, with nobody started. */
  static async prepare(specs: PeerKind | readonly MemberSpec[], options: EnsembleOptions): Promise<Ensemble> {
    const all = typeof specs === 'string' ? Array.from({ length: MEMBER_COUNT }, () => ({ kind: specs })) : specs;
    const ports: number[] = [];
    const servers: Record<string, string> = {};
    for (const [at, { isObserver }] of (all as readonly MemberSpec[]).entries()) {
      ports.push(await freePort());
      const address = `127.0.0.1:${await freePort()}:${await freePort()}`;
      servers[`server.${at + 1}`] = isObserver ? `${address}:observer` : address;
    }
    const members = (all as readonly MemberSpec[]).map((spec, at) => {
      const peerType: Record<string, string> = spec.isObserver ? { peerType: 'observer' } : {};
      return new Member(at + 1, spec, {
        workDir: join(options.workDir, String(at + 1)),
        port: ports[at] as number,
        config: { ...servers, ...peerType, ...options.config },
        properties: options.properties ?? {},
        loggers: options.loggers ?? {},
        startTimeoutMs: START_TIMEOUT_MS,
      });
    });
    return new Ensemble(members);
  }

  get participants(): readonly Member[] {
    return this.members.filter((member) => !member.isObserver);
  }

  /**
   * Starts all, none of which runs, so that this one leads: it and others with lower ids are the first majority, and of servers
   * with equal data the one with the highest id wins. Throws if it does not come out so.
   */
  async startLedBy(id: number): Promise<void> {
    const lower = this.participants.filter((member) => member.id < id);
    const majority = Math.floor(this.participants.length / 2) + 1;
    const first = [this.member(id), ...lower.slice(0, majority - 1)];
    if (first.length < majority) throw new Error(`server ${id} cannot win: too few have lower ids`);
    await this.#all(first, (member) => member.start());
    await this.#all(this.members, (member) => member.start());
    const leader = await this.leader();
    if (leader.id !== id) throw new Error(`server ${leader} leads, not ${this.member(id)}`);
  }

  /** For clients; `only` leaves out the others. */
  connectString(only: readonly Member[] = this.members): string {
    return only.map((member) => `127.0.0.1:${member.port}`).join(',');
  }

  member(id: number): Member {
    const member = this.members.find((candidate) => candidate.id === id);
    if (member === undefined) throw new Error(`no member has the id ${id}`);
    return member;
  }

  memberAt(port: number): Member {
    const member = this.members.find((candidate) => candidate.port === port);
    if (member === undefined) throw new Error(`no member has the client port ${port}`);
    return member;
  }

  async leader(): Promise<Member> {
    for (const member of this.participants) if ((await member.mode()) === 'leader') return member;
    throw new Error('the ensemble has no leader');
  }

  async followers(): Promise<Member[]> {
    const modes = await Promise.all(this.members.map((member) => member.mode()));
    return this.members.filter((_, at) => modes[at] === 'follower');
  }

  /** Starts what was killed and lets go on what was frozen; resolves when there is one leader and the others follow it. */
  async heal(): Promise<void> {
    await this.#all(this.members, (member) => member.start());
    await this.untilWhole(this.members);
  }

  /** Resolves when one of these leads, the other voters follow and observers observe. */
  async untilWhole(expected: readonly Member[], timeoutMs = START_TIMEOUT_MS): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    const followers = expected.filter((member) => !member.isObserver).slice(1);
    const observers = expected.filter((member) => member.isObserver);
    const wanted = [...followers.map(() => 'follower'), 'leader', ...observers.map(() => 'observer')].sort().join();
    for (;;) {
      const modes = (await Promise.all(expected.map((member) => member.mode()))).sort();
      if (modes.join() === wanted) return;
      if (performance.now() > deadlineMs) throw new Error(`the ensemble does not heal: ${modes.join()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** A failure with what each member says at the end of its log. A missing peer stays what it is. */
  explained(failure: unknown): unknown {
    if (failure instanceof PeerMissingError) return failure;
    const lastWords = (member: Member): string => member.log().trim().split('\n').slice(-8).join('\n    ');
    const words = this.members.map((member) => `  ${member}, port ${member.port}:\n    ${lastWords(member)}`);
    return new Error(`the servers' last words:\n${words.join('\n')}`, { cause: failure });
  }

  /** SIGKILL to all. */
  async stop(): Promise<void> {
    await this.#all(this.members, (member) => member.kill());
  }

  /** One that fails must not leave the others behind. */
  async #all(members: readonly Member[], action: (member: Member) => Promise<void>): Promise<void> {
    const results = await Promise.allSettled(members.map(action));
    const failure = results.find((result) => result.status === 'rejected');
    if (failure === undefined) return;
    await Promise.all(this.members.map((member) => member.kill()));
    throw failure.reason;
  }
}
