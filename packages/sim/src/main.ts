/**
 * `npm run sim`: seeds, one after another, until one fails, the count is reached, or the time is up.
 *
 *   npm run sim                              fresh seeds for a minute
 *   npm run sim -- --seed N [--log debug]    one seed; prints its final number
 *   npm run sim -- --seeds N [--from S]      many
 *   npm run sim -- --seconds N               for so long
 *   npm run sim -- --mutant NAME …           with a planted bug; `--mutant list` names them
 *
 * The wall clock is looked at here alone, for the budget and the speed. Exit code 1 if a seed failed, 2 for a wrong argument.
 */
import { randomInt } from 'node:crypto';
import type { Mutant } from './mutant.js';
import { MUTANTS } from './mutants.js';
import { type RunResult, runSeed } from './run.js';

const USAGE =
  'usage: npm run sim -- [--seed N | --seeds N] [--from S] [--seconds N] [--log debug] [--mutant NAME|list]';
const SECONDS_DEFAULT = 60;
const SEED_BOUND = 2 ** 31;
/** Lines of the trace that a failure shows. */
const RECENT_LINES = 40;

interface Arguments {
  readonly seed: number | null;
  readonly seeds: number | null;
  readonly from: number | null;
  readonly seconds: number | null;
  readonly isVerbose: boolean;
  readonly mutant: string | null;
}

const LEGEND = `columns: seed · final number · simulated seconds · events · replies checked · txns · starts of the server · faults`;

function parse(words: readonly string[]): Arguments | null {
  const values = new Map<string, string>();
  for (let i = 0; i < words.length; i += 2) {
    const name = words[i] as string;
    const value = words[i + 1];
    if (!/^--(seed|seeds|from|seconds|log|mutant)$/.test(name) || value === undefined) return null;
    values.set(name.slice(2), value);
  }
  const numbers = ['seed', 'seeds', 'from', 'seconds'].map((name) => {
    const text = values.get(name);
    return text === undefined ? null : Number(text);
  });
  if (numbers.some((value) => value !== null && !(Number.isSafeInteger(value) && value >= 0))) return null;
  const [seed = null, seeds = null, from = null, seconds = null] = numbers;
  return { seed, seeds, from, seconds, isVerbose: values.get('log') === 'debug', mutant: values.get('mutant') ?? null };
}

function line(result: RunResult): string {
  const faults = Object.entries(result.faults)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
  const cells = [
    String(result.seed).padStart(10),
    String(result.number).padStart(16),
    (result.simulatedMs / 1000).toFixed(1).padStart(6),
    String(result.events).padStart(7),
    String(result.replies).padStart(6),
    String(result.txns).padStart(6),
    String(result.starts).padStart(3),
    faults,
  ];
  return cells.join('  ');
}

function report(result: RunResult, words: string): void {
  const failure = result.failure as Error;
  console.log(`\nFAILED seed ${result.seed}: ${failure.stack ?? failure.message}`);
  if (result.recent.length > 0) console.log(`\nwhat happened last:\n${result.recent.join('\n')}`);
  console.log(`\nto see it again: npm run sim -- --seed ${result.seed}${words} --log debug\n`);
}

function main(): number {
  const given = parse(process.argv.slice(2));
  if (given === null) {
    console.error(USAGE);
    return 2;
  }
  if (given.mutant === 'list') {
    for (const { name, bug } of MUTANTS) console.log(`${name.padEnd(24)}${bug}`);
    return 0;
  }
  const mutant: Mutant | null = MUTANTS.find((one) => one.name === given.mutant) ?? null;
  if (given.mutant !== null && mutant === null) {
    console.error(`no planted bug is called ${given.mutant}; --mutant list names them`);
    return 2;
  }
  return run(given, mutant);
}

function run(given: Arguments, mutant: Mutant | null): number {
  const startMs = Date.now();
  const isEndless = given.seed === null && given.seeds === null;
  const count = given.seed !== null ? 1 : (given.seeds ?? Number.POSITIVE_INFINITY);
  const budgetMs = (given.seconds ?? (isEndless ? SECONDS_DEFAULT : Number.POSITIVE_INFINITY)) * 1000;
  const first = given.seed ?? given.from ?? (given.seeds !== null ? 1 : randomInt(SEED_BOUND));
  const words = mutant === null ? '' : ` --mutant ${mutant.name}`;
  let passed = 0;
  let failed = 0;
  let simulatedMs = 0;
  let replies = 0;
  let finalNumber = 0;
  console.log(LEGEND);
  for (let seed = first; seed < first + count && failed === 0 && Date.now() - startMs < budgetMs; seed++) {
    const sink = given.isVerbose ? (text: string) => console.log(text) : null;
    let result = runSeed(seed, { sink, mutant });
    console.log(line(result));
    simulatedMs += result.simulatedMs;
    replies += result.replies;
    finalNumber = result.number;
    if (result.failure === null) {
      passed++;
      continue;
    }
    failed++;
    // Once more with the trace kept: it costs too much to keep it always.
    if (!given.isVerbose) result = runSeed(seed, { recentLines: RECENT_LINES, mutant });
    report(result, words);
  }
  const wallMs = Math.max(1, Date.now() - startMs);
  const hoursPerMinute = simulatedMs / 3_600_000 / (wallMs / 60_000);
  console.log(
    `${(simulatedMs / 1000).toFixed(0)} simulated seconds in ${(wallMs / 1000).toFixed(1)} (${hoursPerMinute.toFixed(2)} simulated hours a minute), ${Math.round((replies * 1000) / wallMs)} replies checked a second`,
  );
  if (given.seed !== null) console.log(`final number ${finalNumber}`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = main();
