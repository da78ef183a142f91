/**
 * The faults, one row each: what is done to three servers while clients work. Before it the ensemble is whole; after it everything is
 * healed, and the verdict (verdict.ts) follows.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildPowerCutLibrary } from '../crash/journal.js';
import { powerCutEnvironment } from '../crash/power-cuts.js';
import { sleep } from '../crash/server-process.js';
import type { Prng } from '../differential/prng.js';
import type { Cluster, ClusterMember } from './cluster.js';
import type { Way } from './link.js';

export interface FaultStage {
  readonly cluster: Cluster;
  readonly prng: Prng;
  readonly workDir: string;
  /** Times that a row does its thing. */
  readonly rounds: number;
  /** What is said behind the row's name. */
  readonly notes: string[];
}

export interface FaultRow {
  readonly name: string;
  /** For `--rows`. */
  readonly word: string;
  readonly run: (stage: FaultStage) => Promise<void>;
}

export const faultRows: readonly FaultRow[] = [
  { word: 'kill', name: 'kill -9 of one, and of two at a time', run: killSome },
  { word: 'kill-all', name: 'kill -9 of all three', run: killAll },
  { word: 'pause', name: 'SIGSTOP of the leader and of a follower', run: pauses },
  { word: 'cut', name: 'leader and follower cut off', run: (stage) => isolate(stage, 'cut') },
  {
    word: 'half-open',
    name: 'leader and follower behind half-open connections',
    run: (stage) => isolate(stage, 'silent'),
  },
  { word: 'one-way', name: 'bytes go one way only', run: oneWay },
  { word: 'partial', name: 'two of three do not see each other', run: partial },
  { word: 'slow-net', name: 'slow links, and connections that break', run: slowLinks },
  { word: 'disk-full', name: 'a disk that fills up, of a follower and of the leader', run: fullDisks },
  { word: 'slow-sync', name: 'syncs of 150 ms, of a follower and of the leader', run: slowSyncs },
  { word: 'storm', name: 'everything at random', run: storm },
];

/** Longer than syncLimit allows with the ticks used here (2 s). */
const beyondSyncLimitMs = 3_200;

async function killSome({ cluster, prng, rounds }: FaultStage): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const leader = await cluster.leader();
    const first = round % 2 === 0 ? leader : prng.pick(cluster.others(leader));
    const second = prng.chance(0.3) ? prng.pick(cluster.others(first)) : null;
    await Promise.all([first.kill(), second?.kill()]);
    await sleep(prng.below(1_200));
    first.start();
    await sleep(prng.below(300));
    second?.start();
    // Now and then the next one dies while the last one is still joining.
    if (prng.chance(0.6)) await cluster.whole();
  }
}

async function killAll({ cluster, prng, rounds }: FaultStage): Promise<void> {
  for (let round = 0; round < Math.ceil(rounds / 2); round++) {
    await sleep(prng.below(400));
    await Promise.all(cluster.members.map((member) => member.kill()));
    for (const member of cluster.members) {
      member.start();
      await sleep(prng.below(200));
    }
    await cluster.whole();
  }
}

async function pauses({ cluster, prng, rounds }: FaultStage): Promise<void> {
  const leader = await cluster.leader();
  leader.freeze();
  await cluster.leader(cluster.others(leader));
  await sleep(400);
  leader.thaw();
  await cluster.whole();
  const follower = prng.pick(cluster.others(await cluster.leader()));
  follower.freeze();
  await sleep(beyondSyncLimitMs);
  follower.thaw();
  await cluster.whole();
  for (let round = 0; round < rounds; round++) {
    const member = prng.pick(cluster.members);
    member.freeze();
    await sleep(20 + prng.below(400));
    member.thaw();
    await sleep(100);
  }
}

async function isolate({ cluster, prng, notes }: FaultStage, way: Way): Promise<void> {
  const leader = await cluster.leader();
  const beganMs = performance.now();
  for (const other of cluster.others(leader)) cluster.between(leader, other, way);
  await cluster.leader(cluster.others(leader));
  notes.push(`new leader after ${Math.round(performance.now() - beganMs)} ms`);
  await stepsDown(leader);
  await sleep(300);
  await cluster.heal();
  const follower = prng.pick(cluster.others(await cluster.leader()));
  for (const other of cluster.others(follower)) cluster.between(follower, other, way);
  await stepsDown(follower);
  await sleep(300);
  await cluster.heal();
}

/** A member that sees no quorum must stop serving within syncLimit and a little. */
async function stepsDown(member: ClusterMember): Promise<void> {
  const deadlineMs = performance.now() + 8_000;
  while ((await member.mode()) !== '') {
    if (performance.now() > deadlineMs) throw new Error(`server ${member.id} sees no quorum and serves on`);
    await sleep(50);
  }
}

async function oneWay({ cluster, prng }: FaultStage): Promise<void> {
  const leader = await cluster.leader();
  // Nobody hears the leader.
  for (const other of cluster.others(leader)) cluster.way(leader, other, 'silent');
  await sleep(beyondSyncLimitMs);
  await cluster.heal();
  // The leader hears nobody.
  const next = await cluster.leader();
  for (const other of cluster.others(next)) cluster.way(other, next, 'silent');
  await sleep(beyondSyncLimitMs);
  await cluster.heal();
  const follower = prng.pick(cluster.others(await cluster.leader()));
  const [first] = cluster.others(follower) as [ClusterMember, ClusterMember];
  cluster.way(follower, first, 'silent');
  await sleep(beyondSyncLimitMs);
  await cluster.heal();
}

/** Two see the third and not each other: first both followers, then the leader and a follower. */
async function partial({ cluster, prng }: FaultStage): Promise<void> {
  const [one, other] = cluster.others(await cluster.leader()) as [ClusterMember, ClusterMember];
  cluster.between(one, other, 'cut');
  await sleep(800);
  await (await cluster.leader()).kill();
  await sleep(500);
  await cluster.heal();
  const leader = await cluster.leader();
  cluster.between(leader, prng.pick(cluster.others(leader)), 'silent');
  await sleep(beyondSyncLimitMs);
  await cluster.leader();
  await cluster.heal();
}

async function slowLinks({ cluster, prng, rounds }: FaultStage): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const longestMs = prng.pick([10, 60, 200]);
    cluster.delay(() => prng.below(longestMs));
    await sleep(500 + prng.below(500));
    cluster.resetConnections();
    await sleep(500);
  }
  await cluster.heal();
}

/** The environment of a server whose disk has this fault; see power-cut.c. */
function faultOf(stage: FaultStage, member: ClusterMember, fault: string): Record<string, string> {
  mkdirSync(stage.workDir, { recursive: true });
  const library = buildPowerCutLibrary(stage.workDir);
  const journal = join(stage.workDir, `journal-${member.id}`);
  rmSync(journal, { force: true });
  return { ...powerCutEnvironment(library, member.dataDir, journal), POWER_CUT_FAULT: fault };
}

/** One member begins anew with this fault of its disk, all others without. It is killed last, so if it leads it leads again. */
async function restartAll(stage: FaultStage, who: ClusterMember, fault: string | null): Promise<void> {
  const { cluster } = stage;
  await Promise.all(cluster.others(who).map((member) => member.kill()));
  await who.kill();
  who.start(fault === null ? {} : faultOf(stage, who, fault));
  for (const member of cluster.others(who)) member.start();
}

async function fullDisks(stage: FaultStage): Promise<void> {
  const { cluster, prng, notes } = stage;
  for (const leads of [false, true]) {
    const leader = await cluster.leader();
    const who = leads ? leader : prng.pick(cluster.others(leader));
    await restartAll(stage, who, `write:${100_000 + prng.below(60_000)}:28`);
    const role = await firstMode(who);
    const exit = await Promise.race([who.server?.exited, sleep(20_000)]);
    if (exit === undefined) throw new Error(`server ${who.id} goes on with a full disk`);
    notes.push(`a ${role} stops`);
    await cluster.leader(cluster.others(who));
    await sleep(300);
    await cluster.heal();
  }
}

async function firstMode(member: ClusterMember): Promise<string> {
  for (;;) {
    const mode = await member.mode();
    if (mode !== '' || !member.isRunning) return mode === '' ? 'starting server' : mode;
    await sleep(20);
  }
}

async function slowSyncs(stage: FaultStage): Promise<void> {
  const { cluster, prng, notes } = stage;
  for (const leads of [false, true]) {
    const leader = await cluster.leader();
    const who = leads ? leader : prng.pick(cluster.others(leader));
    await restartAll(stage, who, 'slow:1:150');
    await cluster.whole();
    notes.push(`slow ${await who.mode()}`);
    await sleep(1_500);
  }
  await restartAll(stage, await cluster.leader(), null);
  await cluster.whole();
}

async function storm({ cluster, prng, rounds }: FaultStage): Promise<void> {
  for (let round = 0; round < 3 * rounds; round++) {
    const [one, other] = [prng.pick(cluster.members), prng.pick(cluster.members)];
    const act = prng.weighted({
      kill: 3,
      start: 5,
      freeze: 2,
      thaw: 4,
      break: 4,
      open: 4,
      reset: 2,
      slow: 1,
      quick: 2,
    });
    if (act === 'kill') await one.kill();
    else if (act === 'start') for (const member of cluster.members) member.start();
    else if (act === 'freeze') one.freeze();
    else if (act === 'thaw') for (const member of cluster.members) member.thaw();
    else if (act === 'break' && one !== other) cluster.way(one, other, prng.pick(['silent', 'cut']));
    else if (act === 'open' && one !== other) cluster.between(one, other, 'open');
    else if (act === 'reset') cluster.resetConnections();
    else if (act === 'slow') cluster.delay(() => prng.below(80));
    else if (act === 'quick') cluster.delay(() => 0);
    await sleep(prng.below(700));
  }
}
