/** Runs a modern command in this process and gathers what it writes. For tests: a process of its own costs 100 ms and more. */
import { Writable } from 'node:stream';
import { type ModernCommand, runModern } from './invocation.js';

export interface CommandResult {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  /** The lines of `out`. */
  readonly lines: readonly string[];
  /** The lines of `out`, parsed. */
  readonly json: readonly Record<string, unknown>[];
}

/** A stream that keeps what is written to it. */
class Collector extends Writable {
  readonly isTTY: boolean;
  text = '';

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  hasColors(): boolean {
    return this.isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}

/** `zoots NAME WORDS…` */
export async function runInProcess(
  [name, ...words]: readonly string[],
  { isTerminal = false }: { readonly isTerminal?: boolean } = {},
): Promise<CommandResult> {
  const module = (await import(new URL(`../commands/${name}.js`, import.meta.url).href)) as { command: ModernCommand };
  const stdout = new Collector(isTerminal);
  const stderr = new Collector(isTerminal);
  const exitCode = await runModern(module.command, words, { stdout, stderr });
  const lines = stdout.text === '' ? [] : stdout.text.replace(/\n$/, '').split('\n');
  return {
    exitCode,
    out: stdout.text,
    err: stderr.text,
    lines,
    get json() {
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}
