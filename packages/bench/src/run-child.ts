/**
 * A measurement in a process of its own: the plan goes in as JSON on the command line, the result comes out as JSON. Some
 * go on until they are told to stop (`startChild`), while another one works.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { endWithThisProcess } from './child-processes.js';

export interface RunningChild<Result> {
  /** Resolves when it has said that it is ready, or when it has ended. */
  readonly ready: Promise<void>;
  /** Ends its input, which is its sign to stop, and resolves with the result. */
  stop(): Promise<Result>;
}

/** Starts `script`, a built file beside this one. `stop` rejects with what it wrote to its error output when it fails. */
export function startChild<Result>(script: string, plan: object, what: string): RunningChild<Result> {
  const main = fileURLToPath(new URL(`./${script}`, import.meta.url));
  const child = spawn(process.execPath, [main, JSON.stringify(plan)], { stdio: ['pipe', 'pipe', 'pipe'] });
  endWithThisProcess(child);
  let output = '';
  let complaint = '';
  child.stdin.on('error', () => {});
  child.stderr.on('data', (chunk) => {
    complaint += String(chunk);
  });
  const result = new Promise<Result>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(output.slice(output.indexOf('{'))) as Result);
      else reject(new Error(`${what}: ${complaint.trim() || `exit code ${code}`}`));
    });
  });
  // Whoever stops it hears of a failure; until then it must not end this process.
  result.catch(() => {});
  const ready = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
      resolve();
    });
    child.on('close', () => resolve());
    child.on('error', () => resolve());
  });
  return {
    ready,
    stop() {
      child.stdin.end();
      return result;
    },
  };
}

/** Runs one that ends by itself. */
export function runChild<Result>(script: string, plan: object, what: string): Promise<Result> {
  return startChild<Result>(script, plan, what).stop();
}
