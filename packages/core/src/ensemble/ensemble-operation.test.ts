/** A member's life beside the protocol: stopping, disks that fail, limits of requests, what time alone brings about, snapshots of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CREATE_MODE, OP } from '@zoots/protocol';
import type { MemoryOperation } from '@zoots/storage';
import { createBody, type TestSession } from './stage-client.js';
import { TestEnsemble, type TestMember } from './stage-ensemble.js';

function servingCount(ensemble: TestEnsemble): number {
  return ensemble.members.filter(({ isServing, fatal }) => isServing && fatal === null).length;
}

for (const role of ['leading', 'following', 'observing']) {
  test(`a server that is ${role} is stopped in order: what was prepared is on disk, and the others go on`, () => {
    const ensemble = new TestEnsemble({ observers: [4] }).start();
    const member = ensemble.members.find((one) => one.role === role) as TestMember;
    const client = ensemble.client(member, { timeoutMs: 9_000 });
    const xid = client.create('/a', 'x');
    ensemble.settle();
    assert.equal(client.code(xid), 0);
    let isStopped = false;
    member.live.stop(() => {
      isStopped = true;
    });
    ensemble.settle();
    assert.ok(isStopped);
    member.kill();
    ensemble.until('the others serve', () => servingCount(ensemble) === 3);
    ensemble.check();
    member.start();
    ensemble.until('all serve', () => servingCount(ensemble) === 4);
    const resumed = ensemble.client(member, { session: client.session as TestSession });
    assert.ok(resumed.isConnected);
    assert.ok(member.has('/a'));
    ensemble.check();
  });

  for (const operation of ['write', 'sync'] as MemoryOperation[]) {
    test(`the log's disk of a server that is ${role} fails in a ${operation}: it stops, and acknowledges nothing more`, () => {
      const ensemble = new TestEnsemble({ observers: [4] }).start();
      const member = ensemble.members.find((one) => one.role === role) as TestMember;
      const client = ensemble.client(member, { timeoutMs: 9_000 });
      const other = ensemble.members.find((one) => one.role === 'following' && one !== member) as TestMember;
      const witness = ensemble.client(other, { timeoutMs: 9_000 });
      member.disk.failNext(operation, '/log.', 'io');
      const xid = client.create('/a', 'x');
      ensemble.settle();
      assert.ok(member.fatal !== null);
      assert.equal(member.live.state, 'failed');
      if (role === 'leading') assert.equal(client.reply(xid), undefined);
      member.kill();
      ensemble.until('the others serve', () => servingCount(ensemble) === 3);
      if (role !== 'leading') assert.ok(witness.isConnected, 'clients of others notice nothing');
      member.start();
      ensemble.until('all serve', () => servingCount(ensemble) === 4);
      ensemble.settle();
      if (client.code(xid) === 0) assert.ok(member.has('/a'));
      ensemble.members.forEach((one) => {
        one.log.records.length = 0;
      });
      ensemble.check();
    });
  }
}

test('an epoch that cannot be written stops the server, and it joins when its disk is well', () => {
  for (const file of ['acceptedEpoch', 'currentEpoch']) {
    const ensemble = new TestEnsemble().start([1, 2, 3]);
    ensemble.member(1).kill();
    // The next epoch is one that server 1 has not heard of.
    ensemble.member(3).restart();
    ensemble.until('two serve', () => servingCount(ensemble) === 2);
    ensemble.member(1).start();
    ensemble.stepUntil(() => ensemble.member(1).isStarted);
    ensemble.member(1).disk.failNext('write', `${file}.tmp`, 'io');
    ensemble.until(`${file} fails`, () => ensemble.member(1).fatal !== null);
    ensemble.member(1).restart();
    ensemble.until('all serve', () => servingCount(ensemble) === 3);
  }
});

test('limits of requests hold on each server: clients are paused, and all is answered in order', () => {
  const config = { globalOutstandingLimit: 2, framesPerTurnMax: 1 };
  const ensemble = new TestEnsemble({ observers: [4], config, chunkBytesMax: 100 }).start();
  for (const member of ensemble.members) {
    const clients = [0, 1, 2].map(() => ensemble.client(member));
    const asked = clients.map((client, i) => {
      const xids: number[] = [];
      for (let n = 0; n < 15; n++)
        xids.push(client.create(`/s${member.id}-${i}-${n}`), client.sync(), client.exists('/'));
      return xids;
    });
    ensemble.settle();
    clients.forEach((client, i) => {
      assert.deepEqual(
        client.replies.map(({ xid, code }) => [xid, code]),
        asked[i]?.map((xid) => [xid, 0]),
      );
    });
  }
  ensemble.check();
});

test('containers and TTL znodes go once, by the word of whoever leads', () => {
  const ensemble = new TestEnsemble({ observers: [4] }).start();
  const client = ensemble.client(ensemble.members[0] as TestMember, { timeoutMs: 9_000 });
  const make = (suffix: string): void => {
    client.send(OP.createContainer, createBody(`/container${suffix}`, '', CREATE_MODE.container));
    client.create(`/container${suffix}/child`);
    client.delete(`/container${suffix}/child`);
    client.send(OP.createTTL, (out) => {
      createBody(`/ttl${suffix}`, '', CREATE_MODE.persistentTtl)(out);
      out.long(500);
    });
  };
  make('1');
  ensemble.settle();
  const before = ensemble.leader.zxid;
  for (const member of ensemble.members) assert.ok(member.has('/container1') && member.has('/ttl1'));
  ensemble.advance(2_500);
  for (const member of ensemble.members) assert.ok(!member.has('/container1') && !member.has('/ttl1'));
  assert.equal(ensemble.leader.zxid, before + 2);
  make('2');
  ensemble.settle();
  ensemble.leader.restart();
  ensemble.until('all serve', () => servingCount(ensemble) === 4);
  ensemble.advance(2_500);
  for (const member of ensemble.members) assert.ok(!member.has('/container2') && !member.has('/ttl2'));
  ensemble.check();
});

test('each server takes snapshots of its own while it serves, and starts from them', () => {
  const config = { snapCount: 10, snapshotSliceBytes: 500 };
  const ensemble = new TestEnsemble({ observers: [4], config, rules: { committedLogCount: 5 } }).start();
  const client = ensemble.client(ensemble.members[1] as TestMember, { timeoutMs: 9_000 });
  for (let i = 0; i < 100; i++) {
    client.create(`/n${i}`, 'x'.repeat(100));
    if (i % 7 === 0) ensemble.advance(5);
  }
  ensemble.advance(50);
  for (const member of ensemble.members) {
    assert.ok(member.live.snapshotter.completedCount > 3, `server ${member.id}`);
    member.restart();
    ensemble.until('all serve', () => servingCount(ensemble) === 4);
    ensemble.settle().check();
  }
});

test('a follower that stood still for long has its place again, without an answer that was not true', () => {
  const ensemble = new TestEnsemble().start();
  const [sleeper, other] = ensemble.followers;
  const reader = ensemble.client(sleeper!, { timeoutMs: 9_000 });
  const writer = ensemble.client(other!, { timeoutMs: 9_000 });
  for (const { id } of ensemble.members) {
    if (id === sleeper!.id) continue;
    ensemble.network.stall(id, sleeper!.id);
    ensemble.network.stall(sleeper!.id, id);
  }
  const write = reader.create('/late');
  for (let i = 0; i < 20; i++) {
    writer.create(`/n${i}`);
    ensemble.advance(100);
  }
  assert.ok(reader.isClosed);
  assert.equal(reader.reply(write), undefined);
  for (const { id } of ensemble.members) ensemble.network.heal(id, sleeper!.id);
  ensemble.until('all serve', () => servingCount(ensemble) === 3);
  ensemble.settle().check();
  // A sync of that session now says what became of it, whatever that is.
  const resumed = ensemble.client(other!, { session: reader.session as TestSession });
  const sync = resumed.sync();
  ensemble.settle();
  assert.equal(resumed.code(sync), 0);
});
