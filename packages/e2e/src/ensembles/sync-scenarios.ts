/** Servers that come back with less than the others have, or with more: whatever a leader can send them to make them equal. */
import type { Member } from '../peers/ensemble.js';
import { livelyAcks, untilLively } from './kill-scenarios.js';
import { type Scenario, type Stage, sleep, until, writeMany } from './row.js';

/** More than Apache's leaders, and ours, keep in memory for learners. */
const MANY = 700;
const FEW = 150;

type SyncKind = 'DIFF' | 'TRUNC' | 'SNAP';

/** What Apache's learners, their leaders and ours say of the last synchronisation. */
const learnerWords: Readonly<Record<SyncKind, RegExp>> = {
  DIFF: /Getting a diff from/,
  SNAP: /Getting a snapshot from/,
  TRUNC: /Truncating log to get in sync/,
};

/** The first since the learner's start: a learner that loses its leader again gets another. Ours is known by what its leader says. */
function firstSyncOf(stage: Stage, learner: Member, leader: Member): SyncKind | null {
  const isOurs = learner.kind === 'zoots';
  const text = isOurs ? leader.log() : learner.log();
  const found = (Object.keys(learnerWords) as SyncKind[])
    .map((kind) => ({ kind, at: text.search(isOurs ? leaderWords(kind, learner.id) : learnerWords[kind]) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at);
  const first = found[0]?.kind ?? null;
  if (first === null && !isOurs) throw new Error(`${learner} does not say how it was brought up to date`);
  if (first !== null) stage.note(`${learner}: ${first}`);
  return first;
}

/** What Apache's leaders say. */
function leaderWords(kind: SyncKind, learner: number): RegExp {
  return new RegExp(`Sending ${kind} zxid.*peer sid: ?${learner}\\b|fall back to use ${kind}`);
}

async function expectSync(stage: Stage, learner: Member, allowed: readonly SyncKind[]): Promise<void> {
  const kind = firstSyncOf(stage, learner, await stage.ensemble.leader());
  if (kind !== null && !allowed.includes(kind)) throw new Error(`${learner} was sent ${kind}, not ${allowed}`);
}

/** Each server but the leader in turn is away while so many writes happen. */
function behindBy(count: number, allowed: readonly SyncKind[]): Scenario['run'] {
  return async (stage) => {
    const load = stage.startLoad({ pauseMs: 20 });
    const session = await stage.session(stage.leader);
    for (const member of stage.ensemble.members) {
      if (member === stage.leader) continue;
      await member.kill();
      await writeMany(session, `${stage.root}/while-${member.id}-is-away`, count);
      await member.start();
      await stage.ensemble.untilWhole(stage.ensemble.members);
      await expectSync(stage, member, allowed);
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
  await stage.leader.start();
  await stage.ensemble.untilWhole(stage.ensemble.members);
  await expectSync(stage, stage.leader, ['TRUNC']);
  await expectNoTail(stage, path);
  await untilLively(stage.startLoad(), 'afterwards');
}

async function tailBesideNewHistory(stage: Stage): Promise<void> {
  const path = await leaveTail(stage);
  const others = stage.ensemble.members.filter((member) => member !== stage.leader);
  const load = stage.startLoad({ ports: others.map((member) => member.port) });
  await untilLively(load, 'without the one that has more');
  await stage.leader.start();
  await stage.ensemble.untilWhole(stage.ensemble.members);
  await expectSync(stage, stage.leader, ['TRUNC', 'SNAP']);
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
    properties: { 'zookeeper.snapshotSizeFactor': '1000' },
    run: behindBy(MANY, ['DIFF']),
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
