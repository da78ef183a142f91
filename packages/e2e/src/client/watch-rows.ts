/** Watches: one-shot, persistent, recursive; their order, their removal, and that reconnects lose none. */
import { strict as assert } from 'node:assert';
import { NoWatcherError, type WatchEvent, type ZooKeeper } from '@zoots/client';
import { type ClientRow, failureOf, nextState, type Stage, sleep, until } from './row.js';

function textOf({ type, path }: WatchEvent): string {
  return `${type} ${path}`;
}

interface Pair {
  readonly zk: ZooKeeper;
  readonly writer: ZooKeeper;
}

async function pairOf(stage: Stage): Promise<Pair> {
  const [zk, writer] = await Promise.all([stage.connect(), stage.connect()]);
  return { zk, writer };
}

/** The reader has heard of everything that the writer has done. */
async function caughtUp({ zk, writer }: Pair, path: string): Promise<void> {
  await writer.sync(path);
  await zk.sync(path);
}

async function oneShot(stage: Stage): Promise<void> {
  const pair = await pairOf(stage);
  const { zk, writer } = pair;
  const { root } = stage;
  const events: string[] = [];
  const watch = (event: WatchEvent): number => events.push(textOf(event));
  await writer.create(`${root}/a`, 'x');
  await writer.create(`${root}/b`, 'x');
  await zk.get(`${root}/a`, { watch });
  await zk.exists(`${root}/new`, { watch });
  await zk.exists(`${root}/b`, { watch });
  await zk.children(root, { watch });
  await writer.set(`${root}/a`, 'y');
  await writer.create(`${root}/new`);
  await writer.delete(`${root}/b`);
  for (const path of [`${root}/a`, `${root}/new`]) await writer.set(path, 'z');
  await writer.create(`${root}/more`);
  await caughtUp(pair, root);
  assert.deepEqual(events.sort(), [
    `changed ${root}/a`,
    `children ${root}`,
    `created ${root}/new`,
    `deleted ${root}/b`,
  ]);
  events.length = 0;
  await zk.childrenWithStat(`${root}/a`, { watch: (event) => watch(event) });
  await zk.get(`${root}/a`, { watch });
  // The same listener twice for one event is called once.
  await zk.exists(`${root}/a`, { watch });
  await writer.delete(`${root}/a`);
  await caughtUp(pair, root);
  assert.deepEqual(events, [`deleted ${root}/a`, `deleted ${root}/a`]);
}

async function eventZxids(stage: Stage): Promise<void> {
  const { zk, writer } = await pairOf(stage);
  const path = `${stage.root}/a`;
  await writer.create(path);
  await zk.sync(path);
  await using watch = zk.watch(path);
  await watch.ready;
  const stat = await writer.set(path, 'x');
  const { value: event } = await watch[Symbol.asyncIterator]().next();
  assert.equal(event?.zxid, stage.hasEventZxids ? stat.mzxid : null);
}

async function persistent(stage: Stage): Promise<void> {
  const pair = await pairOf(stage);
  const { zk, writer } = pair;
  const path = `${stage.root}/p`;
  const watch = zk.watch(path);
  await watch.ready;
  const events: string[] = [];
  const reading = (async () => {
    for await (const event of watch) events.push(textOf(event));
  })();
  await writer.create(path);
  await writer.set(path, '1');
  await writer.set(path, '2');
  await writer.create(`${path}/child`);
  await writer.set(`${path}/child`, 'not seen');
  await writer.delete(`${path}/child`);
  await writer.delete(path);
  await writer.create(path);
  await caughtUp(pair, path);
  await watch.close();
  await reading;
  assert.deepEqual(
    events,
    ['created', 'changed', 'changed', 'children', 'children', 'deleted', 'created'].map((type) => `${type} ${path}`),
  );
}

async function recursive(stage: Stage): Promise<void> {
  const pair = await pairOf(stage);
  const { zk, writer } = pair;
  const { root } = stage;
  const events: string[] = [];
  const controller = new AbortController();
  const watch = zk.watch(root, { recursive: true, signal: controller.signal }, (event) => events.push(textOf(event)));
  await watch.ready;
  await writer.create(`${root}/a`);
  await writer.create(`${root}/a/b`);
  await writer.set(`${root}/a/b`, 'x');
  await writer.delete(`${root}/a/b`);
  await writer.set(root, 'x');
  await caughtUp(pair, root);
  const expected = [
    `created ${root}/a`,
    `created ${root}/a/b`,
    `changed ${root}/a/b`,
    `deleted ${root}/a/b`,
    `changed ${root}`,
  ];
  assert.deepEqual(events, expected);
  controller.abort();
  await until('no watch on the server', async () => {
    const before = events.length;
    await writer.set(root, 'y');
    await caughtUp(pair, root);
    return events.length === before;
  });
}

/** Servers before 3.9 know one kind of watch per path and connection: the one that was set last. */
async function severalOfOneKind(stage: Stage): Promise<void> {
  const pair = await pairOf(stage);
  const { zk, writer } = pair;
  const path = `${stage.root}/a`;
  await writer.create(path);
  await zk.sync(path);
  const seen: string[] = [];
  const one = zk.watch(path, {}, () => seen.push('one'));
  const two = zk.watch(path, {}, () => seen.push('two'));
  await Promise.all([one.ready, two.ready]);
  await writer.set(path, '1');
  await caughtUp(pair, path);
  assert.deepEqual(seen.sort(), ['one', 'two']);
  seen.length = 0;
  await one.close();
  await writer.set(path, '2');
  await caughtUp(pair, path);
  assert.deepEqual(seen, ['two']);
  seen.length = 0;
  await two.close();
  await writer.set(path, '3');
  await caughtUp(pair, path);
  assert.deepEqual(seen, []);
  assert.ok((await failureOf(zk.removeWatches(path))) instanceof NoWatcherError);
}

async function severalOnOnePath(stage: Stage): Promise<void> {
  const pair = await pairOf(stage);
  const { zk, writer } = pair;
  const path = `${stage.root}/a`;
  await writer.create(path);
  await zk.sync(path);
  const seen: string[] = [];
  const one = zk.watch(path, {}, () => seen.push('one'));
  const two = zk.watch(path, {}, () => seen.push('two'));
  const tree = zk.watch(path, { recursive: true }, () => seen.push('tree'));
  await Promise.all([one.ready, two.ready, tree.ready]);
  await zk.get(path, { watch: () => seen.push('once') });
  await writer.set(path, '1');
  await caughtUp(pair, path);
  assert.deepEqual(seen.sort(), ['once', 'one', 'tree', 'two']);
  seen.length = 0;
  // The server keeps one watch per path and connection: closing one must not take the others away.
  await one.close();
  await writer.set(path, '2');
  await caughtUp(pair, path);
  assert.deepEqual(seen.sort(), ['tree', 'two']);
  seen.length = 0;
  await tree.close();
  await writer.set(path, '3');
  await caughtUp(pair, path);
  assert.deepEqual(seen, ['two']);
}

/** A server takes a path's watch away for all; nobody who asked meanwhile may go deaf. */
async function closingBesideSetting(stage: Stage): Promise<void> {
  const pair = await pairOf(stage);
  const { zk, writer } = pair;
  const path = `${stage.root}/a`;
  await writer.create(path);
  await zk.sync(path);
  const seen: string[] = [];
  const first = zk.watch(path, {}, () => seen.push('first'));
  await first.ready;
  const second = zk.watch(path, {}, () => seen.push('second'));
  const once = zk.get(path, { watch: () => seen.push('once') });
  await Promise.all([first.close(), second.ready, once]);
  await writer.set(path, '1');
  await caughtUp(pair, path);
  assert.deepEqual(seen.sort(), ['once', 'second']);
  seen.length = 0;
  const third = zk.watch(path, {}, () => seen.push('third'));
  await Promise.all([second.close(), third.ready]);
  await writer.set(path, '2');
  await caughtUp(pair, path);
  assert.deepEqual(seen, ['third']);
}

async function removal(stage: Stage): Promise<void> {
  const pair = await pairOf(stage);
  const { zk, writer } = pair;
  const path = `${stage.root}/a`;
  await writer.create(path);
  await zk.sync(path);
  const seen: string[] = [];
  const setAll = async (): Promise<void> => {
    await zk.get(path, { watch: () => seen.push('data') });
    await zk.children(path, { watch: () => seen.push('children') });
  };
  const touch = async (): Promise<string[]> => {
    seen.length = 0;
    await writer.set(path, 'x');
    await writer.create(`${path}/n-`, null, { mode: 'persistent-sequential' });
    await caughtUp(pair, path);
    return [...seen].sort();
  };
  await setAll();
  await zk.removeWatches(path, 'data');
  assert.deepEqual(await touch(), ['children']);
  await setAll();
  await zk.removeWatches(path, 'children');
  assert.deepEqual(await touch(), ['data']);
  await setAll();
  await zk.removeWatches(path, 'any');
  assert.deepEqual(await touch(), []);
  assert.ok((await failureOf(zk.removeWatches(path, 'data'))) instanceof NoWatcherError);
  await setAll();
  await zk.removeWatches(path, 'any', { local: true });
  assert.deepEqual(await touch(), []);
}

async function order(stage: Stage): Promise<void> {
  const { zk, writer } = await pairOf(stage);
  const path = `${stage.root}/n`;
  await writer.create(path, '0');
  await zk.sync(path);
  let eventCount = 0;
  const watch = zk.watch(path, {}, () => eventCount++);
  await watch.ready;
  const base = Number((await zk.get(path)).stat.version);
  const count = 300;
  const writing = (async () => {
    for (let i = 0; i < count; i++) await writer.set(path, String(i));
  })();
  let readCount = 0;
  for (let version = base; version < count; ) {
    ({ version } = (await zk.get(path)).stat);
    readCount++;
    // Whoever reads version n was told of n changes before.
    assert.ok(eventCount >= version - base, `version ${version} was read after ${eventCount} events`);
  }
  await writing;
  stage.note(`${readCount} reads beside ${count} writes`);
}

async function everyEvent(stage: Stage): Promise<void> {
  const pair = await pairOf(stage);
  const { zk, writer } = pair;
  const path = `${stage.root}/a`;
  const seen: string[] = [];
  zk.on('watch', (event) => seen.push(textOf(event)));
  await zk.exists(path, { watch: () => {} });
  await writer.create(path);
  await caughtUp(pair, path);
  assert.deepEqual(seen, [`created ${path}`]);
}

async function slowReader(stage: Stage): Promise<void> {
  const pair = await pairOf(stage);
  const { zk, writer } = pair;
  const path = `${stage.root}/a`;
  await writer.create(path);
  await zk.sync(path);
  const watch = zk.watch(path, { bufferMax: 10 });
  await watch.ready;
  await Promise.all(Array.from({ length: 50 }, (_, at) => writer.set(path, String(at))));
  await caughtUp(pair, path);
  const { value: event } = await watch[Symbol.asyncIterator]().next();
  assert.equal(event?.type, 'gap');
  await watch.close();
}

/** One-shot watches see what happened while there was no connection. */
async function oneShotAcrossCut(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({}, interposer.connectString);
  const writer = await stage.connect();
  const { root } = stage;
  await writer.create(`${root}/a`);
  await writer.create(`${root}/b`);
  await zk.sync(root);
  const events: string[] = [];
  const watch = (event: WatchEvent): number => events.push(textOf(event));
  await zk.get(`${root}/a`, { watch });
  await zk.get(`${root}/b`, { watch });
  await zk.exists(`${root}/c`, { watch });
  await zk.children(root, { watch });
  await zk.get(root, { watch });
  interposer.openness = 'refusing';
  await until('suspended', () => zk.state === 'suspended');
  await writer.set(`${root}/a`, 'x');
  await writer.delete(`${root}/b`);
  await writer.create(`${root}/c`);
  await writer.sync(root);
  interposer.openness = 'open';
  await zk.connected();
  await until('all events', () => events.length >= 4);
  // This one did not change: its watch must still be there.
  await writer.set(root, 'x');
  await until('the last event', () => events.length >= 5);
  await sleep(50);
  assert.deepEqual(events.sort(), [
    `changed ${root}`,
    `changed ${root}/a`,
    `children ${root}`,
    `created ${root}/c`,
    `deleted ${root}/b`,
  ]);
}

async function persistentAcrossCut(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({}, interposer.connectString);
  const writer = await stage.connect();
  const { root } = stage;
  const [events, treeEvents]: [string[], string[]] = [[], []];
  const watch = zk.watch(root, {}, (event) => events.push(textOf(event)));
  const tree = zk.watch(root, { recursive: true }, (event) => treeEvents.push(textOf(event)));
  await Promise.all([watch.ready, tree.ready]);
  interposer.openness = 'refusing';
  await until('suspended', () => zk.state === 'suspended');
  await writer.set(root, 'missed');
  interposer.openness = 'open';
  await until('gaps', () => events.length > 0 && treeEvents.length > 0);
  await zk.connected();
  await writer.set(root, 'seen');
  await until('the event', () => events.length > 1 && treeEvents.length > 1);
  assert.deepEqual(events, [`gap ${root}`, `changed ${root}`]);
  assert.deepEqual(treeEvents, [`gap ${root}`, `changed ${root}`]);
}

/** A session that is gone takes its watches with it; the client sets them again in the next. */
async function acrossSessions(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const writer = await stage.connect();
  const { root } = stage;
  await writer.create(`${root}/a`);
  await zk.sync(root);
  const [once, persistentEvents]: [string[], string[]] = [[], []];
  await zk.get(`${root}/a`, { watch: (event) => once.push(textOf(event)) });
  const watch = zk.watch(root, { recursive: true }, (event) => persistentEvents.push(textOf(event)));
  await watch.ready;
  const old = zk.session;
  assert.ok(old !== null);
  const thief = await stage.connect({ session: { id: old.id, password: old.password } });
  await thief.close();
  await until('another session', () => zk.session !== null && zk.session.id !== old.id && zk.state === 'connected');
  await until('a gap', () => persistentEvents.length > 0);
  assert.deepEqual(persistentEvents, [`gap ${root}`]);
  await writer.set(`${root}/a`, 'x');
  await until('events', () => once.length > 0 && persistentEvents.length > 1);
  assert.deepEqual(once, [`changed ${root}/a`]);
  assert.deepEqual(persistentEvents, [`gap ${root}`, `changed ${root}/a`]);
}

/** More paths than fit into one SetWatches. */
async function manyAcrossCut(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({}, interposer.connectString);
  const writer = await stage.connect();
  const { root } = stage;
  const count = 3_000;
  const name = (at: number): string => `${root}/${'long-'.repeat(20)}${at}`;
  await Promise.all(Array.from({ length: count }, (_, at) => writer.create(name(at))));
  await zk.sync(root);
  const seen = new Set<string>();
  await Promise.all(
    Array.from({ length: count }, (_, at) => zk.get(name(at), { watch: (event) => seen.add(event.path) })),
  );
  const suspended = nextState(zk, 'suspended');
  interposer.cut();
  await suspended;
  await zk.connected();
  await Promise.all(Array.from({ length: count }, (_, at) => writer.set(name(at), 'x')));
  await until('all events', () => seen.size === count);
  await writer.deleteRecursive(root);
}

export const watchRows: readonly ClientRow[] = [
  { name: 'one-shot watches', run: oneShot },
  { name: 'events carry the zxid where the server sends it', run: eventZxids },
  { name: 'a persistent watch', run: persistent },
  { name: 'a recursive watch, ended by a signal', run: recursive },
  { name: 'several persistent watches on one path', run: severalOfOneKind },
  { name: 'watches of all kinds on one path', kinds: ['zoots', 'apache-3.9.5'], run: severalOnOnePath },
  { name: 'a watch is closed while others of its path are set', run: closingBesideSetting },
  { name: 'removeWatches', run: removal },
  { name: 'events come before the reads that show their change', run: order },
  { name: 'the client emits every event', run: everyEvent },
  { name: 'events that nobody reads become one gap', run: slowReader },
  { name: 'one-shot watches across a cut connection', run: oneShotAcrossCut },
  { name: 'persistent watches across a cut connection', run: persistentAcrossCut },
  { name: 'watches across sessions', run: acrossSessions },
  { name: '3,000 watches across a cut connection', run: manyAcrossCut },
];
