/**
 * kill -9 in a loop under load: the process dies at any moment, the page cache survives. Every few rounds the directory
 * is fresh, and the kill falls into the first second after the very first start.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Prng } from '../differential/prng.js';
import { freePort, type PeerKind } from '../peers/peer.js';
import { WireSession } from '../wire/session.js';
import { Keeper } from './keeper.js';
import { Ledger } from './ledger.js';
import { type ChapterResult, maxOf, medianOf, seconds } from './report.js';
import { ServerProcess, sleep } from './server-process.js';
import { Load, readTree } from './writers.js';

export interface KillLoopOptions {
  readonly kind: PeerKind;
  readonly workDir: string;
  readonly kills: number;
  readonly writers: number;
  readonly seed: number;
}

/** Every this many kills the next start is a first start. */
const freshEvery = 6;

export async function killLoop(options: KillLoopOptions): Promise<ChapterResult> {
  const prng = new Prng(options.seed);
  const port = await freePort();
  const failures: string[] = [];
  const restartsMs: number[] = [];
  let ledger = new Ledger();
  let dataDir = '';
  let acks = 0;
  let lost = 0;
  mkdirSync(options.workDir, { recursive: true });
  const start = (): ServerProcess => new ServerProcess({ kind: options.kind, workDir: options.workDir, dataDir, port });

  for (let round = 0; round < options.kills; round++) {
    if (round % freshEvery === 0) {
      if (dataDir !== '') rmSync(dataDir, { recursive: true, force: true });
      dataDir = join(options.workDir, `data-${round}`);
      ledger = new Ledger();
    }
    const firstStart = round % freshEvery === 0;
    const server = start();
    const load = new Load({ port, writers: options.writers, ledger, prng, round, journal: null });
    const keeping = Keeper.open(port, () => server.exit !== null);
    if (!firstStart) await server.untilServing();
    await sleep(firstStart ? prng.below(1_000) : 50 + prng.below(700));
    if (server.exit !== null) failures.push(`round ${round}: the server ended by itself: ${lastLine(server.log())}`);
    await server.kill();
    await load.end();
    acks += load.acks;
    failures.push(...load.faults.map((fault) => `round ${round}: ${fault}`));
    const keeper = await keeping;
    keeper?.abandon();

    const again = start();
    const restartMs = await again.untilServing();
    if (restartMs === null) {
      await again.kill();
      failures.push(`round ${round}: no restart: ${lastLine(again.log())}`);
      // This directory is beyond help; the next rounds begin with a new one.
      round += freshEvery - 1 - (round % freshEvery);
      continue;
    }
    restartsMs.push(restartMs);
    const zxid = Number(await again.zxid());
    const session = await WireSession.connect(port);
    const tree = await readTree(session);
    const verdict = ledger.judge(tree, zxid);
    lost += verdict.lost.length;
    failures.push(...verdict.lost.map((entry) => `round ${round}: lost ${entry}`));
    failures.push(...verdict.wrong.map((entry) => `round ${round}: wrong ${entry}`));
    for (const missing of (await keeper?.check(port)) ?? []) failures.push(`round ${round}: ${missing}`);
    ledger.settle(tree);
    await session.close();
    await again.kill();
  }
  return {
    name: 'kill -9 under load',
    figures: [
      ['acknowledged writes', acks],
      ['kills', options.kills],
      ['lost', lost],
      ['s median restart', seconds(medianOf(restartsMs))],
      ['s max restart', seconds(maxOf(restartsMs))],
    ],
    failures,
  };
}

/** What the server said last that reads like a reason; stack frames are left out. */
export function lastLine(log: string): string {
  const lines = log.split('\n').filter((line) => line.trim() !== '' && !/^\s+at |^\t|Exiting JVM/.test(line));
  const reasons = lines.filter((line) => /error|exception|refus|cannot|corrupt|fail/i.test(line));
  return (reasons.length > 0 ? reasons : lines).slice(-2).join(' | ').slice(0, 500) || '(it said nothing)';
}
