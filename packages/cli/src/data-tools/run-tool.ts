/** Runs a command of `zoots` in a process of its own, as the scripts of bin do, and gathers what it says. For tests. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../main.js', import.meta.url));

export interface ToolResult {
  readonly exitCode: number | null;
  readonly lines: readonly string[];
  readonly out: string;
  readonly error: string;
}

export function runTool(words: readonly string[], input = ''): ToolResult {
  const result = spawnSync(process.execPath, [main, ...words], {
    input,
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC' },
    maxBuffer: 64 * 1024 * 1024,
  });
  return { exitCode: result.status, lines: result.stdout.split('\n'), out: result.stdout, error: result.stderr };
}
