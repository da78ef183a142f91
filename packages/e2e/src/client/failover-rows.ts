/** Three servers, and what a client notices when one of them dies: a session that goes on, no watch lost, no write twice. */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { connect, NotReadOnlyError, type WatchEvent, type ZooKeeper, type ZooKeeperError } from '@zoots/client';
import { Ensemble, type Member } from '../peers/ensemble.js';
import { type ClientRow, failureOf, type Stage, sleep, statesOf, until } from './row.js';
import { serverConfig, serverProperties } from './servers.js';

/** An election, on a machine that is busy. */
const ELECTION_MS = 20_000;

/** Longer than an election: the session must outlive it. */
const PATIENT = { sessionTimeoutMs: 30_000, connectTimeoutMs: 2_000 };

function textOf({ type, path }: WatchEvent): string {
  return `${type} ${path}`;
}

function memberOf(stage: Stage, zk: ZooKeeper): Member {
  assert.ok(zk.server !== null, 'connected');
  return stage.ensemble.memberAt(zk.server.port);
}

/** Connected to this member now, and to any other later. */
async function connectAt(stage: Stage, member: Member): Promise<ZooKeeper> {
  const zk = await stage.connect(PATIENT, `127.0.0.1:${member.port}`);
  zk.retarget(stage.connectString);
  assert.equal(zk.server?.port, member.port);
  return zk;
}

/** What a client sees of the death of a member that it is connected to, and what of its session is still there. */
async function survives(stage: Stage, victim: Member, end: (member: Member) => unknown): Promise<void> {
  const { ensemble, root } = stage;
  const zk = await connectAt(stage, victim);
  const survivor = ensemble.members.find((member) => member !== victim) as Member;
  const writer = await connectAt(stage, survivor);
  const id = zk.session?.id;
  const states = statesOf(zk);
  await zk.create(`${root}/e`, 'mine', { mode: 'ephemeral' });
  await zk.create(`${root}/n`, '0');
  const [once, persistent]: [string[], string[]] = [[], []];
  const watch = zk.watch(root, { recursive: true }, (event) => persistent.push(textOf(event)));
  await watch.ready;
  await zk.get(`${root}/n`, { watch: (event) => once.push(textOf(event)) });
  await zk.exists(`${root}/new`, { watch: (event) => once.push(textOf(event)) });
  const startMs = performance.now();
  await end(victim);
  // The client may be elsewhere again before anybody looks.
  await until('suspended', () => states.includes('suspended'), 25_000);
  const suspendedMs = performance.now() - startMs;
  // A write by somebody else while the client is away (retried by hand: this one may break, too).
  await until(
    'a write by another',
    () =>
      writer.set(`${root}/n`, '1').then(
        () => true,
        () => false,
      ),
    ELECTION_MS,
  );
  await zk.connected({ timeoutMs: ELECTION_MS });
  const backMs = performance.now() - startMs;
  assert.notEqual(memberOf(stage, zk), victim);
  assert.equal(zk.session?.id, id);
  assert.equal((await zk.exists(`${root}/e`))?.ephemeralOwner, id);
  await writer.create(`${root}/new`);
  await until('one-shot events', () => once.length >= 2);
  assert.deepEqual(once, [`changed ${root}/n`, `created ${root}/new`]);
  await until('persistent events', () => persistent.at(-1) === `created ${root}/new`);
  assert.ok(persistent.includes(`gap ${root}`), persistent.join());
  assert.equal(states.includes('lost'), false, states.join());
  stage.note(`suspended after ${Math.round(suspendedMs)} ms, back after ${Math.round(backMs)} ms`);
}

async function followerDies(stage: Stage): Promise<void> {
  const [follower] = await stage.ensemble.followers();
  await survives(stage, follower as Member, (member) => member.kill());
}

async function leaderDies(stage: Stage): Promise<void> {
  await survives(stage, await stage.ensemble.leader(), (member) => member.kill());
}

async function followerFreezes(stage: Stage): Promise<void> {
  const [follower] = await stage.ensemble.followers();
  const { ensemble, root } = stage;
  const zk = await stage.connect({ sessionTimeoutMs: 6_000, connectTimeoutMs: 1_000 }, `127.0.0.1:${follower?.port}`);
  zk.retarget(stage.connectString);
  const id = zk.session?.id;
  const states = statesOf(zk);
  await zk.create(`${root}/e`, null, { mode: 'ephemeral' });
  const startMs = performance.now();
  (follower as Member).freeze();
  await until('suspended', () => states.includes('suspended'), 6_000);
  await zk.connected({ timeoutMs: 6_000 });
  stage.note(`elsewhere after ${Math.round(performance.now() - startMs)} ms of a 6,000 ms session`);
  assert.notEqual(ensemble.memberAt(zk.server?.port as number), follower);
  assert.equal(zk.session?.id, id);
  assert.equal((await zk.exists(`${root}/e`))?.ephemeralOwner, id);
  assert.equal(states.includes('lost'), false, states.join());
}

/** Creates through kills of every member in turn; `create` says how, `check` what must hold of what was counted. */
async function createsThroughKills(stage: Stage, isProtected: boolean): Promise<void> {
  const { ensemble, root } = stage;
  const zk = await stage.connect(PATIENT);
  const id = zk.session?.id;
  const done: string[] = [];
  let unknownCount = 0;
  let isRunning = true;
  const create = async (): Promise<void> => {
    try {
      done.push(await zk.create(`${root}/n-`, null, { mode: 'persistent-sequential', protected: isProtected }));
    } catch (error) {
      const { code, outcome } = error as ZooKeeperError;
      assert.equal(isProtected, false, String(error));
      assert.equal(code, 'ZK_CONNECTION_LOSS', String(error));
      assert.equal(outcome, 'unknown');
      unknownCount++;
    }
  };
  const creating = Array.from({ length: 20 }, async () => {
    while (isRunning) {
      await create();
      await sleep(10);
    }
  });
  let killCount = 0;
  try {
    for (const choose of ['connected', 'leader'] as const) {
      await until('some creates', () => done.length > 100 * (killCount + 1), ELECTION_MS);
      const victim = choose === 'leader' ? await ensemble.leader() : memberOf(stage, zk);
      const before = done.length;
      await victim.kill();
      killCount++;
      await until('creates afterwards', () => done.length > before + 50, ELECTION_MS);
      await ensemble.heal();
    }
  } finally {
    isRunning = false;
    await Promise.allSettled(creating);
  }
  await Promise.all(creating);
  await zk.sync(root);
  const names = new Set((await zk.children(root)).map((name) => `${root}/${name}`));
  for (const path of done) assert.ok(names.has(path), `${path} was acknowledged and is not there`);
  assert.equal(new Set(done).size, done.length);
  const surplus = names.size - done.length;
  assert.ok(surplus >= 0 && surplus <= unknownCount, `${surplus} more than acknowledged, ${unknownCount} unknown`);
  assert.equal(zk.session?.id, id);
  stage.note(`${killCount} kills, ${done.length} done, ${unknownCount} unknown of which ${surplus} came through`);
  await zk.deleteRecursive(root);
}

/**
 * The newest write is seen after sync: at every server of ours, and at Apache's followers. Apache's leader answers a sync of its own
 * clients at once, and may not have applied yet what a follower has acknowledged.
 */
async function readYourWrites(stage: Stage): Promise<void> {
  const { ensemble, root } = stage;
  const clients = await Promise.all(ensemble.members.map((member) => connectAt(stage, member)));
  const leader = await ensemble.leader();
  const readers = clients.filter((_, i) => ensemble.kind === 'zoots' || ensemble.members[i] !== leader);
  await (clients[0] as ZooKeeper).create(`${root}/n`, '');
  for (let i = 0; i < 30; i++) {
    const writer = clients[i % clients.length] as ZooKeeper;
    await writer.set(`${root}/n`, String(i));
    for (const reader of readers) {
      if (reader === writer) continue;
      await reader.sync(`${root}/n`);
      assert.equal(String((await reader.get(`${root}/n`)).data), String(i));
    }
  }
}

/** The client never goes back in time: it refuses servers that have not seen what it has seen. */
async function neverBackwards(stage: Stage): Promise<void> {
  const { ensemble, root } = stage;
  const zk = await stage.connect(PATIENT);
  await zk.create(`${root}/n`, '');
  let written = 0;
  for (let i = 0; i < 6; i++) {
    written = (await zk.set(`${root}/n`, 'x')).version;
    const others = ensemble.members.filter((member) => member.port !== zk.server?.port);
    zk.retarget(ensemble.connectString(others));
    // Waits for the connection, and must see the write on whichever server it is.
    const { stat } = await zk.get(`${root}/n`);
    assert.ok(stat.version >= written, `version ${stat.version} after ${written} was written`);
    await until('connected elsewhere', () => others.some((member) => member.port === zk.server?.port));
  }
}

/**
 * One server of three is left, and serves reads. It takes local sessions only: those that the ensemble knows (a session becomes
 * one with its first ephemeral znode) wait for the ensemble.
 */
async function readOnly(stage: Stage): Promise<void> {
  const ensemble = await Ensemble.start(stage.ensemble.kind, {
    workDir: join(stage.workDir, 'members'),
    config: { ...serverConfig, localSessionsEnabled: 'true', localSessionsUpgradingEnabled: 'true' },
    properties: serverProperties,
  });
  stage.defer(() => ensemble.stop());
  const target = ensemble.connectString();
  const root = '';
  const [one, two] = await ensemble.followers();
  const picky = await stage.connect(PATIENT, target);
  await picky.create('/picky', null, { mode: 'ephemeral' });
  const patient = await stage.connect({ readOnly: true, ...PATIENT }, target);
  await patient.create('/patient', null, { mode: 'ephemeral' });
  const hasty = await stage.connect({ readOnly: true, sessionTimeoutMs: 2_000 }, target);
  const [patientStates, hastyStates] = [statesOf(patient), statesOf(hasty)];
  const id = patient.session?.id;
  await patient.create(`${root}/a`, 'x');
  const leader = await ensemble.leader();
  await Promise.all([leader.kill(), (two as Member).kill()]);
  await until('read-only', () => hasty.state === 'read-only', 25_000);
  assert.equal(hasty.server?.port, one?.port);
  const provisional = hasty.session?.id;
  assert.equal(String((await hasty.get(`${root}/a`)).data), 'x');
  const error = await failureOf(hasty.set(`${root}/a`, 'y'));
  assert.ok(error instanceof NotReadOnlyError, String(error));
  assert.equal(error.outcome, 'refused');
  const none = await failureOf(connect(target, { timeoutMs: 1_000 }));
  assert.equal((none as ZooKeeperError).code, 'ZK_CONNECTION_LOSS');
  assert.deepEqual([patient.state, picky.state], ['suspended', 'suspended']);
  await leader.start();
  await until('read-write again', () => hasty.state === 'connected', 30_000);
  await Promise.all([patient.connected({ timeoutMs: 10_000 }), picky.connected({ timeoutMs: 10_000 })]);
  assert.equal((await hasty.set(`${root}/a`, 'z')).version, 1);
  assert.equal(patient.session?.id, id);
  assert.deepEqual(patientStates, ['connected', 'suspended', 'connected']);
  assert.deepEqual(hastyStates.slice(0, 4), ['connected', 'suspended', 'lost', 'read-only']);
  stage.note(hastyStates.slice(3).join(' > '));
  stage.note(provisional === hasty.session?.id ? 'the session kept its id' : 'the session got another id');
}

/** Without a quorum nobody serves: suspended, then lost by the clock; a new session when there is one again. */
async function noQuorum(stage: Stage): Promise<void> {
  const { ensemble, root } = stage;
  const zk = await stage.connect({ sessionTimeoutMs: 3_000 });
  const old = zk.session;
  const states = statesOf(zk);
  await zk.create(`${root}/e`, null, { mode: 'ephemeral' });
  await Promise.all([(await ensemble.leader()).kill(), ...(await ensemble.followers()).slice(1).map((m) => m.kill())]);
  const startMs = performance.now();
  await until('lost', () => zk.state === 'lost', 6_000);
  stage.note(`lost after ${Math.round(performance.now() - startMs)} ms`);
  assert.equal(old?.signal.aborted, true);
  await ensemble.heal();
  await zk.connected({ timeoutMs: 20_000 });
  assert.notEqual(zk.session?.id, old?.id);
  assert.equal(states.filter((state) => state === 'lost').length, 1, states.join());
}

export const failoverRows: readonly ClientRow[] = [
  {
    name: 'failover: the follower that the client is connected to dies',
    where: 'ensemble',
    isExclusive: true,
    run: followerDies,
    timeoutMs: 60_000,
  },
  {
    name: 'failover: the leader that the client is connected to dies',
    where: 'ensemble',
    isExclusive: true,
    run: leaderDies,
    timeoutMs: 60_000,
  },
  { name: 'failover: a follower hangs', where: 'ensemble', isExclusive: true, isTimed: true, run: followerFreezes },
  {
    name: 'failover: creates through kills',
    where: 'ensemble',
    isExclusive: true,
    run: (stage) => createsThroughKills(stage, false),
    timeoutMs: 90_000,
  },
  {
    name: 'failover: protected creates through kills',
    where: 'ensemble',
    isExclusive: true,
    run: (stage) => createsThroughKills(stage, true),
    timeoutMs: 90_000,
  },
  { name: 'failover: sync and read elsewhere', where: 'ensemble', isExclusive: true, run: readYourWrites },
  {
    name: 'failover: never back in time',
    where: 'ensemble',
    isExclusive: true,
    run: neverBackwards,
    timeoutMs: 60_000,
  },
  {
    name: 'failover: read-only, and read-write again',
    where: 'ensemble',
    isExclusive: true,
    run: readOnly,
    timeoutMs: 90_000,
  },
  {
    name: 'failover: no quorum',
    where: 'ensemble',
    isExclusive: true,
    isTimed: true,
    run: noQuorum,
    timeoutMs: 60_000,
  },
];
