/**
 * The recipes against real servers, ours and Apache's: beside kazoo and Curator on the same paths, and with contenders that are
 * killed, stopped and cut off. Each row has a part of the tree of its own; the tables are in recipes/.
 *
 * Run: node packages/e2e/dist/recipes.js [--server zoots,apache-3.8.0] [--only TEXT] [--keep]
 * The last line is `N passed, N failed, N skipped`; the exit code is 1 if a row failed.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connect } from '@zoots/client';
import { freePort, type Peer, type PeerKind, PeerMissingError, skipMissingPeer, startPeer } from './peers/peer.js';
import { chaosRows } from './recipes/chaos.js';
import { contend } from './recipes/contender.js';
import { contentionRows } from './recipes/contention.js';
import { interopRows } from './recipes/interop.js';
import type { RecipeRow, Stage } from './recipes/row.js';
import { valuesInteropRows } from './recipes/values-interop.js';

const rows: readonly RecipeRow[] = [...interopRows, ...valuesInteropRows, ...contentionRows, ...chaosRows];

/** Short ticks, so that sessions of the killed expire within seconds. */
const serverConfig = { tickTime: '500', minSessionTimeout: '1000' };

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** One server for all rows, which may restart it. */
class Theatre {
  readonly kind: PeerKind;
  readonly #workDir: string;
  readonly #port: number;
  #peer: Peer | null = null;

  constructor(kind: PeerKind, workDir: string, port: number) {
    this.kind = kind;
    this.#workDir = workDir;
    this.#port = port;
  }

  async start(): Promise<void> {
    const properties = { 'zookeeper.extendedTypesEnabled': 'true' };
    this.#peer = await startPeer(this.kind, {
      workDir: this.#workDir,
      port: this.#port,
      config: serverConfig,
      properties,
    });
  }

  async restart(): Promise<void> {
    await this.#peer?.kill();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#peer?.stop();
  }

  async stageOf(number: number, notes: string[]): Promise<Stage> {
    const connectString = `127.0.0.1:${this.#port}`;
    const root = `/rows/${number}`;
    await using client = await connect(connectString);
    await client.ensurePath(root);
    const workDir = join(this.#workDir, String(number));
    mkdirSync(workDir, { recursive: true });
    const restartServer = (): Promise<void> => this.restart();
    const note = (text: string): void => {
      notes.push(text);
    };
    return { kind: this.kind, port: this.#port, connectString, root, workDir, restartServer, note };
  }
}

async function runRow(theatre: Theatre, { name, run }: RecipeRow, number: number, tally: Tally): Promise<void> {
  const beganMs = performance.now();
  const notes: string[] = [];
  const line = (mark: string): string => {
    const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
    return `${mark} ${theatre.kind}: ${name} (${[`${seconds} s`, ...notes].join('; ')})`;
  };
  try {
    await run(await theatre.stageOf(number, notes));
    tally.passed++;
    console.log(line('ok'));
  } catch (error) {
    if (error instanceof PeerMissingError && process.env.ZOOTS_CI !== '1') {
      tally.skipped++;
      console.log(line(`SKIPPED (${error.message})`));
      return;
    }
    tally.failed++;
    console.log(`${line('FAILED')}\n${(error as Error).stack}`);
  }
}

async function perform(kind: PeerKind, only: string, workDir: string, tally: Tally): Promise<void> {
  const theatre = new Theatre(kind, join(workDir, kind), await freePort());
  const chosen = rows.filter((row) => row.name.includes(only));
  try {
    await theatre.start();
  } catch (error) {
    skipMissingPeer(error);
    tally.skipped += chosen.length;
    return;
  }
  try {
    for (const [number, row] of chosen.entries()) await runRow(theatre, row, number, tally);
  } finally {
    await theatre.stop();
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      server: { type: 'string', default: 'zoots,apache-3.8.0' },
      only: { type: 'string', default: '' },
      keep: { type: 'boolean', default: false },
    },
  });
  const workDir = mkdtempSync(join(tmpdir(), 'zoots-recipes-'));
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  try {
    for (const kind of values.server.split(',')) await perform(kind as PeerKind, values.only, workDir, tally);
  } finally {
    if (values.keep) console.log(`files kept in ${workDir}`);
    else rmSync(workDir, { recursive: true, force: true });
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

// The contention rows start this file again, for each contender a process.
if (process.argv[2] === 'contend') await contend(process.argv[3] as string);
else process.exit(await main());
