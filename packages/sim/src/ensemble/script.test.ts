/** The scripted world does what its header says: a story of each of its means. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { OP } from '@zoots/protocol';
import { makeRequest } from '../request.js';
import { ScriptedEnsemble } from './script.js';

test('three servers and an observer elect the highest id, and a write is everywhere', () => {
  const world = new ScriptedEnsemble({ members: 3, observers: 1, clients: 1 });
  world.start();
  assert.equal(world.awaitLeader().id, 3);
  const client = world.client(1, 1);
  world.write(client, '/a', 'x');
  world.settle();
  for (const id of [1, 2, 3, 4]) assert.deepEqual(world.tree(id), ['/a x']);
  assert.equal(world.role(4), 'observing');
  assert.equal(new Set([1, 2, 3, 4].map((id) => world.digest(id))).size, 1);
});

test('a held packet holds what is behind it, and nothing is lost when it is released', () => {
  const world = new ScriptedEnsemble({ clients: 1 });
  world.start();
  const leader = world.awaitLeader();
  const client = world.client(1, leader.id);
  world.settle();
  const commits = world.hold(({ name, to }) => name === 'COMMIT' && to === 1);
  const zxid = world.write(client, '/a', 'x');
  world.run(50);
  assert.equal(commits.count, 1);
  assert.ok(world.zxid(1) < zxid);
  assert.equal(world.zxid(2), zxid);
  commits.release();
  world.until('server 1 has it', () => world.zxid(1) === zxid);
});

test('a leader that is cut off steps down, and its tail is cut when it is back', () => {
  const world = new ScriptedEnsemble({ clients: 2 });
  world.start();
  const old = world.awaitLeader();
  const client = world.client(1, old.id);
  world.write(client, '/a', 'x');
  world.settle();
  world.isolate(old.id);
  client.ask(makeRequest(OP.create, { path: '/lost', data: 'y' }));
  world.until('others lead', () => world.leader !== null && world.leader.id !== old.id);
  world.write(world.client(2, (world.leader as { id: number }).id), '/kept', 'z');
  world.healAll();
  world.settle();
  assert.deepEqual(world.tree(old.id), ['/a x', '/kept z']);
  assert.equal(world.sent('TRUNC') + world.sent('SNAP') > 0, true);
});

test('a crash at a chosen operation of the disk, and a failure of one', () => {
  const world = new ScriptedEnsemble({ clients: 1 });
  world.start();
  const leader = world.awaitLeader();
  const client = world.client(1, leader.id);
  world.write(client, '/a', 'x');
  world.crashAt(1, 'write', /\/log\./);
  world.failAt(2, 'sync', /\/log\./, 2);
  world.write(client, '/b', 'y');
  assert.deepEqual(
    world.downs.map(({ id }) => id),
    [1],
  );
  world.start(1);
  world.settle();
  client.ask(makeRequest(OP.create, { path: '/c', data: 'z' }));
  world.until('server 2 gives up', () => world.downs.length === 2);
  assert.match(world.downs[1]?.problem ?? '', /log/);
  world.start(2);
  world.settle();
  assert.deepEqual(world.tree(1), ['/a x', '/b y', '/c z']);
});
