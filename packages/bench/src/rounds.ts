/**
 * Rows measured in rounds: per row, rounds go A B C A B C …, so that a slow minute of the machine falls on all alike.
 * Every run is a fresh load process (load-process.ts), so its compiler starts cold for each server alike, and warms up
 * before anything is counted.
 */
import fs from 'node:fs';
import path from 'node:path';
import {
  type Contestant,
  type ContestantName,
  PORTS_PER_ENSEMBLE,
  startApache,
  startEnsemble,
  startLimit,
  startLimits,
  startOurs,
} from './contestants.js';
import type { LoadPlan } from './load.js';
import type { LoadResult } from './meter.js';
import { type RowReport, rowLines, summarise } from './report.js';
import { DATA_BYTES, KEYS, type Row } from './rows.js';
import { runChild } from './run-child.js';
import type { Settings } from './settings.js';

/** Who takes part: servers alone, or this many of each together. */
export interface Field {
  /** Names the data directories. */
  readonly name: string;
  readonly members: number;
  /** What the bare server answers with. */
  readonly dataBytes?: number;
  readonly children?: number;
}

const NO_APACHE = 'Apache ZooKeeper is not installed (Debian: apt-get install zookeeper): measured without.';

/** Starts what is to be measured. */
export async function startContestants(settings: Settings, field: Field): Promise<Contestant[]> {
  const contestants: Contestant[] = [];
  const { port, only, directory } = settings;
  const { members, dataBytes = DATA_BYTES, children } = field;
  // Three alone, then three ensembles.
  const ensemblePort = (at: number): number => port + 3 + at * PORTS_PER_ENSEMBLE;
  const home = (name: string): string => path.join(directory, `${field.name}-${name}`);
  const isEnsemble = members > 1;
  try {
    if (settings.server !== null) contestants.push(remote(settings.server));
    else if (only.has('ours')) {
      const ours = await (isEnsemble
        ? startEnsemble('ours', home('ours'), ensemblePort(0), members)
        : startOurs(home('ours'), port));
      if (ours !== null) contestants.push(ours);
    }
    if (only.has('apache')) {
      const apache = await (isEnsemble
        ? startEnsemble('apache', home('apache'), ensemblePort(1), members)
        : startApache(home('apache'), port + 1, settings.heap));
      if (apache === null) settings.note(NO_APACHE);
      else contestants.push(apache);
    }
    if (only.has('limit')) {
      contestants.push(
        await (isEnsemble
          ? startLimits(home('limit'), ensemblePort(2), dataBytes, members)
          : startLimit(home('limit'), port + 2, dataBytes, children)),
      );
    }
    if (contestants.length === 0) throw new Error('nothing to measure');
    return contestants;
  } catch (error) {
    await stopAll(contestants, settings);
    throw error;
  }
}

/** Their data goes: a page full of sections would leave a hundred gigabytes. */
export async function stopAll(
  contestants: readonly Contestant[],
  { directory }: Pick<Settings, 'directory'>,
): Promise<void> {
  for (const contestant of contestants) await contestant.stop();
  for (const name of fs.readdirSync(directory)) fs.rmSync(path.join(directory, name), { recursive: true, force: true });
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
  return {
    name: 'ours',
    title: servers,
    host,
    ports: addresses.map(({ port }) => port),
    pids: [],
    stop: async () => {},
  };
}

/** Calls `run` for each contestant in turn, round after round. */
export async function inTurn<Result>(
  contestants: readonly Contestant[],
  rounds: number,
  run: (contestant: Contestant) => Promise<Result>,
): Promise<Map<ContestantName, Result[]>> {
  const results = new Map<ContestantName, Result[]>(contestants.map(({ name }) => [name, []] as const));
  for (let round = 0; round < rounds; round++) {
    for (const contestant of contestants) results.get(contestant.name)?.push(await run(contestant));
  }
  return results;
}

/** What a plan may say differently from its row. */
export type PlanChange = Partial<LoadPlan>;

export function runLoad(
  row: Pick<Row, 'name' | 'mode' | 'connections' | 'inFlight' | 'readPercent'>,
  contestant: Contestant,
  settings: Pick<Settings, 'seconds' | 'warmUpSeconds'>,
  change: PlanChange = {},
): Promise<LoadResult> {
  return runChild<LoadResult>(
    'load-process.js',
    planOf(row, contestant, settings, change),
    `${row.name} against ${contestant.title}`,
  );
}

export function planOf(
  row: Pick<Row, 'mode' | 'connections' | 'inFlight' | 'readPercent'>,
  contestant: Contestant,
  settings: Pick<Settings, 'seconds' | 'warmUpSeconds'>,
  change: PlanChange,
): LoadPlan {
  return {
    host: contestant.host,
    ports: contestant.ports,
    pids: contestant.pids,
    mode: row.mode,
    connections: row.connections,
    inFlight: row.inFlight,
    dataBytes: DATA_BYTES,
    keys: KEYS,
    readPercent: row.readPercent,
    runId: Date.now().toString(36),
    warmUpMs: settings.warmUpSeconds * 1000,
    measureMs: settings.seconds * 1000,
    ...change,
  };
}

async function measureRow(row: Row, contestants: readonly Contestant[], settings: Settings): Promise<RowReport> {
  const rounds = await inTurn(contestants, settings.rounds, (contestant) => runLoad(row, contestant, settings));
  const results = new Map([...rounds].map(([name, list]) => [name, summarise(list)] as const));
  return { row, results };
}

export interface RowsMeasured {
  readonly reports: RowReport[];
  readonly titles: Map<ContestantName, string>;
}

/** Measures rows, those of servers alone first; the servers of each kind are stopped before the next ones start. */
export async function measureRows(rows: readonly Row[], settings: Settings): Promise<RowsMeasured> {
  const all: RowsMeasured = { reports: [], titles: new Map() };
  for (const members of [1, 3]) {
    const kind = rows.filter((row) => row.isEnsemble === members > 1);
    if (kind.length === 0) continue;
    const contestants = await startContestants(settings, { name: `rows-${members}`, members });
    try {
      const titles = new Map(contestants.map((each) => [each.name, each.title] as const));
      for (const [name, title] of titles) if (!all.titles.has(name)) all.titles.set(name, title);
      for (const row of kind) {
        const report = await measureRow(row, contestants, settings);
        all.reports.push(report);
        for (const line of rowLines(report, titles)) settings.note(line);
      }
    } finally {
      await stopAll(contestants, settings);
    }
  }
  return all;
}
