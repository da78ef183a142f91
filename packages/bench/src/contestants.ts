/**
 * The servers that are measured: ours, Apache's (as Debian packages it, or any class path in ZOOTS_APACHE_CLASSPATH),
 * and the bare server that stands for the limit. Each is a process of its own on ports of its own, with a fresh data
 * directory and sync on, started once and kept for all rounds (so a JVM is warm when it counts). An ensemble is three of them,
 * and its limit three bare servers.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ServerProcess } from './server-process.js';

export type ContestantName = 'ours' | 'apache' | 'limit';

export interface Contestant {
  readonly name: ContestantName;
  /** For the table. */
  readonly title: string;
  readonly host: string;
  /** Client ports: one, or that of each member of an ensemble. */
  readonly ports: readonly number[];
  /** Of its processes; none for a server that is not ours to look into. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

/** A server alone, which a chore may stop and start again on its data. */
export interface LoneContestant extends Contestant {
  /** Of the start behind it, until a session was open. */
  readonly startMs: number;
  /** Where its configuration and its data are. */
  readonly directory: string;
  /** Ends and starts it on the same data, with further lines in its configuration; resolves with the milliseconds to the first reply. */
  restart(configLines?: readonly string[]): Promise<number>;
}

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

/** Enough for what the loops of requests leave behind; chores with a million znodes and more ask for more. */
export const HEAP_DEFAULT = '1g';

/** Null when none is installed. `heap` is what -Xmx takes. */
function apache(heap: string): Kind | null {
  const found = findApache();
  if (found === null) return null;
  const { classPath, title } = found;
  const words = [`-Xmx${heap}`, '-Dzookeeper.4lw.commands.whitelist=*', '-cp', classPath, APACHE_MAIN];
  return { name: 'apache', title, command: 'java', args: (config) => [...words, config] };
}

export function startOurs(directory: string, port: number): Promise<LoneContestant> {
  return startAlone(ours(), directory, port);
}

export async function startApache(directory: string, port: number, heap: string): Promise<LoneContestant | null> {
  const kind = apache(heap);
  return kind === null ? null : startAlone(kind, directory, port);
}

async function startAlone(kind: Kind, directory: string, port: number): Promise<LoneContestant> {
  const args = kind.args(writeConfig(directory, port, []));
  const server = new ServerProcess({ title: kind.title, command: kind.command, args, directory, port });
  return lone(kind.name, kind.title, directory, server, (lines) => writeConfig(directory, port, lines));
}

async function lone(
  name: ContestantName,
  title: string,
  directory: string,
  server: ServerProcess,
  configure: (lines: readonly string[]) => void,
): Promise<LoneContestant> {
  const startMs = await server.start();
  return {
    name,
    title,
    startMs,
    directory,
    host: '127.0.0.1',
    ports: [server.port],
    get pids() {
      return [server.pid];
    },
    async restart(lines = []) {
      await server.stop();
      configure(lines);
      return server.start();
    },
    stop: () => server.stop(),
  };
}

/** Members of an ensemble, and the ports that each takes. */
const PORTS_PER_MEMBER = 3;
const MEMBERS_MAX = 7;
export const PORTS_PER_ENSEMBLE = MEMBERS_MAX * PORTS_PER_MEMBER;

/** `members` servers on the ports from `firstPort` on. Null when that kind is not installed. */
export async function startEnsemble(
  which: 'ours' | 'apache',
  directory: string,
  firstPort: number,
  members: number,
): Promise<Contestant | null> {
  const kind = which === 'ours' ? ours() : apache(HEAP_DEFAULT);
  if (kind === null) return null;
  const ids = Array.from({ length: members }, (_, at) => at + 1);
  const portOf = (id: number): number => firstPort + PORTS_PER_MEMBER * (id - 1);
  const lines = members === 1 ? [] : ids.map((id) => `server.${id}=127.0.0.1:${portOf(id) + 1}:${portOf(id) + 2}`);
  const servers = ids.map((id) => {
    const home = path.join(directory, String(id));
    const args = kind.args(writeConfig(home, portOf(id), ['initLimit=10', 'syncLimit=5', ...lines]));
    fs.writeFileSync(path.join(home, 'data', 'myid'), `${id}\n`);
    return new ServerProcess({ title: kind.title, command: kind.command, args, directory: home, port: portOf(id) });
  });
  const results = await Promise.allSettled(servers.map((server) => server.start()));
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) {
    await stop();
    throw failure.reason;
  }
  const pids = servers.map((server) => server.pid);
  return { name: which, title: `${members} × ${kind.title}`, host: '127.0.0.1', ports: ids.map(portOf), pids, stop };
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

/** `children` is how many names it answers getChildren with. */
export async function startLimit(
  directory: string,
  port: number,
  dataBytes: number,
  children = 1001,
): Promise<LoneContestant> {
  fs.mkdirSync(directory, { recursive: true });
  const main = fileURLToPath(new URL('./bare-server.js', import.meta.url));
  const args = [main, String(port), path.join(directory, 'log'), String(dataBytes), String(children)];
  const title = 'bare loop';
  const server = new ServerProcess({ title, command: process.execPath, args, directory, port });
  return lone('limit', title, directory, server, () => {});
}

/** As many of them as an ensemble has members, on the ports from `firstPort` on. They know nothing of one another. */
export async function startLimits(
  directory: string,
  firstPort: number,
  dataBytes: number,
  members: number,
): Promise<Contestant> {
  const started: LoneContestant[] = [];
  const stop = async (): Promise<void> => {
    for (const server of started) await server.stop();
  };
  try {
    for (let id = 0; id < members; id++)
      started.push(await startLimit(path.join(directory, String(id)), firstPort + id, dataBytes));
  } catch (error) {
    await stop();
    throw error;
  }
  const ports = started.flatMap((server) => server.ports);
  const pids = started.flatMap((server) => server.pids);
  return { name: 'limit', title: `${members} × bare loop`, host: '127.0.0.1', ports, pids, stop };
}

function writeConfig(directory: string, port: number, moreLines: readonly string[]): string {
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
    ...moreLines,
  ];
  fs.writeFileSync(config, `${lines.join('\n')}\n`);
  return config;
}
