/**
 * One server process under measurement: started, awaited until it answers a client, stopped, started again on what it
 * left. The time from the start to the first reply is taken here, by asking every few milliseconds.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { endWithThisProcess } from './child-processes.js';
import { connectFrame } from './frames.js';

const START_TIMEOUT_MS = 300_000;
const STOP_TIMEOUT_MS = 60_000;
/** Often enough to tell 100 ms from 110, seldom enough not to take the processor from the server that starts. */
const ASK_AGAIN_MS = 10;
/** So that no more wait at the same time than a server takes from one host (maxClientCnxns, 60). */
const ANSWER_MS_MAX = 500;

export interface Launch {
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Its output goes to `out.log` in here. */
  readonly directory: string;
  readonly port: number;
}

export class ServerProcess {
  readonly port: number;
  readonly #launch: Launch;
  #child: ChildProcess | null = null;

  constructor(launch: Launch) {
    this.#launch = launch;
    this.port = launch.port;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.#launch.title} is not running`);
    return pid;
  }

  /** Resolves with the milliseconds to the first reply. Throws with the end of its output when it does not serve. */
  async start(): Promise<number> {
    const { command, args, directory, port, title } = this.#launch;
    const output = fs.openSync(path.join(directory, 'out.log'), 'a');
    const startedAtMs = performance.now();
    const child = spawn(command, args, { stdio: ['ignore', output, output], cwd: directory });
    fs.closeSync(output);
    this.#child = child;
    endWithThisProcess(child);
    try {
      await waitUntilServing(child, port);
    } catch (error) {
      child.kill('SIGKILL');
      const log = fs.readFileSync(path.join(directory, 'out.log'), 'utf8').split('\n').slice(-12).join('\n');
      throw new Error(`${title} did not start: ${(error as Error).message}\n${log}`);
    }
    return performance.now() - startedAtMs;
  }

  /** Ends it in good order; one that does not end is killed. */
  stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      child.once('exit', () => {
        clearTimeout(timer);
        resolve();
      });
      child.kill('SIGTERM');
    });
  }
}

async function waitUntilServing(child: ChildProcess, port: number): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  let failure: Error | null = null;
  let isServing = false;
  const onAnswer = (answered: boolean): void => {
    isServing ||= answered;
  };
  child.once('error', (error) => {
    failure = error;
  });
  while (performance.now() < deadlineMs) {
    if (failure !== null) throw failure;
    if (child.exitCode !== null) throw new Error(`exit code ${child.exitCode}`);
    // Whom nobody has answered yet goes on waiting beside the next: a server may take connections and let the first ones lie.
    const asked = answersConnect('127.0.0.1', port).then(onAnswer);
    await Promise.race([asked, sleep(ASK_AGAIN_MS)]);
    if (isServing) return;
    await sleep(ASK_AGAIN_MS);
  }
  throw new Error(`no session on port ${port} after ${START_TIMEOUT_MS / 1000} s`);
}

/** True if a session can be opened: a port that merely listens is not yet a server. */
function answersConnect(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    const finish = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(ANSWER_MS_MAX, () => finish(false));
    socket.on('connect', () => socket.write(connectFrame(4_000)));
    socket.on('data', () => finish(true));
    socket.on('error', () => finish(false));
    socket.on('close', () => finish(false));
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
