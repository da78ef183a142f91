/**
 * Runs the test suites that others wrote for ZooKeeper clients against a server, and judges them:
 *
 *   node packages/e2e/dist/suites.js [kazoo|c|c-mt|c-st|go|npm ...] [--server zoots|apache] [--test TEXT] [--parallel]
 *
 * Prints a table and every test that counts against the server, and exits with 1 if there is one. `--test` runs
 * only the tests whose name contains TEXT. `--parallel` runs the lanes (see the catalog) at the same time.
 * `--record` writes the names of the tests that ran into the expected file, for a new version of a suite.
 *
 * A suite whose tools are not on the machine is skipped, aloud; with ZOOTS_CI=1 that is a failure.
 * Packages are kept in .cache/suites, and each run's reports and server logs in .cache/suites/runs/NAME-SERVER.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from './peers/versions.js';
import { missing, type ServerUnderTest, type Suite, servers, suites, suitesDir } from './suites/catalog.js';
import type { TestResult } from './suites/results.js';
import { type Expected, excludedTests, readExpected, type Score, scoreResults, worthRetrying } from './suites/score.js';

interface Row {
  readonly suite: Suite;
  readonly score: Score;
  readonly excluded: number;
  readonly ran: number;
  readonly wallSeconds: number;
}

const portMin = Number(process.env.ZOOTS_SUITE_PORT_MIN ?? 31_200);
const portsPerSuite = 40;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    server: { type: 'string', default: 'zoots' },
    test: { type: 'string', default: '' },
    parallel: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
  },
});

const cacheDir = process.env.SUITE_CACHE ?? join(projectRoot, '.cache/suites');
const running = new Set<number>();

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}

function chosenSuites(): readonly Suite[] {
  for (const word of positionals) {
    if (!suites.some(({ name, group }) => name === word || group === word)) {
      fail(`no suite is called ${word}; there are ${suites.map(({ name }) => name).join(', ')}`);
    }
  }
  if (positionals.length === 0) return suites;
  return suites.filter(({ name, group }) => positionals.includes(name) || positionals.includes(group));
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

/** Runs a suite's script with its output in `log`. Resolves with the exit code; a script over time is killed. */
function runScript(suite: Suite, server: ServerUnderTest, words: readonly string[], log: string): Promise<number> {
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
  const pid = child.pid as number;
  running.add(pid);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => endGroup(pid), suite.timeoutSeconds * 1000);
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(timer);
      endGroup(pid);
      resolve(code ?? -1);
    });
  });
}

/** Runs the named tests, all when there are none, in `out`. Throws Error when no whole report comes of it. */
async function runTests(
  suite: Suite,
  server: ServerUnderTest,
  out: string,
  tests: readonly string[],
): Promise<readonly TestResult[]> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const log = join(out, 'run.log');
  const code = await runScript(suite, server, ['run', out, ...tests], log);
  let results: readonly TestResult[];
  try {
    results = suite.read(readFileSync(join(out, suite.report), 'utf8'));
  } catch (error) {
    const end = readFileSync(log, 'utf8').trim().split('\n').slice(-15).join('\n');
    throw new Error(`${suite.name}: ${(error as Error).message}\nexit code ${code}; the end of ${log}:\n${end}`);
  }
  const allGood = results.every(({ outcome }) => outcome !== 'failed');
  if (allGood && code !== 0) throw new Error(`${suite.name}: no test failed, yet its exit code is ${code}; see ${log}`);
  return results;
}

function expectedFile(suite: Suite): string {
  return join(suitesDir, 'expected', `${suite.name}.json`);
}

function record(suite: Suite, results: readonly TestResult[]): void {
  const old = JSON.parse(readFileSync(expectedFile(suite), 'utf8')) as Expected;
  const tests = results.map(({ test }) => test);
  writeFileSync(expectedFile(suite), `${JSON.stringify({ ...old, tests }, null, 2)}\n`);
  console.log(`${suite.name}: ${tests.length} names of tests written to ${expectedFile(suite)}`);
}

async function runSuite(suite: Suite, server: ServerUnderTest): Promise<Row> {
  const out = join(cacheDir, 'runs', `${suite.name}-${options.server}`);
  mkdirSync(join(cacheDir, 'runs'), { recursive: true });
  const prepareLog = join(cacheDir, 'runs', `${suite.name}-prepare.log`);
  rmSync(prepareLog, { force: true });
  if ((await runScript(suite, server, ['prepare'], prepareLog)) !== 0) {
    throw new Error(`${suite.name}: cannot prepare it:\n${readFileSync(prepareLog, 'utf8').trim()}`);
  }
  const startMs = performance.now();
  if (options.record) record(suite, await runTests(suite, server, out, []));
  const expected = readExpected(expectedFile(suite));
  const excluded = excludedTests(expected, server.lacks);
  const required = expected.tests.filter((test) => !excluded.includes(test) && test.includes(options.test));
  if (required.length === 0) throw new Error(`${suite.name}: no test's name contains ${options.test}`);
  const first = await runTests(suite, server, out, required);
  const again = worthRetrying(expected, first);
  if (again.length > 0) console.log(`${suite.name}: known to be flaky, tried once more: ${again.join(', ')}`);
  const second = again.length === 0 ? [] : await runTests(suite, server, join(out, 'retry'), again);
  return {
    suite,
    score: scoreResults(expected, required, [...first, ...second]),
    excluded: excluded.length,
    ran: first.length,
    wallSeconds: (performance.now() - startMs) / 1000,
  };
}

/** A suite that could not run at all is one failure, so that the totals show it. */
function brokenRow(suite: Suite, message: string): Row {
  const failed = [{ test: '(the whole suite)', message }];
  return { suite, score: { passed: 0, failed }, excluded: 0, ran: 0, wallSeconds: 0 };
}

async function runLane(lane: readonly Suite[], server: ServerUnderTest): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const suite of lane) {
    const lacking = missing([...server.requirements, ...suite.requirements]);
    if (lacking.length > 0 && process.env.ZOOTS_CI !== '1') {
      console.log(`SKIPPED: ${suite.name}, which needs ${lacking.join(', ')}`);
      continue;
    }
    console.log(`${suite.name}: running against ${options.server}`);
    const row =
      lacking.length > 0
        ? brokenRow(suite, `missing: ${lacking.join(', ')}`)
        : await runSuite(suite, server).catch((error: Error) => brokenRow(suite, error.message));
    for (const { test, message } of row.score.failed) console.log(`FAILED ${suite.name}: ${test}: ${message}`);
    rows.push(row);
  }
  return rows;
}

function printTable(rows: readonly Row[]): void {
  const cells = rows.map(({ suite, score, excluded, ran, wallSeconds }) => [
    suite.name,
    ran,
    score.passed,
    score.failed.length,
    excluded,
    wallSeconds.toFixed(0),
  ]);
  console.log('');
  for (const cell of [['suite', 'ran', 'passed', 'failed', 'excluded', 'seconds'], ...cells]) {
    console.log(cell.map((value, index) => String(value).padEnd(index === 0 ? 8 : 10)).join(''));
  }
}

process.on('exit', () => {
  for (const pid of running) endGroup(pid);
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

const server = servers[options.server] ?? fail(`no server is called ${options.server}; zoots and apache are known`);
const chosen = chosenSuites();
const lanes = options.parallel
  ? [...new Set(chosen.map(({ lane }) => lane))].map((lane) => chosen.filter((suite) => suite.lane === lane))
  : [chosen];
const rows = (await Promise.all(lanes.map((lane) => runLane(lane, server)))).flat();
printTable(rows);
const sum = (count: (row: Row) => number) => rows.reduce((total, row) => total + count(row), 0);
const passed = sum(({ score }) => score.passed);
const failed = sum(({ score }) => score.failed.length);
const skipped = sum(({ excluded }) => excluded) + chosen.length - rows.length;
console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed > 0 ? 1 : 0);
