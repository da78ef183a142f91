/**
 * Group 14: how a learner is brought to the leader's history, for every pair of histories that can be, whatever the leader has in memory and
 * on disk. ZOOKEEPER-2418, -2846, -3526, -4352. A real server leads; the learner is played, and does to a list of zxids what it is told.
 */
import assert from 'node:assert/strict';
import { counterOf, epochOf, formatZxid, makeZxid, PACKET } from '@zoots/protocol';
import { patch } from '../../mutant.js';
import { CommittedLog, HistoryWalk, LearnerHandle, patchGetter } from './core-parts.js';
import { MemberStage } from './member-stage.js';
import { followWith, joinAs } from './passages.js';
import type { Played } from './played.js';
import { scenario } from './scenario.js';

/** How many transactions the leader's history has of epochs 1, 2 and 3. */
const HISTORIES: readonly (readonly number[])[] = [[3], [2, 2], [0, 3], [2, 0, 2], [1, 1, 1], [4, 1]];
const COMMITTED_LOG_COUNTS = [1, 2, 500];
/** Never from disk; from disk whatever its size. */
const SNAPSHOT_SIZE_FACTORS = [-1, 1_000];
/** What the leader did before it led. */
const PASTS = ['followed', 'restarted', 'restarted on a snapshot'] as const;

function zxidsOf(counts: readonly number[]): number[] {
  return counts.flatMap((count, i) => Array.from({ length: count }, (_, at) => makeZxid(i + 1, at + 1)));
}

interface LearnerHistory {
  readonly zxids: readonly number[];
  /** What it says in ACKEPOCH: the last of them, or the beginning of an epoch. */
  readonly saidZxid: number;
}

/** Every learner that can come to this leader: a beginning of its history, perhaps with a tail of its own. */
function learnersOf(leader: readonly number[]): LearnerHistory[] {
  const learners: LearnerHistory[] = [];
  for (let kept = 0; kept <= leader.length; kept++) {
    const common = leader.slice(0, kept);
    const last = common.at(-1) ?? 0;
    const next = leader[kept];
    learners.push({ zxids: common, saidZxid: last });
    for (const tail of tailsOf(leader, last, next)) {
      learners.push({ zxids: [...common, ...tail], saidZxid: tail.at(-1) as number });
    }
    // It took a snapshot from the leader of an epoch that had just begun.
    const begun = makeZxid(next === undefined ? epochOf(last) + 1 : epochOf(next), 0);
    if (begun > last) learners.push({ zxids: common, saidZxid: begun });
  }
  return learners;
}

/**
 * Proposals that never got a quorum, of an epoch that both know of. Whoever logged one of an epoch has everything that the epoch began with; and
 * an epoch has one leader, so its transactions are a beginning of that leader's, here and there.
 */
function tailsOf(leader: readonly number[], last: number, next: number | undefined): number[][] {
  const tails: number[][] = [];
  const lastEpoch = epochOf(leader.at(-1) as number);
  for (let epoch = Math.max(1, epochOf(last)); epoch <= lastEpoch; epoch++) {
    if (next !== undefined && epochOf(next) <= epoch) continue;
    const first = epoch === epochOf(last) ? last + 1 : makeZxid(epoch, 1);
    tails.push([first], [first, first + 1]);
  }
  return tails;
}

function leaderWith(
  history: readonly number[],
  past: (typeof PASTS)[number],
  isServing: boolean,
  rules: object,
): MemberStage {
  // Nobody here answers pings.
  const stage = new MemberStage({ rules: { initLimit: 10_000, syncLimit: 10_000, ...rules } }).start();
  followWith(stage, history).breakOff();
  stage.pass(20);
  if (past === 'restarted on a snapshot') {
    stage.server.snapshotter.start(null, null);
    stage.server.tick();
    stage.pass(20);
  }
  if (past !== 'followed') stage.powerCutAndRestart();
  stage.electSelf();
  // A quorum for the epoch.
  const follower = stage.learner();
  joinAs(follower, 2, epochOf(history.at(-1) ?? 0), history.at(-1) ?? 0);
  if (isServing) follower.say(PACKET.ack, makeZxid(stage.epochs[1], 0));
  stage.pass(20);
  assert.equal(stage.server.isServing, isServing);
  return stage;
}

/** Does what the leader says, and has the history that comes of it. */
function obey(learner: Played, { zxids }: LearnerHistory, told: readonly string[], when: string): number[] {
  let history = [...zxids];
  for (const line of told) {
    const [word = '', hex = '0'] = line.split(' ');
    const zxid = hex.startsWith('0xffff') ? -1 : Number.parseInt(hex, 16);
    if (word === 'TRUNC') {
      const isThere = history.includes(zxid) || zxid === 0 || counterOf(zxid) === 0;
      assert.ok(isThere, `${when}: it is to cut behind ${hex}, which it does not have`);
      history = history.filter((one) => one <= zxid);
    } else if (word === 'SNAP') history = zxidsIn(learner.snapshots.at(-1) as Uint8Array);
    else if (word === 'PROPOSAL') {
      assert.ok(zxid > (history.at(-1) ?? 0), `${when}: ${hex} is sent and it has it`);
      history.push(zxid);
    }
  }
  return history;
}

/** The znodes' paths name the transactions. */
function zxidsIn(snapshot: Uint8Array): number[] {
  const text = String.fromCharCode(...snapshot);
  return [...text.matchAll(/\/t0x([0-9a-f]+)/g)]
    .map(([, hex]) => Number.parseInt(hex as string, 16))
    .sort((a, b) => a - b);
}

let caseCount = 0;

function syncEverybody(
  counts: readonly number[],
  past: (typeof PASTS)[number],
  isServing: boolean,
  rules: { committedLogCount: number; snapshotSizeFactor: number },
): void {
  const history = zxidsOf(counts);
  const stage = leaderWith(history, past, isServing, rules);
  for (const one of learnersOf(history)) {
    const { committedLogCount, snapshotSizeFactor } = rules;
    const has = `${one.zxids.map(formatZxid).join(' ')} (says ${formatZxid(one.saidZxid)})`;
    const when = `epochs [${counts}], ${past}, ${isServing ? 'serving' : 'not serving yet'}, ${committedLogCount} in memory, factor ${snapshotSizeFactor}; the learner has ${has}`;
    const learner = stage.learner();
    const told = joinAs(learner, 3, epochOf(one.saidZxid), one.saidZxid, -1);
    assert.equal(told.at(-1)?.split(' ')[0], 'NEWLEADER', `${when}: ${told}`);
    assert.deepEqual(obey(learner, one, told, when), history, `${when}: another history after ${told}`);
    learner.breakOff();
    caseCount++;
  }
}

scenario(
  14,
  'ZOOKEEPER-2418, -2846, -3526, -4352: DIFF, TRUNC or SNAP for every pair of histories; the learner has the leader’s afterwards',
  () => {
    caseCount = 0;
    for (const counts of HISTORIES) {
      for (const past of PASTS) {
        for (const committedLogCount of COMMITTED_LOG_COUNTS) {
          for (const snapshotSizeFactor of SNAPSHOT_SIZE_FACTORS) {
            for (const isServing of [false, true]) {
              syncEverybody(counts, past, isServing, { committedLogCount, snapshotSizeFactor });
            }
          }
        }
      }
    }
    assert.ok(caseCount > 2_000, `only ${caseCount} pairs`);
  },
  {
    bug: 'a learner whose last transaction is not in the history gets a DIFF from its place on',
    plant: () =>
      patch(HistoryWalk.prototype, 'feed', () => {
        return function (this: { plan: object | null; readonly learnerZxid: number }, zxid: number) {
          if (zxid >= this.learnerZxid) this.plan ??= { kind: 'diff', upTo: zxid };
        };
      }),
    caughtBy: /another history/,
  },
  {
    bug: 'a DIFF takes the place of a TRUNC',
    plant: () =>
      patch(LearnerHandle.prototype, 'send', (original) => {
        return function (this: unknown, type: number, ...rest: unknown[]) {
          original.call(this, type === PACKET.trunc ? PACKET.diff : type, ...rest);
        };
      }),
    caughtBy: /another history/,
  },
  {
    bug: 'a restart forgets how far back the memory goes, and it seems to go back to the beginning',
    plant: () => patchGetter(CommittedLog, 'minZxid', () => () => 0),
    caughtBy: /another history|which it does not have/,
  },
);
