/**
 * Starts and stops one real server, Apache's of any version or ours, the same way: a work directory, a zoo.cfg,
 * `-D` properties, a port. A peer that cannot run here is skipped aloud, or a failure when `ZOOTS_CI=1`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fourLetterWord } from '../wire/four-letter-word.js';
import { type ApacheKind, classPath, javaCommand, type PeerKind, PeerMissingError, projectRoot } from './versions.js';

export { type PeerKind, PeerMissingError };

export interface PeerOptions {
  /** Holds zoo.cfg, server.log and, unless `dataDir` says otherwise, `data`. Made when absent. */
  readonly workDir: string;
  readonly port: number;
  readonly dataDir?: string;
  /** Further zoo.cfg lines; they win over the defaults below. */
  readonly config?: Readonly<Record<string, string>>;
  /** `-Dname=value` words. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Levels of Apache's loggers by name; the root says warnings and errors. */
  readonly loggers?: Readonly<Record<string, string>>;
  readonly startTimeoutMs?: number;
}

export interface Peer {
  readonly kind: PeerKind;
  readonly port: number;
  readonly pid: number;
  /** What the process has written to its terminal since it started. */
  log(): string;
  alive(): boolean;
  /** SIGTERM, and SIGKILL when that takes longer than 10 s. Resolves once the process is gone. */
  stop(): Promise<void>;
  /** SIGKILL, as a crash. */
  kill(): Promise<void>;
}

const defaultConfig = {
  tickTime: '2000',
  initLimit: '10',
  syncLimit: '5',
  maxClientCnxns: '0',
  'admin.enableServer': 'false',
  '4lw.commands.whitelist': '*',
};

/** The embedded logging set-up of the Apache versions: warnings and errors to the terminal. */
const log4jLines = [
  'log4j.rootLogger=WARN, C',
  'log4j.appender.C=org.apache.log4j.ConsoleAppender',
  'log4j.appender.C.layout=org.apache.log4j.PatternLayout',
  'log4j.appender.C.layout.ConversionPattern=%d{ISO8601} %p %c{1} %m%n',
];

const zootsMain = join(projectRoot, 'packages', 'cli', 'dist', 'main.js');

function apacheCommand(
  kind: ApacheKind,
  options: PeerOptions,
  properties: readonly string[],
  configFile: string,
): string[] {
  const logging = join(options.workDir, 'log4j.properties');
  const levels = Object.entries(options.loggers ?? {}).map(([name, level]) => `log4j.logger.${name}=${level}`);
  writeFileSync(logging, `${[...log4jLines, ...levels].join('\n')}\n`);
  const heap = ['-Xms64m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
  const words = [...heap, `-Dlog4j.configuration=file:${logging}`, ...properties];
  return [
    javaCommand(),
    ...words,
    '-cp',
    classPath(kind),
    'org.apache.zookeeper.server.quorum.QuorumPeerMain',
    configFile,
  ];
}

function zootsCommand(properties: readonly string[], configFile: string): string[] {
  // The built file has a single line until the server exists; that is a missing peer, not a broken one.
  if (!existsSync(zootsMain)) throw new PeerMissingError(`zoots: ${zootsMain} is not built; run npm run build`);
  return [process.execPath, zootsMain, 'server', ...properties, configFile];
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a server and resolves when `srvr` shows its mode. Throws PeerMissingError, or Error with the log's end. */
export async function startPeer(kind: PeerKind, options: PeerOptions): Promise<Peer> {
  const peer = launchPeer(kind, options);
  await untilServing(peer, options);
  return peer;
}

/** Starts a server and does not wait for anything: one of an ensemble may have to wait for others. */
export function launchPeer(kind: PeerKind, options: PeerOptions): Peer {
  const { workDir, port } = options;
  mkdirSync(workDir, { recursive: true });
  const dataDir = dataDirOf(options);
  mkdirSync(dataDir, { recursive: true });
  const config = { ...defaultConfig, dataDir, clientPort: String(port), ...options.config };
  const configFile = join(workDir, 'zoo.cfg');
  writeFileSync(
    configFile,
    `${Object.entries(config)
      .map(([key, value]) => `${key}=${value}`)
      .join('\n')}\n`,
  );
  const properties = Object.entries(options.properties ?? {}).map(([key, value]) => `-D${key}=${value}`);
  const command =
    kind === 'zoots' ? zootsCommand(properties, configFile) : apacheCommand(kind, options, properties, configFile);
  return launch(kind, port, command, join(workDir, 'server.log'), workDir);
}

function dataDirOf({ workDir, dataDir }: PeerOptions): string {
  return dataDir ?? join(workDir, 'data');
}

/** Resolves when `srvr` shows the peer's mode. Throws Error with the log's end, after the peer is killed. */
export async function untilServing(peer: Peer, options: PeerOptions): Promise<void> {
  const timeoutMs = options.startTimeoutMs ?? 30_000;
  const deadlineMs = performance.now() + timeoutMs;
  while (performance.now() < deadlineMs && peer.alive()) {
    if (await serves(peer, dataDirOf(options))) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const state = peer.alive() ? `does not serve after ${timeoutMs} ms` : 'ended at start';
  await peer.kill();
  throw new Error(`${peer.kind} ${state}:\n${peer.log().split('\n').slice(-25).join('\n')}`);
}

/**
 * Two runs may have picked the same port: then the one that answers is not the one we started. `conf` tells by its data directory, and
 * says nothing of it while the server looks for a leader, as one may that has been frozen and has just answered `srvr`.
 */
async function serves(peer: Peer, dataDir: string): Promise<boolean> {
  const ask = (word: string): Promise<string> => fourLetterWord(peer.port, word, 2_000).catch(() => '');
  if (!/^Mode: /m.test(await ask('srvr'))) return false;
  const [, answering] = /^dataDir=(.*)$/m.exec(await ask('conf')) ?? [];
  if (answering === undefined) return false;
  if (answering.startsWith(dataDir)) return true;
  await peer.kill();
  throw new Error(
    `a server with the data ${answering} answers on port ${peer.port}; set ZOOTS_E2E_PORT_MIN to a range of your own`,
  );
}

function launch(kind: PeerKind, port: number, command: readonly string[], logFile: string, workDir: string): Peer {
  const logStart = existsSync(logFile) ? readFileSync(logFile).length : 0;
  const logHandle = openSync(logFile, 'a');
  const child = spawn(command[0] as string, command.slice(1), {
    cwd: workDir,
    stdio: ['ignore', logHandle, logHandle],
  });
  closeSync(logHandle);
  running.add(child);
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  }).then(() => {
    running.delete(child);
  });
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (!running.has(child)) return;
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(timer);
  };
  return {
    kind,
    port,
    pid: child.pid ?? -1,
    log: () => readFileSync(logFile).subarray(logStart).toString('utf8'),
    alive: () => running.has(child),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

const portMin = Number(process.env.ZOOTS_E2E_PORT_MIN ?? 31_400);
const portCount = 200;
let portAt = (process.pid * 37) % portCount;

/**
 * A port of this suite's range that nothing listens on and no other run has reserved. A server takes a moment to
 * listen, so looking alone would let two runs pick the same one. Reserved until this process ends.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < portCount; tries++) {
    const port = portMin + (portAt++ % portCount);
    if (reserved.has(port) ? await isFree(port) : reserve(port) && (await isFree(port))) return port;
  }
  throw new Error(`no free port from ${portMin} to ${portMin + portCount - 1}; set ZOOTS_E2E_PORT_MIN`);
}

const reserved = new Set<number>();
process.on('exit', () => {
  for (const port of reserved) rmSync(reservationOf(port), { force: true });
});

function reservationOf(port: number): string {
  return join(tmpdir(), `zoots-port-${port}`);
}

/** A file per port that holds the pid of the run; one whose process is gone is taken over. */
function reserve(port: number): boolean {
  for (const tries of [0, 1]) {
    try {
      writeFileSync(reservationOf(port), String(process.pid), { flag: 'wx' });
      reserved.add(port);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || tries === 1 || isHeld(port)) return false;
      rmSync(reservationOf(port), { force: true });
    }
  }
  return false;
}

function isHeld(port: number): boolean {
  try {
    process.kill(Number(readFileSync(reservationOf(port), 'utf8')), 0);
    return true;
  } catch {
    return false;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, () => probe.close(() => resolve(true)));
  });
}

/**
 * What a test does about a peer that cannot run here: with ZOOTS_CI=1 it fails, otherwise it says so and goes on.
 * Rethrows everything that is not a PeerMissingError.
 */
export function skipMissingPeer(error: unknown): void {
  if (!(error instanceof PeerMissingError)) throw error;
  if (process.env.ZOOTS_CI === '1') throw error;
  console.log(`SKIPPED: ${error.message}`);
}
