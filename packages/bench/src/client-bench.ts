/**
 * `npm run bench -- --clients`: measures client libraries of Node against one server, in turn, and prints a table.
 *
 * The server is ours, in a process of its own, the same for all. Per row, rounds go A B C D A B C D …, each run a fresh
 * process that warms up before anything is counted; the table holds medians. client-drivers.ts says who takes part.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { ClientName } from './client-drivers.js';
import { fetchLibraries, LIBRARIES, type LibraryName } from './client-libraries.js';
import type { ClientPlan, ClientResult } from './client-load.js';
import {
  type ClientRow,
  type ClientRowReport,
  clientHeadLine,
  clientRowLines,
  clientsToJson,
  pickClientRows,
  shortfalls,
} from './client-report.js';
import { type Contestant, startOurs } from './contestants.js';
import { DATA_BYTES, KEYS } from './rows.js';
import { runChild } from './run-child.js';
import { setUp } from './sessions.js';

const USAGE = `npm run bench -- --clients [options]
  --rows a,b      rows by name or its start: get-100, set-1 …  default: all
  --seconds n     measured seconds per run                     default 3
  --warm-up n     seconds before them                          default 2
  --rounds n      runs per client and row, medians shown       default 3
  --server h:p    the server to use instead of one of ours that is started for it
  --only a,b      of zoots, node-zookeeper-client, zookeeper, limit
  --port n        of the server that is started                default 31613
  --directory d   where its data directory goes                default /dev/shm if there is one: disks are not what is measured
  --json          JSON instead of the table
  --check         exit code 1 unless ours is 5 times as fast as the better other with 100 in flight, or 0.8 of the bare
                  loop where the server is the brake, with a lower p99; and no slower with 1 in flight`;

/** Linux keeps what is in here in memory. */
const MEMORY_DIRECTORY = '/dev/shm';

const TITLES: ReadonlyMap<ClientName, string> = new Map([
  ['zoots', '@zoots/client'],
  ['node-zookeeper-client', `node-zookeeper-client`],
  ['zookeeper', `zookeeper (C client)`],
  ['limit', 'bare wire loop'],
]);

interface Options {
  rows: ClientRow[];
  seconds: number;
  warmUpSeconds: number;
  rounds: number;
  server: string | null;
  clients: ClientName[];
  port: number;
  directory: string;
  json: boolean;
  check: boolean;
}

function readOptions(words: string[]): Options | null {
  const { values } = parseArgs({
    args: words,
    options: {
      clients: { type: 'boolean' },
      rows: { type: 'string' },
      seconds: { type: 'string', default: '3' },
      'warm-up': { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      server: { type: 'string' },
      only: { type: 'string', default: [...TITLES.keys()].join(',') },
      port: { type: 'string', default: '31613' },
      directory: { type: 'string', default: fs.existsSync(MEMORY_DIRECTORY) ? MEMORY_DIRECTORY : os.tmpdir() },
      json: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  return {
    rows: pickClientRows(values.rows ?? null),
    seconds: Number(values.seconds),
    warmUpSeconds: Number(values['warm-up']),
    rounds: Number(values.rounds),
    server: values.server ?? null,
    clients: pickClients(values.only),
    port: Number(values.port),
    directory: values.directory,
    json: values.json,
    check: values.check,
  };
}

function pickClients(words: string): ClientName[] {
  return words.split(',').map((word) => {
    if (!TITLES.has(word as ClientName)) throw new Error(`no client named ${word}; there are ${[...TITLES.keys()]}`);
    return word as ClientName;
  });
}

type Address = Pick<Contestant, 'host' | 'ports'>;

function addressOf(server: string): Address {
  const colon = server.lastIndexOf(':');
  const port = Number(server.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port)) throw new Error(`--server wants host:port, not ${server}`);
  return { host: server.slice(0, colon), ports: [port] };
}

async function measureRow(
  row: ClientRow,
  { host, ports }: Address,
  librariesDir: string,
  options: Options,
): Promise<ClientRowReport> {
  const rounds = new Map<ClientName, ClientResult[]>(options.clients.map((client) => [client, []]));
  for (let round = 0; round < options.rounds; round++) {
    for (const [client, results] of rounds) {
      const plan: ClientPlan = {
        client,
        host,
        port: ports[0] as number,
        librariesDir,
        inFlight: row.inFlight,
        operations: row.operations,
        warmUpMs: options.warmUpSeconds * 1000,
        measureMs: options.seconds * 1000,
      };
      results.push(await runChild<ClientResult>('client-process.js', plan, `${row.name} with ${TITLES.get(client)}`));
    }
  }
  return { row, rounds };
}

/** Makes the znodes that are read and written. */
function makeKeys({ host, ports }: Address): Promise<void> {
  const unused = {
    mode: 'get',
    pids: [],
    connections: 1,
    inFlight: 1,
    readPercent: 100,
    warmUpMs: 0,
    measureMs: 0,
  } as const;
  return setUp({ ...unused, host, ports, dataBytes: DATA_BYTES, keys: KEYS, runId: 'clients' });
}

/** Returns the exit code. Throws Error if a library or the server is not to be had, or an operation fails. */
export async function benchClients(words: string[]): Promise<number> {
  const options = readOptions(words);
  if (options === null) {
    console.log(USAGE);
    return 0;
  }
  const note = (line: string): void => void (options.json || console.log(line));
  const wanted = options.clients.filter((client): client is LibraryName => client in LIBRARIES);
  const librariesDir = fetchLibraries(wanted, note);
  const directory = fs.mkdtempSync(path.join(options.directory, 'zoots-bench-'));
  let server: Contestant | null = null;
  const reports: ClientRowReport[] = [];
  try {
    if (options.server === null) server = await startOurs(directory, options.port);
    const address = server ?? addressOf(options.server as string);
    await makeKeys(address);
    note(`${os.cpus().length} × ${os.cpus()[0]?.model ?? 'unknown'}, Node ${process.version}, data in ${directory}`);
    note(
      `${options.rounds} rounds of ${options.seconds} s, medians; one session; node-zookeeper-client ${LIBRARIES['node-zookeeper-client']}, zookeeper ${LIBRARIES.zookeeper}\n`,
    );
    note(clientHeadLine());
    for (const row of options.rows) {
      const report = await measureRow(row, address, librariesDir, options);
      reports.push(report);
      for (const line of clientRowLines(report, TITLES)) note(line);
    }
    if (options.json) console.log(clientsToJson(reports, TITLES));
  } finally {
    await server?.stop();
    fs.rmSync(directory, { recursive: true, force: true });
  }
  const behind = options.check ? reports.flatMap(shortfalls) : [];
  for (const line of behind) console.error(line);
  return behind.length === 0 ? 0 : 1;
}
