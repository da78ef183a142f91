/** What seeds found, each as the shortest story that shows it. The checkers of the simulator do most of the asserting. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { OP } from '@zoots/protocol';
import { makeRequest, type Request } from '../request.js';
import { ScriptedWorld } from './scripted-world.js';

const create = (path: string, fields: Partial<Request> = {}): Request =>
  makeRequest(OP.create, { path, data: 'x', ...fields });
const remove = (path: string): Request => makeRequest(OP.delete, { path });
const EPHEMERAL = 1;

test('seed 144: a closing session takes its ephemeral in flight over another session’s that is being deleted', () => {
  const world = new ScriptedWorld({ clientCount: 3 });
  world.client(1).ask(create('/f', { flags: EPHEMERAL }));
  world.pass(10);
  // One sync keeps everything that follows in flight together.
  world.slowDown(50);
  world.client(3).ask(create('/elsewhere'));
  world.pass(5);
  world.client(1).ask(remove('/f'));
  world.pass(5);
  world.client(2).ask(create('/f', { flags: EPHEMERAL }), makeRequest(OP.closeSession));
  world.pass(5);
  // The model says that this succeeds: nobody has /f any more.
  world.client(3).ask(create('/f'));
  world.pass(500);
  assert.equal(world.server.statistics.digestMismatches, 0);
  assert.ok(world.client(3).progressCount >= 2);
});

test('seed 5301134: a closing session takes an ephemeral that is made a second time while the first creation is applied', () => {
  const world = new ScriptedWorld({ clientCount: 2 });
  // Each sync keeps what comes meanwhile for the next one.
  world.slowDown(50);
  world.client(2).ask(create('/elsewhere'));
  world.pass(5);
  world.client(1).ask(create('/f', { flags: EPHEMERAL }), remove('/f'));
  world.pass(50);
  // /f is created and deleted in the sync that is under way, and created once more in the one behind it.
  world.client(1).ask(create('/f', { flags: EPHEMERAL }));
  world.pass(50);
  world.client(1).ask(makeRequest(OP.closeSession));
  world.pass(5);
  world.client(2).ask(create('/f'));
  world.pass(500);
  assert.equal(world.run.oracle.model.now('/f')?.kind, 'persistent');
  assert.equal(world.server.statistics.digestMismatches, 0);
});

test('seed 90: a quota holds for a create below a parent that is still in flight', () => {
  const world = new ScriptedWorld({ core: { enforceQuota: true } });
  const client = world.client(1);
  client.ask(
    create('/q'),
    create('/zookeeper/quota/q'),
    create('/zookeeper/quota/q/zookeeper_limits', { data: 'count=-1,bytes=-1=;byteHardLimit=3;countHardLimit=-1' }),
    create('/zookeeper/quota/q/zookeeper_stats', { data: '' }),
  );
  world.pass(50);
  // /q/parent fits; what comes below it has too many bytes, and is prepared before /q/parent is applied.
  client.ask(create('/q/parent', { data: '' }), create('/q/parent/child', { data: 'too long' }));
  world.pass(50);
  assert.ok(world.run.oracle.model.now('/q/parent') !== undefined);
  assert.equal(world.run.oracle.model.now('/q/parent/child'), undefined);
});

test('seed 47: a snapshot whose last sync fails is given up, and the server goes on', () => {
  const world = new ScriptedWorld({ core: { snapCount: 4, preAllocBytes: 0 } });
  const { manner } = world.run.disk;
  const client = world.client(1);
  let failed = 0;
  for (let i = 0; i < 40 && failed === 0; i++) {
    client.ask(create(`/n${i}`));
    // Fail whatever is synced once the log has what was asked.
    const { model, durability } = world.run.oracle;
    while (model.now(`/n${i}`) === undefined || durability.durableZxid < model.lastZxid) world.pass(0.01);
    if (world.server.snapshotter.isRunning) manner.syncErrorChance = 1;
    world.pass(5);
    manner.syncErrorChance = 0;
    failed = world.server.snapshotter.failedCount;
  }
  assert.equal(failed, 1, 'no snapshot failed: the scenario misses its point');
  assert.equal(world.server.state, 'serving');
  client.ask(create('/after'));
  world.pass(50);
  assert.ok(world.run.oracle.model.now('/after') !== undefined);
});

test('seed 174: a container that was emptied and made anew as a plain znode stays', () => {
  const container = { checkIntervalMs: 5_000, maxPerMinute: 60, maxNeverUsedIntervalMs: 0 };
  const world = new ScriptedWorld({ core: { container } });
  const client = world.client(1);
  const makeContainer = (path: string): Request => makeRequest(OP.createContainer, { path, data: '', flags: 4 });
  for (const path of ['/a', '/b']) client.ask(makeContainer(path), create(`${path}/child`), remove(`${path}/child`));
  world.pass(100);
  const { model } = world.run.oracle;
  // Both are found spent; at one removal a second the other has to wait.
  while (model.now('/a') !== undefined && model.now('/b') !== undefined) world.pass(1);
  assert.ok(world.run.simulator.nowUs > 4_000_000);
  const left = model.now('/a') === undefined ? '/b' : '/a';
  client.ask(remove(left), create(left));
  world.pass(5_000);
  assert.equal(model.now(left)?.kind, 'persistent');
});

test('seed 1182: with the request throttle on, a third client gets its turn beside two that never pause', () => {
  const throttle = { requestsMax: 3, stallTimeMs: 100, throttledOpWaitTimeMs: 0 };
  const world = new ScriptedWorld({ clientCount: 3, core: { throttle } });
  const many = (name: string): Request[] => Array.from({ length: 1_000 }, (_, i) => create(`/${name}${i}`));
  world.client(1).ask(...many('a'));
  world.client(2).ask(...many('b'));
  world.pass(2);
  world.client(3).progressCount = 0;
  world.client(3).ask(makeRequest(OP.exists, { path: '/' }));
  // Six requests are ahead of it, not two thousand.
  world.pass(20);
  assert.equal(world.client(3).progressCount, 1);
});

test('what a killed server left in the page cache alone is made durable before it is served', () => {
  const world = new ScriptedWorld();
  world.slowDown(200);
  world.client(1).ask(create('/unsynced'));
  world.pass(50);
  assert.ok(world.run.oracle.durability.durableZxid < world.run.oracle.model.lastZxid);
  world.run.host.kill();
  world.slowDown(1);
  world.awaitServer();
  // The durability checker fails if a reply speaks of what a power cut could take away.
  world.client(1).ask(makeRequest(OP.exists, { path: '/unsynced' }));
  world.pass(100);
  const zxid = world.server.tree.lastProcessedZxid;
  world.run.host.powerCut(true);
  world.awaitServer();
  assert.ok(world.server.tree.lastProcessedZxid >= zxid);
});

test('seed 30148: sessions have their full timeout from when the server serves, however long its first snapshot took', () => {
  const world = new ScriptedWorld();
  const client = world.client(1);
  const { sessionHigh, sessionLow } = client;
  client.ask(create('/mine', { flags: EPHEMERAL }));
  world.pass(50);
  world.run.host.kill();
  // The only snapshot is damaged: recovery goes by the log, and writes a new one before anything is served.
  world.run.disk.image.names.get('/data/version-2/snapshot.0')?.flipBit(40, 0);
  world.slowDown(15_000);
  world.pass(50_000);
  assert.equal(world.run.host.state, 'up');
  world.slowDown(1);
  world.pass(500);
  assert.deepEqual([client.sessionHigh, client.sessionLow], [sessionHigh, sessionLow], 'the session was lost');
  assert.ok(world.run.oracle.model.now('/mine') !== undefined);
});
