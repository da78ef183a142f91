/** A measurement in a process of its own: the plan goes in as JSON on the command line, the result comes out as JSON. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Runs `script`, a built file beside this one. Throws Error with what it wrote to its error output when it fails. */
export function runChild<Result>(script: string, plan: object, what: string): Promise<Result> {
  const main = fileURLToPath(new URL(`./${script}`, import.meta.url));
  const child = spawn(process.execPath, [main, JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let complaint = '';
  child.stdout.on('data', (chunk) => {
    output += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    complaint += String(chunk);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(output) as Result);
      else reject(new Error(`${what}: ${complaint.trim()}`));
    });
  });
}
