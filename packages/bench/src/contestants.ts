/**
 * The servers that are measured: ours, Apache's (as Debian packages it, or any class path in ZOOTS_APACHE_CLASSPATH),
 * and the bare server that stands for the limit. Each is a process of its own on ports of its own, with a fresh data
 * directory and sync on, started once and kept for all rounds (so a JVM is warm when it counts). An ensemble is three of them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectFrame } from './frames.js';

export type ContestantName = 'ours' | 'apache' | 'limit';

export interface Contestant {
  readonly name: ContestantName;
  /** For the table. */
  readonly title: string;
  readonly host: string;
  /** Client ports: one, or that of each member of an ensemble. */
  readonly ports: readonly number[];
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 5_000;
const JAVA_LIBRARIES = '/usr/share/java';
const APACHE_JARS = [
  'zookeeper',
  'zookeeper-jute',
  'netty-all',
  'slf4j-api',
  'slf4j-nop',
  'metrics-core',
  'snappy-java',
];
const APACHE_MAIN = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';

/** How one kind of server is started with a configuration file. */
interface Kind {
  readonly name: ContestantName;
  readonly title: string;
  readonly command: string;
  args(config: string): string[];
}

function ours(): Kind {
  const main = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));
  if (!fs.existsSync(main)) throw new Error(`our server is not built: ${main} is missing; run \`npm run build\``);
  return { name: 'ours', title: 'zoots', command: process.execPath, args: (config) => [main, 'server', config] };
}

/** Null when none is installed. */
function apache(): Kind | null {
  const found = findApache();
  if (found === null) return null;
  const { classPath, title } = found;
  const words = ['-Xmx1g', '-Dzookeeper.4lw.commands.whitelist=*', '-cp', classPath, APACHE_MAIN];
  return { name: 'apache', title, command: 'java', args: (config) => [...words, config] };
}

export function startOurs(directory: string, port: number): Promise<Contestant> {
  return startAlone(ours(), directory, port);
}

export async function startApache(directory: string, port: number): Promise<Contestant | null> {
  const kind = apache();
  return kind === null ? null : startAlone(kind, directory, port);
}

async function startAlone(kind: Kind, directory: string, port: number): Promise<Contestant> {
  const args = kind.args(writeConfig(directory, port, []));
  return startProcess(kind.name, kind.title, kind.command, args, directory, port);
}

/** Members of an ensemble, and the ports that each takes. */
const MEMBERS = 3;
const PORTS_PER_MEMBER = 3;
export const PORTS_PER_ENSEMBLE = MEMBERS * PORTS_PER_MEMBER;

/** Three servers on the ports from `firstPort` on. Null when that kind is not installed. */
export async function startEnsemble(
  which: 'ours' | 'apache',
  directory: string,
  firstPort: number,
): Promise<Contestant | null> {
  const kind = which === 'ours' ? ours() : apache();
  if (kind === null) return null;
  const ids = Array.from({ length: MEMBERS }, (_, at) => at + 1);
  const portOf = (id: number): number => firstPort + PORTS_PER_MEMBER * (id - 1);
  const lines = ids.map((id) => `server.${id}=127.0.0.1:${portOf(id) + 1}:${portOf(id) + 2}`);
  const starts = ids.map((id) => {
    const home = path.join(directory, String(id));
    const args = kind.args(writeConfig(home, portOf(id), lines));
    fs.writeFileSync(path.join(home, 'data', 'myid'), `${id}\n`);
    return startProcess(kind.name, kind.title, kind.command, args, home, portOf(id));
  });
  const results = await Promise.allSettled(starts);
  const members = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.stop()));
  };
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) {
    await stop();
    throw failure.reason;
  }
  return { name: which, title: `3 × ${kind.title}`, host: '127.0.0.1', ports: ids.map(portOf), stop };
}

/** Class path of an Apache server, or null when none is installed. */
export function findApache(): { classPath: string; title: string } | null {
  const given = process.env.ZOOTS_APACHE_CLASSPATH;
  if (given !== undefined && given !== '') return { classPath: given, title: 'Apache (given)' };
  const jars = APACHE_JARS.map((name) => path.join(JAVA_LIBRARIES, `${name}.jar`));
  if (!jars.every((jar) => fs.existsSync(jar))) return null;
  return { classPath: jars.join(':'), title: `Apache ${packagedVersion()}`.trim() };
}

/** Debian names the versioned jar beside the plain one. */
function packagedVersion(): string {
  for (const name of fs.readdirSync(JAVA_LIBRARIES)) {
    const match = /^zookeeper-(\d.*)\.jar$/.exec(name);
    if (match !== null) return match[1] as string;
  }
  return '';
}

export async function startLimit(directory: string, port: number, dataBytes: number): Promise<Contestant> {
  fs.mkdirSync(directory, { recursive: true });
  const main = fileURLToPath(new URL('./bare-server.js', import.meta.url));
  const args = [main, String(port), path.join(directory, 'log'), String(dataBytes)];
  return startProcess('limit', 'bare loop', process.execPath, args, directory, port);
}

function writeConfig(directory: string, port: number, ensembleLines: readonly string[]): string {
  const dataDir = path.join(directory, 'data');
  fs.mkdirSync(dataDir, { recursive: true });
  const config = path.join(directory, 'zoo.cfg');
  const lines = [
    'tickTime=2000',
    `dataDir=${dataDir}`,
    `clientPort=${port}`,
    'clientPortAddress=127.0.0.1',
    'maxClientCnxns=0',
    'admin.enableServer=false',
    ...(ensembleLines.length === 0 ? [] : ['initLimit=10', 'syncLimit=5', ...ensembleLines]),
  ];
  fs.writeFileSync(config, `${lines.join('\n')}\n`);
  return config;
}

async function startProcess(
  name: ContestantName,
  title: string,
  command: string,
  args: string[],
  directory: string,
  port: number,
): Promise<Contestant> {
  const output = fs.openSync(path.join(directory, 'out.log'), 'w');
  const child = spawn(command, args, { stdio: ['ignore', output, output], cwd: directory });
  fs.closeSync(output);
  try {
    await waitUntilServing(child, port);
  } catch (error) {
    child.kill('SIGKILL');
    const log = fs.readFileSync(path.join(directory, 'out.log'), 'utf8').split('\n').slice(-12).join('\n');
    throw new Error(`${title} did not start: ${(error as Error).message}\n${log}`);
  }
  return { name, title, host: '127.0.0.1', ports: [port], stop: () => stopProcess(child) };
}

async function waitUntilServing(child: ChildProcess, port: number): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let failure: Error | null = null;
  child.once('error', (error) => {
    failure = error;
  });
  while (Date.now() < deadline) {
    if (failure !== null) throw failure;
    if (child.exitCode !== null) throw new Error(`exit code ${child.exitCode}`);
    if (await answersConnect('127.0.0.1', port)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no session on port ${port} after ${START_TIMEOUT_MS / 1000} s`);
}

/** True if a session can be opened: a port that merely listens is not yet a server. */
export function answersConnect(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    const finish = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(2_000, () => finish(false));
    socket.on('connect', () => socket.write(connectFrame(4_000)));
    socket.on('data', () => finish(true));
    socket.on('error', () => finish(false));
    socket.on('close', () => finish(false));
  });
}

function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
