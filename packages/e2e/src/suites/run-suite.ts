/**
 * Runs one suite against one server: its script as a process group of its own, its report read, its tests scored.
 *
 * A run's reports and the servers' logs stay in CACHE/runs/SUITE-SERVER until the next one.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ServerUnderTest, type Suite, suites, suitesDir } from './catalog.js';
import type { TestResult } from './results.js';
import { type Excluded, type Expected, excludedTests, readExpected, type Score, scoreResults } from './score.js';

export interface RunOptions {
  readonly serverName: string;
  readonly server: ServerUnderTest;
  readonly cacheDir: string;
  /** Only tests whose name contains this. */
  readonly nameContains: string;
  /** Write the names of all tests that ran into the expected file first. */
  readonly record: boolean;
}

export interface SuiteOutcome {
  readonly suite: Suite;
  readonly score: Score;
  readonly excluded: readonly Excluded[];
  readonly ran: number;
  readonly seconds: number;
  readonly outDir: string;
}

const portMin = Number(process.env.ZOOTS_SUITE_PORT_MIN ?? 31_200);
const portsPerSuite = 40;

/** The process groups that run now; none may outlive this process. */
const running = new Set<number>();
process.on('exit', () => {
  for (const pid of running) endGroup(pid);
});

/** Throws Error when the suite could not be prepared or leaves no whole report. */
export async function runSuite(suite: Suite, options: RunOptions): Promise<SuiteOutcome> {
  const outDir = join(options.cacheDir, 'runs', `${suite.name}-${options.serverName}`);
  await prepare(suite, options);
  const startMs = performance.now();
  const expectedFile = join(suitesDir, 'expected', `${suite.name}.json`);
  if (options.record) record(expectedFile, await runTests(suite, options, outDir, []));
  const expected = readExpected(expectedFile);
  const excluded = excludedTests(expected, options.server.lacks);
  const excused = new Set(excluded.map(({ test }) => test));
  const required = expected.tests.filter((test) => !excused.has(test) && test.includes(options.nameContains));
  if (required.length === 0) throw new Error(`no test's name contains ${options.nameContains}`);

  const flaky = required.filter((test) => expected.flaky.some((entry) => entry.test === test));
  const steady = required.filter((test) => !flaky.includes(test));
  const results = steady.length === 0 ? [] : [...(await runTests(suite, options, outDir, steady))];
  for (const [index, test] of flaky.entries()) {
    results.push(await runFlaky(suite, options, join(outDir, `flaky-${index}`), test));
  }
  const seconds = (performance.now() - startMs) / 1000;
  return { suite, score: scoreResults(expected, required, results), excluded, ran: results.length, seconds, outDir };
}

async function prepare(suite: Suite, options: RunOptions): Promise<void> {
  const runsDir = join(options.cacheDir, 'runs');
  mkdirSync(runsDir, { recursive: true });
  const log = join(runsDir, `${suite.name}-prepare.log`);
  rmSync(log, { force: true });
  const code = await runScript(suite, options, ['prepare'], log);
  if (code !== 0) throw new Error(`cannot prepare it, exit code ${code}:\n${endOf(log)}`);
}

/** Runs the named tests, all when there are none, in `outDir`. */
async function runTests(
  suite: Suite,
  options: RunOptions,
  outDir: string,
  tests: readonly string[],
): Promise<readonly TestResult[]> {
  rmSync(outDir, { recursive: true, force: true });
  mkdirSync(outDir, { recursive: true });
  const log = join(outDir, 'run.log');
  const code = await runScript(suite, options, ['run', outDir, ...tests], log);
  let results: readonly TestResult[];
  try {
    results = suite.read(readFileSync(join(outDir, suite.report), 'utf8'));
  } catch (error) {
    throw new Error(`${(error as Error).message}\nexit code ${code}; the end of ${log}:\n${endOf(log)}`);
  }
  const allGood = results.every(({ outcome }) => outcome !== 'failed');
  if (allGood && code !== 0) throw new Error(`no test failed, yet the exit code is ${code}:\n${endOf(log)}`);
  return results;
}

/** A machine that is busy is so for a while: two tries in a row have been seen to fail alike. */
const FLAKY_TRIES_MAX = 5;

/** A flaky test runs apart from the others, which its failure could spoil, and is tried until it passes, a few times at most. */
async function runFlaky(suite: Suite, options: RunOptions, outDir: string, test: string): Promise<TestResult> {
  const failure = { test, outcome: 'failed', message: 'did not run' } as const;
  for (let tries = 1; ; tries++) {
    const result: TestResult = await runTests(suite, options, outDir, [test]).then(
      (results) => results.find((found) => found.test === test) ?? failure,
      (error: Error) => ({ ...failure, message: error.message }),
    );
    if (result.outcome !== 'failed' || tries === FLAKY_TRIES_MAX) return result;
    console.log(`${suite.name}: ${test} is known to be flaky, tried once more after: ${result.message}`);
  }
}

/** Runs a suite's script with its output in `log`. Resolves with the exit code; a script over time is killed: -1. */
function runScript(suite: Suite, options: RunOptions, words: readonly string[], log: string): Promise<number> {
  const { server, cacheDir } = options;
  const [script, ...leading] = suite.script;
  const output = openSync(log, 'a');
  const child = spawn(join(suitesDir, script), [...leading, ...words], {
    stdio: ['ignore', output, output],
    detached: true,
    env: {
      ...process.env,
      SUITE_CACHE: cacheDir,
      ZK_CMD: server.command,
      ZK_BIN: server.binDir,
      ZK_VERSION: server.version,
      ZK_SERVERS: server.lacks.includes('three servers') ? '1' : '3',
      ZK_PORT: String(portMin + suites.indexOf(suite) * portsPerSuite),
    },
  });
  closeSync(output);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    const pid = child.pid;
    if (pid === undefined) return;
    running.add(pid);
    const timer = setTimeout(() => endGroup(pid), suite.timeoutSeconds * 1000);
    child.once('exit', (code) => {
      clearTimeout(timer);
      endGroup(pid);
      resolve(code ?? -1);
    });
  });
}

/** Everything a script started is in its process group; nothing of it may outlive the script. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ESRCH: the whole group is gone already, which is the usual case.
  }
  running.delete(pid);
}

function endOf(log: string): string {
  return readFileSync(log, 'utf8').trim().split('\n').slice(-20).join('\n');
}

function record(expectedFile: string, results: readonly TestResult[]): void {
  const old = JSON.parse(readFileSync(expectedFile, 'utf8')) as Expected;
  const tests = results.map(({ test }) => test);
  writeFileSync(expectedFile, `${JSON.stringify({ ...old, tests }, null, 2)}\n`);
  console.log(`${tests.length} names of tests written to ${expectedFile}`);
}
