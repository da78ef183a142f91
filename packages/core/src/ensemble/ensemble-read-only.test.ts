/** A server without a quorum may serve reads: when, to whom, and until when. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CREATE_MODE, ERROR, OP } from '@zoots/protocol';
import { createBody, type TestSession } from './stage-client.js';
import type { TestOptions } from './stage-config.js';
import { TestEnsemble, type TestMember } from './stage-ensemble.js';

const AFTER_MS = 2_000;

/** Server 1 with a history, and without the others. */
function alone(options: TestOptions = {}): { readonly ensemble: TestEnsemble; readonly member: TestMember } {
  const ensemble = new TestEnsemble({ ...options, rules: { readOnlyEnabled: true, ...options.rules } }).start();
  const client = ensemble.client(ensemble.leader);
  client.create('/a', 'kept');
  ensemble.settle();
  client.close();
  ensemble.settle();
  for (const id of [2, 3]) ensemble.member(id).kill();
  const member = ensemble.member(1);
  ensemble.until('it has noticed', () => member.role === 'looking', 5_000);
  return { ensemble, member };
}

test('after two seconds of looking, and not before, a server that may serves reads', () => {
  const { ensemble, member } = alone();
  ensemble.advance(AFTER_MS - 1);
  assert.equal(member.role, 'looking');
  assert.ok(ensemble.attempt(member, { readOnly: true }).isClosed);
  ensemble.advance(1);
  assert.equal(member.role, 'read-only');
  const client = ensemble.client(member, { readOnly: true });
  assert.ok(client.session?.isReadOnlyServer);
  const xid = client.getData('/a');
  ensemble.settle();
  assert.equal(client.text(xid), 'kept');
});

test('a tick that is longer than two seconds counts', () => {
  const config = { tickTimeMs: 3_000, minSessionTimeoutMs: 200 };
  const { ensemble, member } = alone({ config, rules: { initLimit: 1, syncLimit: 1 } });
  ensemble.advance(2_999);
  assert.equal(member.role, 'looking');
  ensemble.advance(1);
  assert.equal(member.role, 'read-only');
});

test('a server that may not never does', () => {
  const { ensemble, member } = alone({ rules: { readOnlyEnabled: false } });
  ensemble.advance(60_000);
  assert.equal(member.role, 'looking');
});

test('clients that ask for more are closed without an answer', () => {
  const { ensemble, member } = alone();
  ensemble.advance(AFTER_MS);
  const client = ensemble.attempt(member);
  assert.equal(client.session, null);
  assert.ok(client.isClosed);
});

test('writes and syncs are refused with -119 and the zxid, behind the reads before them; the connection stays', () => {
  const { ensemble, member } = alone();
  ensemble.advance(AFTER_MS);
  const client = ensemble.client(member, { readOnly: true });
  const create = createBody('/b', '', 0);
  const ephemeral = createBody('/b', '', CREATE_MODE.ephemeral);
  const refused = [
    client.create('/b'),
    client.create('/e', '', CREATE_MODE.ephemeral),
    client.send(OP.create2, create),
    client.send(OP.createContainer, create),
    client.setData('/a', 'x'),
    client.delete('/a'),
    client.multi([{ op: OP.create, body: ephemeral }]),
    client.sync(),
  ];
  const read = client.getData('/a');
  ensemble.settle();
  assert.deepEqual(
    client.replies.map(({ xid, code, zxid }) => [xid, code, zxid]),
    [...refused.map((xid) => [xid, ERROR.notReadOnly, member.zxid]), [read, 0, member.zxid]],
  );
  assert.ok(client.isConnected);
  const close = client.close();
  ensemble.settle();
  assert.equal(client.code(close), 0);
  assert.ok(client.isClosed);
  assert.equal(member.live.sessions.count, 0);
  member.check();
});

test('a global session is not taken up: its connection closes, and a real server goes on with it', () => {
  const ensemble = new TestEnsemble({ rules: { readOnlyEnabled: true } }).start();
  const client = ensemble.client(ensemble.leader, { timeoutMs: 9_000 });
  client.create('/e', '', CREATE_MODE.ephemeral);
  ensemble.settle();
  for (const id of [2, 3]) ensemble.member(id).kill();
  const member = ensemble.member(1);
  ensemble.until('it is read-only', () => member.role === 'read-only');
  const session = client.session as TestSession;
  const refused = ensemble.attempt(member, { session, readOnly: true });
  assert.equal(refused.session, null, 'no answer: it is not said to be expired');
  assert.ok(refused.isClosed);
  assert.ok(member.has('/e'));
  ensemble.member(2).start();
  ensemble.until('a quorum serves', () => [1, 2].every((id) => ensemble.member(id).isServing));
  const resumed = ensemble.client(member, { session, timeoutMs: 9_000 });
  const xid = resumed.setData('/e', 'x');
  ensemble.settle();
  assert.equal(resumed.code(xid), 0);
  ensemble.check();
});

test('no session expires without a leader, but those of readers do', () => {
  const ensemble = new TestEnsemble({ rules: { readOnlyEnabled: true } }).start();
  const client = ensemble.client(ensemble.leader, { timeoutMs: 500 });
  client.create('/e', '', CREATE_MODE.ephemeral);
  ensemble.settle();
  for (const id of [2, 3]) ensemble.member(id).kill();
  const member = ensemble.member(1);
  ensemble.until('it is read-only', () => member.role === 'read-only');
  const reader = ensemble.client(member, { readOnly: true, timeoutMs: 500 });
  ensemble.advance(10_000);
  assert.ok(member.has('/e'));
  assert.ok(reader.isClosed);
  assert.equal(member.live.sessions.count, 1);
  member.check();
});

test('when a quorum is back, readers are closed and everybody may write', () => {
  const { ensemble, member } = alone();
  ensemble.advance(AFTER_MS);
  const reader = ensemble.client(member, { readOnly: true, timeoutMs: 9_000 });
  ensemble.member(2).start();
  ensemble.until('a quorum serves', () => [1, 2].every((id) => ensemble.member(id).isServing));
  assert.ok(reader.isClosed);
  assert.equal(member.live.sessions.count, 0, 'the session was known to the read-only server alone');
  const writer = ensemble.client(member, { readOnly: true });
  assert.ok(writer.session?.isReadOnlyServer === false);
  const xid = writer.create('/b');
  ensemble.settle();
  assert.equal(writer.code(xid), 0);
  ensemble.check([1, 2]);
});

test('a read-only server comes and goes with each quorum', () => {
  const { ensemble, member } = alone();
  for (let round = 0; round < 3; round++) {
    ensemble.until('it is read-only', () => member.role === 'read-only');
    ensemble.client(member, { readOnly: true });
    ensemble.member(3).start();
    ensemble.until('a quorum serves', () => [1, 3].every((id) => ensemble.member(id).isServing));
    const writer = ensemble.client(member);
    const xid = writer.create(`/round${round}`);
    ensemble.settle();
    assert.equal(writer.code(xid), 0);
    ensemble.check([1, 3]);
    ensemble.member(3).kill();
  }
});
