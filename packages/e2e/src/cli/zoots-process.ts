/** `zoots …` as a process of its own, which can be killed with what it runs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../peers/versions.js';

export const main = join(projectRoot, 'packages', 'cli', 'dist', 'main.js');
const running = new Set<ZootsProcess>();
process.on('exit', () => {
  for (const zoots of running) zoots.kill();
});

export interface Ending {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

export class ZootsProcess {
  /** How to start it, for a shell. */
  static readonly command = `'${process.execPath}' '${main}'`;
  readonly child: ChildProcess;
  readonly ended: Promise<Ending>;
  out = '';
  err = '';

  constructor(words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const env = { PATH: process.env.PATH ?? '', TZ: 'UTC', ...environment };
    this.child = spawn(process.execPath, [main, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this);
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.out += chunk.toString();
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.err += chunk.toString();
    });
    this.ended = once(this.child, 'close').then(([code]) => {
      running.delete(this);
      return { exitCode: code as number | null, out: this.out, err: this.err };
    });
  }

  /** SIGKILL to it and to what it runs, as when a machine goes. */
  kill(): void {
    const pid = this.child.pid as number;
    for (const target of [pid, ...childrenOf(pid).map((child) => -child)]) {
      try {
        process.kill(target, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
  }
}

/** A command under a lock leads a process group. */
function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

export function zoots(...words: string[]): Promise<Ending> {
  return new ZootsProcess(words).ended;
}

/** Standard output of a command that must succeed. */
export async function outputOf(...words: string[]): Promise<string> {
  const { exitCode, out, err } = await zoots(...words);
  if (exitCode !== 0) throw new Error(`zoots ${words.join(' ')}: exit code ${exitCode}\n${out.slice(-500)}${err}`);
  return out;
}
