/**
 * The frame of every modern command: words are parsed, help printed, servers connected to when asked and left at the end,
 * errors turned into a line and an exit code. The client is loaded at the first connection and not before.
 */
import type { ZooKeeper } from '@zoots/client';
import {
  type CommandLine,
  type CommandLineRules,
  commandHelp,
  parseCommandLine,
  UsageError,
  usageLine,
} from './command-line.js';
import { Output, type Streams } from './output.js';
import { EXIT, NoServerError, type Problem, problemOf } from './problem.js';
import { durationText, parseTimeMs } from './quantities.js';
import { StopSignal } from './stop-signal.js';

export interface ModernCommand extends CommandLineRules {
  /** What to do about an error of the client, by its code, where the command knows more than the client. */
  readonly remedies?: Readonly<Record<string, string>>;
  /** Resolves with the exit code. */
  run(invocation: Invocation): Promise<number>;
}

export const DEFAULT_SERVER = 'localhost:2181';
const TIMEOUT_MS = 10_000;
/** Waiting for a server for longer than this is worth a remark on a terminal. */
const PATIENCE_MS = 1_000;

export interface ConnectWishes {
  /** Instead of --server. */
  readonly server?: string;
  /** Instead of --auth. */
  readonly auth?: readonly string[];
  readonly sessionTimeoutMs?: number;
  /** Without one, calls wait for a server as long as the session may live. */
  readonly hasRequestTimeout?: boolean;
}

export class Invocation {
  readonly line: CommandLine;
  readonly out: Output;
  /** How long a server may take, to connect and to answer. */
  readonly timeoutMs: number;
  readonly #connects: Promise<ZooKeeper>[] = [];
  readonly #end = new AbortController();
  #stop: StopSignal | null = null;

  constructor(line: CommandLine, streams: Streams) {
    this.line = line;
    this.out = new Output(line.has('json'), streams);
    const timeout = line.value('timeout');
    this.timeoutMs = timeout === undefined ? TIMEOUT_MS : parseTimeMs('timeout', timeout);
    if (this.timeoutMs <= 0) throw new UsageError('--timeout: it must be more than 0');
  }

  /** The connect string of --server, the environment, or the default. */
  get server(): string {
    return this.line.value('server') ?? (process.env.ZOOTS_SERVER || DEFAULT_SERVER);
  }

  /** A client with a session; closed when the command ends. Rejects with {@link NoServerError}. */
  async connect(wishes: ConnectWishes = {}): Promise<ZooKeeper> {
    const server = wishes.server ?? this.server;
    const auth = (wishes.auth ?? this.#auth()).map(parseAuth);
    const { connect } = await import('@zoots/client');
    const remark = this.out.isTerminal ? this.#remarkLater(`waiting for ${server} …`) : undefined;
    try {
      const sessionTimeoutMs = wishes.sessionTimeoutMs;
      const requestTimeoutMs = wishes.hasRequestTimeout === false ? undefined : this.timeoutMs;
      const timeouts = { sessionTimeoutMs, timeoutMs: this.timeoutMs, requestTimeoutMs };
      const connecting = connect(server, { auth, ...timeouts, signal: this.#end.signal });
      this.#connects.push(connecting);
      return await connecting;
    } catch (error) {
      throw this.#withPlace(error as Error & { code?: string }, server);
    } finally {
      clearTimeout(remark);
    }
  }

  #auth(): readonly string[] {
    const given = this.line.values('auth');
    return given.length > 0 || !process.env.ZOOTS_AUTH ? given : [process.env.ZOOTS_AUTH];
  }

  #remarkLater(text: string): NodeJS.Timeout {
    return setTimeout(() => this.out.note(text), PATIENCE_MS);
  }

  #withPlace(error: Error & { code?: string }, server: string): Error {
    if (error.code === 'ZK_ARGUMENT' || error.code === 'ZK_AUTH_FAILED') return error;
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    const what = `no connection to ${server} within ${durationText(this.timeoutMs)}${cause}`;
    return new NoServerError(`${what}; is the server running? --server HOST:PORT names another`, { cause: error });
  }

  /** Aborts at Ctrl-C, SIGTERM and SIGHUP, which from now on do not end the program; the reason is the signal's name. */
  untilStopped(): AbortSignal {
    this.#stop ??= new StopSignal();
    return this.#stop.signal;
  }

  /** Closes the sessions, which takes ephemeral znodes away at once; those still to come as well. */
  async end(): Promise<void> {
    this.out.flush();
    this.#end.abort();
    this.#stop?.close();
    await Promise.allSettled(this.#connects.map(async (connecting) => (await connecting).close()));
  }
}

/** `digest:user:password` into scheme and the rest. Throws {@link UsageError}. */
export function parseAuth(text: string): { scheme: string; auth: Uint8Array } {
  const colon = text.indexOf(':');
  if (colon <= 0) throw new UsageError('--auth is written SCHEME:AUTH, digest:user:password say');
  return { scheme: text.slice(0, colon), auth: Buffer.from(text.slice(colon + 1)) };
}

/** Runs the command with these words; the exit code. */
export async function runModern(
  command: ModernCommand,
  words: readonly string[],
  streams: Streams = process,
): Promise<number> {
  let invocation: Invocation | null = null;
  try {
    const line = parseCommandLine(command, words);
    invocation = new Invocation(line, streams);
    if (!line.has('help')) return await command.run(invocation);
    invocation.out.line(commandHelp(command));
    return EXIT.ok;
  } catch (error) {
    const problem = problemOf(error, command.remedies);
    if (problem === null) throw error;
    invocation?.out.flush();
    streams.stderr.write(`${reportOf(command, problem, words.includes('--json'))}\n`);
    return problem.exitCode;
  } finally {
    await invocation?.end();
  }
}

function reportOf(command: ModernCommand, problem: Problem, isJson: boolean): string {
  const { exitCode, code, path } = problem;
  // The client's messages begin with its operation, which often has the command's name.
  const message = problem.message.replace(new RegExp(`^${command.name} `), '');
  if (isJson) return JSON.stringify({ error: { command: command.name, code, message, path } });
  const hasUsage = exitCode !== EXIT.usage || message.includes(usageLine(command));
  return `zoots ${command.name}: ${message}${hasUsage ? '' : `\nzoots ${command.name} --help says more`}`;
}
