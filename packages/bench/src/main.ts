/**
 * `npm run bench`: measures our server, Apache's, and the bare limit, in turn, and prints a table.
 *
 * Per row, rounds go A B C A B C …, so that a slow minute of the machine falls on all alike; the table holds medians.
 * Every run is a fresh load process (load-process.ts), so its compiler starts cold for each server alike, and warms up
 * before anything is counted.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { benchClients } from './client-bench.js';
import {
  type Contestant,
  type ContestantName,
  PORTS_PER_ENSEMBLE,
  startApache,
  startEnsemble,
  startLimit,
  startOurs,
} from './contestants.js';
import type { LoadPlan, LoadResult } from './load.js';
import { headLine, type RowReport, ratio, rowLines, summarise, toJson } from './report.js';
import { DATA_BYTES, KEYS, pickRows, type Row } from './rows.js';
import { runChild } from './run-child.js';

const USAGE = `npm run bench -- [options]
  --rows a,b      rows by name or its start, or "all"         default: those of the README, alone and in ensembles
  --ensemble      the rows of three servers alone, the same as --rows ensemble
  --seconds n     measured seconds per run                    default 4
  --warm-up n     seconds before them                         default 2
  --rounds n      runs per server and row, medians shown      default 3
  --server h:p    measure the server there instead of ours; h:p,h:p,h:p for the rows of three servers
  --only a,b      of ours, apache, limit                      default all that are there
  --port n        first of 21 ports                           default 31610
  --directory d   where data directories go                   default the system's temporary directory
  --json          JSON instead of the table
  --check         exit code 1 unless ours is ahead of Apache in the rows that must win
npm run bench -- --clients [options]: client libraries instead of servers; with --help, its own options`;

interface Options {
  rows: Row[];
  seconds: number;
  warmUpSeconds: number;
  rounds: number;
  server: string | null;
  only: Set<string>;
  port: number;
  directory: string;
  json: boolean;
  check: boolean;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string' },
      ensemble: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '4' },
      'warm-up': { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      server: { type: 'string' },
      only: { type: 'string', default: 'ours,apache,limit' },
      port: { type: 'string', default: '31610' },
      directory: { type: 'string', default: os.tmpdir() },
      json: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  return {
    rows: pickRows(values.rows ?? (values.ensemble ? 'ensemble' : null)),
    seconds: Number(values.seconds),
    warmUpSeconds: Number(values['warm-up']),
    rounds: Number(values.rounds),
    server: values.server ?? null,
    only: new Set(values.only.split(',')),
    port: Number(values.port),
    directory: values.directory,
    json: values.json,
    check: values.check,
  };
}

/** Starts what is to be measured: servers that stand alone, or ensembles. */
async function startContestants(options: Options, directory: string, isEnsemble: boolean): Promise<Contestant[]> {
  const contestants: Contestant[] = [];
  const note = (line: string): void => void (options.json || console.log(line));
  const { port, only } = options;
  // Three alone, then two ensembles.
  const ensemblePort = (at: number): number => port + 3 + at * PORTS_PER_ENSEMBLE;
  const home = (name: string): string => path.join(directory, isEnsemble ? `ensemble-${name}` : name);
  try {
    if (options.server !== null) contestants.push(remote(options.server));
    else if (only.has('ours')) {
      const ours = await (isEnsemble
        ? startEnsemble('ours', home('ours'), ensemblePort(0))
        : startOurs(home('ours'), port));
      if (ours !== null) contestants.push(ours);
    }
    if (only.has('apache')) {
      const apache = await (isEnsemble
        ? startEnsemble('apache', home('apache'), ensemblePort(1))
        : startApache(home('apache'), port + 1));
      if (apache === null)
        note('Apache ZooKeeper is not installed (Debian: apt-get install zookeeper): measured without.');
      else contestants.push(apache);
    }
    if (only.has('limit') && !isEnsemble) contestants.push(await startLimit(home('limit'), port + 2, DATA_BYTES));
    return contestants;
  } catch (error) {
    for (const contestant of contestants) await contestant.stop();
    throw error;
  }
}

function remote(servers: string): Contestant {
  const addresses = servers.split(',').map((server) => {
    const colon = server.lastIndexOf(':');
    const port = Number(server.slice(colon + 1));
    if (colon < 1 || !Number.isInteger(port)) throw new Error(`--server wants host:port, not ${server}`);
    return { host: server.slice(0, colon), port };
  });
  const hosts = new Set(addresses.map(({ host }) => host));
  const [host] = hosts;
  if (hosts.size !== 1 || host === undefined) throw new Error(`--server wants ports of one host, not ${servers}`);
  return { name: 'ours', title: servers, host, ports: addresses.map(({ port }) => port), stop: async () => {} };
}

async function measureRow(row: Row, contestants: readonly Contestant[], options: Options): Promise<RowReport> {
  const rounds = new Map<ContestantName, LoadResult[]>();
  for (let round = 0; round < options.rounds; round++) {
    for (const contestant of contestants) {
      if (contestant.name === 'limit' && !row.hasLimit) continue;
      const results = rounds.get(contestant.name) ?? [];
      results.push(await runLoad(row, contestant, options));
      rounds.set(contestant.name, results);
    }
  }
  const results = new Map([...rounds].map(([name, list]) => [name, summarise(list)] as const));
  return { row, results };
}

function runLoad(row: Row, contestant: Contestant, options: Options): Promise<LoadResult> {
  const plan: LoadPlan = {
    host: contestant.host,
    ports: contestant.ports,
    mode: row.mode,
    connections: row.connections,
    inFlight: row.inFlight,
    dataBytes: DATA_BYTES,
    keys: KEYS,
    readPercent: row.readPercent,
    runId: Date.now().toString(36),
    warmUpMs: options.warmUpSeconds * 1000,
    measureMs: options.seconds * 1000,
  };
  return runChild<LoadResult>('load-process.js', plan, `${row.name} against ${contestant.title}`);
}

interface Round {
  readonly reports: RowReport[];
  readonly titles: ReadonlyMap<ContestantName, string>;
}

/** Measures the rows of one kind with their servers, which are stopped afterwards: nobody else's JVM takes memory then. */
async function measureRows(rows: readonly Row[], options: Options, directory: string): Promise<Round> {
  const isEnsemble = rows[0]?.isEnsemble === true;
  const contestants = await startContestants(options, directory, isEnsemble);
  try {
    if (contestants.length === 0) throw new Error('nothing to measure');
    const titles = new Map(contestants.map((each) => [each.name, each.title] as const));
    const reports: RowReport[] = [];
    for (const row of rows) {
      const report = await measureRow(row, contestants, options);
      reports.push(report);
      if (!options.json) for (const line of rowLines(report, titles)) console.log(line);
    }
    return { reports, titles };
  } finally {
    for (const contestant of contestants) await contestant.stop();
  }
}

async function main(): Promise<number> {
  const options = readOptions();
  const directory = fs.mkdtempSync(path.join(options.directory, 'zoots-bench-'));
  if (!options.json) {
    console.log(
      `${os.cpus().length} × ${os.cpus()[0]?.model ?? 'unknown'}, Node ${process.version}, data in ${directory}`,
    );
    console.log(`${options.rounds} rounds of ${options.seconds} s, medians; "50 × 20" is connections × in flight\n`);
    console.log(headLine());
  }
  const rounds: Round[] = [];
  try {
    for (const isEnsemble of [false, true]) {
      const rows = options.rows.filter((row) => row.isEnsemble === isEnsemble);
      if (rows.length > 0) rounds.push(await measureRows(rows, options, directory));
    }
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
  const reports = rounds.flatMap((round) => round.reports);
  const titles = new Map(rounds.flatMap((round) => [...round.titles]).reverse());
  if (options.json) console.log(toJson(reports, titles));
  return verdict(reports, options);
}

/** Exit code: errors in replies always count, being behind only with `--check`. */
function verdict(reports: readonly RowReport[], options: Options): number {
  const wrong = reports.filter((report) => [...report.results.values()].some((summary) => summary.errors > 0));
  for (const report of wrong) console.error(`${report.row.name}: a server answered with errors`);
  if (!options.check) return wrong.length === 0 ? 0 : 1;
  const behind = reports.filter((report) => report.row.mustWin && !((ratio(report, 'ours', 'apache') ?? 0) > 1));
  for (const report of behind) console.error(`${report.row.name}: not ahead of Apache`);
  return wrong.length + behind.length === 0 ? 0 : 1;
}

try {
  const words = process.argv.slice(2);
  process.exitCode = words.includes('--clients') ? await benchClients(words) : await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
