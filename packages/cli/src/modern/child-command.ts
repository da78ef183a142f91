/**
 * Runs a command while something is held: a lock, a leadership. The command gets the fencing token in its environment, SIGTERM
 * when the hold is lost (and SIGKILL if it takes no notice), and the signals that this program gets; its exit code is passed on.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Hold } from '@zoots/recipes';
import type { CommandLine, OptionRow } from './command-line.js';
import type { ConnectWishes, Invocation } from './invocation.js';
import { EXIT } from './problem.js';
import { durationText, parseTimeMs } from './quantities.js';

export const holdOptions: readonly OptionRow[] = [
  { long: 'wait', short: 'w', value: 'TIME', text: 'give up after so long (default: never)' },
  { long: 'session-timeout', value: 'TIME', text: 'after so long without a server it is lost (default 30s)' },
  { long: 'grace', value: 'TIME', text: 'from SIGTERM to SIGKILL when it is lost (default 10s)' },
  { long: 'id', value: 'TEXT', text: 'who this is, for others to read (default host:pid)' },
  { long: 'convention', value: 'NAME', text: 'whose names the znodes have: curator (default) or kazoo' },
];

export const holdNotes = `The command gets ZOOTS_FENCING_TOKEN (a number that grows from holder to holder: let what you guard refuse lower ones
than it has seen) and ZOOTS_HOLD_PATH (the znode). Its exit code is passed on, 128 + N if signal N ended it; 127 if
there is no such command. The exit code is 1 if the wait was in vain, and never 0 if it was lost meanwhile. JSON, on
standard error, as standard output is the command's: {"event": "acquired", "path", "token"}, {"event": "lost", "path",
"reason"}, {"event": "exited", "code"}.`;

const GRACE_MS = 10_000;
/** As shells have it. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/** How to connect: calls wait for a server as long as the session may live. */
export function holdConnectWishes(line: CommandLine): ConnectWishes {
  const timeout = line.value('session-timeout');
  return {
    hasRequestTimeout: false,
    ...(timeout === undefined ? {} : { sessionTimeoutMs: parseTimeMs('session-timeout', timeout) }),
  };
}

/** The exit code of a program that a signal ended. */
export function exitCodeOfSignal(name: NodeJS.Signals): number {
  return 128 + (constants.signals[name] ?? 0);
}

/** Runs the words behind `--` and releases the hold. The exit code. */
export async function runUnder(invocation: Invocation, hold: Hold): Promise<number> {
  const { line, out } = invocation;
  const graceMs = parseTimeMs('grace', line.value('grace') ?? `${GRACE_MS}ms`);
  const say = (event: Record<string, unknown>, text: string): void => {
    if (out.isJson) out.note(JSON.stringify(event));
    else if (text !== '') out.note(text);
  };
  say({ event: 'acquired', path: hold.path, token: hold.token }, '');
  let isLost = false;
  const child = start(line.childCommand, hold);
  const stopForwarding = forwardSignals(child);
  const onLost = (): void => {
    isLost = true;
    const reason = (hold.signal.reason as Error).message;
    say({ event: 'lost', path: hold.path, reason }, `${reason}; SIGTERM to the command`);
    terminate(child, graceMs, () => out.note(`the command goes on after ${durationText(graceMs)}; SIGKILL`));
  };
  hold.signal.addEventListener('abort', onLost);
  if (hold.signal.aborted) onLost();
  const code = await ended(child, line.childCommand[0] as string, out.note.bind(out));
  hold.signal.removeEventListener('abort', onLost);
  stopForwarding();
  say({ event: 'exited', code }, '');
  await hold.release();
  return isLost ? Math.max(code, EXIT.refused) : code;
}

function start([file, ...words]: readonly string[], hold: Hold): ChildProcess {
  const env = { ...process.env, ZOOTS_FENCING_TOKEN: String(hold.token), ZOOTS_HOLD_PATH: hold.path };
  return spawn(file as string, words, { stdio: 'inherit', env, detached: hasOwnGroup() });
}

/**
 * The command, and whatever it started, are a process group that is signalled as one: a shell that ends must not leave its
 * work behind. On a terminal they stay in ours, or they could not read from it; there, only the command itself is signalled.
 */
function hasOwnGroup(): boolean {
  return process.stdin.isTTY !== true;
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(hasOwnGroup() ? -child.pid : child.pid, name);
  } catch {
    // It has ended.
  }
}

function ended(child: ChildProcess, file: string, note: (text: string) => void): Promise<number> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      // Otherwise it was a signal that could not be sent, and the end is still to come.
      if (child.pid !== undefined) return;
      const isMissing = error.code === 'ENOENT';
      note(`${file}: ${isMissing ? 'there is no such command' : error.message}`);
      resolve(isMissing ? NOT_FOUND : NOT_EXECUTABLE);
    });
    child.once('exit', (code, signal) => resolve(code ?? exitCodeOfSignal(signal as NodeJS.Signals)));
  });
}

function terminate(child: ChildProcess, graceMs: number, onKill: () => void): void {
  signal(child, 'SIGTERM');
  const timer = setTimeout(() => {
    onKill();
    signal(child, 'SIGKILL');
  }, graceMs);
  child.once('exit', () => clearTimeout(timer));
}

/** Ctrl-C on a terminal reaches the command by itself: then it is only kept from ending this program first. */
function forwardSignals(child: ChildProcess): () => void {
  const forward = (name: NodeJS.Signals): void => {
    if (name !== 'SIGINT' || hasOwnGroup()) signal(child, name);
  };
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.on(name, forward);
  return () => {
    for (const name of names) process.off(name, forward);
  };
}
