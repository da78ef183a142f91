/**
 * Clients of four libraries that write for as long as a migration takes, each in a process of its own: kazoo, Apache's Java client,
 * Apache's C client, and ours. Each says what came of every write and what its session is; a ledger keeps it.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Ledger } from '../crash/ledger.js';
import { javaCommand, PeerMissingError, projectRoot } from '../peers/versions.js';
import { fetchCurator } from '../recipes/foreign.js';
import { until } from './row.js';

const sources = join(projectRoot, 'packages', 'e2e', 'src', 'ensembles', 'clients');

export type ClientKind = 'kazoo' | 'java' | 'c' | 'zoots';

/** The words before CONNECT_STRING and HOME. `workDir` is for what has to be compiled. */
const commands: Readonly<Record<ClientKind, (workDir: string) => string[]>> = {
  kazoo: () => {
    const hasKazoo = (python: string): boolean => spawnSync(python, ['-c', 'import kazoo']).status === 0;
    const python = ['python3', '/usr/bin/python3'].find(hasKazoo);
    if (python === undefined) throw new PeerMissingError('no kazoo: install python3-kazoo');
    return [python, join(sources, 'steady_kazoo.py')];
  },
  java: (workDir) => {
    const jars = fetchCurator();
    const javac = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'javac') : 'javac';
    compile(javac, ['-nowarn', '-cp', jars, '-d', workDir, join(sources, 'SteadyClient.java')], 'a JDK');
    const words = ['-Xmx96m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${workDir}:${jars}`];
    return [javaCommand(), ...words, 'SteadyClient'];
  },
  c: (workDir) => {
    if (!existsSync('/usr/include/zookeeper/zookeeper.h')) {
      throw new PeerMissingError("no header of Apache's C client: install libzookeeper-mt-dev");
    }
    const program = join(workDir, 'steady_client');
    const source = join(sources, 'steady_client.c');
    compile('gcc', ['-O1', '-DTHREADED', '-o', program, source, '-lzookeeper_mt'], 'gcc');
    return [program];
  },
  zoots: () => [process.execPath, join(import.meta.dirname, 'clients', 'steady-zoots.js')],
};

export const clientKinds = Object.keys(commands) as ClientKind[];

function compile(compiler: string, words: readonly string[], remedy: string): void {
  const result = spawnSync(compiler, words, { encoding: 'utf8' });
  if (result.error !== undefined) throw new PeerMissingError(`no ${compiler}; install ${remedy}`);
  if (result.status !== 0) throw new Error(`${words.at(-1)} does not compile:\n${result.stderr}`);
}

export class SteadyClient {
  readonly kind: ClientKind;
  readonly home: string;
  readonly ledger = new Ledger();
  /** Each one is a failure. */
  readonly faults: string[] = [];
  longestGapMs = 0;
  #lastAckMs = 0;
  readonly #sessions: string[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #gone: Promise<void>;
  #isDone = false;
  #errors = '';

  /** `home` must not exist yet. */
  constructor(kind: ClientKind, connectString: string, home: string, workDir: string) {
    this.kind = kind;
    this.home = home;
    mkdirSync(workDir, { recursive: true });
    const [command, ...words] = commands[kind](workDir);
    this.#child = spawn(command as string, [...words, connectString, home]);
    this.#child.stderr.on('data', (chunk) => {
      this.#errors = (this.#errors + chunk).slice(-1_000);
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#hear(line));
    this.#gone = new Promise((resolve) => {
      this.#child.once('close', () => resolve());
    });
  }

  get acks(): number {
    return this.ledger.ackCount;
  }

  get sessionId(): bigint {
    return BigInt(`0x${this.#sessions[0] ?? '0'}`);
  }

  get figures(): string {
    return `${this.kind}: ${this.acks} writes, standing still for ${Math.round(this.longestGapMs)} ms at most`;
  }

  #hear(line: string): void {
    const [word, path, value] = line.split(' ') as [string, string, string];
    if (word === 'ack') this.#acknowledged(path, value);
    else if (word === 'unknown') this.ledger.send(path, value);
    else if (word === 'session') this.#sessions.push(path);
    else if (word === 'done') this.#isDone = true;
    else this.faults.push(`${this.kind}: ${line}`);
  }

  #acknowledged(path: string, value: string): void {
    const nowMs = performance.now();
    if (this.#lastAckMs > 0) this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.#lastAckMs);
    this.#lastAckMs = nowMs;
    // One write at a time: the order of answers is the order of zxids.
    this.ledger.acknowledge(this.ledger.send(path, value), this.ledger.ackCount + 1, 0);
  }

  async untilWriting(what: string): Promise<void> {
    const before = this.acks;
    await until(`${this.kind} writes ${what} (${this.#errors})`, () => this.acks > before + 10, 30_000);
  }

  /** No further writes; the process closes its session and ends. */
  async end(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 15_000);
    await this.#gone;
    clearTimeout(timer);
    if (!this.#isDone) this.faults.push(`${this.kind} did not come to its end: ${this.#errors}`);
    if (new Set(this.#sessions).size !== 1) this.faults.push(`${this.kind} had the sessions ${this.#sessions}`);
  }

  /** `tree`: data by path of the whole ensemble. */
  judge(tree: ReadonlyMap<string, string>): string[] {
    const mine = [...tree].filter(([path]) => path.startsWith(`${this.home}/`) && !path.endsWith('/ephemeral'));
    const { lost, wrong } = this.ledger.judge(new Map(mine), Number.MAX_SAFE_INTEGER);
    return [...this.faults, ...[...lost, ...wrong].slice(0, 5).map((line) => `${this.kind}: ${line}`)];
  }
}
