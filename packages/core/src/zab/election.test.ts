import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '@zoots/base';
import { type EnsembleMember, NO_VOTE, type Notification, PEER_STATE } from '@zoots/protocol';
import { Election, NOTIFY_MAX_MS, NOTIFY_MIN_MS, type Vote } from './election.js';
import { type QuorumRule, quorumRuleOf } from './quorum.js';

interface History {
  readonly zxid: number;
  readonly epoch: number;
}

interface Message {
  readonly atMs: number;
  readonly from: number;
  readonly to: number;
  readonly notification: Notification;
}

/** Who finds no leader with a quorum gives up after this, as in discovery. */
const PATIENCE_MS = 2_000;

/** Servers and a network of ordered links with delays, which loses what is sent to who is down. */
class World {
  nowMs = 0;
  readonly elections = new Map<number, Election>();
  readonly elected = new Map<number, Vote>();
  readonly #messages: Message[] = [];
  readonly #linkMs = new Map<string, number>();
  readonly #giveUpMs = new Map<number, number>();
  readonly #prng: Prng;
  readonly #rule: QuorumRule;
  readonly #histories: ReadonlyMap<number, History>;
  delayMaxMs = 20;

  constructor(seed: number, histories: ReadonlyMap<number, History>, observers: readonly number[] = []) {
    this.#prng = new Prng(seed);
    this.#histories = histories;
    const members = [...histories.keys()].map((id): EnsembleMember => {
      return { id, role: observers.includes(id) ? 'observer' : 'participant', addresses: [], client: null };
    });
    this.#rule = quorumRuleOf({ members, groups: new Map(), weights: new Map(), version: 0 });
  }

  start(id: number): void {
    const settings = {
      serverId: id,
      rule: this.#rule,
      configText: '',
      notifyMinMs: NOTIFY_MIN_MS,
      notifyMaxMs: NOTIFY_MAX_MS,
    };
    const election = new Election(settings, {
      send: (to, notification) => this.#send(id, to, { ...notification, version: 2 }),
      connectAll: () => {},
      onElected: (vote) => {
        this.elected.set(id, vote);
        this.#giveUpMs.set(id, this.nowMs + PATIENCE_MS);
      },
    });
    this.elections.set(id, election);
    this.look(id);
  }

  look(id: number): void {
    const { zxid, epoch } = this.#histories.get(id) as History;
    this.elected.delete(id);
    this.elections.get(id)?.look(zxid, epoch, this.nowMs);
  }

  stop(id: number): void {
    this.elections.delete(id);
    this.elected.delete(id);
  }

  #send(from: number, to: number, notification: Notification): void {
    const link = `${from} ${to}`;
    const atMs = Math.max(this.#linkMs.get(link) ?? 0, this.nowMs + this.#prng.between(0, this.delayMaxMs));
    this.#linkMs.set(link, atMs);
    this.#messages.push({ atMs, from, to, notification });
  }

  /** Lets time pass until everybody who is up has a leader, at most so long. */
  run(limitMs = 300_000): void {
    const end = this.nowMs + limitMs;
    while (this.nowMs < end && !this.#isSettled()) {
      const deadlines = [...this.elections.values()].map(({ deadlineMs }) => deadlineMs);
      const givingUp = [...this.elected.keys()].filter((id) => !this.#hasLeader(id));
      const giveUpMs = givingUp.map((id) => this.#giveUpMs.get(id) as number);
      const next = Math.min(...deadlines, ...giveUpMs, ...this.#messages.map(({ atMs }) => atMs));
      if (next === Number.POSITIVE_INFINITY) return;
      this.nowMs = Math.max(this.nowMs, next);
      this.#deliverDue();
      for (const election of [...this.elections.values()]) {
        if (election.deadlineMs <= this.nowMs) election.onTime(this.nowMs);
      }
      for (const id of givingUp)
        if ((this.#giveUpMs.get(id) as number) <= this.nowMs && !this.#hasLeader(id)) this.look(id);
    }
  }

  /** The leader leads, and a quorum with it: otherwise discovery would fail. */
  #hasLeader(id: number): boolean {
    const leader = this.elected.get(id)?.leader as number;
    const learners = [...this.elected].filter(([, vote]) => vote.leader === leader).map(([follower]) => follower);
    return this.elections.get(leader)?.state === 'leading' && this.#rule.isQuorum(new Set(learners));
  }

  #isSettled(): boolean {
    return this.elected.size === this.elections.size && [...this.elected.keys()].every((id) => this.#hasLeader(id));
  }

  #deliverDue(): void {
    const due = this.#messages.filter(({ atMs }) => atMs <= this.nowMs).sort((a, b) => a.atMs - b.atMs);
    for (const message of due) {
      this.#messages.splice(this.#messages.indexOf(message), 1);
      this.elections.get(message.to)?.onNotification(message.from, message.notification, this.nowMs);
    }
  }

  leaders(): number[] {
    return [...new Set([...this.elected.values()].map(({ leader }) => leader))];
  }
}

const EMPTY: History = { zxid: 0, epoch: 0 };

function emptyServers(...ids: number[]): Map<number, History> {
  return new Map(ids.map((id) => [id, EMPTY]));
}

test('five empty servers started in order: the third leads, the others follow', () => {
  const world = new World(1, emptyServers(1, 2, 3, 4, 5));
  world.start(1);
  world.run(1_000);
  world.start(2);
  world.run(1_000);
  assert.equal(world.elected.size, 0);
  world.start(3);
  world.run();
  assert.deepEqual(world.leaders(), [3]);
  world.start(4);
  world.start(5);
  world.run();
  assert.equal(world.elected.size, 5);
  assert.deepEqual(world.leaders(), [3]);
  assert.equal(world.elections.get(3)?.state, 'leading');
  assert.equal(world.elections.get(5)?.state, 'following');
});

test('the longest history of the newest epoch leads, whatever the ids', () => {
  const histories = new Map([
    [1, { zxid: 0x200000005, epoch: 2 }],
    [2, { zxid: 0x200000007, epoch: 2 }],
    [3, { zxid: 0x1ffffffff, epoch: 1 }],
  ]);
  for (let seed = 0; seed < 30; seed++) {
    const world = new World(seed, histories);
    for (const id of [3, 1, 2]) world.start(id);
    world.run();
    assert.deepEqual(world.leaders(), [2], `seed ${seed}`);
  }
});

test('everybody who decides, decides for the same, with any delays and starts', () => {
  for (let seed = 0; seed < 300; seed++) {
    const prng = new Prng(seed);
    const count = prng.between(1, 7);
    const histories = new Map<number, History>();
    for (let id = 0; id < count; id++) {
      const epoch = prng.below(3);
      histories.set(id, { epoch, zxid: epoch * 2 ** 32 + prng.below(3) });
    }
    const world = new World(seed, histories);
    world.delayMaxMs = prng.pick([0, 5, 150]);
    for (const id of histories.keys()) {
      world.start(id);
      world.run(prng.below(400));
    }
    world.run();
    assert.equal(world.elected.size, count, `seed ${seed}`);
    assert.equal(world.leaders().length, 1, `seed ${seed}`);
  }
});

test('a minority decides nothing', () => {
  const world = new World(4, emptyServers(1, 2, 3, 4, 5));
  world.start(5);
  world.start(4);
  world.run(200_000);
  assert.equal(world.elected.size, 0);
});

test('a newcomer believes a quorum that has a leader, and no quorum whose leader is gone', () => {
  const world = new World(5, emptyServers(1, 2, 3));
  world.start(2);
  world.start(3);
  world.run();
  assert.deepEqual(world.leaders(), [3]);
  for (const election of world.elections.values()) election.onEpoch(1);
  world.start(1);
  world.run();
  assert.equal(world.elected.get(1)?.leader, 3);
  assert.equal(world.elected.get(1)?.peerEpoch, 1);
  // The leader goes, and the one follower does not know it yet: his word alone makes nobody leader.
  world.stop(3);
  world.look(1);
  world.run(PATIENCE_MS / 2);
  assert.equal(world.elected.has(1), false);
  world.run();
  assert.deepEqual(world.leaders(), [2]);
});

test('an observer finds the leader and is nobody', () => {
  const world = new World(6, emptyServers(1, 2, 3, 9), [9]);
  world.start(9);
  world.run(1_000);
  assert.equal(world.elected.size, 0);
  for (const id of [1, 2, 3]) world.start(id);
  world.run();
  assert.equal(world.elected.size, 4);
  assert.equal(world.leaders().length, 1);
  assert.notEqual(world.leaders()[0], 9);
  assert.equal(world.elections.get(9)?.state, 'observing');
});

function alone(
  sent: Omit<Notification, 'version'>[],
  elected: Vote[] = [],
  weights = new Map<number, number>(),
): Election {
  const members = [1, 2, 3].map((id): EnsembleMember => ({ id, role: 'participant', addresses: [], client: null }));
  const groups = weights.size === 0 ? new Map() : new Map([[1, [1, 2, 3]]]);
  const rule = quorumRuleOf({ members, groups, weights, version: 0 });
  const settings = { serverId: 1, rule, configText: 'text', notifyMinMs: NOTIFY_MIN_MS, notifyMaxMs: NOTIFY_MAX_MS };
  return new Election(settings, {
    send: (to, notification) => {
      if (to === 2) sent.push(notification);
    },
    connectAll: () => {},
    onElected: (vote) => elected.push(vote),
  });
}

const LOOKING: Notification = { state: 0, leader: 2, zxid: 7, round: 1, peerEpoch: 0, version: 2, config: null };

test('notifications are repeated after pauses that double', () => {
  const sent: Omit<Notification, 'version'>[] = [];
  const election = alone(sent);
  election.look(5, 0, 0);
  const times: number[] = [];
  for (let i = 0; i < 4; i++) {
    times.push(election.deadlineMs);
    election.onTime(election.deadlineMs);
  }
  assert.deepEqual(times, [200, 600, 1400, 3000]);
  assert.equal(sent.length, 5);
  assert.deepEqual(sent[0], { state: 0, leader: 1, zxid: 5, round: 1, peerEpoch: 0, config: 'text' });
});

test('a higher round is joined, a lower one is answered, a better vote is adopted', () => {
  const sent: Omit<Notification, 'version'>[] = [];
  const election = alone(sent);
  election.look(5, 0, 0);
  election.onNotification(2, { ...LOOKING, round: 4 }, 10);
  assert.equal(election.round, 4);
  assert.deepEqual(election.vote, { leader: 2, zxid: 7, peerEpoch: 0, round: 4 });
  sent.length = 0;
  election.onNotification(2, { ...LOOKING, round: 2, zxid: 99 }, 20);
  assert.deepEqual(sent, [{ state: 0, leader: 2, zxid: 7, round: 4, peerEpoch: 0, config: 'text' }]);
});

test('a quorum waits for something better for a moment', () => {
  const elected: Vote[] = [];
  const election = alone([], elected);
  election.look(5, 0, 0);
  election.onNotification(2, LOOKING, 10);
  assert.equal(election.deadlineMs, 210);
  election.onNotification(3, { ...LOOKING, leader: 3, zxid: 9 }, 100);
  election.onNotification(3, { ...LOOKING, leader: 3, zxid: 9 }, 150);
  election.onTime(election.deadlineMs);
  assert.deepEqual(elected, [{ leader: 3, zxid: 9, peerEpoch: 0, round: 1 }]);
});

test('who hears the same again and again still repeats what it said: it may have been lost', () => {
  const sent: Omit<Notification, 'version'>[] = [];
  const members = [1, 2, 3, 4, 5].map(
    (id): EnsembleMember => ({ id, role: 'participant', addresses: [], client: null }),
  );
  const rule = quorumRuleOf({ members, groups: new Map(), weights: new Map(), version: 0 });
  const settings = { serverId: 1, rule, configText: '', notifyMinMs: 200, notifyMaxMs: 400 };
  const election = new Election(settings, {
    send: (_to, notification) => sent.push(notification),
    connectAll: () => {},
    onElected: () => assert.fail('two of five elect nobody'),
  });
  election.look(5, 0, 0);
  election.onNotification(2, LOOKING, 1);
  sent.length = 0;
  for (let nowMs = 100; nowMs <= 2_000; nowMs += 100) {
    election.onNotification(2, LOOKING, nowMs);
    if (election.deadlineMs <= nowMs) election.onTime(nowMs);
  }
  assert.ok(sent.length >= 4 * 4, `${sent.length} repeated`);
});

test('who is no voter gets an answer and counts for nothing; whose leader is no voter, neither', () => {
  const answers: number[] = [];
  const members = [1, 2, 3].map((id): EnsembleMember => ({ id, role: 'participant', addresses: [], client: null }));
  const rule = quorumRuleOf({ members, groups: new Map(), weights: new Map(), version: 0 });
  const settings = { serverId: 1, rule, configText: '', notifyMinMs: 200, notifyMaxMs: 400 };
  const election = new Election(settings, {
    send: (to) => answers.push(to),
    connectAll: () => {},
    onElected: () => assert.fail('nobody was elected'),
  });
  election.look(5, 0, 0);
  answers.length = 0;
  election.onNotification(8, { ...LOOKING, leader: 8, zxid: 100 }, 1);
  election.onNotification(2, { ...LOOKING, leader: 8, zxid: 100 }, 1);
  assert.deepEqual(answers, [8]);
  assert.equal(election.vote.leader, 1);
});

test('a server without weight is voted for by nobody', () => {
  const weights = new Map([
    [1, 1],
    [2, 0],
    [3, 1],
  ]);
  const election = alone([], [], weights);
  election.look(5, 0, 0);
  election.onNotification(2, LOOKING, 1);
  assert.equal(election.vote.leader, 1);
});

test('a server with a role answers who looks, in the round of its vote, and hears nobody else', () => {
  const sent: Omit<Notification, 'version'>[] = [];
  const elected: Vote[] = [];
  const election = alone(sent, elected);
  election.look(5, 0, 0);
  election.onNotification(2, LOOKING, 1);
  election.onTime(election.deadlineMs);
  assert.equal(election.state, 'following');
  election.onEpoch(3);
  sent.length = 0;
  election.onNotification(2, { ...LOOKING, round: 9, zxid: 100 }, 5_000);
  election.onNotification(2, { ...LOOKING, state: PEER_STATE.leading }, 5_000);
  assert.deepEqual(sent, [{ state: 1, leader: 2, zxid: 7, round: 1, peerEpoch: 3, config: 'text' }]);
});

test('servers of an old version agree by the leader alone', () => {
  const elected: Vote[] = [];
  const election = alone([], elected);
  election.look(5, 0, 0);
  election.onNotification(2, { ...LOOKING, state: PEER_STATE.leading, round: 9, peerEpoch: 4 }, 1);
  assert.equal(elected.length, 0);
  election.onNotification(3, { ...LOOKING, state: PEER_STATE.following, round: 9, peerEpoch: 0, version: 0 }, 2);
  assert.equal(elected[0]?.leader, 2);
  assert.equal(election.round, 9);
  assert.notEqual(NO_VOTE, elected[0]?.leader);
});
