/** Servers that come back with less than the others have, or with more: whatever a leader can send them to make them equal. */
import type { Member } from '../peers/ensemble.js';
import { untilSameZxid } from './judge.js';
import { livelyAcks, untilLively } from './kill-scenarios.js';
import { type Scenario, type Stage, sleep, until, writeMany } from './row.js';

/** More than Apache's leaders, and ours, keep in memory for learners. */
const MANY = 700;
const FEW = 150;

type SyncKind = 'DIFF' | 'TRUNC' | 'SNAP';

/** What learners say. Ours speaks of what is replaced; otherwise it was sent a DIFF. */
const learnerWords: Readonly<Record<'apache' | 'zoots', Readonly<Record<SyncKind, RegExp>>>> = {
  apache: { DIFF: /Getting a diff from/, SNAP: /Getting a snapshot from/, TRUNC: /Truncating log to get in sync/ },
  zoots: {
    DIFF: /INFO: serving, (following|observing)/,
    SNAP: /replaces history.*how=SNAP/,
    TRUNC: /replaces history.*how=TRUNC/,
  },
};

/** The first since the learner's start: one that loses its leader again gets another. */
function firstSyncOf(learner: Member): SyncKind | null {
  const words = learnerWords[learner.kind === 'zoots' ? 'zoots' : 'apache'];
  const log = learner.log();
  const found = (Object.keys(words) as SyncKind[])
    .map((kind) => ({ kind, at: log.search(words[kind]) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at);
  return found[0]?.kind ?? null;
}

/** Starts the learner, waits until all is whole, and looks what it was sent. */
async function returnBy(stage: Stage, learner: Member, allowed: readonly SyncKind[]): Promise<void> {
  await learner.start();
  await stage.ensemble.untilWhole(stage.ensemble.members);
  const kind = firstSyncOf(learner);
  if (kind === null) throw new Error(`${learner} does not say how it was brought up to date`);
  stage.note(`${learner}: ${kind}`);
  if (!allowed.includes(kind)) throw new Error(`${learner} was sent ${kind}, not ${allowed}`);
}

/** Enough data for a third of it to be more than the log of MANY writes; snapshots with it, and logs without. */
async function growTree(stage: Stage): Promise<void> {
  const session = await stage.session(stage.leader);
  await writeMany(session, `${stage.root}/ballast`, 60, 'ballast'.repeat(7_000));
  await session.close();
  // Killed amid proposals, Apache's servers write some twice.
  await untilSameZxid(stage.ensemble);
  await stage.ensemble.stop();
  await stage.ensemble.startLedBy(stage.leader.id);
}

/** Each server but the leader in turn is away while so many writes happen. */
function behindBy(count: number, allowed: readonly SyncKind[]): Scenario['run'] {
  return async (stage) => {
    // Slow, so that it adds little to what the scenario counts.
    const load = stage.startLoad({ writers: 1, pauseMs: 50 });
    const session = await stage.session(stage.leader);
    for (const member of stage.ensemble.members) {
      if (member === stage.leader) continue;
      await member.kill();
      await writeMany(session, `${stage.root}/while-${member.id}-is-away`, count);
      await returnBy(stage, member, allowed);
      await untilLively(load, `with ${member} again`);
    }
  };
}

/** Each server in turn, the leader last, loses its disk; the others know all that was acknowledged. */
async function wipeEach(stage: Stage): Promise<void> {
  const load = stage.startLoad({ pauseMs: 20 });
  await until('the load works', () => load.acks > livelyAcks);
  for (const member of [...stage.ensemble.members.filter((each) => each !== stage.leader), stage.leader]) {
    await member.kill();
    member.wipe();
    await untilLively(load, `without ${member}`);
    await member.start();
    await stage.ensemble.untilWhole(stage.ensemble.members);
    await untilLively(load, `with ${member} on an empty disk`);
  }
}

const TAIL = 20;

/**
 * The leader logs what nobody else has and dies; the others, who never saw it, make another leader. Frozen first and then killed, they
 * lose what stands in their sockets.
 */
async function leaveTail(stage: Stage): Promise<string> {
  const { leader, ensemble } = stage;
  const path = `${stage.root}/tail`;
  const session = await stage.session(leader);
  await session.create(path);
  await session.sync('/');
  await sleep(300);
  const others = ensemble.members.filter((member) => member !== leader);
  for (const member of others) member.freeze();
  // A signal takes its time to stop all threads of a process.
  await sleep(300);
  const unanswered = Array.from({ length: TAIL }, (_, n) => session.create(`${path}/${n}`, 'never committed'));
  const outcome = Promise.allSettled(unanswered);
  await sleep(700);
  await leader.kill();
  await Promise.all(others.map((member) => member.kill()));
  const answers = await outcome;
  if (answers.some(({ status }) => status === 'fulfilled'))
    throw new Error('a write was acknowledged without a quorum');
  await Promise.all(others.map((member) => member.start()));
  return path;
}

async function expectNoTail(stage: Stage, path: string): Promise<void> {
  for (const member of stage.ensemble.members) {
    const session = await stage.session(member);
    await session.sync('/');
    const children = await session.getChildren(path);
    if (children.length > 0) throw new Error(`${member} has ${children.length} writes that were never committed`);
  }
}

async function tailIsCut(stage: Stage): Promise<void> {
  const path = await leaveTail(stage);
  await returnBy(stage, stage.leader, ['TRUNC']);
  await expectNoTail(stage, path);
  await untilLively(stage.startLoad(), 'afterwards');
}

async function tailBesideNewHistory(stage: Stage): Promise<void> {
  const path = await leaveTail(stage);
  const others = stage.ensemble.members.filter((member) => member !== stage.leader);
  const load = stage.startLoad({ ports: others.map((member) => member.port) });
  await untilLively(load, 'without the one that has more');
  await returnBy(stage, stage.leader, ['TRUNC', 'SNAP']);
  await expectNoTail(stage, path);
  // What it logged must not come back with its next start either.
  await stage.leader.kill();
  await stage.leader.start();
  await stage.ensemble.untilWhole(stage.ensemble.members);
  await expectNoTail(stage, path);
  await untilLively(load, 'afterwards');
}

export const syncScenarios: readonly Scenario[] = [
  { name: 'a little behind: DIFF from memory', run: behindBy(FEW, ['DIFF']) },
  {
    name: 'far behind: DIFF from the log on disk',
    run: async (stage) => {
      await growTree(stage);
      await behindBy(MANY, ['DIFF'])(stage);
    },
  },
  {
    name: 'far behind: SNAP',
    properties: { 'zookeeper.snapshotSizeFactor': '-1', 'zookeeper.snapCount': '200' },
    run: behindBy(MANY, ['SNAP']),
  },
  {
    name: 'a little behind, with forceSnapshotSync: SNAP',
    properties: { 'zookeeper.forceSnapshotSync': 'true' },
    run: behindBy(FEW, ['SNAP']),
  },
  { name: 'every server in turn loses its disk', run: wipeEach },
  { name: 'the leader has a tail that nobody else has: TRUNC', run: tailIsCut },
  { name: 'the leader has a tail, and the others go on without it', run: tailBesideNewHistory },
];
