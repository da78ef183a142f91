/**
 * Power cuts: what was not synced is gone, or half of it.
 *
 * A server runs under load with its disk journalled. Afterwards the journal is replayed to many moments of the run, each
 * of which gives one or more disks that a cut at that moment could have left. On each of them the server must start
 * again, hold everything that was acknowledged before that moment, and be the exact state after its own zxid.
 * The last cut's disk carries the next run, so recovery is also run on what recovery left.
 */
import { closeSync, cpSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Prng } from '../differential/prng.js';
import { freePort, type PeerKind } from '../peers/peer.js';
import { WireSession } from '../wire/session.js';
import { type CutKind, DurableImage, type NameRule } from './durable-image.js';
import { buildPowerCutLibrary, type JournalRecord, readJournal, recordKinds } from './journal.js';
import { lastLine } from './kill-loop.js';
import { Ledger } from './ledger.js';
import { type ChapterResult, maxOf, medianOf, seconds } from './report.js';
import { ServerProcess, sleep } from './server-process.js';
import { Load, readTree } from './writers.js';

export interface PowerCutOptions {
  readonly kind: PeerKind;
  readonly workDir: string;
  /** Runs under load; every second one is a first start. */
  readonly runs: number;
  /** Cuts tried per run. */
  readonly cutsPerRun: number;
  readonly writers: number;
  readonly names: NameRule;
  /** zookeeper.forceSync of the server; without it a cut must cost something, or these tests see nothing. */
  readonly forceSync?: boolean;
  readonly seed: number;
}

/** The same without syncs: passes only if the tests see the loss. */
export async function powerCutCanary(options: PowerCutOptions): Promise<ChapterResult> {
  const result = await powerCuts({ ...options, forceSync: false });
  // A database that does not open any more is lost, too.
  const isSeen = result.failures.length > 0;
  return {
    ...result,
    name: 'canary: without syncs the cuts are seen to lose',
    failures: isSeen ? [] : ['a server that syncs nothing lost nothing: these tests are blind'],
  };
}

interface Tally {
  readonly failures: string[];
  readonly restartsMs: number[];
  acks: number;
  cuts: number;
  refused: number;
  lost: number;
}

export async function powerCuts(options: PowerCutOptions): Promise<ChapterResult> {
  mkdirSync(options.workDir, { recursive: true });
  const library = buildPowerCutLibrary(options.workDir);
  const prng = new Prng(options.seed);
  const tally: Tally = { failures: [], restartsMs: [], acks: 0, cuts: 0, refused: 0, lost: 0 };
  const port = await freePort();
  const start = join(options.workDir, 'start');
  let ledger = new Ledger();
  for (let run = 0; run < options.runs; run++) {
    if (run % 2 === 0) {
      rmSync(start, { recursive: true, force: true });
      mkdirSync(start);
      ledger = new Ledger();
    }
    const cutter = new RunUnderCut({ ...options, library, port, prng, run, ledger, start, tally });
    await cutter.run();
    if (!(await cutter.cutEverywhere())) run += 1 - (run % 2);
  }
  return {
    name: `power cuts, names as ${options.names}`,
    figures: [
      ['acknowledged writes', tally.acks],
      ['cuts', tally.cuts],
      ['lost', tally.lost],
      ['refused to start', tally.refused],
      ['s median restart', seconds(medianOf(tally.restartsMs))],
      ['s max restart', seconds(maxOf(tally.restartsMs))],
    ],
    failures: tally.failures,
  };
}

interface RunOptions extends PowerCutOptions {
  readonly library: string;
  readonly port: number;
  readonly prng: Prng;
  readonly run: number;
  readonly ledger: Ledger;
  /** Directory with the disk that the run starts from; replaced by the disk that it leaves. */
  readonly start: string;
  readonly tally: Tally;
}

class RunUnderCut {
  readonly #options: RunOptions;
  readonly #dataDir: string;
  readonly #journalPath: string;
  #image: DurableImage | null = null;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#dataDir = join(options.workDir, 'data');
    this.#journalPath = join(options.workDir, 'journal');
  }

  async run(): Promise<void> {
    const {
      start,
      library,
      port,
      prng,
      run,
      ledger,
      writers,
      kind,
      workDir,
      names,
      tally,
      forceSync = true,
    } = this.#options;
    rmSync(this.#dataDir, { recursive: true, force: true });
    rmSync(this.#journalPath, { force: true });
    cpSync(start, this.#dataDir, { recursive: true });
    this.#image = new DurableImage(this.#dataDir, names);
    const journal = openSync(this.#journalPath, 'a');
    const server = new ServerProcess({
      kind,
      workDir,
      dataDir: this.#dataDir,
      port,
      environment: powerCutEnvironment(library, this.#dataDir, this.#journalPath),
      properties: { ...smallSegments, 'zookeeper.forceSync': forceSync ? 'yes' : 'no' },
    });
    const load = new Load({ port, writers, ledger, prng, round: run, journal });
    await server.untilServing();
    await sleep(100 + prng.below(900));
    if (server.exit !== null) tally.failures.push(`run ${run}: the server ended by itself: ${lastLine(server.log())}`);
    await server.kill();
    await load.end();
    closeSync(journal);
    tally.acks += load.acks;
    tally.failures.push(...load.faults.map((fault) => `run ${run}: ${fault}`));
  }

  /** Replays the journal and tries the cuts; false when the last disk is of no use for another run. */
  async cutEverywhere(): Promise<boolean> {
    const { start, prng, run, cutsPerRun } = this.#options;
    const records = readJournal(readFileSync(this.#journalPath));
    const moments = chooseMoments(records, cutsPerRun, run % 2 === 0, prng);
    let usable = true;
    for (let i = 0; i <= records.length; i++) {
      const at = i === 0 ? 0 : (records[i - 1] as JournalRecord).end;
      if (i > 0) this.#image?.apply(records[i - 1] as JournalRecord);
      const isLast = i === records.length;
      if (!isLast && !moments.has(i)) continue;
      const kind: CutKind = prng.chance(0.4) ? 'strict' : 'torn';
      const disk = join(this.#options.workDir, 'cut');
      rmSync(disk, { recursive: true, force: true });
      mkdirSync(disk);
      this.#image?.materialise(disk, kind, prng);
      const works = await this.#tryDisk(disk, at, `run ${run}, cut at ${i} of ${records.length} (${kind})`, isLast);
      if (!isLast) continue;
      usable = works;
      rmSync(start, { recursive: true, force: true });
      // The server has run on it: what it wrote since was not cut, so it counts as durable.
      cpSync(disk, start, { recursive: true });
    }
    return usable;
  }

  async #tryDisk(disk: string, at: number, what: string, settle: boolean): Promise<boolean> {
    const { tally, port, kind, workDir, ledger } = this.#options;
    tally.cuts += 1;
    const server = new ServerProcess({ kind, workDir, dataDir: disk, port, properties: smallSegments });
    const restartMs = await server.untilServing();
    if (restartMs === null) {
      await server.kill();
      tally.refused += 1;
      tally.failures.push(`${what}: no restart: ${lastLine(server.log())}`);
      return false;
    }
    tally.restartsMs.push(restartMs);
    const zxid = Number(await server.zxid());
    const session = await WireSession.connect(port);
    const tree = await readTree(session);
    const verdict = ledger.judge(tree, zxid, at);
    tally.lost += verdict.lost.length;
    if (verdict.lost.length > 0) tally.failures.push(`${what}: lost ${verdict.lost.length}: ${verdict.lost[0]}`);
    if (verdict.wrong.length > 0) tally.failures.push(`${what}: wrong ${verdict.wrong.length}: ${verdict.wrong[0]}`);
    if (settle) ledger.settle(tree);
    await session.close();
    if (settle) await server.stop();
    else await server.kill();
    return true;
  }
}

/** Segments of 256 KiB and frequent snapshots, so that rolls, preallocation and snapshots fall between the cuts too. */
export const smallSegments = { 'zookeeper.preAllocSize': '256', 'zookeeper.snapCount': '700' };

export function powerCutEnvironment(library: string, dataDir: string, journal: string): Record<string, string> {
  return {
    LD_PRELOAD: library,
    POWER_CUT_DIRECTORY: dataDir,
    POWER_CUT_JOURNAL: journal,
    // File operations through io_uring would pass the library by.
    UV_USE_IO_URING: '0',
  };
}

/**
 * Record counts to cut after. Half of them anywhere; the rest just before and after what is not a plain write or sync:
 * new files, renames, truncations, directory syncs, where recovery meets shapes that load alone never shows. Of a first
 * start the first records are all tried.
 */
function chooseMoments(records: readonly JournalRecord[], count: number, firstStart: boolean, prng: Prng): Set<number> {
  const moments = new Set<number>();
  const plain: readonly number[] = [recordKinds.write, recordKinds.sync];
  const special = records.flatMap((record, i) => (plain.includes(record.kind) ? [] : [i, i + 1]));
  if (firstStart) for (let i = 0; i < Math.min(count / 2, records.length); i++) moments.add(i);
  for (let i = 0; i < count / 2 && records.length > 0; i++) {
    moments.add(prng.below(records.length));
    if (special.length > 0 && prng.chance(0.5)) moments.add(prng.pick(special));
  }
  return moments;
}
