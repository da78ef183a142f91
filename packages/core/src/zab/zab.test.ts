/**
 * Elections, leaders and learners together, over streams that are cut anywhere, with crashes that lose what was not on disk. The servers
 * here are lists of transactions; what is checked is the protocol: nothing committed is ever lost or differs anywhere.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteReader, ByteWriter, Prng } from '@zoots/base';
import { type EnsembleMember, epochOf, makeZxid, PACKET, TXN_HEADER_BYTES, writeTxnHeader } from '@zoots/protocol';
import { Election } from './election.js';
import { type EachEntry, Leader, type LeaderHost } from './leader.js';
import { Learner, type LearnerHost, type StepDone } from './learner.js';
import type { LearnerHandle } from './learner-handle.js';
import { PeerStream } from './peer-stream.js';
import { quorumRuleOf } from './quorum.js';
import { HistoryWalk, planSync } from './sync-plan.js';

const TIMES = { tickTimeMs: 100, initLimit: 10, syncLimit: 5 };
const PACKET_BYTES_MAX = 1_000_000;

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

class World {
  nowMs = 0;
  /** A write and sync takes at most so long. */
  diskMaxMs = 10;
  readonly prng: Prng;
  readonly servers: Server[];
  /** Every transaction that any server has committed, by zxid: the value it must have everywhere. */
  readonly committed = new Map<number, number>();
  /** The highest zxid that a client was told of. */
  acknowledgedZxid = 0;
  #events: Event[] = [];
  #order = 0;
  #value = 0;
  readonly #cut = new Set<string>();

  constructor(seed: number, count: number) {
    this.prng = new Prng(seed);
    const members = Array.from({ length: count }, (_, id): EnsembleMember => {
      return { id, role: 'participant', addresses: [], client: null };
    });
    const rule = quorumRuleOf({ members, groups: new Map(), weights: new Map(), version: 0 });
    this.servers = members.map(({ id }) => new Server(this, id, rule));
  }

  after(delayMs: number, run: () => void): void {
    this.#events.push({ atMs: this.nowMs + delayMs, order: this.#order++, run });
  }

  run(forMs: number): void {
    const end = this.nowMs + forMs;
    for (;;) {
      let next: Event | undefined;
      for (const event of this.#events) {
        if (next === undefined || event.atMs < next.atMs || (event.atMs === next.atMs && event.order < next.order)) {
          next = event;
        }
      }
      if (next === undefined || next.atMs > end) break;
      this.#events.splice(this.#events.indexOf(next), 1);
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = end;
  }

  nextValue(): number {
    return ++this.#value;
  }

  isCut(left: number, right: number): boolean {
    return this.#cut.has(`${Math.min(left, right)} ${Math.max(left, right)}`);
  }

  cut(left: number, right: number, isCut: boolean): void {
    const link = `${Math.min(left, right)} ${Math.max(left, right)}`;
    if (!isCut) this.#cut.delete(link);
    else {
      this.#cut.add(link);
      this.servers[left]?.onCut(right);
      this.servers[right]?.onCut(left);
    }
  }

  healAll(): void {
    this.#cut.clear();
    for (const server of this.servers) if (!server.isUp) server.start();
  }

  get leader(): Server | undefined {
    return this.servers.find((server) => server.isLeading);
  }

  /** Committed anywhere: the same everywhere, for ever. */
  onCommitted(zxid: number, value: number): void {
    const known = this.committed.get(zxid);
    assert.ok(known === undefined || known === value, `zxid ${zxid.toString(16)} is ${known} and ${value}`);
    this.committed.set(zxid, value);
  }
}

interface Entry {
  readonly zxid: number;
  readonly bytes: Uint8Array;
}

function entryOf(zxid: number, value: number): Entry {
  const writer = new ByteWriter();
  writeTxnHeader(writer, 0, value, 0, zxid, 0, 1);
  return { zxid, bytes: writer.toBytes() };
}

function valueIn({ bytes }: Entry): number {
  return new DataView(bytes.buffer).getInt32(4);
}

interface Wire {
  readonly near: Server;
  readonly far: Server;
  readonly stream: PeerStream;
  readonly onBytes: (bytes: Uint8Array) => void;
  readonly onClosed: () => void;
  other: Wire | null;
  isOpen: boolean;
  /** Bytes leave in order: no earlier than this. */
  atMs: number;
}

let streamNumber = 0;

class Server implements LearnerHost, LeaderHost {
  readonly world: World;
  readonly serverId: number;
  readonly rule;
  readonly configText = '';
  readonly configVersion = 0;
  isUp = false;
  isServing = false;
  // On disk.
  acceptedEpoch = 0;
  currentEpoch = 0;
  log: Entry[] = [];
  #durableCount = 0;
  // In memory.
  appliedCount = 0;
  #incarnation = 0;
  #election: Election | null = null;
  leader: Leader | null = null;
  learner: Learner | null = null;
  #handles = new Map<PeerStream, LearnerHandle>();
  #wires: Wire[] = [];
  #isSyncing = false;
  /** Writes that go on. A role that ended is followed by the next one when they are done. */
  #writeCount = 0;
  #isWithdrawing = false;
  #waiting: { readonly count: number; readonly done: StepDone }[] = [];
  #counter = 0;
  /** What is on disk while a leader's snapshot is in memory alone. */
  #replaced: Entry[] | null = null;
  #snapshot: { readonly entries: Entry[]; bytes: number[] } | null = null;

  constructor(world: World, serverId: number, rule: ReturnType<typeof quorumRuleOf>) {
    this.world = world;
    this.serverId = serverId;
    this.rule = rule;
  }

  get nowMs(): number {
    return this.world.nowMs;
  }

  get lastLoggedZxid(): number {
    return this.log.at(-1)?.zxid ?? 0;
  }

  get lastProcessedZxid(): number {
    return this.log[this.appliedCount - 1]?.zxid ?? 0;
  }

  get isLeading(): boolean {
    return this.isUp && this.leader?.stage === 'leading';
  }

  // ---- life ----

  start(): void {
    this.isUp = true;
    this.#incarnation++;
    this.#writeCount = 0;
    this.#looking();
    this.#tick(this.#incarnation);
  }

  /** What was not synced is gone. */
  crash(): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.#incarnation++;
    this.#reload();
    this.log = this.log.slice(0, this.#durableCount);
    this.appliedCount = Math.min(this.appliedCount, this.#durableCount);
    this.#dropRole();
    this.#election = null;
  }

  #dropRole(): void {
    this.isServing = false;
    this.leader = null;
    this.learner = null;
    this.#isSyncing = false;
    this.#waiting = [];
    this.#snapshot = null;
    this.#handles.clear();
    for (const wire of [...this.#wires]) this.#closeWire(wire);
  }

  onEnded(reason: string): void {
    assert.doesNotMatch(reason, /where .* was due/);
    this.#dropRole();
    if (!this.isUp) return;
    if (this.#writeCount > 0) this.#isWithdrawing = true;
    else this.#looking();
  }

  /** All that is in the log counts, committed or not: it is flushed and applied before this server votes. */
  #looking(): void {
    this.#isWithdrawing = false;
    this.#reload();
    this.#durableCount = this.log.length;
    this.appliedCount = this.log.length;
    if (this.#election === null) {
      const settings = {
        serverId: this.serverId,
        rule: this.rule,
        configText: '',
        notifyMinMs: 50,
        notifyMaxMs: 1_000,
      };
      this.#election = new Election(settings, {
        send: (to, notification) => this.#notify(to, { ...notification, version: 2 }),
        connectAll: () => {},
        onElected: (vote) => this.#onElected(vote.leader),
      });
    }
    this.#election.look(this.lastLoggedZxid, this.currentEpoch, this.nowMs);
  }

  #notify(to: number, notification: Parameters<Election['onNotification']>[1]): void {
    const { world, serverId } = this;
    world.after(world.prng.between(1, 15), () => {
      const target = world.servers[to] as Server;
      if (target.isUp && this.isUp && !world.isCut(serverId, to)) {
        target.#election?.onNotification(serverId, notification, world.nowMs);
      }
    });
  }

  #onElected(leader: number): void {
    if (leader === this.serverId) {
      this.leader = new Leader(this, TIMES);
      this.leader.start();
    } else this.#dial(leader, 0);
  }

  #dial(leader: number, attempt: number): void {
    const incarnation = this.#incarnation;
    const stream = this.#newStream();
    const learner = new Learner(this, stream, false, TIMES);
    this.learner = learner;
    const target = this.world.servers[leader] as Server;
    this.world.after(this.world.prng.between(1, 10), () => {
      if (incarnation !== this.#incarnation || this.learner !== learner) return;
      if (target.leader !== null && target.isUp && !this.world.isCut(this.serverId, leader))
        this.#wireTo(target, stream);
      else if (attempt < 5) this.world.after(100, () => this.learner === learner && this.#dial(leader, attempt + 1));
      else learner.end('nobody listens');
    });
  }

  #newStream(): PeerStream {
    return new PeerStream(streamNumber++, PACKET_BYTES_MAX, this.nowMs, () => this.#flushSoon());
  }

  #wireTo(target: Server, stream: PeerStream): void {
    const learner = this.learner as Learner;
    const theirs = target.#newStream();
    const handle = (target.leader as Leader).onLearner(theirs);
    target.#handles.set(theirs, handle);
    const targetLeader = target.leader as Leader;
    const near: Wire = {
      near: this,
      far: target,
      stream,
      onBytes: (bytes) => learner.onBytes(bytes, 0, bytes.length),
      onClosed: () => learner.onDisconnected(),
      other: null,
      isOpen: true,
      atMs: 0,
    };
    const far: Wire = {
      near: target,
      far: this,
      stream: theirs,
      onBytes: (bytes) => targetLeader.onBytes(handle, bytes, 0, bytes.length),
      onClosed: () => targetLeader.onDisconnected(handle),
      other: near,
      isOpen: true,
      atMs: 0,
    };
    near.other = far;
    this.#wires.push(near);
    target.#wires.push(far);
    learner.onConnected();
  }

  onCut(other: number): void {
    for (const wire of [...this.#wires]) if (wire.far.serverId === other) this.#closeWire(wire);
  }

  #closeWire(wire: Wire): void {
    for (const end of [wire, wire.other as Wire]) {
      if (!end.isOpen) continue;
      end.isOpen = false;
      end.near.#wires = end.near.#wires.filter((one) => one !== end);
      if (end !== wire || wire.near.isUp) this.world.after(this.world.prng.between(0, 5), end.onClosed);
    }
  }

  onDropped(): void {}

  close(stream: PeerStream): void {
    for (const wire of [...this.#wires]) if (wire.stream === stream) this.#closeWire(wire);
  }

  /** Sends what the streams hold, in pieces of any size. */
  #flushSoon(): void {
    this.world.after(0, () => {
      for (const wire of this.#wires) {
        const bytes = wire.stream.out.toBytes();
        wire.stream.out.clear();
        for (let at = 0; at < bytes.length; ) {
          const end = Math.min(bytes.length, at + this.world.prng.between(1, 200));
          this.#deliver(wire, bytes.slice(at, end));
          at = end;
        }
      }
    });
  }

  #deliver(wire: Wire, bytes: Uint8Array): void {
    wire.atMs = Math.max(wire.atMs, this.nowMs + this.world.prng.between(1, 8));
    const { other } = wire;
    this.world.after(wire.atMs - this.nowMs, () => {
      if (wire.isOpen && other?.isOpen === true && other.near.isUp) other.onBytes(bytes);
      // As the buffer of a socket.
      bytes.fill(0xee);
    });
  }

  #tick(incarnation: number): void {
    if (incarnation !== this.#incarnation) return;
    if ((this.#election?.deadlineMs ?? Number.POSITIVE_INFINITY) <= this.nowMs) this.#election?.onTime(this.nowMs);
    this.leader?.onTime();
    this.learner?.onTime();
    this.world.after(20, () => this.#tick(incarnation));
  }

  // ---- disk ----

  #write(run: () => void, done: StepDone): void {
    const incarnation = this.#incarnation;
    this.#writeCount++;
    this.world.after(this.world.prng.between(1, this.world.diskMaxMs), () => {
      if (incarnation !== this.#incarnation) return;
      this.#writeCount--;
      run();
      done(null);
      if (this.#isWithdrawing && this.#writeCount === 0) this.#looking();
    });
  }

  setAcceptedEpoch(epoch: number, done: StepDone): void {
    assert.ok(epoch > this.acceptedEpoch);
    this.#write(() => {
      this.acceptedEpoch = epoch;
    }, done);
  }

  setCurrentEpoch(epoch: number, done: StepDone): void {
    assert.ok(epoch >= this.currentEpoch && epoch <= this.acceptedEpoch);
    this.#write(() => {
      this.currentEpoch = epoch;
    }, done);
  }

  truncate(zxid: number, done: StepDone): void {
    this.#write(() => {
      this.log = this.log.filter((entry) => entry.zxid <= zxid);
      assert.equal(this.lastLoggedZxid, zxid, 'TRUNC names a zxid of the log');
      this.#durableCount = this.log.length;
      this.appliedCount = this.log.length;
    }, done);
  }

  append(zxid: number, bytes: Uint8Array, start: number, end: number): void {
    this.log.push({ zxid, bytes: bytes.slice(start, end) });
    this.#sync();
  }

  #sync(): void {
    if (this.#isSyncing || this.#replaced !== null || this.#durableCount === this.log.length) return;
    this.#isSyncing = true;
    const count = this.log.length;
    this.#write(
      () => {
        this.#durableCount = Math.max(this.#durableCount, Math.min(count, this.log.length));
        this.#isSyncing = false;
      },
      () => {
        const zxid = this.log[this.#durableCount - 1]?.zxid ?? 0;
        this.leader?.onDurable(zxid);
        this.learner?.onDurable(zxid);
        this.#answerWaiting();
        this.#sync();
      },
    );
  }

  whenDurable(done: StepDone): void {
    this.#waiting.push({ count: this.log.length, done });
    this.#sync();
    this.world.after(0, () => this.#answerWaiting());
  }

  #answerWaiting(): void {
    const ready = this.#waiting.filter(({ count }) => count <= this.#durableCount);
    this.#waiting = this.#waiting.filter(({ count }) => count > this.#durableCount);
    for (const { done } of ready) done(null);
  }

  // ---- a snapshot is the list of entries ----

  beginSnapshot(): void {
    this.#snapshot = { entries: [], bytes: [] };
  }

  snapshotBytes(bytes: Uint8Array): { usedBytes: number; isWhole: boolean } | string {
    const snapshot = this.#snapshot as NonNullable<typeof this.Snapshot>;
    const before = snapshot.bytes.length;
    snapshot.bytes.push(...bytes);
    const view = new DataView(Uint8Array.from(snapshot.bytes).buffer);
    if (view.byteLength < 4) return { usedBytes: bytes.length, isWhole: false };
    const count = view.getInt32(0);
    const size = 4 + count * TXN_HEADER_BYTES;
    if (view.byteLength < size) return { usedBytes: bytes.length, isWhole: false };
    for (let i = 0; i < count; i++) {
      const entry = Uint8Array.from(snapshot.bytes.slice(4 + i * TXN_HEADER_BYTES, 4 + (i + 1) * TXN_HEADER_BYTES));
      snapshot.entries.push({ zxid: makeZxidOf(entry), bytes: entry });
    }
    this.#replaced = this.log.slice(0, this.#durableCount);
    this.log = snapshot.entries;
    this.#durableCount = 0;
    this.appliedCount = this.log.length;
    return { usedBytes: size - before, isWhole: true };
  }

  declare readonly Snapshot: { readonly entries: Entry[]; bytes: number[] };

  writeSnapshot(done: StepDone): void {
    const count = this.log.length;
    this.#write(() => {
      if (this.#replaced === null) return;
      this.#replaced = null;
      this.#durableCount = count;
    }, done);
  }

  /** A snapshot that did not come to the disk: what it was to replace is there. */
  #reload(): void {
    if (this.#replaced === null) return;
    this.log = this.#replaced;
    this.#durableCount = this.log.length;
    this.#replaced = null;
  }

  // ---- following and leading ----

  serve(epoch: number): void {
    this.isServing = true;
    this.#election?.onEpoch(epoch);
    this.#counter = makeZxid(epoch, 0);
    // A quorum has taken over the leader's history: from now on it is committed.
    for (const entry of this.log.slice(0, this.appliedCount)) this.world.onCommitted(entry.zxid, valueIn(entry));
  }

  commitUpTo(zxid: number): void {
    while (this.appliedCount < this.log.length && (this.log[this.appliedCount] as Entry).zxid <= zxid) {
      const entry = this.log[this.appliedCount++] as Entry;
      if (this.isServing) this.world.onCommitted(entry.zxid, valueIn(entry));
      if (this.isLeading) this.world.acknowledgedZxid = Math.max(this.world.acknowledgedZxid, entry.zxid);
    }
  }

  forEachOutstanding(upTo: number, visit: EachEntry): void {
    for (let i = this.appliedCount; i < this.log.length; i++) {
      const { zxid, bytes } = this.log[i] as Entry;
      if (zxid > upTo) return;
      visit(zxid, bytes, 0, bytes.length);
    }
  }

  /** A client of the leader writes. */
  propose(): void {
    const entry = entryOf(++this.#counter, this.world.nextValue());
    this.log.push(entry);
    this.leader?.onProposed(entry.zxid, entry.bytes, 0, entry.bytes.length);
    this.#sync();
  }

  synchronise(handle: LearnerHandle): void {
    const applied = this.log.slice(0, this.appliedCount);
    // The committed log holds the last few.
    const recent = applied.slice(-4);
    const plan = planSync(handle.lastZxid, {
      lastProcessedZxid: this.lastProcessedZxid,
      minCommittedZxid: recent[0]?.zxid ?? null,
      maxCommittedZxid: recent.at(-1)?.zxid ?? null,
      mayUseDisk: this.world.prng.chance(0.5),
      mustSnap: this.world.prng.chance(0.1),
    });
    let after = this.lastProcessedZxid;
    let decided: { kind: string } = plan === 'walk' ? { kind: 'walk' } : plan;
    if (plan === 'walk' || (typeof plan === 'object' && plan.kind === 'disk')) {
      const walk = new HistoryWalk(handle.lastZxid, this.lastProcessedZxid);
      for (const { zxid } of plan === 'walk' ? recent : applied) walk.feed(zxid);
      decided = walk.end();
      after = walk.sendAfter;
    } else if (typeof plan === 'object' && plan.kind === 'trunc') after = plan.to;
    if (decided.kind === 'none') handle.send(PACKET.diff, handle.lastZxid);
    else if (decided.kind === 'diff') handle.send(PACKET.diff, this.lastProcessedZxid);
    else if (decided.kind === 'trunc') handle.send(PACKET.trunc, after);
    if (decided.kind === 'snap') this.#sendSnapshot(handle, applied);
    else {
      for (const { zxid, bytes } of applied.filter((entry) => entry.zxid > after)) {
        handle.send(PACKET.proposal, zxid, bytes, 0, bytes.length);
        handle.send(PACKET.commit, zxid);
      }
    }
    handle.isForwarding = true;
    this.forEachOutstanding(Number.POSITIVE_INFINITY, (zxid, bytes, start, end) =>
      handle.propose(zxid, bytes, start, end, this.nowMs),
    );
    this.leader?.onSynchronised(handle);
  }

  /** In two pieces with time between them: live traffic waits behind the second. */
  #sendSnapshot(handle: LearnerHandle, applied: readonly Entry[]): void {
    const body = new ByteWriter();
    body.int32(applied.length);
    for (const { bytes } of applied) body.raw(bytes);
    handle.send(PACKET.snap, this.lastProcessedZxid);
    const half = this.world.prng.below(body.length);
    handle.stream.sendRaw(body.bytes, 0, half);
    handle.beginSnapshot();
    this.world.after(this.world.prng.between(1, 30), () => {
      handle.stream.sendRaw(body.bytes, half, body.length);
      handle.endSnapshot();
    });
  }

  takeTouched(out: ByteWriter): void {
    out.longPair(1, this.serverId);
    out.int32(1_000);
  }

  touched = 0;

  touch(): void {
    this.touched++;
  }

  onRequest(): void {}
  revalidate(): boolean {
    return true;
  }
  onRevalidated(): void {}
  onAcknowledged(): void {}

  onSynced(): void {}
}

function makeZxidOf(entry: Uint8Array): number {
  const reader = new ByteReader(entry, 12);
  return reader.long();
}

function assertSettled(world: World, label: string): void {
  const leader: Server | undefined = world.leader;
  assert.ok(leader !== undefined, `${label}: nobody leads`);
  for (const server of world.servers) {
    assert.equal(server.isServing, true, `${label}: server ${server.serverId} does not serve`);
    const values = server.log.slice(0, server.appliedCount).map(({ zxid }) => zxid);
    const leaderZxids: number[] = leader.log.slice(0, leader.appliedCount).map(({ zxid }) => zxid);
    assert.deepEqual(values, leaderZxids, `${label}: server ${server.serverId} has another history`);
  }
  for (const [zxid, value] of world.committed) {
    const entry = leader.log.find((one) => one.zxid === zxid);
    assert.ok(
      entry !== undefined && valueIn(entry) === value,
      `${label}: ${zxid.toString(16)} was committed and is lost`,
    );
  }
}

test('three servers elect, synchronise, and commit what the leader proposes', () => {
  const world = new World(1, 3);
  for (const server of world.servers) server.start();
  world.run(2_000);
  const { leader } = world;
  assert.equal(leader?.serverId, 2);
  for (let i = 0; i < 20; i++) leader?.propose();
  world.run(2_000);
  assertSettled(world, 'three');
  assert.equal(world.committed.size, 20);
  assert.ok((leader?.touched ?? 0) > 10);
});

test('a minority commits nothing, and steps down', () => {
  const world = new World(2, 3);
  for (const server of world.servers) server.start();
  world.run(2_000);
  const leader = world.leader as Server;
  for (const server of world.servers) if (server !== leader) world.cut(leader.serverId, server.serverId, true);
  leader.propose();
  world.run(5_000);
  assert.equal(world.committed.size, 0);
  assert.equal(leader.isServing, false);
  world.healAll();
  world.run(10_000);
  assertSettled(world, 'healed');
});

test('a leader whose learners left does not wait for the next check', () => {
  const world = new World(3, 3);
  for (const server of world.servers) server.start();
  world.run(2_000);
  const leader = world.leader as Server;
  for (const server of world.servers) if (server !== leader) server.crash();
  world.run(40);
  assert.equal(leader.isServing, false);
});

test('nothing committed is lost, with crashes, partitions and elections of any kind', () => {
  let epochs = 0;
  let committed = 0;
  for (let seed = 0; seed < 500; seed++) {
    const world = new World(seed, seed % 3 === 0 ? 5 : 3);
    const { prng, servers } = world;
    world.diskMaxMs = prng.pick([5, 30, 120]);
    for (const server of servers) server.start();
    for (let step = 0; step < 60; step++) {
      world.run(prng.between(10, 400));
      for (const server of servers) {
        for (let i = server.isLeading ? prng.below(6) : 0; i > 0; i--) server.propose();
      }
      const one = prng.below(servers.length);
      const other = prng.below(servers.length);
      if (prng.chance(0.15)) (servers[one] as Server).crash();
      // The lights go out for a majority: what was acknowledged is on disk, or it is nowhere.
      if (prng.chance(0.05)) for (const server of servers) if (prng.chance(0.8)) server.crash();
      if (prng.chance(0.4) && !(servers[one] as Server).isUp) (servers[one] as Server).start();
      if (one !== other && prng.chance(0.1)) world.cut(one, other, true);
      if (one !== other && prng.chance(0.2)) world.cut(one, other, false);
    }
    world.healAll();
    world.run(20_000);
    assertSettled(world, `seed ${seed}`);
    epochs += epochOf(world.leader?.lastLoggedZxid ?? 0);
    committed += world.committed.size;
  }
  // It is no use if nothing happened.
  assert.ok(epochs > 1_500, `${epochs} epochs`);
  assert.ok(committed > 10_000, `${committed} committed`);
});
