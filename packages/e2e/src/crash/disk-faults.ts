/**
 * The disk fails while the server writes: full, an I/O error on a write, an I/O error on a sync (after which the bytes
 * are gone, and the next sync says all is well), or just slow.
 *
 * A server must then stop by itself and say why, and a restart on a good disk must hold everything acknowledged, both on
 * the files as they are and on what a power cut at that moment would have left. A slow disk must stop nothing.
 */
import { closeSync, cpSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Prng } from '../differential/prng.js';
import { freePort, type PeerKind } from '../peers/peer.js';
import { WireSession } from '../wire/session.js';
import { DurableImage } from './durable-image.js';
import { buildPowerCutLibrary, readJournal } from './journal.js';
import { lastLine } from './kill-loop.js';
import { Ledger } from './ledger.js';
import { powerCutEnvironment, smallSegments } from './power-cuts.js';
import type { ChapterResult } from './report.js';
import { ServerProcess, sleep } from './server-process.js';
import { Load, readTree } from './writers.js';

interface Fault {
  readonly name: string;
  /** POWER_CUT_FAULT, see power-cut.c. */
  readonly text: string;
  /** What the server's log must name, in any wording of it. */
  readonly said: RegExp;
}

const errno = { io: 5, noSpace: 28 };
const fullSaid = /no space|ENOSPC|disk (is )?full/i;
const ioSaid = /input\/output|I\/O error|EIO|IOException/i;

function chooseFaults(count: number, prng: Prng): Fault[] {
  const faults: Fault[] = [];
  for (let i = 0; i < count; i++) {
    // The smallest numbers hit the first start: its snapshot, its first log.
    const writes = i === 0 ? 0 : prng.pick([100, 700_000, 1_500_000]) + prng.below(500_000);
    const syncs = i === 0 ? 1 : 1 + prng.below(prng.pick([4, 60]));
    const failingWrites = prng.below(1_000_000);
    faults.push(
      { name: `disk full after ${writes} bytes`, text: `write:${writes}:${errno.noSpace}`, said: fullSaid },
      { name: `EIO on writes after ${failingWrites} bytes`, text: `write:${failingWrites}:${errno.io}`, said: ioSaid },
      { name: `EIO on sync ${syncs}`, text: `sync:${syncs}:${errno.io}`, said: ioSaid },
    );
  }
  return faults;
}

export interface DiskFaultOptions {
  readonly kind: PeerKind;
  readonly workDir: string;
  /** Each round tries every kind of fault once. */
  readonly rounds: number;
  readonly seed: number;
}

/** A server that has not stopped by then goes on with a disk that failed. */
const stopTimeoutMs = 20_000;

export async function diskFaults(options: DiskFaultOptions): Promise<ChapterResult> {
  mkdirSync(options.workDir, { recursive: true });
  const library = buildPowerCutLibrary(options.workDir);
  const prng = new Prng(options.seed);
  const port = await freePort();
  const failures: string[] = [];
  const totals = { acks: 0, lost: 0, stopped: 0 };
  const faults = chooseFaults(options.rounds, prng);
  for (const fault of faults) {
    const found = await tryFault(fault, { ...options, library, port, prng }, totals);
    failures.push(...found.map((text) => `${fault.name}: ${text}`));
  }
  const slow = await trySlowDisk({ ...options, library, port, prng });
  failures.push(...slow.failures);
  return {
    name: 'disk full, EIO, slow',
    figures: [
      ['faults', faults.length],
      ['stopped by themselves', totals.stopped],
      ['acknowledged writes', totals.acks],
      ['lost', totals.lost],
      ['ms worst acknowledgement with syncs of 200 ms', Math.round(slow.worstMs)],
    ],
    failures,
  };
}

interface FaultOptions extends DiskFaultOptions {
  readonly library: string;
  readonly port: number;
  readonly prng: Prng;
}

async function tryFault(
  fault: Fault,
  options: FaultOptions,
  totals: { acks: number; lost: number; stopped: number },
): Promise<string[]> {
  const { kind, workDir, port, prng, library } = options;
  const dataDir = join(workDir, 'data');
  const journalPath = join(workDir, 'journal');
  rmSync(dataDir, { recursive: true, force: true });
  rmSync(journalPath, { force: true });
  mkdirSync(dataDir);
  // Names as journaled: which directory syncs are missing is the power cuts' business, not this one's.
  const image = new DurableImage(dataDir, 'journaled');
  const journal = openSync(journalPath, 'a');
  const ledger = new Ledger();
  const server = new ServerProcess({
    kind,
    workDir,
    dataDir,
    port,
    environment: { ...powerCutEnvironment(library, dataDir, journalPath), POWER_CUT_FAULT: fault.text },
    properties: smallSegments,
  });
  const load = new Load({ port, writers: 4, ledger, prng, round: 0, journal });
  const exit = await Promise.race([server.exited, sleep(stopTimeoutMs).then(() => null)]);
  const failures: string[] = [];
  if (exit === null) failures.push(`the server goes on ${stopTimeoutMs / 1000} s later`);
  else if (exit.code === 0 || exit.code === null)
    failures.push(`ended with ${exit.code ?? exit.signal}, not an error code`);
  else totals.stopped += 1;
  if (exit !== null && !fault.said.test(server.log())) failures.push(`not said: ${lastLine(server.log())}`);
  await server.kill();
  await load.end();
  closeSync(journal);
  totals.acks += load.acks;

  const cut = join(workDir, 'cut');
  const asIs = join(workDir, 'as-is');
  for (const directory of [cut, asIs]) rmSync(directory, { recursive: true, force: true });
  mkdirSync(cut);
  for (const record of readJournal(readFileSync(journalPath))) image.apply(record);
  image.materialise(cut, 'torn', prng);
  cpSync(dataDir, asIs, { recursive: true });
  for (const [name, disk] of [
    ['files as they are', asIs],
    ['after a power cut', cut],
  ] as const) {
    // A failed sync loses bytes of the page cache too, which the files as they are still show: judge that disk by the cut.
    const lost = await judgeDisk(disk, ledger, options);
    totals.lost += lost.lostCount;
    failures.push(...lost.failures.map((text) => `${name}: ${text}`));
  }
  return failures;
}

async function judgeDisk(
  dataDir: string,
  ledger: Ledger,
  { kind, workDir, port }: FaultOptions,
): Promise<{ lostCount: number; failures: string[] }> {
  const server = new ServerProcess({ kind, workDir, dataDir, port, properties: smallSegments });
  if ((await server.untilServing()) === null) {
    await server.kill();
    return { lostCount: 0, failures: [`no restart: ${lastLine(server.log())}`] };
  }
  const zxid = Number(await server.zxid());
  const session = await WireSession.connect(port);
  const verdict = ledger.judge(await readTree(session), zxid);
  await session.close();
  await server.kill();
  const failures: string[] = [];
  if (verdict.lost.length > 0) failures.push(`lost ${verdict.lost.length}: ${verdict.lost[0]}`);
  if (verdict.wrong.length > 0) failures.push(`wrong ${verdict.wrong.length}: ${verdict.wrong[0]}`);
  return { lostCount: verdict.lost.length, failures };
}

/** Every third sync takes 200 ms: acknowledgements wait for it, reads and the server's life do not. */
async function trySlowDisk(options: FaultOptions): Promise<{ worstMs: number; failures: string[] }> {
  const { kind, workDir, port, library } = options;
  const dataDir = join(workDir, 'slow');
  rmSync(dataDir, { recursive: true, force: true });
  mkdirSync(dataDir);
  const journalPath = join(workDir, 'slow-journal');
  const server = new ServerProcess({
    kind,
    workDir,
    dataDir,
    port,
    environment: { ...powerCutEnvironment(library, dataDir, journalPath), POWER_CUT_FAULT: 'slow:3:200' },
  });
  try {
    if ((await server.untilServing()) === null) return { worstMs: 0, failures: ['a slow disk keeps it from starting'] };
    const session = await WireSession.connect(port);
    await session.create('/slow', '');
    let worstMs = 0;
    for (let i = 0; i < 40; i++) {
      const startMs = performance.now();
      await session.setData('/slow', String(i));
      worstMs = Math.max(worstMs, performance.now() - startMs);
    }
    await session.close();
    return { worstMs, failures: worstMs > 2_000 ? [`a sync of 200 ms makes a write wait ${worstMs} ms`] : [] };
  } finally {
    await server.kill();
    rmSync(journalPath, { force: true });
  }
}
