/** The judges must be able to fail: a correct history of a simulated ensemble passes, and every one of many planted faults is found. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Prng } from '../differential/prng.js';
import type { Operation, OperationKind, Outcome } from './history.js';
import { checkRegisters, checkZxids } from './linearizability.js';

const writeKinds: readonly OperationKind[] = ['write', 'cas', 'create', 'delete'];

/** A history of clients at servers that lag behind: each request takes effect at one moment between its call and its return. */
class World {
  readonly history: Operation[] = [];
  readonly #prng: Prng;
  readonly #states = new Map<string, { value: string | null; version: number; mzxid: number }[]>();
  readonly #freeAtMs: number[];
  readonly #sessionZxids: number[];
  #zxid = 0;
  #nowMs = 0;
  #xid = 0;

  constructor(seed: number, clients: number) {
    this.#prng = new Prng(seed);
    this.#freeAtMs = Array.from({ length: clients }, () => 0);
    this.#sessionZxids = Array.from({ length: clients }, () => 0);
  }

  run(steps: number, keys: number): Operation[] {
    for (let i = 0; i < steps; i++) this.#step(`/r${this.#prng.below(keys)}`);
    return this.history;
  }

  #step(key: string): void {
    const prng = this.#prng;
    this.#nowMs += 1 + prng.below(3);
    const client = prng.below(this.#freeAtMs.length);
    // It takes effect now; it was sent between the client's last answer and now, and is answered later.
    const freeAtMs = this.#freeAtMs[client] as number;
    if (freeAtMs >= this.#nowMs) return;
    const calledMs = Math.max(freeAtMs + 0.1, this.#nowMs - prng.below(20));
    const returnedMs = this.#nowMs + 0.5 + prng.below(20);
    this.#freeAtMs[client] = returnedMs;
    const kind = prng.weighted({ read: 30, write: 40, cas: 15, create: 15, delete: 5 });
    const versions = this.#states.get(key) ?? [{ value: null, version: -1, mzxid: 0 }];
    this.#states.set(key, versions);
    const isLinear = kind === 'read' && prng.chance(0.5);
    const state = versions[versions.length - 1] as (typeof versions)[number];
    const expectedVersion = kind === 'cas' ? Math.max(0, state.version - prng.below(2)) : -1;
    const isPossible =
      kind === 'create'
        ? state.value === null
        : state.value !== null && (expectedVersion < 0 || expectedVersion === state.version);
    const isWrite = kind !== 'read';
    let outcome: Outcome = !isWrite || isPossible ? 'ok' : 'refused';
    const base = { client, session: BigInt(client), xid: ++this.#xid, key, kind, expectedVersion, isLinear, calledMs };
    if (!isWrite) {
      // A server behind the newest state, but not behind what its client was told.
      const behind = isLinear
        ? [state]
        : versions.filter(({ mzxid }, at) => this.#isAllowed(client, versions[at + 1]?.mzxid, mzxid));
      const seen = prng.pick(behind);
      const zxid = Math.max(this.#sessionZxids[client] as number, isLinear ? this.#zxid : seen.mzxid);
      this.#sessionZxids[client] = zxid;
      this.history.push({
        ...base,
        outcome,
        value: seen.value,
        version: seen.version,
        mzxid: seen.value === null ? -1 : seen.mzxid,
        zxid,
        returnedMs,
      });
      return;
    }
    const zxid = ++this.#zxid;
    const value = kind === 'delete' ? null : `v${zxid}`;
    const version = outcome === 'refused' || kind === 'delete' ? -1 : kind === 'create' ? 0 : state.version + 1;
    if (outcome === 'ok') versions.push({ value, version, mzxid: zxid });
    const isHeard = !prng.chance(0.05);
    if (!isHeard) outcome = outcome === 'refused' ? 'refused' : 'unknown';
    if (outcome === 'unknown') {
      this.history.push({
        ...base,
        outcome,
        value,
        version: -1,
        mzxid: -1,
        zxid: prng.chance(0.5) ? zxid : -1,
        returnedMs: Number.POSITIVE_INFINITY,
      });
      // The logs tell of most of them.
      const last = this.history[this.history.length - 1] as Operation;
      last.zxid = zxid;
      if (prng.chance(0.5)) last.outcome = 'ok';
      return;
    }
    this.#sessionZxids[client] = zxid;
    this.history.push({ ...base, outcome, value, version, mzxid: -1, zxid, returnedMs });
  }

  /** Whether a session may still see a state that ended at `endedBy`. */
  #isAllowed(client: number, endedBy: number | undefined, beganBy: number): boolean {
    return (endedBy === undefined || endedBy > (this.#sessionZxids[client] as number)) && beganBy >= 0;
  }
}

const seeds = Array.from({ length: 20 }, (_, at) => at + 1);

function acknowledgedWrites(history: readonly Operation[]): Operation[] {
  return history.filter(
    ({ kind, outcome, returnedMs }) =>
      writeKinds.includes(kind) && outcome === 'ok' && returnedMs < Number.POSITIVE_INFINITY,
  );
}

test('correct histories pass', () => {
  for (const seed of seeds) {
    const history = new World(seed, 6).run(1_500, 8);
    assert.deepEqual(checkRegisters(history), [], `seed ${seed}`);
    assert.deepEqual(checkZxids(history), [], `seed ${seed}`);
  }
});

test('a stale linear read is found, by the order of values and by zxids', () => {
  for (const seed of seeds) {
    const history = new World(seed, 6).run(1_500, 8);
    const reads = history.filter(({ isLinear, value, calledMs }) => isLinear && value !== null && calledMs > 1_000);
    const read = reads[reads.length >> 1] as Operation;
    const before = acknowledgedWrites(history).filter(
      ({ key, returnedMs }) => key === read.key && returnedMs < read.calledMs,
    );
    const old = before.sort((a, b) => a.zxid - b.zxid)[0] as Operation;
    Object.assign(read, { value: old.value ?? 'gone', version: old.version, mzxid: old.zxid, zxid: old.zxid });
    assert.equal(checkRegisters(history).length, 1, `seed ${seed}`);
    assert.ok(
      checkZxids(history).some((problem) => problem.startsWith('L1')),
      `seed ${seed}`,
    );
  }
});

test('a lost acknowledged write is found by the next linear read', () => {
  for (const seed of seeds) {
    const history = new World(seed, 6).run(1_500, 8);
    const writes = acknowledgedWrites(history);
    const last = writes[writes.length - 1] as Operation;
    const previous = writes
      .filter(({ key, zxid }) => key === last.key && zxid < last.zxid)
      .sort((a, b) => b.zxid - a.zxid)[0] as Operation;
    // What a reader finds at the end when the last write is gone.
    const read = {
      ...last,
      kind: 'read',
      isLinear: true,
      value: previous.value,
      version: -1,
      mzxid: previous.zxid,
      client: 99,
      session: 99n,
    } as const;
    history.push({ ...read, outcome: 'ok', calledMs: 1e6, returnedMs: 1e6 + 1, zxid: previous.zxid });
    if (previous.kind === 'delete' && last.kind === 'create') continue;
    assert.ok(checkZxids(history).length > 0, `seed ${seed}`);
    assert.equal(checkRegisters(history).length, 1, `seed ${seed}`);
  }
});

test('each rule of zxids is found broken', () => {
  const plant: Readonly<Record<string, (history: Operation[]) => void>> = {
    W1: (history) => {
      const writes = acknowledgedWrites(history);
      const [early, late] = [writes[10] as Operation, writes[writes.length - 10] as Operation];
      [early.zxid, late.zxid] = [late.zxid, early.zxid];
    },
    W2: (history) => {
      const read = history.find(({ kind, value }) => kind === 'read' && value !== null) as Operation;
      read.value = 'what nobody wrote';
    },
    S1: (history) => {
      const reads = history.filter(({ kind, client }) => kind === 'read' && client === 0);
      (reads[reads.length - 1] as Operation).zxid = 1;
    },
    S2: (history) => {
      const write = acknowledgedWrites(history).find(({ kind }) => kind === 'write') as Operation;
      const older =
        acknowledgedWrites(history).find(({ key, zxid }) => key === write.key && zxid < write.zxid) ?? write;
      history.push({
        ...older,
        kind: 'read',
        session: write.session,
        client: write.client,
        xid: 1e6,
        mzxid: older.zxid - 1,
        zxid: 1e6,
        calledMs: 1e6,
        returnedMs: 1e6,
      });
    },
  };
  for (const [rule, spoil] of Object.entries(plant)) {
    const history = new World(3, 6).run(1_500, 8);
    spoil(history);
    const found = checkZxids(history).map((problem) => problem.slice(0, 2));
    assert.ok(found.includes(rule), `${rule}: ${found.join()}`);
  }
});

test('an unanswered write may be there or not, but not both', () => {
  const operation = (
    kind: OperationKind,
    value: string | null,
    times: readonly [number, number],
    more: Partial<Operation> = {},
  ): Operation => ({
    client: 0,
    session: 1n,
    xid: 1,
    key: '/r',
    kind,
    value,
    expectedVersion: -1,
    isLinear: true,
    outcome: 'ok',
    version: -1,
    mzxid: -1,
    zxid: -1,
    calledMs: times[0],
    returnedMs: times[1],
    ...more,
  });
  const open = [
    operation('create', 'a', [0, 1]),
    operation('write', 'b', [2, Number.POSITIVE_INFINITY], { outcome: 'unknown' }),
  ];
  assert.deepEqual(checkRegisters([...open, operation('read', 'a', [3, 4])]), []);
  assert.deepEqual(checkRegisters([...open, operation('read', 'a', [3, 4]), operation('read', 'b', [5, 6])]), []);
  assert.equal(checkRegisters([...open, operation('read', 'b', [3, 4]), operation('read', 'a', [5, 6])]).length, 1);
});

test('the size that a run has is judged in seconds', () => {
  const history = new World(5, 8).run(20_000, 40);
  const beganMs = performance.now();
  assert.deepEqual(checkRegisters(history), []);
  assert.deepEqual(checkZxids(history), []);
  assert.ok(performance.now() - beganMs < 10_000);
});
