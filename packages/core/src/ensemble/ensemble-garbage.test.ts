/** Nonsense on the ports between servers: nothing throws, no server stops, and afterwards the ensemble serves and is of one state. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter, Prng } from '@zoots/base';
import {
  CREATE_MODE,
  makeZxid,
  OP,
  PACKET,
  QuorumPacketReader,
  writeLearnerInfo,
  writeQuorumPacket,
} from '@zoots/protocol';
import type { PeerStream } from '../zab/peer-stream.js';
import { createBody, type TestClient } from './stage-client.js';
import { INIT_LIMIT, SYNC_LIMIT, TICK_MS } from './stage-config.js';
import { TestEnsemble, type TestMember } from './stage-ensemble.js';

function randomBytes(prng: Prng, countMax: number): Uint8Array {
  return Uint8Array.from({ length: prng.below(countMax + 1) }, () => prng.below(256));
}

/** What a stranger sends; false once it is thrown out. */
function send(member: TestMember, stream: PeerStream, bytes: Uint8Array): boolean {
  if (stream.isClosed) return false;
  member.peer?.onBytes(stream, bytes.slice(), 0, bytes.length);
  return !stream.isClosed;
}

/** Whatever there was: all serve again, and are of one state. */
function checkWell(ensemble: TestEnsemble): void {
  ensemble.network.tap = null;
  ensemble.until('all serve', () => ensemble.members.every(({ isServing }) => isServing), 60_000);
  const client = ensemble.client(ensemble.leader);
  const xid = client.create('/well-', '', CREATE_MODE.persistentSequential);
  ensemble.settle();
  assert.equal(client.code(xid), 0);
  ensemble.check();
}

function packet(type: number, zxid: number, data: Uint8Array | null = null): Uint8Array {
  const out = new ByteWriter(64);
  if (data === null) writeQuorumPacket(out, type, zxid);
  else writeQuorumPacket(out, type, zxid, data, 0, data.length);
  return out.toBytes();
}

function learnerInfo(serverId: number, configVersion = 0): Uint8Array {
  const out = new ByteWriter(32);
  writeLearnerInfo(out, serverId, configVersion);
  return out.toBytes();
}

// ---- the quorum port of a leader ----

test('random bytes on the quorum port', () => {
  const ensemble = new TestEnsemble().start();
  const { leader } = ensemble;
  const prng = new Prng(1);
  for (let round = 0; round < 300; round++) {
    const stream = ensemble.network.strangeStream(leader.id) as PeerStream;
    for (let i = 0; i < 5 && send(leader, stream, randomBytes(prng, 60)); i++) ensemble.settle();
  }
  checkWell(ensemble);
  ensemble.advance((INIT_LIMIT + SYNC_LIMIT + 2) * TICK_MS);
  assert.equal(leader.live.peer?.learners.length, 2, 'strangers are thrown out in the end');
  checkWell(ensemble);
});

test('lengths that lie, and packets cut short', () => {
  const ensemble = new TestEnsemble().start();
  const { leader } = ensemble;
  for (const length of [0x7fffffff, -2, -0x80000000]) {
    const out = new ByteWriter(32);
    out.int32(PACKET.followerInfo);
    out.long(0);
    out.int32(length);
    const stream = ensemble.network.strangeStream(leader.id) as PeerStream;
    assert.ok(!send(leader, stream, out.toBytes()), `length ${length}`);
  }
  const whole = packet(PACKET.followerInfo, 0, learnerInfo(1));
  for (let count = 0; count < whole.length; count++) {
    const stream = ensemble.network.strangeStream(leader.id) as PeerStream;
    assert.ok(send(leader, stream, whole.slice(0, count)), 'the rest may come');
  }
  ensemble.advance((INIT_LIMIT + SYNC_LIMIT + 2) * TICK_MS);
  checkWell(ensemble);
});

test('a registration is refused that makes no sense', () => {
  const ensemble = new TestEnsemble().start();
  const { leader } = ensemble;
  const refused: [string, Uint8Array][] = [
    ['another packet', packet(PACKET.ack, 0)],
    ["a leader's packet", packet(PACKET.newLeader, 0)],
    ['a type nobody knows', packet(99, 0, learnerInfo(1))],
    ['a configuration from the future', packet(PACKET.followerInfo, 0, learnerInfo(1, 7))],
  ];
  for (const [name, bytes] of refused) {
    const stream = ensemble.network.strangeStream(leader.id) as PeerStream;
    assert.ok(!send(leader, stream, bytes), name);
  }
  checkWell(ensemble);
});

test('epochs beyond all limits are not believed', () => {
  for (const zxid of [makeZxid(0x1fffff, 0), makeZxid(0x200000, 0), makeZxid(0x7fffffff, 0), -1, -makeZxid(3, 0)]) {
    const ensemble = new TestEnsemble({ voters: [1, 2, 3] });
    for (const id of [2, 3]) ensemble.member(id).start();
    const elected = ensemble.member(3);
    ensemble.stepUntil(() => elected.role === 'leading');
    const stream = ensemble.network.strangeStream(elected.id);
    if (stream !== null) send(elected, stream, packet(PACKET.followerInfo, zxid, learnerInfo(1)));
    ensemble.member(1).start();
    checkWell(ensemble);
  }
});

/** A learner that registered and was brought up to date says anything. */
function registered(ensemble: TestEnsemble, leader: TestMember, serverId: number, isObserver: boolean): PeerStream {
  const stream = ensemble.network.strangeStream(leader.id) as PeerStream;
  const type = isObserver ? PACKET.observerInfo : PACKET.followerInfo;
  send(leader, stream, packet(type, 0, learnerInfo(serverId)));
  send(leader, stream, packet(PACKET.ackEpoch, leader.zxid, new Uint8Array([255, 255, 255, 255])));
  ensemble.settle();
  return stream;
}

const REQUEST_OPS = [...Object.values(OP), 77, -77, 0x7fffffff];

function randomRequest(prng: Prng, sessions: readonly (readonly [number, number])[]): Uint8Array {
  const out = new ByteWriter(64);
  const [high, low] = prng.pick([...sessions, [prng.uint32() | 0, prng.uint32() | 0], [0, 0]]);
  out.longPair(high, low);
  out.int32(prng.pick([0, 1, prng.uint32() | 0]));
  out.int32(prng.pick(REQUEST_OPS));
  if (prng.chance(0.4)) createBody(prng.pick(['/f', '/f/a', '', '/', 'x', '/zookeeper/x']), 'x', prng.below(9))(out);
  else out.raw(randomBytes(prng, 40));
  return out.toBytes();
}

function randomPacket(prng: Prng, leader: TestMember, sessions: readonly (readonly [number, number])[]): Uint8Array {
  const zxid = prng.pick([0, -1, leader.zxid, leader.zxid + 1, makeZxid(1, 0), makeZxid(99, 3), prng.uint32()]);
  if (prng.chance(0.6)) return packet(PACKET.request, -1, randomRequest(prng, sessions));
  return packet(prng.pick([PACKET.ping, PACKET.revalidate, PACKET.ack, prng.below(25)]), zxid, randomBytes(prng, 40));
}

for (const isObserver of [false, true]) {
  test(`a learner that has lost its mind: ${isObserver ? 'observer' : 'follower'}`, () => {
    const ensemble = new TestEnsemble({ observers: [4] }).start();
    const { leader } = ensemble;
    const prng = new Prng(isObserver ? 2 : 3);
    const clients = ensemble.members.map((member) => ensemble.client(member, { timeoutMs: 9_000 }));
    const sessions = clients.map(({ session }) => [session?.high ?? 0, session?.low ?? 0] as const);
    clients[0]!.create('/f');
    for (let round = 0; round < 60; round++) {
      // Nobody has this id: it is no voter, and takes no server's place.
      const stream = registered(ensemble, leader, 200, isObserver);
      for (let i = 0; i < 30 && send(leader, stream, randomPacket(prng, leader, sessions)); i++) {
        if (prng.chance(0.3)) ensemble.settle();
      }
      ensemble.settle();
      assert.equal(leader.fatal, null);
    }
    assert.equal(ensemble.leader, leader);
    checkWell(ensemble);
  });
}

test('requests of learners that make no sense get one error txn each', () => {
  const ensemble = new TestEnsemble().start();
  const { leader } = ensemble;
  const client = ensemble.client(leader);
  const { high, low } = client.session as NonNullable<TestClient['session']>;
  const stream = registered(ensemble, leader, 200, true);
  const asks: [string, number, Uint8Array][] = [
    ['an op nobody knows', 12345, new Uint8Array(0)],
    ['a read', OP.getData, new Uint8Array(9)],
    ['check alone', OP.check, new Uint8Array(8)],
    ['an error', OP.error, new Uint8Array(4)],
    ['a create without a body', OP.create, new Uint8Array(0)],
    ['a multi that breaks off', OP.multi, new Uint8Array(3)],
    ['a session without a timeout', OP.createSession, new Uint8Array(0)],
    ['a container that is to go, and a body that makes no sense', OP.deleteContainer, new Uint8Array([255, 1])],
  ];
  for (const [name, op, body] of asks) {
    const before = leader.zxid;
    const out = new ByteWriter(64);
    out.longPair(op === OP.createSession ? 7 : high, op === OP.createSession ? 7 : low);
    out.int32(1);
    out.int32(op);
    out.raw(body);
    send(leader, stream, packet(PACKET.request, -1, out.toBytes()));
    ensemble.settle();
    assert.equal(leader.zxid, before + 1, name);
  }
  checkWell(ensemble);
});

// ---- a leader that has lost its mind ----

/** Whole packets in what is sent, and where each ends; null if something else is on the stream. */
function packetsIn(bytes: Uint8Array): { type: number; dataStart: number; dataEnd: number }[] | null {
  const reader = new QuorumPacketReader(10_000_000);
  reader.push(bytes);
  const found: { type: number; dataStart: number; dataEnd: number }[] = [];
  for (;;) {
    const result = reader.next();
    if (result === 'malformed') return null;
    if (result === 'more') return found;
    found.push({ type: reader.type, dataStart: reader.dataStart, dataEnd: reader.dataEnd });
  }
}

const TXN_TYPE_AT = 28;

type Twist = (bytes: Uint8Array, start: number, end: number) => void;

function intAt(offset: number, value: number): Twist {
  return (bytes, start) => new DataView(bytes.buffer, bytes.byteOffset).setInt32(start + offset, value);
}

const TWISTS: [string, Twist][] = [
  ['a type nobody knows', intAt(TXN_TYPE_AT, 77)],
  ['another zxid', intAt(16, 0x7777)],
  ['a zxid out of range', intAt(12, 0x7fffffff)],
  ['a length that lies', intAt(TXN_TYPE_AT + 4, 0x7fffff)],
  ['nothing but ones', (bytes, start, end) => bytes.fill(255, start, end)],
];

/** A multi: int count, and for each part int type, buffer. */
const TWISTS_OF_PARTS: [string, Twist][] = [
  ['a type of a part that nobody knows', intAt(TXN_TYPE_AT + 8, 77)],
  ["a part's length that lies", intAt(TXN_TYPE_AT + 12, 0x7fffff)],
  ["a part's negative length", intAt(TXN_TYPE_AT + 12, -1)],
  ['a path in a part that is longer than the part', intAt(TXN_TYPE_AT + 16, 9_999)],
  ['a part that is a multi', intAt(TXN_TYPE_AT + 8, OP.multi)],
];

for (const role of ['following', 'observing']) {
  for (const op of ['create', 'multi'] as const) {
    for (const [name, twist] of op === 'multi' ? [...TWISTS, ...TWISTS_OF_PARTS] : TWISTS) {
      test(`${role}: a ${op} that cannot be decoded ends the connection to the leader, not the server: ${name}`, () => {
        const ensemble = new TestEnsemble({ observers: [4] }).start();
        const { leader } = ensemble;
        const victim = ensemble.members.find((one) => one.role === role) as TestMember;
        let twisted = 0;
        const client = ensemble.client(leader, { timeoutMs: 9_000 });
        ensemble.network.tap = (from, to, bytes) => {
          if (from !== leader.id || to !== victim.id) return bytes;
          for (const { type, dataStart, dataEnd } of packetsIn(bytes) ?? []) {
            if (twisted > 0 || (type !== PACKET.proposal && type !== PACKET.inform)) continue;
            twist(bytes, dataStart, dataEnd);
            twisted++;
          }
          return bytes;
        };
        const xid = op === 'create' ? client.create('/a', 'x') : multi(client);
        ensemble.settle();
        assert.equal(twisted, 1);
        assert.equal(client.code(xid), 0, 'the others go on');
        assert.equal(victim.fatal, null);
        checkWell(ensemble);
        assert.ok(victim.has('/a'));
      });
    }
  }
}

function multi(client: TestClient): number {
  return client.multi([
    { op: OP.create, body: createBody('/a', 'x', 0) },
    { op: OP.create, body: createBody('/b', 'y', 0) },
  ]);
}

/** A TRUNC to what is not there stops a server, as it stops Apache's: its history and the leader's are not of one ensemble. */
const TYPES_BUT_TRUNC = Array.from({ length: 25 }, (_, type) => type).filter((type) => type !== PACKET.trunc);

test('random bytes and packets from a leader', () => {
  const prng = new Prng(5);
  for (let round = 0; round < 60; round++) {
    const ensemble = new TestEnsemble({ seed: round, observers: [4] });
    let left = prng.between(1, 4);
    const rate = prng.pick([0.05, 0.3, 1]);
    ensemble.network.tap = (from, to, bytes) => {
      if (from < 3 || to === 2 || left === 0 || !prng.chance(rate)) return bytes;
      left--;
      return prng.chance(0.5)
        ? randomBytes(prng, 80)
        : packet(prng.pick(TYPES_BUT_TRUNC), prng.pick([0, -1, 1, 2 ** 40]), randomBytes(prng, 60));
    };
    for (const member of ensemble.members) member.start();
    ensemble.advance(1_500);
    for (const { fatal } of ensemble.members) assert.equal(fatal, null);
    left = 0;
    // A stream that is out of step swallows what comes, until the leader misses answers to its pings.
    ensemble.advance((SYNC_LIMIT + 2) * TICK_MS);
    checkWell(ensemble);
  }
});

test('a LEADERINFO of an epoch beyond all limits is not believed', () => {
  for (const zxid of [makeZxid(0x200000, 0), makeZxid(0x7fffffff, 0), -makeZxid(7, 0)]) {
    const ensemble = new TestEnsemble();
    let twisted = 0;
    ensemble.network.tap = (_from, to, bytes) => {
      const isIt = to === 1 && twisted === 0 && packetsIn(bytes)?.[0]?.type === PACKET.leaderInfo;
      if (!isIt) return bytes;
      twisted++;
      return packet(PACKET.leaderInfo, zxid, new Uint8Array(4));
    };
    for (const member of ensemble.members) member.start();
    ensemble.advance(500);
    assert.equal(twisted, 1);
    checkWell(ensemble);
  }
});

for (const [name, type] of [
  ['SNAP', PACKET.snap],
  ['TRUNC', PACKET.trunc],
  ['DIFF', PACKET.diff],
] as const) {
  test(`a ${name} in the middle of the history ends the connection to the leader`, () => {
    const ensemble = new TestEnsemble().start();
    const client = ensemble.client(ensemble.leader, { timeoutMs: 9_000 });
    ensemble.member(1).kill();
    for (let i = 0; i < 5; i++) client.create(`/n${i}`);
    ensemble.settle();
    let twisted = 0;
    ensemble.network.tap = (_from, to, bytes) => {
      const isHistory = packetsIn(bytes)?.[0]?.type === PACKET.diff;
      if (to !== 1 || !isHistory || twisted > 0) return bytes;
      twisted++;
      // Behind DIFF and the first PROPOSAL.
      const out = new ByteWriter(1_000);
      const cut = endOfSecondPacket(bytes);
      out.raw(bytes, 0, cut);
      out.raw(packet(type, makeZxid(1, 1)));
      out.raw(bytes, cut, bytes.length);
      return out.toBytes();
    };
    ensemble.member(1).start();
    ensemble.stepUntil(() => twisted === 1);
    ensemble.settle();
    checkWell(ensemble);
    assert.ok(ensemble.member(1).has('/n4'));
  });
}

/** A PROPOSAL's, whose data has a length and no identities. */
function endOfSecondPacket(bytes: Uint8Array): number {
  const second = packetsIn(bytes)?.[1];
  assert.equal(second?.type, PACKET.proposal);
  return (second?.dataEnd ?? 0) + 4;
}

test('a snapshot that is no snapshot is not kept', () => {
  for (let seed = 0; seed < 40; seed++) {
    const prng = new Prng(seed);
    const rules = { committedLogCount: 3, snapshotSizeFactor: -1 };
    const ensemble = new TestEnsemble({ rules, config: { snapshotSliceBytes: 200 }, observers: [4] }).start([1, 2, 3]);
    const client = ensemble.client(ensemble.leader);
    for (let i = 0; i < 20; i++) client.create(`/n${i}`, 'x'.repeat(30));
    ensemble.settle();
    let offset = 0;
    const at = prng.below(1_500);
    ensemble.network.tap = (_from, to, bytes) => {
      if (to !== 4) return bytes;
      const place = at - offset;
      offset += bytes.length;
      if (place >= 0 && place < bytes.length) bytes[place] = (bytes[place] as number) ^ (1 << prng.below(8));
      return bytes;
    };
    ensemble.member(4).start();
    ensemble.advance(300);
    assert.equal(ensemble.member(4).fatal, null);
    ensemble.network.tap = null;
    // One bit of a snapshot may make another one of it, which nothing tells: begin again.
    ensemble.member(4).kill();
    ensemble.member(4).wipe();
    ensemble.member(4).log.records.length = 0;
    ensemble.member(4).start();
    checkWell(ensemble);
  }
});

// ---- the election port ----

test('random bytes and votes on the election port, while there is a leader and while there is none', () => {
  const prng = new Prng(9);
  const ensemble = new TestEnsemble({ observers: [4] }).start();
  const strange = (): Uint8Array => {
    if (prng.chance(0.3)) return randomBytes(prng, 120);
    const out = new ByteWriter(64);
    out.int32(prng.pick([0, 1, 2, 3, 4, -1, 0x7fffffff]));
    for (let i = 0; i < 4; i++) {
      const [high, low] = prng.pick([
        [0, prng.below(6)],
        [prng.uint32() | 0, prng.uint32() | 0],
        [-1, -1],
        [0x7fffffff, -1],
        [-0x80000000, 0],
      ]) as [number, number];
      out.longPair(high, low);
    }
    out.int32(prng.pick([0, 1, 2, 3, -1]));
    out.int32(prng.pick([0, 3, -1, 0x7fffffff]));
    out.raw(randomBytes(prng, 5));
    return out.toBytes();
  };
  for (let round = 0; round < 40; round++) {
    if (round % 8 === 7) ensemble.leader.restart();
    for (let i = 0; i < 30; i++) {
      const member = prng.pick(ensemble.members);
      const bytes = strange();
      member.peer?.onElectionFrame(prng.pick([0, 1, 2, 3, 4, 5, 77, -1]), bytes, 0, bytes.length);
      if (prng.chance(0.3)) ensemble.settle();
    }
    ensemble.advance(50);
    for (const { fatal } of ensemble.members) assert.equal(fatal, null);
    if (round % 8 === 7) checkWell(ensemble);
  }
  checkWell(ensemble);
});
