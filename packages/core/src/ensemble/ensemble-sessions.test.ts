/** Sessions over several servers: who may speak for one, who keeps it alive, and how it ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteReader } from '@zoots/base';
import { CREATE_MODE, ERROR, OP } from '@zoots/protocol';
import type { TestClient, TestSession } from './stage-client.js';
import { createBody } from './stage-client.js';
import { TICK_MS } from './stage-config.js';
import { TestEnsemble, type TestMember } from './stage-ensemble.js';

function sessionOf(client: TestClient): TestSession {
  assert.ok(client.session !== null);
  return client.session;
}

function isKnown(member: TestMember, { high, low }: TestSession): boolean {
  return member.live.sessions.get(high, low) !== undefined;
}

/** Time passes while these clients go on pinging. */
function advanceWithPings(ensemble: TestEnsemble, ms: number, clients: readonly TestClient[]): void {
  for (let passedMs = 0; passedMs < ms; passedMs += TICK_MS) {
    for (const client of clients) client.ping();
    ensemble.advance(TICK_MS);
  }
}

const ROLES = ['leading', 'following', 'observing'];

function memberOf(ensemble: TestEnsemble, role: string): TestMember {
  return ensemble.members.find((one) => one.role === role) as TestMember;
}

for (const from of ROLES) {
  for (const to of ROLES) {
    test(`a session moves from a server ${from} to one ${to}, with its ephemerals; the old connection may write no more`, () => {
      const ensemble = new TestEnsemble({ voters: [1, 2, 3], observers: [4, 5] }).start();
      const home = memberOf(ensemble, from);
      const next = ensemble.members.find((one) => one.role === to && (one !== home || to === 'leading')) as TestMember;
      const old = ensemble.client(home);
      old.create('/e', '', CREATE_MODE.ephemeral);
      ensemble.settle();
      const moved = ensemble.client(next, { session: sessionOf(old), lastZxidSeen: old.lastZxid });
      assert.deepEqual(sessionOf(moved).low, sessionOf(old).low);
      if (home === next) assert.ok(old.isClosed, 'one connection for a session on a server');
      const before = ensemble.leader.zxid;
      const lost = old.setData('/e', 'from the old place');
      const multi = old.multi([{ op: OP.create, body: createBody('/m', '', 0) }]);
      const kept = moved.setData('/e', 'from the new place');
      ensemble.settle();
      assert.equal(old.reply(lost), undefined, 'a session that moved is not answered: its connection closes');
      assert.equal(old.reply(multi), undefined);
      assert.ok(old.isClosed);
      assert.equal(moved.code(kept), 0);
      assert.ok(ensemble.leader.zxid > before);
      for (const member of ensemble.members) assert.equal(member.data('/e'), 'from the new place');
      ensemble.check();
    });
  }
}

test('a session that is unknown, or has a wrong password, is refused with zeros', () => {
  const ensemble = new TestEnsemble({ observers: [4] }).start();
  const known = sessionOf(ensemble.client(ensemble.leader));
  for (const member of ensemble.members) {
    const unknown = ensemble.client(member);
    unknown.close();
    ensemble.settle();
    const asks: TestSession[] = [sessionOf(unknown), { ...known, password: new Uint8Array(16).fill(7) }];
    for (const session of asks) {
      const client = ensemble.attempt(member, { session });
      assert.equal(client.session?.timeoutMs, 0, `server ${member.id}`);
      assert.equal(client.session?.high, 0);
      assert.ok(client.isClosed);
    }
    const sessions = [...member.live.sessions.all()];
    assert.equal(sessions.length, 1, 'nothing is left of a session that was asked for in vain');
  }
  ensemble.check();
});

test('a session that is closing is refused', () => {
  const ensemble = new TestEnsemble().start();
  const [first, second] = ensemble.followers;
  const client = ensemble.client(first!);
  const session = sessionOf(client);
  for (const member of ensemble.members) member.isDiskHeld = true;
  client.close();
  ensemble.settle();
  const late = ensemble.attempt(second!, { session });
  for (const member of ensemble.members) member.isDiskHeld = false;
  ensemble.settle();
  assert.equal(late.session?.timeoutMs, 0);
  for (const member of ensemble.members) assert.ok(!isKnown(member, session));
  ensemble.check();
});

test('a follower that lags asks the leader about a session that it has not heard of', () => {
  const ensemble = new TestEnsemble().start();
  const { leader } = ensemble;
  const lagging = ensemble.followers[0]!;
  ensemble.network.stall(leader.id, lagging.id);
  const client = ensemble.client(leader);
  const session = sessionOf(client);
  assert.ok(!isKnown(lagging, session));
  const moved = ensemble.attempt(lagging, { session });
  assert.equal(moved.session, null, 'the leader has not answered');
  ensemble.network.heal(leader.id, lagging.id);
  ensemble.settle();
  assert.ok(moved.isConnected);
  const xid = moved.create('/a');
  ensemble.settle();
  assert.equal(moved.code(xid), 0);
  ensemble.check();
});

test('two connections ask for the same session at once: the later one has it', () => {
  const ensemble = new TestEnsemble().start();
  const follower = ensemble.followers[0]!;
  const client = ensemble.client(ensemble.leader);
  const session = sessionOf(client);
  ensemble.network.stall(ensemble.leader.id, follower.id);
  const first = ensemble.attempt(follower, { session });
  const second = ensemble.attempt(follower, { session });
  ensemble.network.heal(ensemble.leader.id, follower.id);
  ensemble.settle();
  assert.ok(second.isConnected);
  const xid = second.create('/a');
  ensemble.settle();
  assert.equal(second.code(xid), 0);
  assert.ok(first.isClosed);
  ensemble.check();
});

test('a client that goes while the leader is asked about its session leaves nothing behind', () => {
  const ensemble = new TestEnsemble().start();
  const follower = ensemble.followers[0]!;
  const gone = ensemble.client(ensemble.leader);
  const session = sessionOf(gone);
  gone.close();
  ensemble.settle();
  ensemble.network.stall(ensemble.leader.id, follower.id);
  const late = ensemble.attempt(follower, { session });
  late.disconnect();
  ensemble.network.heal(ensemble.leader.id, follower.id);
  ensemble.settle();
  assert.ok(!isKnown(follower, session));
  ensemble.check();
});

for (const role of ROLES) {
  test(`${role}: pings keep a session alive, silence ends it everywhere`, () => {
    const ensemble = new TestEnsemble({ observers: [4] }).start();
    const member = memberOf(ensemble, role);
    const talkative = ensemble.client(member, { timeoutMs: 400 });
    const silent = ensemble.client(member, { timeoutMs: 400 });
    talkative.create('/talkative', '', CREATE_MODE.ephemeral);
    silent.create('/silent', '', CREATE_MODE.ephemeral);
    ensemble.settle();
    advanceWithPings(ensemble, 300, [talkative]);
    for (const other of ensemble.members) assert.ok(other.has('/silent'), 'not before its time');
    advanceWithPings(ensemble, 2_000, [talkative]);
    assert.ok(talkative.isConnected);
    assert.ok(silent.isClosed, 'its connection ends, on whatever server it is');
    for (const other of ensemble.members) {
      assert.ok(other.has('/talkative'), `server ${other.id}`);
      assert.ok(!other.has('/silent'), `server ${other.id}`);
      assert.ok(!isKnown(other, sessionOf(silent)));
    }
    assert.equal(ensemble.leader.live.statistics.sessionsExpired, 1);
    ensemble.check();
  });
}

test('a session outlives its connection by its timeout, and can be resumed meanwhile', () => {
  const ensemble = new TestEnsemble().start();
  const [first, second] = ensemble.followers;
  const client = ensemble.client(first!, { timeoutMs: 500 });
  client.create('/e', '', CREATE_MODE.ephemeral);
  ensemble.settle();
  client.disconnect();
  ensemble.advance(400);
  const resumed = ensemble.client(second!, { session: sessionOf(client), timeoutMs: 500 });
  advanceWithPings(ensemble, 1_000, [resumed]);
  assert.ok(first!.has('/e'));
  resumed.disconnect();
  ensemble.advance(900);
  for (const member of ensemble.members) assert.ok(!member.has('/e'));
  ensemble.check();
});

for (const role of ROLES) {
  test(`${role}: closeSession is answered behind the writes before it, takes the ephemerals, and ends the connection`, () => {
    const ensemble = new TestEnsemble({ observers: [4] }).start();
    const client = ensemble.client(memberOf(ensemble, role));
    const xids = [client.create('/e', '', CREATE_MODE.ephemeral), client.create('/p'), client.getData('/e')];
    xids.push(client.close());
    const after = client.create('/after');
    ensemble.settle();
    assert.deepEqual(
      client.replies.map(({ xid, code }) => [xid, code]),
      xids.map((xid) => [xid, 0]),
    );
    assert.equal(client.reply(after), undefined);
    assert.ok(client.isClosed);
    for (const member of ensemble.members) {
      assert.ok(!member.has('/e'));
      assert.ok(member.has('/p'));
      assert.ok(!member.has('/after'));
      assert.equal(member.live.sessions.count, 0);
    }
    ensemble.check();
  });
}

test('writes of a session that has expired meanwhile are refused by one txn each', () => {
  const ensemble = new TestEnsemble().start();
  const { leader } = ensemble;
  const follower = ensemble.followers[0]!;
  const client = ensemble.client(follower, { timeoutMs: 200 });
  client.create('/e', '', CREATE_MODE.ephemeral);
  ensemble.settle();
  // What the leader says is held back, so that the follower goes on believing in the session.
  ensemble.network.stall(follower.id, leader.id);
  const xids = [client.setData('/e', 'x'), client.create('/a')];
  ensemble.advance(320);
  assert.ok(!leader.has('/e'), 'the leader has not heard of it for too long');
  const before = leader.zxid;
  ensemble.network.stall(leader.id, follower.id);
  ensemble.network.heal(follower.id, leader.id);
  ensemble.network.stall(leader.id, follower.id);
  ensemble.settle();
  assert.equal(leader.zxid, before + xids.length, 'an error txn for each');
  ensemble.network.heal(follower.id, leader.id);
  ensemble.settle();
  assert.ok(client.isClosed);
  for (const member of ensemble.members) assert.ok(!member.has('/a'));
  ensemble.check();
});

test('of two sessions on one learner each is answered for itself', () => {
  const ensemble = new TestEnsemble().start();
  const follower = ensemble.followers[0]!;
  const clients = [0, 1, 2].map(() => ensemble.client(follower));
  clients[0]!.create('/a');
  ensemble.settle();
  // The same xid on each, and different outcomes.
  const asks = [clients[0]!.create('/a'), clients[1]!.create('/b'), clients[2]!.delete('/none')];
  ensemble.settle();
  assert.deepEqual(
    clients.map((client, i) => client.code(asks[i]!)),
    [ERROR.nodeExists, ERROR.ok, ERROR.noNode],
  );
  ensemble.check();
});

test('a session is made through each server under an id of its own', () => {
  const ensemble = new TestEnsemble({ observers: [4] }).start();
  const ids = new Set<string>();
  for (let round = 0; round < 5; round++) {
    for (const member of ensemble.members) {
      const { high, low } = sessionOf(ensemble.client(member));
      assert.equal(high >>> 24, member.id);
      ids.add(`${high} ${low}`);
    }
  }
  assert.equal(ids.size, 20);
  for (const member of ensemble.members) assert.equal(member.live.sessions.count, 20);
  ensemble.check();
});

test('a client that goes before its session is made leaves a session that expires', () => {
  const ensemble = new TestEnsemble().start();
  const follower = ensemble.followers[0]!;
  const client = follower.open();
  client.connect({ timeoutMs: 300 });
  client.disconnect();
  ensemble.settle();
  for (const member of ensemble.members) assert.equal(member.live.sessions.count, 1);
  ensemble.advance(1_000);
  for (const member of ensemble.members) assert.equal(member.live.sessions.count, 0);
  ensemble.check();
});

for (const from of ROLES) {
  for (const to of ROLES) {
    test(`requests of one number on two connections of a session, on a server ${from} and on one ${to}: each is answered for itself`, () => {
      const ensemble = new TestEnsemble({ observers: [4] }).start();
      const home = memberOf(ensemble, from);
      const next = memberOf(ensemble, to);
      const old = ensemble.client(home);
      for (const member of ensemble.members) member.isDiskHeld = true;
      const asked = [old.create('/one'), old.create('/two'), old.create('/three')];
      ensemble.settle();
      old.disconnect();
      // It counts anew, as clients do with each connection (kazoo, say).
      const moved = ensemble.attempt(next, { session: sessionOf(old) });
      assert.deepEqual([moved.create('/four'), moved.delete('/none'), moved.create('/five')], asked);
      ensemble.settle();
      for (const member of ensemble.members) member.isDiskHeld = false;
      ensemble.settle();
      assert.deepEqual(
        moved.replies.map(({ xid, code }) => [xid, code]),
        asked.map((xid, i) => [xid, i === 1 ? ERROR.noNode : ERROR.ok]),
      );
      assert.equal(new ByteReader(moved.replies[0]!.body).string(), '/four');
      assert.equal(new ByteReader(moved.replies[2]!.body).string(), '/five');
      for (const member of ensemble.members) assert.ok(member.has('/three') && member.has('/five'));
      ensemble.check();
    });
  }
}
