/**
 * Our counters, barriers, queues, groups and service discovery beside kazoo's and Curator's on the same paths: what one writes the
 * other reads, and what one waits for the other ends.
 */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { connect, type ZooKeeper } from '@zoots/client';
import {
  AtomicLong,
  Barrier,
  Counter,
  DelayQueue,
  DoubleBarrier,
  GroupMembership,
  LockingQueue,
  PriorityQueue,
  Queue,
  ServiceDiscovery,
  uriOf,
} from '@zoots/recipes';
import { javaCommand, PeerMissingError, projectRoot, resolveJars } from '../peers/versions.js';
import { ForeignPeer } from './foreign.js';
import { type RecipeRow, type Stage, until } from './row.js';

const sources = join(projectRoot, 'packages', 'e2e', 'src', 'recipes');
const sessionSeconds = '2';

function startKazoo(connectString: string): Promise<ForeignPeer> {
  const python = ['python3', '/usr/bin/python3'].find(
    (command) => spawnSync(command, ['-c', 'import kazoo']).status === 0,
  );
  if (python === undefined) throw new PeerMissingError('no kazoo: install python3-kazoo');
  return ForeignPeer.start(python, [join(sources, 'values_kazoo_peer.py'), connectString, sessionSeconds]);
}

const curatorArtifacts = [
  'org.apache.curator:curator-x-discovery:5.7.1',
  'org.apache.zookeeper:zookeeper:3.9.3',
  'org.slf4j:slf4j-nop:1.7.36',
];

/** As fetchCurator of foreign.ts, for discovery. */
export function fetchDiscovery(): string {
  return join(resolveJars('curator-x-discovery', curatorArtifacts), '*');
}

/** Java compiles a single source file by itself. */
function startCurator(connectString: string): Promise<ForeignPeer> {
  const jars = fetchDiscovery();
  const words = ['-Xmx160m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', jars];
  return ForeignPeer.start(javaCommand(), [
    ...words,
    join(sources, 'ValuesCuratorPeer.java'),
    connectString,
    sessionSeconds,
  ]);
}

interface Duel {
  readonly client: ZooKeeper;
  readonly foreign: ForeignPeer;
  /** A path for each thing of the row: nothing is there yet. */
  readonly at: (name: string) => string;
}

function row(
  name: string,
  start: (connectString: string) => Promise<ForeignPeer>,
  body: (duel: Duel) => Promise<void>,
): RecipeRow {
  const run = async (stage: Stage): Promise<void> => {
    await using foreign = await start(stage.connectString);
    await using client = await connect(stage.connectString, { sessionTimeoutMs: 10_000 });
    await body({ client, foreign, at: (thing) => `${stage.root}/${thing}` });
  };
  return { name, run };
}

const kazooCounters = row('counters beside kazoo Counter', startKazoo, async ({ client, foreign, at }) => {
  for (const layout of ['text', 'int32'] as const) {
    const path = at(layout);
    const counter = new Counter(client, path, { layout });
    assert.equal(await foreign.ask(`add ${path} ${layout} 5`), '5');
    assert.deepEqual(await counter.add(-7), { before: 5, after: -2 });
    assert.equal(await foreign.ask(`add ${path} ${layout} 1`), '-1');
  }
});

const kazooBarriers = row('barriers beside kazoo Barrier and DoubleBarrier', startKazoo, async (duel) => {
  const { client, foreign, at } = duel;
  const path = at('barrier');
  const barrier = new Barrier(client, path);
  await barrier.set();
  assert.equal(await foreign.ask(`barrier ${path} 0.2`), 'no');
  const theirs = foreign.ask(`barrier ${path} 10`);
  await barrier.remove();
  assert.equal(await theirs, 'yes');
  await foreign.ask(`barrier ${path} create`);
  const ours = barrier.wait({ timeoutMs: 10_000 });
  assert.equal(await foreign.ask(`barrier ${path} remove`), 'yes');
  await ours;
  for (const round of ['double-a', 'double-b', 'double-c'])
    await meet(duel, at(round), (what) => `double ${at(round)} 2 ${what}`);
});

/** Enters together and leaves together, whoever comes first. */
async function meet({ client, foreign }: Duel, path: string, command: (what: string) => string): Promise<void> {
  const ours = new DoubleBarrier(client, path, 2);
  const entering = ours.enter({ timeoutMs: 10_000 });
  assert.equal(await foreign.ask(command('enter')), 'yes');
  await entering;
  const leaving = ours.leave({ timeoutMs: 10_000 });
  await foreign.ask(command('leave'));
  await leaving;
  assert.deepEqual(await client.children(path), []);
}

const kazooQueues = row('queues beside kazoo Queue and LockingQueue', startKazoo, async ({ client, foreign, at }) => {
  const path = at('queue');
  const queue = new PriorityQueue(client, path);
  await queue.put('b', 200);
  await foreign.ask(`put queue ${path} a 100`);
  await foreign.ask(`put queue ${path} c 300`);
  await queue.put('d', 400);
  assert.equal(await foreign.ask(`get queue ${path}`), 'a');
  assert.deepEqual([String(await queue.take()), String(await queue.take())], ['b', 'c']);
  assert.equal(await foreign.ask(`get queue ${path}`), 'd');
  assert.equal(await foreign.ask(`get queue ${path}`), 'nothing');

  const locking = at('locking');
  const ours = new LockingQueue(client, locking);
  await foreign.ask(`put locking ${locking} x 100`);
  await ours.put('y');
  const x = await ours.take();
  assert.equal(String(x.data), 'x');
  assert.equal(await foreign.ask(`get locking ${locking}`), 'y');
  assert.equal(await ours.poll(), null);
  await x.done();
  assert.equal(await foreign.ask(`consume ${locking}`), 'yes');
  assert.equal(await ours.size(), 0);
  await ours.put('z');
  assert.equal(await foreign.ask(`get locking ${locking}`), 'z');
  const waiting = ours.take({ timeoutMs: 20_000 });
  await foreign.kill();
  assert.equal(String((await waiting).data), 'z');
});

const kazooParty = row('group beside kazoo Party', startKazoo, async ({ client, foreign, at }) => {
  const path = at('party');
  await using group = new GroupMembership(client, path, { data: 'ours' });
  await group.ready;
  await foreign.ask(`party ${path} join theirs`);
  assert.equal(await foreign.ask(`party ${path} list theirs`), 'ours,theirs');
  await until('ours sees both', () => [...group.members().values()].map(String).sort().join() === 'ours,theirs');
  await foreign.kill();
  await until('theirs is gone', () => group.members().size === 1);
});

const curatorValues = row('counters and double barrier beside Curator', startCurator, async (duel) => {
  const { client, foreign, at } = duel;
  const counter = new Counter(client, at('count'), { layout: 'int32' });
  assert.equal(await foreign.ask(`count ${at('count')} 3`), '3');
  assert.deepEqual(await counter.add(-5), { before: 3, after: -2 });
  assert.equal(await foreign.ask(`count ${at('count')} 1`), '-1');
  const long = new AtomicLong(client, at('long'));
  assert.equal(await foreign.ask(`long ${at('long')} 9000000000`), '9000000000');
  assert.equal((await long.add(-1n)).after.value, 8999999999n);
  assert.equal(await foreign.ask(`long ${at('long')} 1`), '9000000000');
  for (const round of ['double-a', 'double-b', 'double-c']) {
    await meet(duel, at(round), (what) => `${what} ${at(round)} 2`);
  }
});

const curatorQueues = row('queues and group beside Curator', startCurator, async ({ client, foreign, at }) => {
  const simple = new Queue(client, at('simple'), { layout: 'curator-simple' });
  await simple.put('a');
  assert.equal(await foreign.ask(`offer ${at('simple')} b`), 'true');
  assert.equal(await foreign.ask(`poll ${at('simple')}`), 'a');
  assert.equal(String(await simple.take()), 'b');

  const priority = new PriorityQueue(client, at('priority'), { layout: 'curator' });
  await foreign.ask(`priority ${at('priority')} second 7`);
  await priority.put('third', 8);
  await foreign.ask(`priority ${at('priority')} first -7`);
  // Curator puts in the background.
  await until('all are there', async () => (await priority.size()) === 3);
  assert.equal(String(await priority.take()), 'first');
  await foreign.ask(`consume ${at('priority')}`);
  await until(
    'Curator has the rest',
    async () => (await foreign.ask(`consumed ${at('priority')}`)) === 'second,third,',
  );

  const delay = new DelayQueue(client, at('delay'));
  await foreign.ask(`delay ${at('delay')} later 300`);
  assert.equal(String(await delay.take({ timeoutMs: 10_000 })), 'later');
  await delay.putAfter('fourth', 100);
  await foreign.ask(`consume-delayed ${at('delay')}`);
  const all = 'second,third,fourth,';
  await until('Curator has that, too', async () => (await foreign.ask(`consumed ${at('delay')}`)) === all);

  await using group = new GroupMembership(client, at('group'), { id: 'ours', data: '1' });
  await foreign.ask(`join ${at('group')} theirs 2`);
  await group.ready;
  await until('ours sees both', () => String(group.members().get('theirs')) === '2');
  await until('Curator sees both', async () => (await foreign.ask(`members ${at('group')}`)) === 'ours,theirs');
});

const curatorDiscovery = row('service discovery beside Curator x-discovery', startCurator, async (duel) => {
  const { client, foreign, at } = duel;
  const path = at('services');
  const discovery = new ServiceDiscovery<string>(client, path);
  await foreign.ask(`register ${path} mail theirs 25 payload`);
  const found = await discovery.instance('mail', 'theirs');
  assert.ok(found !== null);
  assert.deepEqual([found.address, found.port, found.payload, found.serviceType], ['h', 25, 'payload', 'DYNAMIC']);
  assert.equal(uriOf(found), 'http://h:25');

  const uriSpec = {
    parts: [
      { value: 'zk://', variable: false },
      { value: 'address', variable: true },
    ],
  };
  await using ours = await discovery.register({
    name: 'mail',
    id: 'ours',
    address: 'o',
    port: 26,
    payload: 'p',
    uriSpec,
  });
  assert.equal(await foreign.ask(`names ${path}`), 'mail');
  assert.equal(await foreign.ask(`query ${path} mail ours`), 'mail ours o 26 p DYNAMIC zk://o');
  await ours.update({ port: 27 });
  assert.equal(await foreign.ask(`query ${path} mail ours`), 'mail ours o 27 p DYNAMIC zk://o');

  await using provider = await discovery.provider('mail');
  assert.deepEqual([provider.pick()?.id, provider.pick()?.id].sort(), ['ours', 'theirs']);
  await ours.close();
  assert.equal(await foreign.ask(`query ${path} mail ours`), 'nothing');
  await foreign.ask(`unregister ${path} theirs`);
  await provider.sync();
  assert.equal(provider.pick(), null);
});

export const valuesInteropRows: readonly RecipeRow[] = [
  kazooCounters,
  kazooBarriers,
  kazooQueues,
  kazooParty,
  curatorValues,
  curatorQueues,
  curatorDiscovery,
];
