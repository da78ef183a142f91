/**
 * A server under crash test: like a peer, but one that may be killed before it serves, run under the power-cut library,
 * and expected to die by itself. Starting does not wait; `untilServing` does, and says how long it took.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PeerKind, PeerMissingError } from '../peers/peer.js';
import { type ApacheKind, classPath, javaCommand, projectRoot } from '../peers/versions.js';
import { fourLetterWord } from '../wire/four-letter-word.js';

export interface ServerOptions {
  readonly kind: PeerKind;
  /** Holds zoo.cfg and server.log. */
  readonly workDir: string;
  readonly dataDir: string;
  readonly port: number;
  readonly properties?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** A shell line that runs before the server in the same process, such as `ulimit -f 100`. */
  readonly shellBefore?: string;
}

export interface ServerExit {
  readonly code: number | null;
  readonly signal: string | null;
}

export class ServerProcess {
  readonly kind: PeerKind;
  readonly port: number;
  readonly startedAtMs = performance.now();
  readonly exited: Promise<ServerExit>;
  exit: ServerExit | null = null;
  readonly #child: ChildProcess;
  readonly #logFile: string;
  readonly #logStart: number;

  constructor(options: ServerOptions) {
    this.kind = options.kind;
    this.port = options.port;
    mkdirSync(options.dataDir, { recursive: true });
    const [command, ...args] = serverCommand(options) as [string, ...string[]];
    this.#logFile = join(options.workDir, 'server.log');
    this.#logStart = existsSync(this.#logFile) ? readFileSync(this.#logFile).length : 0;
    const log = openSync(this.#logFile, 'a');
    const spawnOptions = {
      cwd: options.workDir,
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', log, log] as ['ignore', number, number],
    };
    const shell = options.shellBefore;
    this.#child =
      shell === undefined
        ? spawn(command, args, spawnOptions)
        : spawn('/bin/sh', ['-c', `${shell} && exec "$@"`, 'sh', command, ...args], spawnOptions);
    closeSync(log);
    running.add(this.#child);
    this.exited = new Promise((resolve) => {
      const end = (code: number | null, signal: string | null): void => {
        running.delete(this.#child);
        this.exit = { code, signal };
        resolve(this.exit);
      };
      this.#child.once('exit', end);
      this.#child.once('error', () => end(null, 'not started'));
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** What it has written to its terminal. */
  log(): string {
    return readFileSync(this.#logFile).subarray(this.#logStart).toString('utf8');
  }

  /** Resolves with the time from the start to the first answer to `srvr`; null when the process ended instead. */
  async untilServing(timeoutMs = 60_000): Promise<number | null> {
    const deadlineMs = this.startedAtMs + timeoutMs;
    while (this.exit === null && performance.now() < deadlineMs) {
      const answer = await fourLetterWord(this.port, 'srvr', 2_000).catch(() => '');
      if (/^Mode: /m.test(answer)) return performance.now() - this.startedAtMs;
      await sleep(10);
    }
    return null;
  }

  /** The last zxid of the server's tree. */
  async zxid(): Promise<bigint> {
    const match = /^Zxid: (0x[0-9a-f]+)$/m.exec(await fourLetterWord(this.port, 'srvr'));
    if (match === null) throw new Error('srvr shows no zxid');
    return BigInt(match[1] as string);
  }

  async kill(): Promise<void> {
    if (this.exit === null) this.#child.kill('SIGKILL');
    await this.exited;
  }

  async stop(): Promise<ServerExit> {
    if (this.exit === null) this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

const zootsMain = join(projectRoot, 'packages', 'cli', 'dist', 'main.js');

function serverCommand(options: ServerOptions): string[] {
  const config = {
    tickTime: '2000',
    dataDir: options.dataDir,
    clientPort: String(options.port),
    maxClientCnxns: '0',
    'admin.enableServer': 'false',
    '4lw.commands.whitelist': '*',
    ...options.config,
  };
  const file = join(options.workDir, 'zoo.cfg');
  const lines = Object.entries(config).map(([key, value]) => `${key}=${value}`);
  writeFileSync(file, `${lines.join('\n')}\n`);
  const words = Object.entries(options.properties ?? {}).map(([name, value]) => `-D${name}=${value}`);
  if (options.kind === 'zoots') {
    if (!existsSync(zootsMain)) throw new PeerMissingError(`zoots: ${zootsMain} is not built; run npm run build`);
    return [process.execPath, zootsMain, 'server', ...words, file];
  }
  return apacheCommand(options.kind, options.workDir, words, file);
}

function apacheCommand(kind: ApacheKind, workDir: string, words: readonly string[], file: string): string[] {
  const logging = join(workDir, 'log4j.properties');
  const lines = [
    'log4j.rootLogger=WARN, C',
    'log4j.appender.C=org.apache.log4j.ConsoleAppender',
    'log4j.appender.C.layout=org.apache.log4j.PatternLayout',
    'log4j.appender.C.layout.ConversionPattern=%d{ISO8601} %p %c{1} %m%n',
  ];
  writeFileSync(logging, `${lines.join('\n')}\n`);
  const heap = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
  const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
  return [
    javaCommand(),
    ...heap,
    `-Dlog4j.configuration=file:${logging}`,
    ...words,
    '-cp',
    classPath(kind),
    main,
    file,
  ];
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
