/** Waiting for a lock or a leadership: for how long, who has it meanwhile, and what to say if the wait was in vain. */
import type { AcquireOptions, Contender, Convention, Hold, LockOptions } from '@zoots/recipes';
import { exitCodeOfSignal, runUnder } from './child-command.js';
import { type CommandLine, UsageError } from './command-line.js';
import type { Invocation } from './invocation.js';
import { RefusedError } from './problem.js';
import { durationText, parseTimeMs } from './quantities.js';

const conventions: readonly Convention[] = ['curator', 'kazoo'];

export function lockOptionsOf(line: CommandLine): LockOptions {
  const convention = line.value('convention') ?? 'curator';
  if (!(conventions as readonly string[]).includes(convention)) {
    throw new UsageError(`--convention: "${convention}" is none of ${conventions.join(', ')}`);
  }
  return { id: line.value('id'), convention: convention as Convention };
}

/** Null without `--wait`: for ever. */
export function waitMsOf(line: CommandLine): number | null {
  const wait = line.value('wait');
  return wait === undefined ? null : parseTimeMs('wait', wait);
}

export interface Holding {
  /** Null if it is not to be had in time. */
  acquire(options: AcquireOptions): Promise<Hold | null>;
  contenders(): Promise<readonly Contender[]>;
}

/** Waits as the command line says, runs the command, releases. The exit code. */
export async function waitAndRun(invocation: Invocation, path: string, holding: Holding): Promise<number> {
  const stop = invocation.untilStopped();
  const waitMs = waitMsOf(invocation.line);
  const hold = await acquireUnlessStopped(holding, stop, waitMs);
  if (stop.aborted) {
    await hold?.release();
    return exitCodeOfSignal(stop.reason as NodeJS.Signals);
  }
  if (hold !== null) return runUnder(invocation, hold);
  const holder = (await holding.contenders()).find(({ isHolder }) => isHolder);
  const who = holder === undefined ? '' : `; ${holder.id || 'somebody'} has it`;
  throw new RefusedError(
    `${path}: not acquired ${waitMs === 0 ? 'at once' : `within ${durationText(waitMs ?? 0)}`}${who}`,
  );
}

/** Null if time is up, or if it was stopped. */
async function acquireUnlessStopped(holding: Holding, stop: AbortSignal, waitMs: number | null): Promise<Hold | null> {
  try {
    return await holding.acquire({ signal: stop, ...(waitMs === null ? {} : { timeoutMs: waitMs }) });
  } catch (error) {
    const { code } = error as { code?: string };
    if (stop.aborted || code === 'ZK_ACQUIRE_TIMEOUT') return null;
    throw error;
  }
}
