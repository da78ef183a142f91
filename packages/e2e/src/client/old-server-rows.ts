/** Servers of earlier versions, which people keep: what all of them can, and what they say to what came later. */
import { strict as assert } from 'node:assert';
import { BadVersionError, TransactionError, type WatchEvent, type ZooKeeper, type ZooKeeperError } from '@zoots/client';
import type { PeerKind } from '../peers/peer.js';
import { type ClientRow, failureOf, nextState, type Stage, until } from './row.js';

export const oldKinds: readonly PeerKind[] = ['apache-3.4.14', 'apache-3.5.10', 'apache-3.6.4', 'apache-3.7.2'];

async function basics(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const { root } = stage;
  await zk.addAuth('digest', 'ann:secret');
  assert.equal(await zk.create(`${root}/a`, 'one'), `${root}/a`);
  assert.equal(await zk.create(`${root}/e`, null, { mode: 'ephemeral' }), `${root}/e`);
  assert.equal(await zk.create(`${root}/s-`, '', { mode: 'persistent-sequential' }), `${root}/s-0000000002`);
  await zk.create(`${root}/mine`, 'x', { acl: [{ perms: 31, scheme: 'auth', id: '' }] });
  assert.equal((await zk.getAcl(`${root}/mine`)).acl[0]?.scheme, 'digest');
  assert.equal((await zk.set(`${root}/a`, 'two', { version: 0 })).version, 1);
  assert.ok((await failureOf(zk.set(`${root}/a`, 'x', { version: 0 }))) instanceof BadVersionError);
  assert.equal(String((await zk.get(`${root}/a`)).data), 'two');
  assert.equal((await zk.exists(`${root}/e`))?.ephemeralOwner, zk.session?.id);
  assert.deepEqual((await zk.children(root)).sort(), ['a', 'e', 'mine', 's-0000000002']);
  const [path, stat] = await zk.transaction().create(`${root}/t`).set(`${root}/a`, 'three').check(`${root}/t`).commit();
  assert.deepEqual([path, stat.version], [`${root}/t`, 2]);
  const refused = await failureOf(zk.transaction().delete(`${root}/t`).create(`${root}/a`).commit());
  assert.ok(refused instanceof TransactionError && refused.failedIndex === 1, String(refused));
  await zk.sync(root);
  await zk.namespace(root).ensurePath('/x/y/z');
  assert.equal(await zk.deleteRecursive(`${root}/x`), 3);
}

async function across(stage: Stage): Promise<void> {
  const interposer = await stage.interpose();
  const zk = await stage.connect({ auth: [{ scheme: 'digest', auth: 'ann:secret' }] }, interposer.connectString);
  const writer = await stage.connect();
  const { root } = stage;
  const id = zk.session?.id;
  await zk.create(`${root}/a`, 'x', { acl: [{ perms: 31, scheme: 'auth', id: '' }] });
  await zk.create(`${root}/e`, null, { mode: 'ephemeral' });
  const events: string[] = [];
  const watch = ({ type, path }: WatchEvent): number => events.push(`${type} ${path}`);
  await zk.get(`${root}/a`, { watch });
  await zk.exists(`${root}/new`, { watch });
  await zk.children(root, { watch });
  const suspended = nextState(zk, 'suspended');
  interposer.openness = 'refusing';
  await suspended;
  await writer.create(`${root}/new`);
  interposer.openness = 'open';
  assert.equal(String((await zk.get(`${root}/a`)).data), 'x');
  await until('events', () => events.length === 2);
  await zk.set(`${root}/a`, 'y');
  await until('the last event', () => events.length === 3);
  assert.deepEqual(events.sort(), [`changed ${root}/a`, `children ${root}`, `created ${root}/new`]);
  assert.equal((await zk.exists(`${root}/e`))?.ephemeralOwner, id);
  assert.equal(zk.session?.id, id);
  await zk.close();
  await writer.sync(root);
  assert.equal(await writer.exists(`${root}/e`), null);
}

interface Later {
  readonly since: string;
  readonly what: string;
  readonly call: (zk: ZooKeeper, root: string) => Promise<unknown>;
}

const later: readonly Later[] = [
  { since: '3.5', what: 'createWithStat', call: (zk, root) => zk.createWithStat(`${root}/stat`) },
  { since: '3.5', what: 'container', call: (zk, root) => zk.create(`${root}/c`, null, { mode: 'container' }) },
  {
    since: '3.5',
    what: 'TTL',
    call: (zk, root) => zk.create(`${root}/ttl`, null, { mode: 'persistent-with-ttl', ttlMs: 60_000 }),
  },
  {
    since: '3.5',
    what: 'removeWatches',
    call: async (zk, root) => {
      await zk.get(root, { watch: () => {} });
      await zk.removeWatches(root, 'data');
    },
  },
  { since: '3.6', what: 'multiRead', call: (zk, root) => zk.multiRead().get(root).commit() },
  {
    since: '3.6',
    what: 'persistent watch',
    call: async (zk, root) => {
      const watch = zk.watch(root);
      await watch.ready;
      await watch.close();
    },
  },
  { since: '3.6', what: 'ephemerals', call: (zk) => zk.ephemerals() },
  { since: '3.6', what: 'countDescendants', call: (zk, root) => zk.countDescendants(root) },
  { since: '3.7', what: 'whoAmI', call: (zk) => zk.whoAmI() },
];

/** What a server does not know is refused with one clear error, and the session goes on. */
async function laterOperations(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const { root } = stage;
  const id = zk.session?.id;
  const version = stage.kind.slice('apache-'.length);
  await zk.create(`${root}/e`, null, { mode: 'ephemeral' });
  for (const { since, what, call } of later) {
    const isKnown = version >= since;
    const attempt = (): Promise<string> =>
      call(zk, root).then(
        () => 'done',
        (error: ZooKeeperError) => `${error.code} ${error.outcome}`,
      );
    let outcome = await attempt();
    // These servers reset the connection behind the refusal, which may then be lost on the way.
    for (let tries = 0; outcome === 'ZK_CONNECTION_LOSS unknown' && tries < 10; tries++) outcome = await attempt();
    assert.equal(outcome, isKnown ? 'done' : 'ZK_UNIMPLEMENTED refused', what);
    if (!isKnown) stage.note(what);
    assert.equal((await zk.exists(`${root}/e`))?.ephemeralOwner, id, what);
  }
  assert.equal(zk.session?.id, id);
}

export const oldServerRows: readonly ClientRow[] = [
  { name: 'old servers: the basics', where: 'alone', kinds: oldKinds, run: basics },
  { name: 'old servers: across a cut connection', where: 'alone', kinds: oldKinds, run: across },
  {
    name: 'old servers: operations that came later are refused',
    where: 'alone',
    kinds: oldKinds,
    run: laterOperations,
  },
];
