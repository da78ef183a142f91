/**
 * Bugs planted in members of an ensemble: parts of the core patched from outside, each a mistake that somebody has made or could make in
 * Zab. docs/simulation.md has the table of how many seeds each took to find; mutants-ensemble.test.ts demands that it stays so.
 */
import type { Peer } from '@zoots/core';
import { counterOf, epochOf } from '@zoots/protocol';
import { oneIn, patch } from '../mutant.js';
import { VERSION_DIR } from '../swarm.js';
import type { Member } from './member.js';
import type { EnsembleMutant } from './mutant-ensemble.js';

interface Patchable {
  readonly prototype: object;
}

/** The core keeps its parts to itself; their classes are taken from the built files. */
async function classOf(file: string, name: string): Promise<Patchable> {
  const module = (await import(new URL(`../../../core/dist/${file}.js`, import.meta.url).href)) as Record<
    string,
    Patchable
  >;
  return module[name] as Patchable;
}

const LearnerRole = await classOf('zab/learner-role', 'LearnerRole');
const LeaderRole = await classOf('zab/leader-role', 'LeaderRole');
const Learner = await classOf('zab/learner', 'Learner');
const HistoryWalk = await classOf('zab/sync-plan', 'HistoryWalk');
const CommittedLog = await classOf('zab/committed-log', 'CommittedLog');
const Database = await classOf('database', 'Database');
const Pipeline = await classOf('request/pipeline', 'Pipeline');
const Applier = await classOf('request/apply', 'Applier');

type Done = (problem: string | null) => void;

/** Where a sync takes a few milliseconds, few crashes fall into it. */
const SLOW_SYNCS = { slowSyncChance: 0.3, slowSyncMaxUs: 400_000 };

export const ENSEMBLE_MUTANTS: readonly EnsembleMutant[] = [
  {
    name: 'ack-before-sync',
    bug: 'a follower acknowledges a proposal before it is on its disk',
    plant: () =>
      patch(
        Learner.prototype,
        'onBytes',
        (original) =>
          function (this: { onDurable(zxid: number): void }, ...args) {
            original.apply(this, args);
            this.onDurable(Number.MAX_SAFE_INTEGER);
          },
      ),
  },
  {
    name: 'minority-commit',
    bug: 'a leader commits what it alone has on its disk',
    onServer: (server) => {
      const peer = server.peer as Peer;
      const onDurable = peer.onDurable.bind(peer);
      peer.onDurable = (zxid) => alone(peer, () => onDurable(zxid));
    },
  },
  {
    name: 'trunc-skipped',
    bug: 'a learner that is told to cut its history leaves it as it is',
    plant: () =>
      patch(
        LearnerRole.prototype,
        'truncate',
        () =>
          function (this: unknown, _zxid: number, done: Done) {
            done(null);
          },
      ),
  },
  {
    name: 'apply-out-of-order',
    bug: 'one transaction in 40 is applied behind the next one',
    plant: () => {
      const isLate = oneIn(40);
      const late = new Map<unknown, readonly [Uint8Array, number, number]>();
      return patch(
        Applier.prototype,
        'apply',
        (original) =>
          function (this: unknown, bytes: Uint8Array, start: number, end: number, results: unknown) {
            const before = late.get(this);
            if (before === undefined && results === null && isLate()) {
              const copy = bytes.slice(start, end);
              late.set(this, [copy, 0, copy.length]);
              return null;
            }
            const problem = original.call(this, bytes, start, end, results);
            late.delete(this);
            if (before !== undefined) original.call(this, ...before, null);
            return problem;
          },
      );
    },
  },
  {
    name: 'promise-forgotten',
    bug: 'the accepted epoch is not read when a server starts, but taken to be the current one',
    onServer: (_server, member) => forgetPromise(member),
  },
  {
    name: 'tail-not-counted',
    bug: 'votes and syncs speak of what was committed, not of all that is in the log',
    plant: () => {
      const committed = new WeakMap<object, number>();
      const undo = patch(
        Pipeline.prototype,
        'commitUpTo',
        (original) =>
          function (this: object, zxid: number) {
            if (Number.isFinite(zxid)) committed.set(this, zxid);
            return original.call(this, zxid);
          },
      );
      const undoGetter = patchGetter(Database.prototype, 'lastLoggedZxid', (original, self) =>
        Math.min(original(), committed.get((self as { pipeline: object }).pipeline) ?? Number.POSITIVE_INFINITY),
      );
      return () => {
        undoGetter();
        undo();
      };
    },
  },
  {
    name: 'leads-without-quorum',
    bug: 'a leader begins its epoch when it has only its own acknowledgement of NEWLEADER',
    plant: () =>
      patch(
        LeaderRole.prototype,
        'setCurrentEpoch',
        (original) =>
          function (this: { rule: Peer['rule'] }, epoch: number, done: Done) {
            return original.call(this, epoch, (problem: string | null) => alone(this, () => done(problem)));
          },
      ),
  },
  {
    name: 'serves-before-uptodate',
    bug: 'a learner serves clients when it has acknowledged NEWLEADER',
    plant: () =>
      patch(
        LearnerRole.prototype,
        'onAcknowledged',
        (original) =>
          function (this: { serve(epoch: number): void }, zxid: number) {
            original.call(this, zxid);
            if (counterOf(zxid) === 0) this.serve(epochOf(zxid));
          },
      ),
  },
  {
    name: 'history-not-durable',
    bug: 'a learner acknowledges NEWLEADER before the history that it was sent is on its disk',
    disk: SLOW_SYNCS,
    plant: () =>
      patch(
        LearnerRole.prototype,
        'whenDurable',
        () =>
          function (this: unknown, done: Done) {
            done(null);
          },
      ),
  },
  {
    name: 'session-not-touched',
    bug: 'learners do not tell their leader of the sessions that they heard of',
    plant: () =>
      patch(
        LearnerRole.prototype,
        'takeTouched',
        (original) =>
          function (this: unknown, out: { clear(): void }) {
            original.call(this, out);
            out.clear();
          },
      ),
  },
  {
    name: 'sync-at-once',
    bug: 'a sync is answered without asking the leader',
    onServer: (server) => {
      server.mustSync = () => false;
    },
  },
  {
    name: 'diff-one-too-late',
    bug: 'a DIFF leaves out the first transaction that the learner lacks',
    plant: () => patchGetter(HistoryWalk.prototype, 'sendAfter', (original) => (original() as number) + 1),
  },
  {
    name: 'committed-log-hole',
    bug: 'one transaction in 20 is missing among the last ones that are kept for learners',
    plant: () => {
      const isLost = oneIn(20);
      return patch(
        CommittedLog.prototype,
        'add',
        (original) =>
          function (this: unknown, ...args) {
            if (!isLost()) original.apply(this, args);
          },
      );
    },
  },
  { name: 'lying-sync', bug: 'syncs are acknowledged and not done', disk: { liesAboutSync: true } },
];

/** Runs something while one server is a quorum by itself. */
function alone({ rule }: { readonly rule: Peer['rule'] }, run: () => void): void {
  const judge = rule as { isQuorum: Peer['rule']['isQuorum'] };
  const { isQuorum } = judge;
  judge.isQuorum = () => true;
  run();
  judge.isQuorum = isQuorum;
}

/** Replaces a getter of a class; returns the undo. */
function patchGetter(
  prototype: object,
  name: string,
  make: (original: () => number, self: unknown) => number,
): () => void {
  const known = Object.getOwnPropertyDescriptor(prototype, name) as PropertyDescriptor;
  const original = known.get as () => number;
  Object.defineProperty(prototype, name, {
    configurable: true,
    get(this: unknown) {
      return make(() => original.call(this), this);
    },
  });
  return () => Object.defineProperty(prototype, name, known);
}

function forgetPromise({ disk, core }: Member): void {
  const directory = `${core.dataDir}/${VERSION_DIR}`;
  const accepted = disk.image.names.get(`${directory}/acceptedEpoch`);
  const current = disk.image.names.get(`${directory}/currentEpoch`);
  if (accepted === undefined || current === undefined) return;
  accepted.truncate(0);
  accepted.write(0, current.cached, 0, current.cachedLength);
}
