/**
 * Runs the test suites that others wrote for ZooKeeper clients against a server, and judges them:
 *
 *   node packages/e2e/dist/suites.js [kazoo|c|c-mt|c-st|go|npm ...] [--server zoots|apache] [--test TEXT] [--parallel]
 *
 * Prints every test that counts against the server and every excluded one with its reason, then a table, and exits
 * with 1 if a test failed. `--test` runs only the tests whose name contains TEXT. `--parallel` runs the lanes (see the
 * catalog) at the same time. `--record` writes the names of the tests into the expected file, for a new version of a
 * suite. A suite whose tools are not on the machine is skipped, aloud; with ZOOTS_CI=1 that is a failure.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from './peers/versions.js';
import { missing, type Suite, servers, suites } from './suites/catalog.js';
import { type RunOptions, runSuite, type SuiteOutcome } from './suites/run-suite.js';

function parseCommandLine() {
  return parseArgs({
    allowPositionals: true,
    options: {
      server: { type: 'string', default: 'zoots' },
      test: { type: 'string', default: '' },
      parallel: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
    },
  });
}

function chosenSuites(words: readonly string[]): readonly Suite[] {
  for (const word of words) {
    if (!suites.some(({ name, group }) => name === word || group === word)) {
      throw new Error(`no suite is called ${word}; there are ${suites.map(({ name }) => name).join(', ')}`);
    }
  }
  return words.length === 0
    ? suites
    : suites.filter(({ name, group }) => words.includes(name) || words.includes(group));
}

/** A suite that could not run at all is one failure, so that the totals show it. */
function broken(suite: Suite, message: string): SuiteOutcome {
  const failed = [{ test: '(the whole suite)', message }];
  return { suite, score: { passed: 0, failed }, excluded: [], ran: 0, seconds: 0, outDir: '' };
}

async function runLane(lane: readonly Suite[], options: RunOptions): Promise<readonly SuiteOutcome[]> {
  const outcomes: SuiteOutcome[] = [];
  for (const suite of lane) {
    const lacking = missing([...options.server.requirements, ...suite.requirements]).join(', ');
    if (lacking !== '' && process.env.ZOOTS_CI !== '1') {
      console.log(`SKIPPED: ${suite.name}, which needs ${lacking}`);
      continue;
    }
    console.log(`${suite.name}: running against ${options.serverName}`);
    const outcome =
      lacking === ''
        ? await runSuite(suite, options).catch((error: Error) => broken(suite, error.message))
        : broken(suite, `missing: ${lacking}`);
    printOutcome(outcome);
    outcomes.push(outcome);
  }
  return outcomes;
}

function printOutcome({ suite, score, excluded, outDir }: SuiteOutcome): void {
  for (const { test, needs, reason } of excluded) {
    console.log(`excluded ${suite.name}: ${test} needs ${needs}: ${reason}`);
  }
  for (const { test, message } of score.failed) console.log(`FAILED ${suite.name}: ${test}: ${message}`);
  if (score.failed.length > 0 && outDir !== '') console.log(`${suite.name}: its report and logs are in ${outDir}`);
}

function printTable(outcomes: readonly SuiteOutcome[]): void {
  const rows = outcomes.map(({ suite, score, excluded, ran, seconds }) => {
    return [suite.name, ran, score.passed, score.failed.length, excluded.length, seconds.toFixed(0)];
  });
  console.log('');
  for (const row of [['suite', 'ran', 'passed', 'failed', 'excluded', 'seconds'], ...rows]) {
    console.log(row.map((value, index) => String(value).padEnd(index === 0 ? 8 : 10)).join(''));
  }
}

async function main(): Promise<number> {
  const { values, positionals } = parseCommandLine();
  const server = servers[values.server];
  if (server === undefined) throw new Error(`no server is called ${values.server}; zoots and apache are known`);
  const options: RunOptions = {
    serverName: values.server,
    server,
    cacheDir: process.env.SUITE_CACHE ?? join(projectRoot, '.cache/suites'),
    nameContains: values.test,
    record: values.record,
  };
  const chosen = chosenSuites(positionals);
  const lanes = values.parallel
    ? [...new Set(chosen.map(({ lane }) => lane))].map((lane) => chosen.filter((suite) => suite.lane === lane))
    : [chosen];
  const outcomes = (await Promise.all(lanes.map((lane) => runLane(lane, options)))).flat();
  printTable(outcomes);
  const sum = (count: (outcome: SuiteOutcome) => number) => outcomes.reduce((total, one) => total + count(one), 0);
  const passed = sum(({ score }) => score.passed);
  const failed = sum(({ score }) => score.failed.length);
  const skipped = sum(({ excluded }) => excluded.length) + chosen.length - outcomes.length;
  console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed > 0 ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
process.exitCode = await main().catch((error: Error) => {
  console.error(error.message);
  return 2;
});
