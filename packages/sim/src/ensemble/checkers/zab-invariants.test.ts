/** Each invariant with a story that keeps it and one that breaks it, told in events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COUNTER_MAX, epochOf, makeZxid } from '@zoots/protocol';
import { Violation } from '../../checkers/violation.js';
import type { MemberRole, ZabEvent } from '../zab-events.js';
import { ZabInvariants } from './zab-invariants.js';

const isQuorum = (ids: ReadonlySet<number>): boolean => [1, 2, 3].filter((id) => ids.has(id)).length >= 2;

const z = makeZxid;
type Events = readonly ZabEvent[];

/** A tree's digest is a function of its history; here, of the zxid. */
const digestAt = (zxid: number): { digestHigh: number; digestLow: number } => ({
  digestHigh: epochOf(zxid),
  digestLow: zxid % 1_000_003,
});

function recovered(server: number, zxid = 0, accepted = epochOf(zxid), current = accepted): ZabEvent {
  return { kind: 'recovered', server, zxid, acceptedEpoch: accepted, currentEpoch: current, ...digestAt(zxid) };
}

const role = (server: number, to: MemberRole): ZabEvent => ({ kind: 'role', server, role: to, why: '' });
const accepts = (server: number, epoch: number): ZabEvent => {
  return { kind: 'epoch-written', server, which: 'accepted', epoch };
};
const enters = (server: number, epoch: number): ZabEvent => {
  return { kind: 'epoch-written', server, which: 'current', epoch };
};
const leads = (server: number, epoch: number): ZabEvent => ({ kind: 'leading', server, epoch });
const follows = (server: number, leader: number, epoch: number): ZabEvent => {
  return { kind: 'following', server, leader, epoch };
};
const acks = (server: number, zxid: number): ZabEvent => ({ kind: 'acknowledged', server, zxid });
const proposes = (server: number, zxid: number, hash = zxid % 997, epoch = epochOf(zxid)): ZabEvent => {
  return { kind: 'proposed', server, epoch, zxid, hash };
};
const applies = (server: number, zxid: number, hash = zxid % 997): ZabEvent => {
  return { kind: 'applied', server, zxid, hash, ...digestAt(zxid), role: 'following', epoch: epochOf(zxid) };
};
const crashes = (server: number): ZabEvent => ({ kind: 'crashed', server, isPowerLost: true });
const replaced = (server: number, how: 'truncated' | 'snapshot', zxid: number): ZabEvent => {
  return { kind: 'replaced', server, how, zxid, ...digestAt(zxid) };
};

/** `leader` and one follower begin an epoch; both have what came before. */
function reign(leader: number, follower: number, epoch: number): ZabEvent[] {
  const entries = [leader, follower].flatMap((id) => [accepts(id, epoch), enters(id, epoch)]);
  return [
    role(leader, 'leading'),
    role(follower, 'following'),
    ...entries,
    acks(follower, z(epoch, 0)),
    leads(leader, epoch),
    follows(follower, leader, epoch),
  ];
}

/** One transaction through a leader and one follower. */
function write(leader: number, follower: number, zxid: number): ZabEvent[] {
  return [proposes(leader, zxid), acks(follower, zxid), applies(leader, zxid), applies(follower, zxid)];
}

const BEGIN: Events = [recovered(1), recovered(2), recovered(3)];
const [LOOK_1, LOOK_2, LOOK_3] = [role(1, 'looking'), role(2, 'looking'), role(3, 'looking')];

/** The story without its last events, which break it. */
interface Story {
  readonly invariant: string;
  readonly keeps: Events;
  readonly breaks: Events;
}

const EPOCH_1: Events = [...BEGIN, ...reign(3, 2, 1)];
const WRITTEN: Events = [...EPOCH_1, ...write(3, 2, z(1, 1)), ...write(3, 2, z(1, 2))];

const STORIES: readonly Story[] = [
  {
    invariant: 'I1 Leadership1',
    keeps: [...EPOCH_1, LOOK_2, LOOK_3, ...reign(1, 2, 2)],
    breaks: [...EPOCH_1, accepts(1, 1), enters(1, 1), leads(1, 1)],
  },
  {
    invariant: 'I2 Leadership2',
    keeps: [...EPOCH_1, proposes(3, z(1, 1))],
    breaks: [...EPOCH_1, LOOK_3, accepts(1, 1), enters(1, 1), leads(1, 1)],
  },
  {
    invariant: 'I2 Leadership2',
    keeps: [...EPOCH_1, proposes(3, z(1, 1))],
    breaks: [...EPOCH_1, proposes(2, z(1, 1))],
  },
  {
    invariant: 'I3 PrefixConsistency',
    keeps: WRITTEN,
    breaks: [...EPOCH_1, ...write(3, 2, z(1, 1)).slice(0, 3), applies(2, z(1, 1), 7)],
  },
  {
    invariant: 'I4 Integrity',
    keeps: WRITTEN,
    breaks: [...EPOCH_1, proposes(3, z(1, 1)), acks(2, z(1, 1)), applies(2, z(1, 1), 7)],
  },
  {
    invariant: 'I4 Integrity',
    keeps: WRITTEN,
    breaks: [...EPOCH_1, acks(2, z(1, 1)), applies(2, z(1, 1))],
  },
  {
    // Server 1 delivers behind the end of epoch 1 what nobody else has.
    invariant: 'I5 Agreement',
    keeps: [...WRITTEN, LOOK_3, LOOK_2, ...reign(2, 3, 2), ...write(2, 3, z(2, 1))],
    breaks: [
      ...WRITTEN,
      proposes(3, z(1, 3)),
      LOOK_2,
      LOOK_3,
      ...[applies(1, z(1, 1)), applies(1, z(1, 2))],
      ...[...reign(2, 1, 2), ...write(2, 1, z(2, 1))],
      ...[role(3, 'following'), accepts(3, 2), enters(3, 2), follows(3, 2, 2), applies(3, z(1, 3))],
    ],
  },
  {
    // A tail that should have been cut.
    invariant: 'I5 Agreement',
    keeps: [...WRITTEN, proposes(3, z(1, 3)), LOOK_3, LOOK_2, applies(3, z(1, 3)), ...reign(3, 2, 2)],
    breaks: [
      ...[...WRITTEN, proposes(3, z(1, 3)), LOOK_3, LOOK_2, applies(1, z(1, 1)), applies(1, z(1, 2))],
      ...[...reign(2, 1, 2), applies(3, z(1, 3)), accepts(3, 2), enters(3, 2), follows(3, 2, 2)],
    ],
  },
  {
    invariant: 'I6 TotalOrder',
    keeps: [...WRITTEN, LOOK_2, ...[accepts(1, 1), enters(1, 1)], applies(1, z(1, 1)), follows(1, 3, 1)],
    breaks: [
      ...[...WRITTEN, LOOK_3, LOOK_2, ...reign(2, 3, 2), ...write(2, 3, z(2, 1))],
      ...[accepts(1, 2), enters(1, 2), applies(1, z(1, 1)), applies(1, z(2, 1)), follows(1, 2, 2)],
    ],
  },
  {
    invariant: 'I7 LocalPrimaryOrder',
    keeps: [...EPOCH_1, proposes(3, z(1, 1)), proposes(3, z(1, 2)), acks(2, z(1, 2)), applies(2, z(1, 1))],
    breaks: [...EPOCH_1, proposes(3, z(1, 1)), proposes(3, z(1, 2)), acks(2, z(1, 2)), applies(2, z(1, 2))],
  },
  {
    invariant: 'I8 GlobalPrimaryOrder',
    keeps: [...WRITTEN, LOOK_3, LOOK_2, ...reign(2, 3, 2), ...write(2, 3, z(2, 1))],
    breaks: [...WRITTEN, LOOK_3, LOOK_2, ...reign(2, 3, 2), ...write(2, 3, z(2, 1)), applies(3, z(1, 3))],
  },
  {
    invariant: 'I9 PrimaryIntegrity',
    keeps: [...WRITTEN, LOOK_3, LOOK_2, ...reign(2, 3, 2), proposes(2, z(2, 1))],
    breaks: [...WRITTEN, LOOK_2, LOOK_3, ...reign(1, 3, 2).slice(0, -1)],
  },
  {
    // The old leader and its follower go on where a new one broadcasts already.
    invariant: 'I9 PrimaryIntegrity',
    keeps: [...WRITTEN, LOOK_3, LOOK_2, ...reign(2, 3, 2), proposes(2, z(2, 1))],
    breaks: [
      ...EPOCH_1,
      ...[proposes(3, z(1, 1)), acks(2, z(1, 1)), accepts(1, 2), enters(1, 2), acks(2, z(1, 1))],
      { kind: 'epoch-written', server: 2, which: 'accepted', epoch: 2 },
      { kind: 'epoch-written', server: 2, which: 'current', epoch: 2 },
      ...[acks(2, z(2, 0)), leads(1, 2), proposes(1, z(2, 1)), applies(3, z(1, 1))],
    ],
  },
  {
    invariant: 'I10 AcknowledgedIsDurable',
    keeps: [...WRITTEN, crashes(2), recovered(2, z(1, 2))],
    breaks: [...WRITTEN, crashes(2), recovered(2, z(1, 1))],
  },
  {
    // Without follower 2 alone there is no quorum: the leader has counted itself.
    invariant: 'I10 AcknowledgedIsDurable',
    keeps: [...WRITTEN, crashes(3), recovered(3, z(1, 2))],
    breaks: [...WRITTEN, crashes(3), recovered(3, z(1, 1))],
  },
  {
    // A history that NEWLEADER's acknowledgement spoke of.
    invariant: 'I10 AcknowledgedIsDurable',
    keeps: [...WRITTEN, ...[accepts(1, 1), applies(1, z(1, 1))], crashes(1), recovered(1, 0, 1, 0)],
    breaks: [
      ...WRITTEN,
      ...[accepts(1, 1), applies(1, z(1, 1)), applies(1, z(1, 2)), enters(1, 1), acks(1, z(1, 0))],
      ...[crashes(1), recovered(1, z(1, 1), 1)],
    ],
  },
  {
    invariant: 'I11 PromisesKept',
    keeps: [...EPOCH_1, crashes(2), recovered(2, 0, 1)],
    breaks: [...EPOCH_1, crashes(2), recovered(2, 0, 0)],
  },
  {
    invariant: 'I11 PromisesKept',
    keeps: [...BEGIN, accepts(1, 3), enters(1, 2)],
    breaks: [...BEGIN, accepts(1, 3), enters(1, 4)],
  },
  {
    invariant: 'I11 PromisesKept',
    keeps: [...BEGIN, accepts(1, 3), accepts(1, 4)],
    breaks: [...BEGIN, accepts(1, 3), accepts(1, 2)],
  },
  {
    invariant: 'I11 PromisesKept',
    keeps: [...BEGIN, accepts(1, 1), enters(1, 1), acks(1, z(1, 0))],
    breaks: [...BEGIN, accepts(1, 1), acks(1, z(1, 0))],
  },
  {
    invariant: 'I12 EqualDigests',
    keeps: WRITTEN,
    breaks: [...WRITTEN, crashes(2), { ...(recovered(2, z(1, 2)) as ZabEvent & { kind: 'recovered' }), digestLow: 1 }],
  },
  {
    invariant: 'I13 CommittedStays',
    keeps: [...WRITTEN, proposes(3, z(1, 3)), LOOK_2, applies(2, z(1, 3)), replaced(2, 'truncated', z(1, 2))],
    breaks: [...WRITTEN, LOOK_2, replaced(2, 'truncated', z(1, 1))],
  },
  {
    invariant: 'I13 CommittedStays',
    keeps: [...WRITTEN, LOOK_2, replaced(2, 'snapshot', z(1, 2))],
    breaks: [...WRITTEN, LOOK_2, replaced(2, 'snapshot', z(1, 1))],
  },
  {
    invariant: 'I14 ZxidsOnce',
    keeps: [...EPOCH_1, proposes(3, z(1, 1)), proposes(3, z(1, 2))],
    breaks: [...EPOCH_1, proposes(3, z(1, 1)), proposes(3, z(1, 1))],
  },
  {
    invariant: 'I14 ZxidsOnce',
    keeps: [...EPOCH_1, proposes(3, z(1, 1))],
    breaks: [...EPOCH_1, proposes(3, z(1, 2))],
  },
  {
    invariant: 'I15 NoHoles',
    keeps: [...WRITTEN, applies(1, z(1, 1)), applies(1, z(1, 2))],
    breaks: [...WRITTEN, applies(1, z(1, 1)), applies(1, z(1, 3))],
  },
  {
    invariant: 'I16 QuorumBehindCommit',
    keeps: [...EPOCH_1, proposes(3, z(1, 1)), acks(2, z(1, 1)), applies(3, z(1, 1))],
    breaks: [...EPOCH_1, proposes(3, z(1, 1)), applies(3, z(1, 1))],
  },
  {
    invariant: 'I16 QuorumBehindCommit',
    keeps: EPOCH_1,
    breaks: [...BEGIN, accepts(3, 1), enters(3, 1), leads(3, 1)],
  },
];

function outcomeOf(events: Events): string {
  const invariants = new ZabInvariants({ isQuorum });
  for (const event of events) {
    try {
      invariants.onEvent(event);
    } catch (error) {
      if (error instanceof Violation) return error.checker;
      throw error;
    }
  }
  return 'kept';
}

for (const [index, { invariant, keeps, breaks }] of STORIES.entries()) {
  test(`${invariant}, story ${index}`, () => {
    assert.equal(outcomeOf(keeps), 'kept');
    assert.equal(outcomeOf(breaks), invariant);
    // The last event is the one that breaks it.
    assert.equal(outcomeOf(breaks.slice(0, -1)), 'kept');
  });
}

test('every number from 1 to 16 has its story', () => {
  const told = new Set(STORIES.map(({ invariant }) => Number.parseInt(invariant.slice(1), 10)));
  assert.deepEqual(
    [...told].sort((left, right) => left - right),
    Array.from({ length: 16 }, (_, i) => i + 1),
  );
});

test('the counter of an epoch does not wrap', () => {
  const invariants = new ZabInvariants({ isQuorum });
  for (const event of EPOCH_1) invariants.onEvent(event);
  assert.throws(() => invariants.onEvent(proposes(3, z(1, COUNTER_MAX + 1), 0, 1)), /I14 ZxidsOnce/);
});

test('an uncommitted tail that its owner brings through an election is committed, unknown as it is', () => {
  const events = [
    ...WRITTEN,
    ...[proposes(3, z(1, 3)), proposes(3, z(1, 4)), crashes(3), crashes(2)],
    // The log had both proposals; nobody had applied them.
    ...[recovered(3, z(1, 4), 1), recovered(2, z(1, 2), 1), LOOK_3, LOOK_2],
    ...[applies(2, z(1, 3)), applies(2, z(1, 4))],
    ...[...reign(3, 2, 2), ...write(3, 2, z(2, 1))],
    // A third one comes from far behind.
    ...[accepts(1, 2), enters(1, 2)],
    ...[z(1, 1), z(1, 2), z(1, 3), z(1, 4), z(2, 1)].map((zxid) => applies(1, zxid)),
    follows(1, 3, 2),
  ];
  assert.equal(outcomeOf(events), 'kept');
});

test('an uncommitted tail that is cut is nobody’s loss, and a snapshot is a history', () => {
  const events = [
    ...WRITTEN,
    ...[proposes(3, z(1, 3)), crashes(3), LOOK_2, applies(1, z(1, 1)), applies(1, z(1, 2))],
    ...[...reign(2, 1, 2), ...write(2, 1, z(2, 1))],
    ...[recovered(3, z(1, 3), 1), role(3, 'following'), accepts(3, 2), replaced(3, 'truncated', z(1, 2))],
    ...[applies(3, z(2, 1)), enters(3, 2), acks(3, z(2, 0)), follows(3, 2, 2)],
    ...[LOOK_1, accepts(1, 2), replaced(1, 'snapshot', z(2, 1)), acks(1, z(2, 0)), follows(1, 2, 2)],
    ...[proposes(2, z(2, 2)), acks(1, z(2, 2)), applies(2, z(2, 2)), applies(1, z(2, 2)), applies(3, z(2, 2))],
  ];
  assert.equal(outcomeOf(events), 'kept');
});

test('a snapshot that did not come to the disk leaves the old history', () => {
  const half = [...WRITTEN, applies(1, z(1, 1)), replaced(1, 'snapshot', z(1, 2)), LOOK_1];
  const whole = [...half, applies(1, z(1, 2)), accepts(1, 1), enters(1, 1), acks(1, z(1, 0)), follows(1, 3, 1)];
  assert.equal(outcomeOf(whole), 'kept');
  assert.equal(outcomeOf([...half, crashes(1), recovered(1, z(1, 1), 1), applies(1, z(1, 2))]), 'kept');
  assert.equal(outcomeOf([...half, applies(1, z(1, 1))]), 'I15 NoHoles');
});

test('a leader that stood still finds the acknowledgements of its quorum when a later epoch has begun, and that is no harm', () => {
  const late = [
    ...[...WRITTEN, LOOK_3, LOOK_2, accepts(2, 2), enters(2, 2), accepts(3, 2), enters(3, 2), acks(3, z(2, 0))],
    // Server 2 stands still. The others go on without it.
    ...[applies(1, z(1, 1)), applies(1, z(1, 2)), ...reign(3, 1, 3), ...write(3, 1, z(3, 1))],
    leads(2, 2),
  ];
  assert.equal(outcomeOf(late), 'kept');
});

test('a wiped server is another one', () => {
  assert.equal(outcomeOf([...WRITTEN, crashes(1), { kind: 'wiped', server: 1 }, recovered(1)]), 'kept');
});
