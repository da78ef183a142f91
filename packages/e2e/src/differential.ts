/**
 * The differential test: seeded random requests, valid and invalid, go to two real servers in lockstep; every reply
 * and every watch event must be equal to the byte, but for wall-clock times, session ids and passwords.
 *
 *   node packages/e2e/dist/differential.js                                       what CI runs
 *   node packages/e2e/dist/differential.js --left zoots --right apache-3.9.5 --seed 7 --requests 5000 --extended
 *   node packages/e2e/dist/differential.js --left … --right … --row 1 --replay FILE      steps of a reproduction
 *
 * ZOOTS_KEEP=1 keeps the servers' directories. A mismatch prints the seed, the step, both frames decoded, and a shrunk list of steps that still fails.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { finalDifferences } from './differential/final-state.js';
import { Generator, type Profile } from './differential/generator.js';
import { differencesBetween } from './differential/known-differences.js';
import { Prng } from './differential/prng.js';
import { Mismatch, type RunFigures, Runner } from './differential/runner.js';
import { shrink } from './differential/shrink.js';
import { Side } from './differential/side.js';
import { describeStep } from './differential/step-text.js';
import { type Step, stepsFromText, stepsToText } from './differential/steps.js';
import { freePort, type Peer, type PeerKind, skipMissingPeer, startPeer } from './peers/peer.js';
import { projectRoot } from './peers/versions.js';

interface Row {
  readonly left: PeerKind;
  readonly right: PeerKind;
  readonly seed: number;
  readonly requests: number;
  readonly extended: boolean;
  readonly enforceQuota: boolean;
  readonly reconfigEnabled: boolean;
  readonly mix: Profile['mix'];
  readonly manyIds: boolean;
}

const superDigest = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU=';

function configOf(row: Row): Record<string, string> {
  return {
    // Short ticks make the shortest timeout, and so the expiry steps, short.
    tickTime: '500',
    minSessionTimeout: '1000',
    maxSessionTimeout: '600000',
    reconfigEnabled: String(row.reconfigEnabled),
  };
}

function propertiesOf(row: Row): Record<string, string> {
  return {
    'zookeeper.DigestAuthenticationProvider.superDigest': superDigest,
    'zookeeper.extendedTypesEnabled': String(row.extended),
    'zookeeper.enforceQuota': String(row.enforceQuota),
    // Nothing is crashed here, and lockstep would wait for every sync.
    'zookeeper.forceSync': 'no',
    // The reaper runs by the clock; its transactions would fall between different requests on the two servers.
    'znode.container.checkIntervalMs': '86400000',
  };
}

interface Arena {
  readonly runner: Runner;
  readonly peers: readonly Peer[];
  end(): Promise<void>;
}

async function openArena(row: Row): Promise<Arena> {
  const workDir = mkdtempSync(join(tmpdir(), 'zoots-differential-'));
  const peers: Peer[] = [];
  const end = async (): Promise<void> => {
    runner?.left.end();
    runner?.right.end();
    // Nothing of these directories is read again: a crash is the quickest stop.
    await Promise.all(peers.map((peer) => peer.kill()));
    if (process.env.ZOOTS_KEEP) console.log(`kept ${workDir}`);
    else rmSync(workDir, { recursive: true, force: true });
  };
  const start = async (kind: PeerKind, name: string): Promise<void> => {
    const port = await freePort();
    const options = { workDir: join(workDir, name), port, config: configOf(row), properties: propertiesOf(row) };
    peers.push(await startPeer(kind, options));
  };
  const differences = differencesBetween(row.left, row.right);
  let runner: Runner | undefined;
  try {
    await start(row.left, 'left');
    await start(row.right, 'right');
    const options = { sortAcls: row.manyIds, maskEventZxid: differences.has('eventZxid') };
    const [left, right] = peers.map(
      (peer, at) => new Side(`${at === 0 ? 'left' : 'right'} ${peer.kind}`, peer.port, options),
    );
    runner = new Runner(left as Side, right as Side, differences);
    return { runner, peers, end };
  } catch (error) {
    await end();
    throw error;
  }
}

interface Outcome {
  readonly figures: RunFigures;
  readonly nodeCount: number;
  readonly failure: { readonly steps: readonly Step[]; readonly message: string } | null;
}

async function play(row: Row, next: (runner: Runner) => Step | null): Promise<Outcome> {
  const arena = await openArena(row);
  const { runner, peers } = arena;
  const steps: Step[] = [];
  try {
    for (let step = next(runner); step !== null; step = next(runner)) {
      steps.push(step);
      await runner.step(steps.length - 1, step);
    }
    await runner.step(steps.length, { kind: 'settle' });
    const { lines, nodeCount } = await finalDifferences(
      runner.left,
      runner.right,
      differencesBetween(row.left, row.right),
    );
    const failure = lines.length === 0 ? null : { steps, message: `final state\n  ${lines.join('\n  ')}` };
    return { figures: runner.figures, nodeCount, failure };
  } catch (error) {
    const logs = peers.map(
      (peer) => `${peer.kind} ${peer.alive() ? 'lives' : 'has ended'}: ${peer.log().slice(-1500)}`,
    );
    // A refused connection means that a server is gone; anything else is a fault of the test itself.
    const gone = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
    if (!(error instanceof Mismatch) && !gone) throw error;
    const message = gone ? `a server is gone\n${logs.join('\n')}` : (error as Mismatch).message;
    return { figures: runner.figures, nodeCount: 0, failure: { steps, message } };
  } finally {
    await arena.end();
  }
}

async function runRow(row: Row): Promise<Outcome> {
  const profile = { differences: differencesBetween(row.left, row.right), ...row };
  let generator: Generator | null = null;
  return play(row, (runner) => {
    generator ??= generatorFor(runner, new Prng(row.seed), profile);
    return runner.figures.requests >= row.requests ? null : generator.next();
  });
}

function generatorFor(runner: Runner, prng: Prng, profile: Profile): Generator {
  const { left } = runner;
  const generator = new Generator(prng, profile, {
    isOpen: (slot) => left.isOpen(slot),
    sessionOf: (slot) => left.sessionOf(slot),
    get sessionCount() {
      return left.sessions.length;
    },
  });
  runner.onReply = (request, reply) => generator.observe(request, reply);
  return generator;
}

async function replay(row: Row, steps: readonly Step[]): Promise<Outcome> {
  let at = 0;
  return play(row, () => steps[at++] ?? null);
}

async function reportFailure(row: Row, outcome: Outcome, shrinks: boolean): Promise<void> {
  const { steps, message } = outcome.failure as { steps: readonly Step[]; message: string };
  console.log(`\nMISMATCH seed ${row.seed}, step ${steps.length - 1}: ${rowText(row)}\n${message}`);
  console.log(`step: ${describeStep(steps.at(-1) as Step)}`);
  console.log(`all steps: ${saveSteps(row, 'all', steps)}`);
  if (!shrinks) return;
  const fails = async (candidate: readonly Step[]): Promise<number | null> => {
    const { failure } = await replay(row, candidate);
    return failure === null ? null : failure.steps.length - 1;
  };
  const short = await shrink(steps, fails, { trialsMax: 80, timeMaxMs: 90_000 });
  const again = await replay(row, short);
  console.log(`\nshrunk to ${short.length} steps (${saveSteps(row, 'short', short)}):`);
  for (const step of short) console.log(`  ${describeStep(step)}`);
  console.log(again.failure?.message ?? 'the shrunk steps do not fail every time');
}

/** A file for --replay. */
function saveSteps(row: Row, name: string, steps: readonly Step[]): string {
  const directory = join(projectRoot, '.cache', 'differential');
  mkdirSync(directory, { recursive: true });
  const file = join(directory, `${row.left}-${row.right}-seed-${row.seed}.${name}.steps`);
  writeFileSync(file, `${stepsToText(steps)}\n`);
  return file;
}

function rowText(row: Row): string {
  const flags = [
    row.extended ? 'extended types' : 'plain types',
    row.enforceQuota ? 'quotas enforced' : 'bursts',
    row.manyIds ? 'many identities' : 'one identity',
    `mix ${row.mix}`,
  ];
  return `${row.left} against ${row.right}, ${flags.join(', ')}`;
}

/** What CI runs: both peers, extended types off and on, quotas free and enforced. */
function defaultRows(left: PeerKind, rights: readonly PeerKind[], seed: number, requests: number): Row[] {
  return rights.flatMap((right) => {
    const versionsDiffer = differencesBetween(left, right).has('readPermission');
    return [0, 1, 2].map((at) => ({
      left,
      right,
      seed: seed + at,
      requests,
      extended: at !== 0,
      enforceQuota: at === 2,
      reconfigEnabled: at !== 0,
      mix: versionsDiffer ? ((['acls', 'watches', 'watches'] as const)[at] as Profile['mix']) : 'both',
      manyIds: at === 1,
    }));
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      left: { type: 'string', default: 'zoots' },
      right: { type: 'string' },
      seed: { type: 'string', default: '1' },
      requests: { type: 'string', default: '8000' },
      extended: { type: 'boolean' },
      mix: { type: 'string' },
      /** One of the three rows per pair, from 0. */
      row: { type: 'string' },
      replay: { type: 'string' },
      'no-shrink': { type: 'boolean', default: false },
      outcomes: { type: 'boolean', default: false },
    },
  });
  const rights = values.right === undefined ? ['apache-3.9.5', 'apache-3.8.0'] : [values.right];
  let rows = defaultRows(values.left as PeerKind, rights as PeerKind[], Number(values.seed), Number(values.requests));
  if (values.extended !== undefined) rows = rows.filter((row) => row.extended === values.extended);
  if (values.row !== undefined) rows = rows.filter((_, at) => at % 3 === Number(values.row));
  if (values.mix !== undefined) rows = rows.map((row) => ({ ...row, mix: values.mix as Profile['mix'] }));
  if (values.replay !== undefined) {
    const outcome = await replay(rows[0] as Row, stepsFromText(readFileSync(values.replay, 'utf8')));
    console.log(outcome.failure?.message ?? 'no mismatch');
    return outcome.failure === null ? 0 : 1;
  }
  let failed = 0;
  for (const row of rows) {
    const startMs = performance.now();
    try {
      const outcome = await runRow(row);
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
      const { requests, replies, events, outcomes } = outcome.figures;
      const end = outcome.failure === null ? 'equal' : 'DIFFERENT';
      console.log(
        `${end} seed ${row.seed} ${rowText(row)}: ${requests} requests, ${replies} replies, ${events} events, ${outcome.nodeCount} nodes at the end, ${seconds} s`,
      );
      if (values.outcomes) for (const [key, count] of [...outcomes].sort()) console.log(`    ${count} ${key}`);
      if (outcome.failure !== null) {
        failed++;
        await reportFailure(row, outcome, !values['no-shrink']);
      }
    } catch (error) {
      try {
        skipMissingPeer(error);
      } catch {
        failed++;
        console.log(`FAILED ${rowText(row)}: ${(error as Error).stack}`);
      }
    }
  }
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
