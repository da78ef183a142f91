/**
 * The program `zoots` against real servers, ours and Apache's 3.8.0: what needs processes, kills, and two servers at once.
 *
 *   node packages/e2e/dist/cli.js [--server zoots,apache-3.8.0] [--only TEXT] [--keep]
 *
 * Each row is run with each of the two as its server and the other one beside it; `top` also with three of Apache's. Without Java all rows are skipped aloud; with
 * ZOOTS_CI=1 that is a failure. The last line is `N passed, N failed, N skipped`; the exit code is 1 if a row failed.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { holdRows } from './cli/hold-rows.js';
import type { CliRow, CliStage, RealServer } from './cli/row.js';
import { topOfEnsemble } from './cli/top-of-ensemble.js';
import { treeRows } from './cli/tree-rows.js';
import { Ensemble } from './peers/ensemble.js';
import { freePort, type Peer, type PeerKind, PeerMissingError, startPeer } from './peers/peer.js';

const rows: readonly CliRow[] = [...treeRows, ...holdRows];
const ENSEMBLE_ROW = 'top of an ensemble: roles, a server that is killed';
const kinds: readonly PeerKind[] = ['zoots', 'apache-3.8.0'];

/** Short ticks, so that sessions of the killed expire within seconds; a snapshot every few hundred transactions. */
const serverConfig = { tickTime: '500', minSessionTimeout: '1000', maxSessionTimeout: '40000', snapCount: '400' };

class Server implements RealServer {
  readonly kind: PeerKind;
  readonly connectString: string;
  readonly dataDir: string;
  readonly #options: Parameters<typeof startPeer>[1];
  peer!: Peer;

  constructor(kind: PeerKind, port: number, workDir: string) {
    this.kind = kind;
    this.connectString = `127.0.0.1:${port}`;
    this.dataDir = join(workDir, 'data');
    const properties = { 'zookeeper.extendedTypesEnabled': 'true' };
    this.#options = { workDir, port, config: serverConfig, properties };
  }

  async start(): Promise<void> {
    this.peer = await startPeer(this.kind, this.#options);
  }

  async restart(): Promise<void> {
    await this.peer.kill();
    await this.start();
  }
}

const tally = { passed: 0, failed: 0, skipped: 0 };

async function runRow(row: CliRow, stage: CliStage, notes: readonly string[]): Promise<void> {
  const startMs = performance.now();
  const what = `${stage.server.kind}: ${row.name}`;
  try {
    await row.run(stage);
    tally.passed++;
    const seconds = `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
    console.log(`ok   ${what} (${[seconds, ...notes].join('; ')})`);
  } catch (error) {
    tally.failed++;
    console.log(`FAIL ${what}\n     ${((error as Error).stack ?? String(error)).split('\n').join('\n     ')}`);
  }
}

async function runAll(servers: readonly Server[], wanted: string, only: string, workDir: string): Promise<void> {
  for (const server of servers) await server.start();
  try {
    for (const [at, server] of servers.entries()) {
      if (!wanted.split(',').includes(server.kind)) continue;
      const other = servers[1 - at] as Server;
      for (const [number, row] of rows.entries()) {
        if (!row.name.includes(only)) continue;
        const notes: string[] = [];
        const directory = join(workDir, `${server.kind}-row-${number}`);
        mkdirSync(directory);
        const note = (text: string): number => notes.push(text);
        await runRow(row, { server, other, workDir: directory, root: `/row-${at}-${number}`, note }, notes);
      }
    }
  } finally {
    for (const { peer } of servers) await peer?.stop();
  }
}

/** Three servers of Apache's, started for this row alone. */
async function runEnsembleRow(workDir: string, only: string): Promise<void> {
  if (!ENSEMBLE_ROW.includes(only)) return;
  const startMs = performance.now();
  const ensemble = await Ensemble.start('apache-3.8.0', {
    workDir: join(workDir, 'ensemble'),
    config: serverConfig,
    properties: {},
  });
  try {
    await topOfEnsemble(ensemble);
    tally.passed++;
    console.log(`ok   3 x apache-3.8.0: ${ENSEMBLE_ROW} (${((performance.now() - startMs) / 1000).toFixed(1)} s)`);
  } catch (error) {
    tally.failed++;
    console.log(`FAIL 3 x apache-3.8.0: ${ENSEMBLE_ROW}\n     ${(error as Error).stack}`);
  } finally {
    await ensemble.stop();
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      server: { type: 'string', default: kinds.join(',') },
      only: { type: 'string', default: '' },
      keep: { type: 'boolean', default: false },
    },
  });
  const workDir = mkdtempSync(join(tmpdir(), 'zoots-cli-'));
  try {
    const servers: Server[] = [];
    for (const kind of kinds) servers.push(new Server(kind, await freePort(), join(workDir, kind)));
    await runAll(servers, values.server, values.only, workDir);
    await runEnsembleRow(workDir, values.only);
  } catch (error) {
    if (!(error instanceof PeerMissingError) || process.env.ZOOTS_CI === '1') throw error;
    tally.skipped += rows.length * kinds.length + 1;
    console.log(`SKIPPED all rows: ${error.message}`);
  } finally {
    if (values.keep) console.log(`files kept in ${workDir}`);
    else rmSync(workDir, { recursive: true, force: true });
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

process.exit(await main());
