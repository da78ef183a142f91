/** Sessions and what belongs to them - ephemerals, watches, order - when clients and servers are in different places. */
import { strict as assert } from 'node:assert';
import type { Member } from '../peers/ensemble.js';
import { bodies, Flags, Op } from '../wire/records.js';
import { WireSession } from '../wire/session.js';
import { type Scenario, type Stage, until } from './row.js';

/** Pairs of different members, each as (here, there). */
function pairsOf(stage: Stage): [Member, Member][] {
  const { members } = stage.ensemble;
  return members.flatMap((here) =>
    members.filter((there) => there !== here).map((there): [Member, Member] => [here, there]),
  );
}

async function ownerAt(stage: Stage, member: Member, path: string): Promise<bigint | null> {
  const session = await stage.session(member);
  await stage.catchUp(session, member);
  const stat = await session.exists(path);
  await session.close();
  return stat?.ephemeralOwner ?? null;
}

/** A session goes to another server: it keeps its ephemerals there, and the server that it left may not write for it. */
async function sessionsMove(stage: Stage): Promise<void> {
  for (const [here, there] of pairsOf(stage)) {
    const first = await stage.session(here);
    const path = `${stage.root}/move-${here.id}-${there.id}`;
    await first.create(path, 'mine', { flags: Flags.ephemeral });
    const second = await stage.move(first, there);
    assert.equal(second.sessionId, first.sessionId, `the session of ${here} at ${there}`);
    assert.equal((await second.exists(path))?.ephemeralOwner, first.sessionId);
    await second.setData(path, 'still mine');
    // A number of its own: answers on followers are found by session and number, as in Apache's.
    const lateBody = bodies.setData(path, Buffer.from('late'), -1);
    const late = await first.request(Op.setData, lateBody, 1_000).catch(() => null);
    assert.ok(
      late === null || late.err === -118,
      `${here} still writes for the session that moved to ${there}: ${late?.err}`,
    );
    assert.equal(String((await second.getData(path)).data), 'still mine');
    await second.close();
    first.abandon();
    for (const member of stage.ensemble.members) {
      assert.equal(await ownerAt(stage, member, path), null, `${path} at ${member} after its session was closed`);
    }
  }
}

/** A wrong password, and a session that nobody knows. */
async function sessionsAreRefused(stage: Stage): Promise<void> {
  for (const [here, there] of pairsOf(stage)) {
    const session = await stage.session(here);
    const password = Buffer.alloc(16, 7);
    await assert.rejects(
      WireSession.connect(there.port, { sessionId: session.sessionId, password }),
      `${there}: wrong password`,
    );
    const gone = { sessionId: session.sessionId, password: session.password };
    await session.close();
    await assert.rejects(WireSession.connect(there.port, gone), `${there}: closed session`);
  }
}

/** A client dies: its ephemerals go everywhere when its time is up, and not before. */
async function sessionsExpire(stage: Stage): Promise<void> {
  const timeoutMs = 2_000;
  for (const home of stage.ensemble.members) {
    const session = await WireSession.connect(home.port, { timeoutMs });
    const path = `${stage.root}/expires-${home.id}`;
    await session.create(path, '', { flags: Flags.ephemeral });
    await session.sync('/');
    const watchers = await Promise.all(stage.ensemble.members.map((member) => stage.session(member)));
    for (const [at, watcher] of watchers.entries()) {
      await stage.catchUp(watcher, stage.ensemble.members[at] as Member);
      assert.notEqual(await watcher.exists(path, true), null);
    }
    const beganMs = performance.now();
    session.abandon();
    const events = await Promise.all(watchers.map((watcher) => watcher.nextEvent(15_000)));
    const tookMs = performance.now() - beganMs;
    for (const [at, event] of events.entries()) {
      assert.equal(event?.path, path, `${stage.ensemble.members[at]} fires the watch`);
      assert.equal(event?.type, 2);
    }
    assert.ok(tookMs > timeoutMs * 0.4, `expired after ${tookMs} ms`);
    stage.note(`at ${home.id} after ${Math.round(tookMs)} ms`);
  }
}

/** A server dies with two sessions: one moves on, one does not. */
async function serverOfSessionDies(stage: Stage): Promise<void> {
  const timeoutMs = 4_000;
  for (const home of [...stage.followers, ...stage.ensemble.members.filter(({ isObserver }) => isObserver)]) {
    const there = stage.ensemble.participants.find((member) => member !== home) as Member;
    const [lives, dies] = [
      await WireSession.connect(home.port, { timeoutMs }),
      await WireSession.connect(home.port, { timeoutMs }),
    ];
    const [alive, dead] = [`${stage.root}/lives-${home.id}`, `${stage.root}/dies-${home.id}`];
    await lives.create(alive, '', { flags: Flags.ephemeral });
    await dies.create(dead, '', { flags: Flags.ephemeral });
    await home.kill();
    const moved = await stage.move(lives, there, timeoutMs);
    const pings = setInterval(() => void moved.ping().catch(() => {}), 500);
    try {
      assert.equal(await ownerAt(stage, there, dead), dies.sessionId, 'the other session has time left');
      await until(`${dead} goes`, async () => (await moved.exists(dead)) === null, 15_000);
      assert.equal((await moved.exists(alive))?.ephemeralOwner, lives.sessionId);
      await home.start();
      await stage.ensemble.untilWhole(stage.ensemble.members);
      assert.equal(await ownerAt(stage, home, alive), lives.sessionId);
      assert.equal(await ownerAt(stage, home, dead), null);
    } finally {
      clearInterval(pings);
    }
    await moved.close();
  }
}

/** The leader dies: sessions at the others live on with their connections or without, ephemerals too, watches fire. */
async function leaderDies(stage: Stage): Promise<void> {
  const { leader, followers } = stage;
  const home = followers[0] as Member;
  const session = await stage.session(home, { timeoutMs: 10_000 });
  const path = `${stage.root}/survives`;
  await session.create(path, '', { flags: Flags.ephemeral });
  await leader.kill();
  await stage.ensemble.untilWhole(stage.ensemble.members.filter((member) => member !== leader));
  const again = session.connection.closed ? await stage.move(session, home) : session;
  assert.equal(again.sessionId, session.sessionId);
  assert.equal((await again.exists(path))?.ephemeralOwner, session.sessionId);
  const watcher = await stage.session(followers[1] as Member);
  await watcher.sync('/');
  await watcher.getData(path, true);
  await again.setData(path, 'changed');
  assert.equal((await watcher.nextEvent())?.path, path);
  await leader.start();
  await stage.ensemble.untilWhole(stage.ensemble.members);
}

/** Every kind of watch at one server, changes made at another; an event comes before the answer to a read that shows the change. */
async function watchesFire(stage: Stage): Promise<void> {
  for (const [here, there] of pairsOf(stage)) {
    const [watcher, writer] = [await stage.session(here), await stage.session(there)];
    const path = `${stage.root}/watched-${here.id}-${there.id}`;
    await writer.create(path, 'first');
    await stage.catchUp(watcher, here);
    await watcher.getData(path, true);
    await watcher.getChildren(path, true);
    await watcher.exists(`${path}/child`, true);
    await writer.setData(path, 'second');
    await writer.create(`${path}/child`);
    // The answer stands behind the events of what it waited for.
    await stage.catchUp(watcher, here);
    const seen = watcher.events.splice(0).map(({ type, path: of }) => `${type} ${of}`);
    assert.deepEqual(
      seen.sort(),
      [`1 ${path}/child`, `3 ${path}`, `4 ${path}`],
      `watches at ${here}, changes at ${there}`,
    );
    if (hasAddWatch(stage)) await followSubtree(watcher, writer, path, () => stage.catchUp(watcher, here));
    await Promise.all([watcher.close(), writer.close()]);
  }
}

/** 3.6 brought watches that stay. */
function hasAddWatch(stage: Stage): boolean {
  return stage.ensemble.members.every(({ kind }) => !kind.startsWith('apache-3.5'));
}

async function followSubtree(
  watcher: WireSession,
  writer: WireSession,
  path: string,
  catchUp: () => Promise<void>,
): Promise<void> {
  const persistentRecursive = 1;
  const { err } = await watcher.request(Op.addWatch, bodies.pathType(path, persistentRecursive));
  assert.equal(err, 0, `addWatch ${path}`);
  await writer.create(`${path}/child/grandchild`);
  await writer.setData(`${path}/child/grandchild`, 'x');
  await writer.delete(`${path}/child/grandchild`);
  await writer.setData(path, 'third');
  await catchUp();
  const seen = watcher.events.splice(0).map(({ type, path: of }) => `${type} ${of?.slice(path.length)}`);
  assert.deepEqual(seen, ['1 /child/grandchild', '3 /child/grandchild', '2 /child/grandchild', '3 ']);
}

/** What a session writes it reads, and what it has been told of it finds elsewhere after a sync. */
async function syncShowsAll(stage: Stage): Promise<void> {
  for (const [here, there] of pairsOf(stage)) {
    const [reader, writer] = [await stage.session(here), await stage.session(there)];
    const path = `${stage.root}/sync-${here.id}-${there.id}`;
    await writer.create(path, '0');
    for (let round = 1; round <= 30; round++) {
      await writer.setData(path, String(round));
      const [, read] = await Promise.all([stage.catchUp(reader, here), reader.getData(path)]);
      assert.equal(String(read.data), String(round), `a sync at ${here} after a write at ${there}`);
    }
    await Promise.all([reader.close(), writer.close()]);
  }
}

/** Several hundred requests in flight at each server: answers come in order, reads see the writes before them. */
async function orderIsKept(stage: Stage): Promise<void> {
  await Promise.all(
    stage.ensemble.members.map(async (member) => {
      const session = await stage.session(member);
      const parent = `${stage.root}/order-${member.id}`;
      await session.create(parent);
      const made: string[] = [];
      const work: Promise<unknown>[] = [];
      for (let n = 0; n < 400; n++) {
        work.push(
          session
            .create(`${parent}/n-`, String(n), { flags: Flags.persistentSequential })
            .then((path) => made.push(path)),
        );
        if (n % 10 === 9) {
          const expected = n + 1;
          work.push(
            session.getChildren(parent).then((names) => assert.equal(names.length, expected, `${member}: own writes`)),
          );
        }
      }
      await Promise.all(work);
      const wanted = Array.from({ length: 400 }, (_, n) => `${parent}/n-${String(n).padStart(10, '0')}`);
      assert.deepEqual(made, wanted, `${member}: the order of answers`);
    }),
  );
}

export const sessionScenarios: readonly Scenario[] = [
  { name: 'sessions move between servers', run: sessionsMove },
  { name: 'sessions with a wrong password or none are refused', run: sessionsAreRefused },
  { name: 'sessions expire on every server', run: sessionsExpire },
  { name: 'a server dies with its sessions', run: serverOfSessionDies },
  { name: 'sessions and ephemerals survive the leader', run: leaderDies },
  { name: 'watches fire wherever the change is made', run: watchesFire },
  { name: 'sync shows what was written elsewhere', run: syncShowsAll },
  { name: 'requests in flight keep their order', run: orderIsKept },
];
