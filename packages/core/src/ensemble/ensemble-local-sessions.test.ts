/** Local sessions: known to one server alone, without a txn, until an ephemeral makes them global. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CREATE_MODE, ERROR, OP } from '@zoots/protocol';
import type { TestClient, TestSession } from './stage-client.js';
import { createBody, setDataBody } from './stage-client.js';
import { TICK_MS } from './stage-config.js';
import { TestEnsemble, type TestMember } from './stage-ensemble.js';

const ROLES = ['leading', 'following', 'observing'];

function start(isUpgrading: boolean): TestEnsemble {
  const rules = { localSessionsEnabled: true, localSessionsUpgradingEnabled: isUpgrading };
  return new TestEnsemble({ observers: [4], rules }).start();
}

function memberOf(ensemble: TestEnsemble, role: string): TestMember {
  return ensemble.members.find((one) => one.role === role) as TestMember;
}

function isKnown(member: TestMember, client: TestClient): boolean {
  const { high, low } = client.session as TestSession;
  return member.live.sessions.get(high, low) !== undefined;
}

function advanceWithPings(ensemble: TestEnsemble, ms: number, client: TestClient): void {
  for (let passedMs = 0; passedMs < ms; passedMs += TICK_MS) {
    client.ping();
    ensemble.advance(TICK_MS);
  }
}

for (const role of ROLES) {
  test(`${role}: a local session makes no txn, works, and expires at its own server`, () => {
    const ensemble = start(false);
    const member = memberOf(ensemble, role);
    const before = ensemble.leader.zxid;
    const client = ensemble.client(member, { timeoutMs: 400 });
    assert.equal(ensemble.leader.zxid, before);
    for (const other of ensemble.members) assert.equal(isKnown(other, client), other === member);
    const xids = [client.create('/a', '1'), client.getData('/a'), client.setData('/a', '2'), client.sync()];
    xids.push(client.multi([{ op: OP.setData, body: setDataBody('/a', '3', 1) }]), client.getData('/a'));
    ensemble.settle();
    assert.deepEqual(
      client.replies.map(({ xid, code }) => [xid, code]),
      xids.map((xid) => [xid, 0]),
    );
    assert.equal(client.text(xids[5] as number), '3');
    assert.equal(ensemble.leader.zxid, before + 3);
    advanceWithPings(ensemble, 2_000, client);
    assert.ok(client.isConnected, 'it is heard of');
    ensemble.advance(600);
    assert.ok(client.isClosed, 'silence ends it');
    assert.ok(!isKnown(member, client));
    assert.equal(ensemble.leader.zxid, before + 3);
    ensemble.check();
  });

  test(`${role}: a local session that may not become global gets -120 for ephemerals, in its place in the order`, () => {
    const ensemble = start(false);
    const client = ensemble.client(memberOf(ensemble, role));
    const ephemeral = createBody('/e', '', CREATE_MODE.ephemeral);
    const asks: [number, number][] = [
      [client.create('/p'), ERROR.ok],
      [client.send(OP.create, ephemeral), ERROR.ephemeralOnLocalSession],
      [client.send(OP.create2, ephemeral), ERROR.ephemeralOnLocalSession],
      [client.create('/e', '', CREATE_MODE.ephemeralSequential), ERROR.ephemeralOnLocalSession],
      [
        client.multi([
          { op: OP.create, body: createBody('/q', '', 0) },
          { op: OP.create2, body: ephemeral },
        ]),
        ERROR.ephemeralOnLocalSession,
      ],
      [client.create('/r'), ERROR.ok],
    ];
    ensemble.settle();
    assert.deepEqual(
      client.replies.map(({ xid, code }) => [xid, code]),
      asks,
    );
    for (const member of ensemble.members) assert.ok(!member.has('/q') && !member.has('/e') && member.has('/r'));
    ensemble.check();
  });

  for (const how of ['create', 'create2', 'multi'] as const) {
    test(`${role}: an ephemeral by ${how} makes a local session global, under its id`, () => {
      const ensemble = start(true);
      const member = memberOf(ensemble, role);
      const client = ensemble.client(member, { timeoutMs: 600 });
      const body = createBody('/e', '', CREATE_MODE.ephemeral);
      const xids = [client.create('/before'), client.getData('/before')];
      xids.push(how === 'multi' ? client.multi([{ op: OP.create, body }]) : client.send(OP[how], body));
      xids.push(client.getData('/e'), client.create('/behind'), client.sync(), client.exists('/behind'));
      ensemble.settle();
      assert.deepEqual(
        client.replies.map(({ xid, code }) => [xid, code]),
        xids.map((xid) => [xid, 0]),
      );
      for (const other of ensemble.members) assert.ok(isKnown(other, client), `server ${other.id} knows it`);
      advanceWithPings(ensemble, 3_000, client);
      assert.ok(client.isConnected, 'its leader keeps it alive');
      const late = client.create('/late');
      ensemble.settle();
      assert.equal(client.code(late), 0);
      ensemble.check();
      const elsewhere = ensemble.members.find((other) => other !== member) as TestMember;
      const moved = ensemble.client(elsewhere, { session: client.session as TestSession, timeoutMs: 600 });
      ensemble.advance(1_500);
      assert.ok(moved.isClosed);
      for (const other of ensemble.members) {
        assert.ok(!other.has('/e'), `server ${other.id}`);
        assert.ok(!isKnown(other, client), `server ${other.id}`);
      }
      ensemble.check();
    });
  }

  test(`${role}: a local session that becomes global and falls silent expires once, with its ephemeral`, () => {
    const ensemble = start(true);
    const client = ensemble.client(memberOf(ensemble, role), { timeoutMs: 400 });
    client.create('/e', '', CREATE_MODE.ephemeral);
    ensemble.settle();
    const before = ensemble.leader.zxid;
    ensemble.advance(2_000);
    for (const member of ensemble.members) assert.ok(!member.has('/e') && !isKnown(member, client));
    assert.equal(ensemble.leader.zxid, before + 1);
    assert.ok(client.isClosed);
    ensemble.check();
  });

  test(`${role}: a local session is unknown elsewhere, and goes on where it was`, () => {
    const ensemble = start(true);
    const member = memberOf(ensemble, role);
    const client = ensemble.client(member, { timeoutMs: 2_000 });
    const session = client.session as TestSession;
    client.disconnect();
    for (const other of ensemble.members) {
      if (other === member) continue;
      const refused = ensemble.attempt(other, { session });
      assert.equal(refused.session?.timeoutMs, 0, `server ${other.id}`);
      assert.ok(!isKnown(other, client));
    }
    const resumed = ensemble.client(member, { session, timeoutMs: 2_000 });
    const xid = resumed.create('/a');
    ensemble.settle();
    assert.equal(resumed.code(xid), 0);
    ensemble.check();
  });

  test(`${role}: a local session that closes with writes in flight is answered in order, and leaves nothing`, () => {
    const ensemble = start(false);
    const member = memberOf(ensemble, role);
    const client = ensemble.client(member);
    const xids = [client.create('/a'), client.create('/b'), client.getData('/b'), client.sync(), client.close()];
    ensemble.settle();
    assert.deepEqual(
      client.replies.map(({ xid, code }) => [xid, code]),
      xids.map((xid) => [xid, 0]),
    );
    assert.ok(client.isClosed);
    assert.ok(!isKnown(member, client));
    assert.ok(ensemble.members.every((one) => one.has('/b')));
    ensemble.check();
  });

  test(`${role}: a local session that expires with writes in flight leaves nothing`, () => {
    const ensemble = start(false);
    const member = memberOf(ensemble, role);
    const client = ensemble.client(member, { timeoutMs: 200 });
    for (const other of ensemble.members) other.isDiskHeld = true;
    client.create('/a');
    client.getData('/a');
    client.sync();
    ensemble.advance(310);
    assert.ok(client.isClosed);
    for (const other of ensemble.members) other.isDiskHeld = false;
    ensemble.settle();
    assert.ok(!isKnown(member, client));
    ensemble.check();
  });
}

test('a local session ends with the role of its server', () => {
  const ensemble = start(true);
  const follower = ensemble.followers[0]!;
  const client = ensemble.client(follower, { timeoutMs: 9_000 });
  const old = ensemble.leader;
  old.kill();
  ensemble.until('a new leader serves', () => ensemble.members.filter(({ isServing }) => isServing).length === 3);
  assert.ok(client.isClosed);
  const again = ensemble.attempt(follower, { session: client.session as TestSession });
  assert.equal(again.session?.timeoutMs, 0);
  ensemble.check();
});
