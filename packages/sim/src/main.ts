/**
 * `npm run sim`: seeds, one after another, until one fails, the count is reached, or the time is up.
 *
 *   npm run sim                              fresh seeds of the stand-alone server for a minute
 *   npm run sim -- --ensembles …             whole ensembles instead; everything below holds for them, too
 *   npm run sim -- --seed N [--verbose]      one seed; prints its final number (--log debug is the same as --verbose)
 *   npm run sim -- --seeds N [--from S]      many
 *   npm run sim -- --seconds N               for so long
 *   npm run sim -- --mutant NAME …           with a planted bug; `--mutant list` names them
 *
 * The wall clock is looked at here alone, for the budget and the speed. Exit code 1 if a seed failed, 2 for a wrong argument.
 */
import { randomInt } from 'node:crypto';
import { ENSEMBLE_MUTANTS } from './ensemble/mutants-ensemble.js';
import { runEnsembleSeed } from './ensemble/run-ensemble.js';
import { MUTANTS } from './mutants.js';
import { runSeed } from './run.js';

const USAGE =
  'usage: npm run sim -- [--ensembles] [--seed N | --seeds N] [--from S] [--seconds N] [--verbose] [--mutant NAME|list]';
const SECONDS_DEFAULT = 60;
const SEED_BOUND = 2 ** 31;
/** Lines of the trace that a failure shows. */
const RECENT_LINES = 40;

interface Arguments {
  readonly isEnsembles: boolean;
  readonly seed: number | null;
  readonly seeds: number | null;
  readonly from: number | null;
  readonly seconds: number | null;
  readonly isVerbose: boolean;
  readonly mutant: string | null;
}

/** What both kinds of runs tell. */
interface Result {
  readonly seed: number;
  readonly failure: Error | null;
  readonly number: number;
  readonly simulatedMs: number;
  readonly events: number;
  readonly replies: number;
  readonly txns: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly recent: readonly string[];
}

interface Settings {
  readonly sink?: ((line: string) => void) | null;
  readonly recentLines?: number;
}

/** One of the two simulations, with or without a planted bug. */
interface Simulation {
  readonly legend: string;
  readonly words: string;
  run(seed: number, settings: Settings): { readonly result: Result; readonly size: string };
}

function parse(words: readonly string[]): Arguments | null {
  const flags = new Set<string>(words.filter((word) => word === '--ensembles' || word === '--verbose'));
  const rest = words.filter((word) => !flags.has(word));
  const values = new Map<string, string>();
  for (let i = 0; i < rest.length; i += 2) {
    const name = rest[i] as string;
    const value = rest[i + 1];
    if (!/^--(seed|seeds|from|seconds|log|mutant)$/.test(name) || value === undefined) return null;
    values.set(name.slice(2), value);
  }
  const numbers = ['seed', 'seeds', 'from', 'seconds'].map((name) => {
    const text = values.get(name);
    return text === undefined ? null : Number(text);
  });
  if (numbers.some((value) => value !== null && !(Number.isSafeInteger(value) && value >= 0))) return null;
  const [seed = null, seeds = null, from = null, seconds = null] = numbers;
  const isVerbose = flags.has('--verbose') || values.get('log') === 'debug';
  const isEnsembles = flags.has('--ensembles');
  return { isEnsembles, seed, seeds, from, seconds, isVerbose, mutant: values.get('mutant') ?? null };
}

function standAlone(name: string | null): Simulation | null {
  const mutant = MUTANTS.find((one) => one.name === name) ?? null;
  if (name !== null && mutant === null) return null;
  return {
    legend: 'seed · final number · simulated seconds · events · replies checked · txns · starts of the server · faults',
    words: name === null ? '' : ` --mutant ${name}`,
    run: (seed, settings) => {
      const result = runSeed(seed, { ...settings, mutant });
      return { result, size: String(result.starts).padStart(3) };
    },
  };
}

function ensembles(name: string | null): Simulation | null {
  const mutant = ENSEMBLE_MUTANTS.find((one) => one.name === name) ?? null;
  if (name !== null && mutant === null) return null;
  return {
    legend:
      'seed · final number · simulated seconds · events · replies checked · txns · voters+observers, epochs · faults',
    words: ` --ensembles${name === null ? '' : ` --mutant ${name}`}`,
    run: (seed, settings) => {
      const result = runEnsembleSeed(seed, { ...settings, mutant });
      return { result, size: `${result.servers.padEnd(4)} ${String(result.epochs).padStart(3)}` };
    },
  };
}

function line({ seed, number, simulatedMs, events, replies, txns, faults }: Result, size: string): string {
  const cells = [
    String(seed).padStart(10),
    String(number).padStart(16),
    (simulatedMs / 1000).toFixed(1).padStart(6),
    String(events).padStart(7),
    String(replies).padStart(6),
    String(txns).padStart(6),
    size,
    Object.entries(faults)
      .map(([name, count]) => `${name} ${count}`)
      .join(', '),
  ];
  return cells.join('  ');
}

function report({ seed, failure, recent }: Result, words: string): void {
  console.log(`\nFAILED seed ${seed}: ${failure?.stack ?? failure?.message}`);
  if (recent.length > 0) console.log(`\nwhat happened last:\n${recent.join('\n')}`);
  console.log(`\nto see it again: npm run sim --${words} --seed ${seed} --verbose\n`);
}

function main(): number {
  const given = parse(process.argv.slice(2));
  if (given === null) {
    console.error(USAGE);
    return 2;
  }
  if (given.mutant === 'list') {
    const mutants = given.isEnsembles ? ENSEMBLE_MUTANTS : MUTANTS;
    for (const { name, bug } of mutants) console.log(`${name.padEnd(30)}${bug}`);
    return 0;
  }
  const simulation = given.isEnsembles ? ensembles(given.mutant) : standAlone(given.mutant);
  if (simulation === null) {
    console.error(`no planted bug is called ${given.mutant}; --mutant list names them`);
    return 2;
  }
  return run(given, simulation);
}

function run(given: Arguments, simulation: Simulation): number {
  const startMs = Date.now();
  const isEndless = given.seed === null && given.seeds === null;
  const count = given.seed !== null ? 1 : (given.seeds ?? Number.POSITIVE_INFINITY);
  const budgetMs = (given.seconds ?? (isEndless ? SECONDS_DEFAULT : Number.POSITIVE_INFINITY)) * 1000;
  const first = given.seed ?? given.from ?? (given.seeds !== null ? 1 : randomInt(SEED_BOUND));
  let passed = 0;
  let failed = 0;
  let simulatedMs = 0;
  let replies = 0;
  let finalNumber = 0;
  console.log(`columns: ${simulation.legend}`);
  for (let seed = first; seed < first + count && failed === 0 && Date.now() - startMs < budgetMs; seed++) {
    const sink = given.isVerbose ? (text: string) => console.log(text) : null;
    const { result, size } = simulation.run(seed, { sink });
    console.log(line(result, size));
    simulatedMs += result.simulatedMs;
    replies += result.replies;
    finalNumber = result.number;
    if (result.failure === null) {
      passed++;
      continue;
    }
    failed++;
    // Once more with the trace kept: it costs too much to keep it always.
    const kept = given.isVerbose ? result : simulation.run(seed, { recentLines: RECENT_LINES }).result;
    report(kept, simulation.words);
  }
  const wallMs = Math.max(1, Date.now() - startMs);
  const perMinute = 60_000 / wallMs;
  console.log(
    [
      `${(simulatedMs / 1000).toFixed(0)} simulated seconds in ${(wallMs / 1000).toFixed(1)}`,
      `(${((simulatedMs / 3_600_000) * perMinute).toFixed(2)} simulated hours a minute),`,
      `${((passed + failed) * perMinute).toFixed(0)} seeds a minute,`,
      `${Math.round((replies * 1000) / wallMs)} replies checked a second`,
    ].join(' '),
  );
  if (given.seed !== null) console.log(`final number ${finalNumber}`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = main();
