/**
 * Contenders of other libraries in processes of their own: kazoo in Python, Curator in Java. They take commands line by line, one
 * at a time, as a person at a terminal would: `acquire lock /path 0.5`.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { javaCommand, PeerMissingError, projectRoot, resolveJars } from '../peers/versions.js';

/** Sessions of contenders that get killed should not last. The servers of these rows give out 1 s and more. */
const sessionSeconds = '2';

const sources = join(projectRoot, 'packages', 'e2e', 'src', 'recipes');

export class ForeignPeer implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: ((answer: string) => void)[] = [];
  readonly #exited: Promise<void>;
  #errors = '';

  private constructor(command: string, words: readonly string[]) {
    this.#child = spawn(command, words);
    this.#child.stderr.on('data', (chunk) => {
      this.#errors = (this.#errors + chunk).slice(-2_000);
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#waiting.shift()?.(line));
    this.#exited = new Promise((resolve) => {
      this.#child.once('close', () => resolve());
    });
    this.#exited.then(() => {
      for (const answer of this.#waiting.splice(0)) answer(`error it ended: ${this.#errors}`);
    });
  }

  static async start(command: string, words: readonly string[]): Promise<ForeignPeer> {
    const peer = new ForeignPeer(command, words);
    const greeting = await peer.#next();
    if (greeting !== 'ready') throw new Error(`${command} ${words[0]}: ${greeting}`);
    return peer;
  }

  #next(): Promise<string> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Throws what the other library throws. */
  async ask(command: string): Promise<string> {
    const answering = this.#next();
    this.#child.stdin.write(`${command}\n`);
    const answer = await answering;
    if (answer.startsWith('error')) throw new Error(`${command}: ${answer}`);
    return answer;
  }

  /** SIGKILL: its session stays until it expires. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await this.#exited;
    clearTimeout(timer);
  }
}

export function startKazoo(connectString: string): Promise<ForeignPeer> {
  const python = ['python3', '/usr/bin/python3'].find(
    (command) => spawnSync(command, ['-c', 'import kazoo']).status === 0,
  );
  if (python === undefined) throw new PeerMissingError('no kazoo: install python3-kazoo');
  return ForeignPeer.start(python, [join(sources, 'kazoo_peer.py'), connectString, sessionSeconds]);
}

const curatorArtifacts = [
  'org.apache.curator:curator-recipes:5.7.1',
  'org.apache.zookeeper:zookeeper:3.9.3',
  'org.slf4j:slf4j-nop:1.7.36',
];

/** Has Curator's jars in place: called before processes that need them start side by side, as Maven wants its repository for itself. */
export function fetchCurator(): string {
  return join(resolveJars('curator', curatorArtifacts), '*');
}

export function startCurator(connectString: string): Promise<ForeignPeer> {
  const java = javaCommand();
  const jars = fetchCurator();
  const words = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${curatorClasses(jars)}:${jars}`];
  return ForeignPeer.start(java, [...words, 'CuratorPeer', connectString, sessionSeconds]);
}

/** Compiled once per run, into a directory of this process. */
let compiled: string | null = null;

function curatorClasses(jars: string): string {
  if (compiled !== null) return compiled;
  const directory = mkdtempSync(join(tmpdir(), 'zoots-curator-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const javac = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'javac') : 'javac';
  const source = join(sources, 'CuratorPeer.java');
  const result = spawnSync(javac, ['-nowarn', '-cp', jars, '-d', directory, source], { encoding: 'utf8' });
  if (result.error !== undefined) throw new PeerMissingError('no javac on PATH; install a JDK to run Curator');
  if (result.status !== 0) throw new Error(`${source} does not compile:\n${result.stderr}`);
  compiled = directory;
  return directory;
}
