/**
 * Our locks, semaphores, leases and leaders beside kazoo's and Curator's on the same paths: each has to wait for the other, be
 * woken by the other's release and by the other's death, and both have to be counted.
 */
import { strict as assert } from 'node:assert';
import { connect, type ZooKeeper } from '@zoots/client';
import {
  type Acquirable,
  type Convention,
  type Hold,
  LeaderLatch,
  LeaderSelector,
  NonBlockingLease,
  ReadWriteLock,
  Semaphore,
  SimpleLock,
} from '@zoots/recipes';
import { type ForeignPeer, startCurator, startKazoo } from './foreign.js';
import { type RecipeRow, type Stage, until } from './row.js';

/** Something of ours that can be had at once or not. */
interface Ours extends Acquirable {
  tryAcquire(): Promise<Hold | null>;
}

interface Duel {
  readonly client: ZooKeeper;
  readonly foreign: ForeignPeer;
  readonly path: string;
  readonly stage: Stage;
}

type Start = (connectString: string) => Promise<ForeignPeer>;

const raceRounds = 20;

function row(name: string, start: Start, body: (duel: Duel) => Promise<void>): RecipeRow {
  const run = async (stage: Stage): Promise<void> => {
    await using foreign = await start(stage.connectString);
    await using client = await connect(stage.connectString, { sessionTimeoutMs: 10_000 });
    await body({ client, foreign, path: `${stage.root}/it`, stage });
  };
  return { name, run };
}

/** Neither gets what the other has, and both are woken by the other's release. */
async function excludeEachOther({ foreign, path }: Duel, kind: string, ours: Ours): Promise<void> {
  assert.equal(await foreign.ask(`acquire ${kind} ${path} 10`), 'yes');
  assert.equal(await ours.tryAcquire(), null, 'ours got what the other has');
  const acquiring = ours.acquire({ timeoutMs: 10_000 });
  await foreign.ask(`release ${kind} ${path}`);
  const held = await acquiring;
  assert.equal(await foreign.ask(`acquire ${kind} ${path} 0.3`), 'no', 'the other got what ours has');
  const waiting = foreign.ask(`acquire ${kind} ${path} 10`);
  await held.release();
  assert.equal(await waiting, 'yes');
  await foreign.ask(`release ${kind} ${path}`);
}

/** Both take it again and again as fast as they can; a marker shows whether they meet. */
async function race({ client, foreign, path, stage }: Duel, kind: string, ours: Ours): Promise<void> {
  const marker = `${stage.root}/marker`;
  const theirs = foreign.ask(`race ${kind} ${path} ${raceRounds} ${marker}`);
  let lastToken = 0;
  for (let round = 0; round < raceRounds; round++) {
    const held = await ours.acquire({ timeoutMs: 20_000 });
    await client.create(marker, null, { mode: 'ephemeral' });
    await client.delete(marker);
    assert.ok(held.token > lastToken);
    lastToken = held.token;
    await held.release();
  }
  assert.equal(await theirs, '0', 'the other met us inside');
}

/** The other dies with it; ours gets it when its session has expired. */
async function inherit({ foreign, path, stage }: Duel, kind: string, ours: Ours): Promise<void> {
  assert.equal(await foreign.ask(`acquire ${kind} ${path} 10`), 'yes');
  const beganMs = performance.now();
  const acquiring = ours.acquire({ timeoutMs: 15_000 });
  await foreign.kill();
  await (await acquiring).release();
  stage.note(`after its death ${((performance.now() - beganMs) / 1000).toFixed(1)} s`);
}

function lockRow(name: string, start: Start, convention: Convention, patterns = ''): RecipeRow {
  return row(name, start, async (duel) => {
    const ours = new SimpleLock(duel.client, duel.path, { convention, id: 'zoots' });
    await duel.foreign.ask(`make lock ${duel.path}${patterns}`);
    await excludeEachOther(duel, 'lock', ours);
    await race(duel, 'lock', ours);
    await inherit(duel, 'lock', ours);
  });
}

function readWriteRow(
  name: string,
  start: Start,
  convention: Convention,
  patterns = { read: '', write: '' },
): RecipeRow {
  return row(name, start, async (duel) => {
    const { client, foreign, path } = duel;
    const ours = new ReadWriteLock(client, path, { convention });
    await foreign.ask(`make read ${path}${patterns.read}`);
    await foreign.ask(`make write ${path}${patterns.write}`);
    await excludeEachOther(duel, 'write', ours.write);
    await excludeEachOther(duel, 'write', ours.read);
    await excludeEachOther(duel, 'read', ours.write);
    const reading = await ours.read.acquire();
    assert.equal(await foreign.ask(`acquire read ${path} 5`), 'yes', 'readers share');
    await reading.release();
    const again = await ours.read.acquire({ timeoutMs: 5_000 });
    await again.release();
    await foreign.ask(`release read ${path}`);
    // A writer of ours that turns reader lets their readers in, and their writers not.
    const writing = await ours.write.acquire();
    const turned = await ours.downgrade(writing);
    assert.equal(await foreign.ask(`acquire read ${path} 0.3`), 'no');
    await writing.release();
    assert.equal(await foreign.ask(`acquire write ${path} 0.3`), 'no');
    assert.equal(await foreign.ask(`acquire read ${path} 5`), 'yes');
    await foreign.ask(`release read ${path}`);
    await turned.release();
  });
}

const curatorSemaphore = row(
  'semaphore beside Curator SemaphoreV2',
  startCurator,
  async ({ client, foreign, path }) => {
    const ours = new Semaphore(client, path, 2);
    await foreign.ask(`make semaphore ${path}`);
    const first = await ours.acquire();
    assert.equal(await foreign.ask(`acquire semaphore ${path} 5`), 'yes');
    assert.equal(await ours.tryAcquire(), null, 'both permits are out');
    const waiting = ours.acquire({ timeoutMs: 10_000 });
    await foreign.ask(`release semaphore ${path}`);
    const second = await waiting;
    assert.equal(await foreign.ask(`acquire semaphore ${path} 0.3`), 'no', 'both permits are ours');
    const theirs = foreign.ask(`acquire semaphore ${path} 10`);
    await first.release();
    assert.equal(await theirs, 'yes');
    await second.release();
    await foreign.ask(`release semaphore ${path}`);
  },
);

const curatorLatch = row('leader latch beside Curator LeaderLatch', startCurator, async ({ client, foreign, path }) => {
  await using latch = new LeaderLatch(client, path, { id: 'zoots' });
  const first = await latch.leading();
  await foreign.ask(`make latch ${path}`);
  await until('Curator takes part', async () => (await latch.participants()).length === 2);
  assert.equal(await foreign.ask(`leader latch ${path}`), 'zoots');
  assert.equal(await foreign.ask(`leads latch ${path}`), 'no');
  await first.release();
  await until('Curator leads', async () => (await foreign.ask(`leads latch ${path}`)) === 'yes');
  assert.ok(!latch.isLeader);
  assert.equal((await latch.leader())?.id, 'curator');
  await until('ours waits', async () => (await latch.participants()).length === 2);
  await foreign.kill();
  const second = await latch.leading({ timeoutMs: 15_000 });
  assert.ok(second.token > first.token);
});

const kazooElection = row('leader selector beside kazoo Election', startKazoo, async ({ client, foreign, path }) => {
  // An Election is a Lock whose holder works.
  await foreign.ask(`make lock ${path}`);
  assert.equal(await foreign.ask(`acquire lock ${path} 5`), 'yes');
  let hasLed = false;
  const lead = (): void => {
    hasLed = true;
  };
  const selector = new LeaderSelector(client, path, lead, { convention: 'kazoo', id: 'zoots', requeue: false });
  const running = selector.run();
  await until('ours waits', async () => (await selector.participants()).length === 2);
  assert.equal(await foreign.ask(`contenders lock ${path}`), 'kazoo,zoots');
  assert.ok(!hasLed);
  await foreign.ask(`release lock ${path}`);
  await running;
  assert.ok(hasLed);
});

const kazooLease = row('lease beside kazoo NonBlockingLease', startKazoo, async ({ client, foreign, path }) => {
  const options = { durationMs: 60_000, holder: 'zoots' };
  const ours = new NonBlockingLease(client, path, options);
  const held = await ours.tryAcquire();
  assert.ok(held !== null);
  assert.equal(await foreign.ask(`lease ${path} 60 kazoo`), 'no');
  await held.release();
  assert.equal(await foreign.ask(`lease ${path} 3 kazoo`), 'yes');
  assert.equal((await ours.current())?.holder, 'kazoo');
  assert.equal(await ours.tryAcquire(), null);
  await until('its time is up', async () => (await ours.current()) === null);
  assert.ok(((await ours.tryAcquire())?.token ?? 0) > held.token);
});

export const interopRows: readonly RecipeRow[] = [
  lockRow('lock beside kazoo Lock', startKazoo, 'kazoo'),
  lockRow('lock in Curator form beside kazoo Lock with extra_lock_patterns', startKazoo, 'curator', ' -lock-'),
  lockRow('lock beside Curator InterProcessMutex', startCurator, 'curator'),
  readWriteRow('read-write lock beside kazoo ReadLock and WriteLock', startKazoo, 'kazoo'),
  readWriteRow('read-write lock in Curator form beside kazoo with extra_lock_patterns', startKazoo, 'curator', {
    read: ' __WRIT__',
    write: ' __WRIT__ __READ__',
  }),
  readWriteRow('read-write lock beside Curator InterProcessReadWriteLock', startCurator, 'curator'),
  curatorSemaphore,
  curatorLatch,
  kazooElection,
  kazooLease,
];
