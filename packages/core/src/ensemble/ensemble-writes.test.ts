/** Writes and reads through each role: every member comes to the same state, and a session's answers come in the order of its requests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteReader, type ByteWriter } from '@zoots/base';
import { CREATE_MODE, ERROR, OP } from '@zoots/protocol';
import { createBody, pathAndVersion, setDataBody } from './stage-client.js';
import { TestEnsemble } from './stage-ensemble.js';

test('three servers elect a leader, and the one with the highest id of equals', () => {
  const ensemble = new TestEnsemble().start();
  assert.equal(ensemble.leader.id, 3);
  assert.equal(ensemble.followers.length, 2);
  ensemble.check();
});

test('writes through leader, follower and observer are seen on all', () => {
  const ensemble = new TestEnsemble({ observers: [4] }).start();
  const clients = [1, 3, 4].map((id) => ensemble.client(ensemble.member(id)));
  clients.forEach((client, i) => {
    const codes = [
      client.create(`/n${i}`, 'a'),
      client.setData(`/n${i}`, `value ${i}`),
      client.create(`/n${i}/child`, 'b'),
      client.create(`/n${i}/e`, 'c', CREATE_MODE.ephemeralSequential),
      client.delete(`/n${i}/child`),
    ];
    ensemble.settle();
    assert.deepEqual(
      codes.map((xid) => client.code(xid)),
      [0, 0, 0, 0, 0],
    );
  });
  for (const member of ensemble.members) {
    for (let i = 0; i < 3; i++) {
      assert.equal(member.data(`/n${i}`), `value ${i}`);
      assert.ok(member.has(`/n${i}/e0000000001`), `server ${member.id}`);
      assert.ok(!member.has(`/n${i}/child`));
    }
  }
  ensemble.check([1, 2, 3, 4]);
  assert.ok(ensemble.member(4).zxid > 0);
});

test('an answer comes only when a quorum has the write on disk', () => {
  const ensemble = new TestEnsemble().start();
  const [first, second] = ensemble.followers;
  const client = ensemble.client(ensemble.leader);
  first!.isDiskHeld = true;
  second!.isDiskHeld = true;
  const xid = client.create('/a');
  ensemble.settle();
  assert.equal(client.reply(xid), undefined, 'only the leader has it');
  first!.isDiskHeld = false;
  ensemble.settle();
  assert.equal(client.code(xid), 0);
  assert.ok(second!.has('/a'), 'COMMIT is enough to apply it');
  second!.isDiskHeld = false;
  ensemble.settle().check();
});

test('a leader has proposed a write before its own disk hears of it', () => {
  const ensemble = new TestEnsemble().start();
  const { leader } = ensemble;
  const client = ensemble.client(leader);
  client.create('/a');
  const told: number[] = [];
  ensemble.network.tap = (_from, to, bytes) => {
    assert.equal(leader.disk.run(), 0, 'the log is written after that');
    told.push(to);
    return bytes;
  };
  assert.ok(leader.turn());
  assert.deepEqual(told.sort(), [1, 2]);
  assert.ok(leader.disk.run() > 0, 'in the same turn');
  ensemble.network.tap = null;
  ensemble.settle().check();
});

test("the leader's own disk is one of many", () => {
  const ensemble = new TestEnsemble().start();
  const { leader } = ensemble;
  const client = ensemble.client(ensemble.followers[0]!);
  leader.isDiskHeld = true;
  const xid = client.create('/a');
  ensemble.settle();
  assert.equal(client.code(xid), 0, 'both followers have it');
  leader.isDiskHeld = false;
  ensemble.settle().check();
});

for (const role of ['leading', 'following', 'observing']) {
  test(`${role}: answers come in the order of the session's requests`, () => {
    const ensemble = new TestEnsemble({ observers: [4], chunkBytesMax: 7 }).start();
    const member = ensemble.members.find((one) => one.role === role)!;
    const client = ensemble.client(member);
    const reads: number[] = [];
    const xids: number[] = [];
    xids.push(client.create('/a', '0'));
    for (let i = 1; i <= 20; i++) {
      xids.push(client.setData('/a', `${i}`));
      const read = client.getData('/a');
      reads.push(read);
      xids.push(read);
      if (i % 5 === 0) xids.push(client.sync('/a'));
    }
    xids.push(client.getData('/nothing'));
    ensemble.settle();
    assert.deepEqual(
      client.replies.map(({ xid }) => xid),
      xids,
    );
    // A session sees its own writes. Others' writes it has none here: a read sees just what stood before it.
    assert.deepEqual(
      reads.map((xid) => client.text(xid)),
      reads.map((_, i) => `${i + 1}`),
    );
    const zxids = client.replies.map(({ zxid }) => zxid);
    assert.deepEqual(
      zxids,
      [...zxids].sort((left, right) => left - right),
      'no answer goes back in time',
    );
    ensemble.check();
  });
}

test('sync through a learner brings what was committed elsewhere before it', () => {
  const ensemble = new TestEnsemble().start();
  const { leader } = ensemble;
  const behind = ensemble.followers[0]!;
  const reader = ensemble.client(behind);
  const writer = ensemble.client(leader);
  const before = writer.create('/a', 'old');
  ensemble.settle();
  assert.equal(writer.code(before), 0);
  ensemble.network.stall(leader.id, behind.id);
  const write = writer.setData('/a', 'new');
  ensemble.settle();
  assert.equal(writer.code(write), 0);
  const stale = reader.getData('/a');
  const sync = reader.sync('/a');
  const fresh = reader.getData('/a');
  ensemble.settle();
  assert.equal(reader.text(stale), 'old', 'a read behind nothing is answered as of now');
  assert.equal(reader.reply(sync), undefined);
  assert.equal(reader.reply(fresh), undefined, 'waits behind the sync');
  ensemble.network.heal(leader.id, behind.id);
  ensemble.settle();
  assert.equal(reader.code(sync), 0);
  assert.equal(reader.text(fresh), 'new');
  ensemble.check();
});

test("a sync on the leader waits for what is proposed, and stands in the session's order", () => {
  const ensemble = new TestEnsemble().start();
  const writer = ensemble.client(ensemble.leader);
  const reader = ensemble.client(ensemble.leader);
  for (const follower of ensemble.followers) follower.isDiskHeld = true;
  const write = writer.create('/a');
  ensemble.settle();
  const sync = reader.sync();
  const read = reader.getData('/a');
  ensemble.settle();
  assert.equal(reader.reply(sync), undefined);
  assert.equal(reader.reply(read), undefined);
  for (const follower of ensemble.followers) follower.isDiskHeld = false;
  ensemble.settle();
  assert.equal(writer.code(write), 0);
  assert.deepEqual(
    reader.replies.map(({ xid, code }) => [xid, code]),
    [
      [sync, 0],
      [read, 0],
    ],
  );
});

test('a multi with create2 through a learner answers the stat, and is logged as create', () => {
  const ensemble = new TestEnsemble().start();
  const client = ensemble.client(ensemble.followers[0]!);
  const xid = client.multi([
    { op: OP.create2, body: createBody('/m', 'x', 0) },
    { op: OP.create, body: createBody('/m/a', 'y', 0) },
    { op: OP.setData, body: setDataBody('/m', 'z', 0) },
    { op: OP.create2, body: createBody('/m/b-', '', CREATE_MODE.persistentSequential) },
    { op: OP.check, body: pathAndVersion('/m', 1) },
  ]);
  ensemble.settle();
  assert.equal(client.code(xid), 0);
  const reader = new ByteReader(client.reply(xid)!.body);
  const header = (): number[] => [reader.int32(), reader.bool() ? 1 : 0, reader.int32()];
  const skip = (count: number): void => {
    for (let i = 0; i < count; i++) reader.int8();
  };
  assert.deepEqual(header(), [OP.create2, 0, 0]);
  assert.equal(reader.string(), '/m');
  skip(68);
  assert.deepEqual(header(), [OP.create, 0, 0]);
  assert.equal(reader.string(), '/m/a');
  assert.deepEqual(header(), [OP.setData, 0, 0]);
  skip(68);
  assert.deepEqual(header(), [OP.create2, 0, 0]);
  assert.equal(reader.string(), '/m/b-0000000001');
  skip(68);
  assert.deepEqual(header(), [OP.check, 0, 0]);
  assert.deepEqual(header(), [-1, 1, -1]);
  assert.equal(reader.remaining, 0);
  assert.ok(!reader.failed);
  ensemble.check();
});

test('what fails is refused with its code by one error txn each, whoever the client is connected to', () => {
  const ensemble = new TestEnsemble({ observers: [4] }).start();
  for (const id of [1, 3, 4]) {
    const client = ensemble.client(ensemble.member(id));
    const path = `/of${id}`;
    const asks: [number, number][] = [
      [client.create(path), ERROR.ok],
      [client.create(path), ERROR.nodeExists],
      [client.setData(path, 'x', 7), ERROR.badVersion],
      [client.setData('/none', 'x'), ERROR.noNode],
      [client.delete('/none'), ERROR.noNode],
      [client.create(`${path}/e`, '', CREATE_MODE.ephemeral), ERROR.ok],
      [client.create(`${path}/e/child`), ERROR.noChildrenForEphemerals],
      [client.delete(path), ERROR.notEmpty],
      [client.create('no-slash'), ERROR.badArguments],
      [client.create(`${path}/bad-mode`, '', 99), ERROR.badArguments],
      [client.send(OP.create, (out) => out.int32(77)), ERROR.marshallingError],
      [client.send(OP.setData, () => {}), ERROR.marshallingError],
      [client.send(OP.multi, (out) => out.int32(3)), ERROR.marshallingError],
      [client.multi([{ op: OP.check, body: pathAndVersion('/none', 0) }]), ERROR.ok],
      [client.send(OP.reconfig, noChange), ERROR.reconfigDisabled],
      [client.getData(path), ERROR.ok],
    ];
    const before = ensemble.leader.zxid;
    ensemble.settle();
    assert.deepEqual(
      client.replies.map(({ xid, code }) => [xid, code]),
      asks,
      `through server ${id}`,
    );
    // Reads take no zxid; everything else takes exactly one.
    assert.equal(ensemble.leader.zxid - before, asks.length - 1);
    ensemble.check();
  }
});

test('an op nobody knows is answered and closes the connection, without a txn', () => {
  const ensemble = new TestEnsemble().start();
  for (const member of ensemble.members) {
    const client = ensemble.client(member);
    const before = ensemble.leader.zxid;
    const xid = client.send(12345);
    ensemble.settle();
    assert.equal(client.code(xid), ERROR.unimplemented);
    assert.ok(client.isClosed);
    assert.equal(ensemble.leader.zxid, before);
  }
  ensemble.check();
});

test('watches fire on learners, before the data that they announce', () => {
  const ensemble = new TestEnsemble({ observers: [4] }).start();
  const writer = ensemble.client(ensemble.leader);
  writer.create('/a', '0');
  ensemble.settle();
  const watchers = [1, 2, 3, 4].map((id) => ensemble.client(ensemble.member(id)));
  for (const watcher of watchers) watcher.getData('/a', true);
  ensemble.settle();
  writer.setData('/a', '1');
  ensemble.settle();
  for (const watcher of watchers) assert.deepEqual(watcher.events, [{ type: 3, path: '/a' }]);
  ensemble.check();
});

test('many clients at once: every write is there once, and all agree', () => {
  const ensemble = new TestEnsemble({ observers: [4], chunkBytesMax: 300, seed: 7 }).start();
  const clients = Array.from({ length: 12 }, (_, i) => ensemble.client(ensemble.members[i % 4]!));
  clients[0]!.create('/q');
  ensemble.settle();
  const asked: [number, number][] = [];
  for (let round = 0; round < 20; round++) {
    clients.forEach((client, i) => {
      asked.push([i, client.create('/q/n-', `${i}`, CREATE_MODE.persistentSequential)]);
    });
  }
  ensemble.settle();
  const names = new Set<string>();
  for (const [i, xid] of asked) {
    assert.equal(clients[i]!.code(xid), 0);
    names.add(new ByteReader(clients[i]!.reply(xid)!.body).string()!);
  }
  assert.equal(names.size, 240);
  ensemble.check();
});

function noChange(out: ByteWriter): void {
  for (let i = 0; i < 3; i++) out.string(null);
  out.long(-1);
}
