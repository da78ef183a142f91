/**
 * Our zkCli beside Apache's 3.9.5: the same commands to servers of the same kind, standard output, standard error and exit codes
 * compared line by line; then the walk-through of a new user, typed into a real terminal.
 *
 *   node packages/e2e/dist/zkcli.js [only NAME…]
 *
 * Needs Java and Maven's jars for the comparison, Python 3 for the terminal; what is missing is skipped aloud, or a failure with
 * `ZOOTS_CI=1`. Ports: from `ZOOTS_E2E_PORT_MIN` on. Takes two minutes on a quiet machine.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PeerMissingError } from './peers/peer.js';
import type { Check } from './zkcli/check.js';
import { comparisonChecks } from './zkcli/comparison.js';
import { walkthroughChecks } from './zkcli/walkthrough.js';

async function main(words: readonly string[]): Promise<number> {
  const workDir = mkdtempSync(join(tmpdir(), 'zoots-zkcli-'));
  const checks = [...comparisonChecks(workDir), ...walkthroughChecks(workDir)];
  const chosen = words.length === 0 ? checks : checks.filter(({ name }) => words.some((word) => name.includes(word)));
  const counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    for (const check of chosen) counts[await runCheck(check)]++;
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed === 0 ? 0 : 1;
}

async function runCheck({ name, run }: Check): Promise<'passed' | 'failed' | 'skipped'> {
  const startMs = performance.now();
  try {
    const what = await run();
    console.log(`ok ${name}: ${what} (${Math.round(performance.now() - startMs)} ms)`);
    return 'passed';
  } catch (error) {
    if (error instanceof PeerMissingError && process.env.ZOOTS_CI !== '1') {
      console.log(`SKIPPED ${name}: ${error.message}`);
      return 'skipped';
    }
    console.log(`FAILED ${name}: ${error instanceof Error ? error.message : String(error)}`);
    return 'failed';
  }
}

process.exitCode = await main(process.argv.slice(2));
