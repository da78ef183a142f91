/**
 * Everything at once, by seed: clients with sessions of each kind, servers that are killed, cut off, stalled, slow, wiped if they may
 * be; then all is well again, and nothing acknowledged is lost, all are of one state, and nothing is left of anything in flight.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteReader, Prng } from '@zoots/base';
import { CREATE_MODE, ERROR, OP } from '@zoots/protocol';
import { createBody, setDataBody, type TestClient, type TestSession } from './stage-client.js';
import type { TestOptions } from './stage-config.js';
import { TestEnsemble, type TestMember } from './stage-ensemble.js';

const SEEDS = 24;
const ROUNDS = 60;
const TIMEOUT_MS = 1_500;
const DATA_LENGTH_AND_VERSION_AT = 32;

/** One who goes on whatever happens to its connection. */
class Player {
  client: TestClient | null = null;
  session: TestSession | null = null;
  lastZxid = 0;
  /** Paths of creates that were acknowledged. */
  readonly kept = new Set<string>();
  incrementCount = 0;
  readonly #ensemble: TestEnsemble;
  readonly #prng: Prng;
  readonly #name: string;
  #asked: { readonly xid: number; readonly path: string | null; readonly isIncrement: boolean }[] = [];
  #heardCount = 0;
  #count = 0;
  #version = 0;

  constructor(ensemble: TestEnsemble, prng: Prng, name: string) {
    this.#ensemble = ensemble;
    this.#prng = prng;
    this.#name = name;
  }

  play(): void {
    this.hear();
    if (this.client === null || this.client.isClosed) this.#connect();
    else if (this.client.isConnected) this.#ask(this.client);
  }

  #connect(): void {
    this.#drop();
    const member = this.#prng.pick(this.#ensemble.members);
    if (!member.isStarted) return;
    this.client = member.open();
    const { session, lastZxid: lastZxidSeen } = this;
    this.client.connect({ timeoutMs: TIMEOUT_MS, lastZxidSeen, ...(session === null ? {} : { session }) });
    this.#heardCount = 0;
    this.#asked = [];
  }

  #drop(): void {
    this.hear();
    const session = this.client?.session;
    if (session?.timeoutMs === 0) this.session = null;
    this.client = null;
  }

  #ask(client: TestClient): void {
    const note = (xid: number, path: string | null = null, isIncrement = false): void => {
      this.#asked.push({ xid, path, isIncrement });
    };
    for (let i = this.#prng.below(4); i >= 0; i--) {
      const path = `/kept/${this.#name}-${this.#count++}`;
      const action = this.#prng.below(10);
      if (action < 3) note(client.create(path, 'x'.repeat(this.#prng.below(60))), path);
      else if (action === 3) note(client.multi([{ op: OP.create2, body: createBody(path, '', 0) }]), path);
      else if (action === 4) note(client.create(`/e/${this.#name}-`, '', CREATE_MODE.ephemeralSequential));
      else if (action === 5) note(client.sync());
      else if (action < 8) note(client.send(OP.setData, setDataBody('/counter', 'n', this.#version)), null, true);
      else if (action === 8) client.ping();
      else note(client.exists('/counter'));
    }
    if (this.#prng.chance(0.02)) {
      note(client.close());
      this.session = null;
    } else if (this.#prng.chance(0.03)) client.disconnect();
  }

  /** What was answered: in order, never back in time. */
  hear(): void {
    const { client } = this;
    if (client === null) return;
    if (client.session !== null && client.session.timeoutMs > 0) this.session ??= client.session;
    const replies = client.replies.filter(({ xid }) => xid > 0);
    for (; this.#heardCount < replies.length; this.#heardCount++) {
      const { xid, zxid, code, body } = replies[this.#heardCount] as (typeof replies)[number];
      const asked = this.#asked[this.#heardCount];
      assert.equal(xid, asked?.xid, 'answers in the order of the requests');
      assert.ok(zxid >= this.lastZxid, 'time does not go back');
      this.lastZxid = zxid;
      if (asked?.path != null && code === ERROR.ok) this.kept.add(asked.path);
      if (asked?.isIncrement !== true) continue;
      assert.ok(code === ERROR.ok || REFUSALS.includes(code), `code ${code}`);
      if (code === ERROR.ok) this.incrementCount++;
      this.#version = code === ERROR.ok ? versionIn(body) : this.#version + 1;
    }
  }

  leave(): void {
    this.hear();
    this.client?.disconnect();
  }
}

const REFUSALS: readonly number[] = [ERROR.badVersion, ERROR.sessionExpired, ERROR.notReadOnly];

/** In a stat: czxid, mzxid, ctime, mtime, version. */
function versionIn(body: Uint8Array): number {
  return new ByteReader(body, DATA_LENGTH_AND_VERSION_AT).int32();
}

/** What a fault needs to know; it returns what undoes it. */
type Fault = (ensemble: TestEnsemble, member: TestMember, prng: Prng) => () => void;

const FAULTS: readonly Fault[] = [
  (_, member) => {
    member.kill();
    return () => member.start();
  },
  (ensemble, { id }) => {
    ensemble.network.isolate(id);
    return () => ensemble.network.rejoin(id);
  },
  (ensemble, { id }, prng) => {
    const other = prng.pick(ensemble.members).id;
    ensemble.network.stall(id, other);
    return () => ensemble.network.heal(id, other);
  },
  (ensemble, { id }, prng) => {
    const other = prng.pick(ensemble.members).id;
    ensemble.network.cut(id, other);
    return () => ensemble.network.heal(id, other);
  },
  (_, member) => {
    member.isDiskHeld = true;
    return () => {
      member.isDiskHeld = false;
    };
  },
  (ensemble, { id }, prng) => {
    ensemble.network.breakStreams(id, prng.pick(ensemble.members).id);
    return () => {};
  },
  (_, member) => {
    // An observer's disk holds no promise.
    if (member.id < OBSERVER_IDS_MIN) return () => {};
    member.kill();
    member.wipe();
    return () => member.start();
  },
];

const OBSERVER_IDS_MIN = 50;

function optionsOf(prng: Prng, seed: number): TestOptions {
  return {
    seed,
    voters: prng.pick([
      [1, 2, 3],
      [1, 2, 3, 4, 5],
    ]),
    observers: prng.pick([[], [OBSERVER_IDS_MIN], [OBSERVER_IDS_MIN, OBSERVER_IDS_MIN + 1]]),
    chunkBytesMax: prng.pick([20, 500, 65_536]),
    rules: {
      localSessionsEnabled: prng.chance(0.5),
      localSessionsUpgradingEnabled: prng.chance(0.7),
      readOnlyEnabled: prng.chance(0.3),
      leaderServes: prng.chance(0.8),
      committedLogCount: prng.pick([2, 10, 500]),
      snapshotSizeFactor: prng.pick([-1, 0.33, 100]),
      forceSnapshotSync: prng.chance(0.1),
    },
    config: {
      snapCount: prng.pick([5, 30, 100_000]),
      snapshotSliceBytes: prng.pick([100, 1_000, 100_000]),
      globalOutstandingLimit: prng.pick([1, 5, 1_000]),
      framesPerTurnMax: prng.pick([1, 1_000]),
    },
  };
}

class Chaos {
  readonly ensemble: TestEnsemble;
  readonly players: Player[];
  readonly #prng: Prng;
  readonly #undos: (() => void)[] = [];
  readonly #busy = new Set<TestMember>();

  constructor(seed: number) {
    this.#prng = new Prng(seed);
    this.ensemble = new TestEnsemble(optionsOf(this.#prng, seed)).start();
    const first = this.ensemble.client(this.ensemble.followers[0] as TestMember);
    for (const path of ['/kept', '/e', '/counter']) first.create(path);
    this.ensemble.settle();
    first.close();
    this.ensemble.settle();
    this.players = Array.from(
      { length: 5 },
      (_, i) => new Player(this.ensemble, this.#prng.fork(`player ${i}`), `${i}`),
    );
  }

  run(): void {
    const prng = this.#prng;
    for (let round = 0; round < ROUNDS; round++) {
      for (const player of this.players) player.play();
      if (prng.chance(0.25)) this.#harm();
      if (prng.chance(0.25)) this.#undos.splice(prng.below(this.#undos.length + 1), 1)[0]?.();
      for (let steps = prng.below(80); steps > 0 && this.ensemble.step(); steps--);
      if (prng.chance(0.5)) this.ensemble.advance(prng.pick([1, 20, 150, 600]));
      for (const { id, fatal } of this.ensemble.members) assert.equal(fatal, null, `server ${id}`);
    }
  }

  #harm(): void {
    const { members } = this.ensemble;
    const leading = members.find(({ role }) => role === 'leading');
    const member = this.#prng.chance(0.4) ? (leading ?? this.#prng.pick(members)) : this.#prng.pick(members);
    if (member.server === null || this.#busy.has(member)) return;
    this.#busy.add(member);
    const undo = this.#prng.pick(FAULTS)(this.ensemble, member, this.#prng);
    this.#undos.push(() => {
      undo();
      this.#busy.delete(member);
    });
  }

  heal(): void {
    for (const undo of this.#undos.splice(0)) undo();
    const { members } = this.ensemble;
    this.ensemble.until('all serve', () => members.every(({ isServing }) => isServing), 60_000);
    this.ensemble.settle();
  }

  check(): void {
    const { ensemble, players } = this;
    ensemble.check();
    let increments = 0;
    for (const player of players) {
      player.leave();
      increments += player.incrementCount;
      for (const member of ensemble.members) {
        for (const path of player.kept) assert.ok(member.has(path), `server ${member.id}: ${path} was acknowledged`);
      }
    }
    const reader = ensemble.client(ensemble.followers[0] as TestMember);
    const xid = reader.exists('/counter');
    ensemble.settle();
    const version = versionIn(reader.reply(xid)?.body ?? new Uint8Array(0));
    assert.ok(version >= increments, `${increments} increments were acknowledged, and there are ${version}`);
    reader.close();
    ensemble.settle();
    ensemble.advance(2 * TIMEOUT_MS);
    ensemble.settle().check();
    for (const { id, live } of ensemble.members) {
      assert.equal(live.sessions.count, 0, `server ${id} has sessions that nobody has`);
      assert.equal(live.tree.ephemerals.count, 0, `server ${id} has ephemerals that nobody owns`);
    }
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`seed ${seed}`, () => {
    const chaos = new Chaos(seed);
    chaos.run();
    chaos.heal();
    chaos.check();
  });
}
