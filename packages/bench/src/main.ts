/**
 * `npm run bench`: measures our server, Apache's, and the bare limit, in turn, and prints a table. What else it can do is
 * in the usage (settings.ts): chores, the document with its plots, the guard against slow changes, client libraries.
 */
import fs from 'node:fs';
import os from 'node:os';
import { measureChores } from './chore-rounds.js';
import { benchClients } from './client-bench.js';
import { guard } from './guard.js';
import { writePerformance } from './performance.js';
import { headLine, shortfalls, toJson } from './report.js';
import { measureRows } from './rounds.js';
import { type Command, readSettings, type Settings, USAGE } from './settings.js';

/** Each returns the exit code. */
const commands: Record<Command, (settings: Settings) => Promise<number>> = {
  rows: compareRows,
  chores: async (settings) => {
    const { missed } = await measureChores(settings);
    for (const text of missed) console.error(text);
    return settings.check && missed.length > 0 ? 1 : 0;
  },
  report: writePerformance,
  guard,
};

async function compareRows(settings: Settings): Promise<number> {
  settings.note(
    `${os.cpus().length} × ${os.cpus()[0]?.model ?? 'unknown'}, Node ${process.version}, data in ${settings.directory}`,
  );
  settings.note(
    `${settings.rounds} rounds of ${settings.seconds} s, medians; "50 × 20" is connections × in flight; CPU of the servers per operation\n`,
  );
  settings.note(headLine());
  const { reports, titles } = await measureRows(settings.rows, settings);
  if (settings.json) console.log(toJson(reports, titles));
  // Errors in replies always count, being behind a goal only with `--check`.
  const wrong = reports.filter((report) => [...report.results.values()].some((summary) => summary.errors > 0));
  for (const report of wrong) console.error(`${report.row.name}: a server answered with errors`);
  const missed = settings.check ? reports.flatMap(shortfalls) : [];
  for (const line of missed) console.error(line);
  return wrong.length + missed.length === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const asked = readSettings();
  if (asked === null) {
    console.log(USAGE);
    return 0;
  }
  const { command, settings } = asked;
  process.on('exit', () => fs.rmSync(settings.directory, { recursive: true, force: true }));
  return commands[command](settings);
}

// Through `exit`, so that servers are stopped and directories removed.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

try {
  const words = process.argv.slice(2);
  process.exitCode = words.includes('--clients') ? await benchClients(words) : await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
