/** Every operation of ZooKeeper 3.9, and what it answers. */
import { strict as assert } from 'node:assert';
import { OPEN_ACL, type Stat } from '@zoots/client';
import { type ClientRow, failureOf, type Stage, until } from './row.js';

async function createModes(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const { root } = stage;
  const owner = zk.session?.id as bigint;
  assert.equal(await zk.create(`${root}/p`), `${root}/p`);
  assert.equal(await zk.create(`${root}/s-`, 'x', { mode: 'persistent-sequential' }), `${root}/s-0000000001`);
  assert.equal(await zk.create(`${root}/e`, null, { mode: 'ephemeral' }), `${root}/e`);
  assert.equal(await zk.create(`${root}/es-`, 'x', { mode: 'ephemeral-sequential' }), `${root}/es-0000000003`);
  assert.equal(await zk.create(`${root}/c`, null, { mode: 'container' }), `${root}/c`);
  assert.equal(await zk.create(`${root}/t`, null, { mode: 'persistent-with-ttl', ttlMs: 60_000 }), `${root}/t`);
  const ttlSequential = { mode: 'persistent-sequential-with-ttl', ttlMs: 60_000 } as const;
  assert.equal(await zk.create(`${root}/ts-`, null, ttlSequential), `${root}/ts-0000000006`);
  const ownerOf = async (name: string): Promise<bigint> =>
    ((await zk.exists(`${root}/${name}`)) as Stat).ephemeralOwner;
  for (const name of ['e', 'es-0000000003']) assert.equal(await ownerOf(name), owner, name);
  for (const name of ['p', 's-0000000001', 'c', 't', 'ts-0000000006']) assert.equal(await ownerOf(name), 0n, name);
}

async function createWithStat(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  for (const [name, options] of [
    ['p', {}],
    ['s-', { mode: 'persistent-sequential' }],
    ['e', { mode: 'ephemeral' }],
    ['es-', { mode: 'ephemeral-sequential' }],
    ['c', { mode: 'container' }],
    ['t', { mode: 'persistent-with-ttl', ttlMs: 1_000_000 }],
    ['ts-', { mode: 'persistent-sequential-with-ttl', ttlMs: 1_000_000 }],
  ] as const) {
    const { path, stat } = await zk.createWithStat(`${stage.root}/${name}`, 'four', options);
    assert.ok(path.startsWith(`${stage.root}/${name}`));
    assert.deepEqual(await zk.exists(path), stat, name);
    assert.equal(stat.dataLength, 4);
    assert.equal(stat.version, 0);
    assert.equal(stat.czxid, stat.mzxid);
    assert.ok(Math.abs(stat.ctime - Date.now()) < 60_000);
  }
}

async function reaped(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  await zk.create(`${stage.root}/t`, null, { mode: 'persistent-with-ttl', ttlMs: 300 });
  await zk.create(`${stage.root}/c`, null, { mode: 'container' });
  await zk.create(`${stage.root}/c/child`);
  await zk.delete(`${stage.root}/c/child`);
  await until('the TTL znode is gone', async () => (await zk.exists(`${stage.root}/t`)) === null);
  await until('the container is gone', async () => (await zk.exists(`${stage.root}/c`)) === null);
}

async function data(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const path = `${stage.root}/data`;
  await zk.create(path);
  assert.equal((await zk.get(path)).data, null);
  await zk.set(path, '');
  assert.deepEqual((await zk.get(path)).data, Buffer.alloc(0));
  await zk.set(path, 'héllo 世界 🚀');
  assert.equal((await zk.get(path)).data?.toString('utf8'), 'héllo 世界 🚀');
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  await zk.set(path, bytes);
  assert.deepEqual((await zk.get(path)).data, Buffer.from(bytes));
  const large = Buffer.alloc(1_000_000, 7);
  await zk.set(path, large);
  const read = await zk.get(path);
  assert.ok(read.data?.equals(large));
  assert.equal(read.stat.dataLength, large.length);
  const stat = await zk.set(path, null);
  assert.equal(stat.version, 5);
  assert.equal((await zk.get(path)).data, null);
  await zk.create(`${stage.root}/世界 ☂`, 'x');
  assert.deepEqual((await zk.children(stage.root)).sort(), ['data', '世界 ☂']);
}

async function readsAndWrites(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const path = `${stage.root}/a`;
  await zk.create(path, 'zero');
  const first = await zk.set(path, 'one', { version: 0 });
  assert.equal(first.version, 1);
  const { data, stat } = await zk.get(path);
  assert.equal(String(data), 'one');
  assert.deepEqual(stat, first);
  assert.ok(stat.mzxid > stat.czxid);
  assert.equal(zk.lastZxid >= stat.mzxid, true);
  assert.deepEqual(await zk.exists(path), stat);
  assert.equal(await zk.exists(`${stage.root}/none`), null);
  for (const name of ['x', 'y', 'z']) await zk.create(`${path}/${name}`);
  assert.deepEqual((await zk.children(path)).sort(), ['x', 'y', 'z']);
  const { children, stat: parent } = await zk.childrenWithStat(path);
  assert.equal(children.length, 3);
  assert.equal(parent.numChildren, 3);
  assert.equal(parent.cversion, 3);
  assert.equal(await zk.delete(`${path}/x`, { version: 0 }), undefined);
  await zk.delete(`${path}/y`);
  assert.deepEqual(await zk.children(path), ['z']);
  await zk.sync(path);
}

async function acls(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const path = `${stage.root}/acl`;
  await zk.create(path);
  const before = await zk.getAcl(path);
  assert.deepEqual(before.acl, OPEN_ACL);
  const stat = await zk.setAcl(path, [{ perms: 1, scheme: 'world', id: 'anyone' }], { version: 0 });
  assert.equal(stat.aversion, 1);
  const after = await zk.getAcl(path);
  assert.deepEqual(after.acl, [{ perms: 1, scheme: 'world', id: 'anyone' }]);
  assert.deepEqual(after.stat, stat);
  // Apache's leader judges a write by the list that it has applied itself, and a follower may have answered before that.
  if (stage.isEnsemble && stage.kind !== 'zoots') {
    await until('the new list holds', async () => (await zk.set(path, 'y').catch(() => null)) === null);
  }
  assert.equal(((await failureOf(zk.set(path, 'x'))) as { code?: string }).code, 'ZK_NO_AUTH');
}

async function identities(stage: Stage): Promise<void> {
  const owner = await stage.connect();
  await owner.addAuth('digest', 'ann:secret');
  const path = `${stage.root}/mine`;
  await owner.create(path, 'x', { acl: [{ perms: 31, scheme: 'auth', id: '' }] });
  const [entry] = (await owner.getAcl(path)).acl;
  assert.equal(entry?.scheme, 'digest');
  assert.match(entry?.id ?? '', /^ann:/);
  const other = await stage.connect();
  assert.equal(((await failureOf(other.get(path))) as { code?: string }).code, 'ZK_NO_AUTH');
  const friend = await stage.connect({ auth: [{ scheme: 'digest', auth: Buffer.from('ann:secret') }] });
  assert.equal(String((await friend.get(path)).data), 'x');
  const names = (await owner.whoAmI()).map(({ scheme, user }) => `${scheme}:${user}`).sort();
  assert.deepEqual(names, ['digest:ann', 'ip:127.0.0.1']);
}

async function transactions(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const { root } = stage;
  await zk.create(`${root}/a`, 'old');
  const [created, child, stat, deleted, checked, sequential] = await zk
    .transaction()
    .create(`${root}/b`, 'b')
    .create(`${root}/b/c`, 'c', { mode: 'ephemeral' })
    .set(`${root}/a`, 'new', { version: 0 })
    .delete(`${root}/b/c`, { version: 0 })
    .check(`${root}/a`, { version: 1 })
    .create(`${root}/s-`, null, { mode: 'persistent-sequential' })
    .commit();
  assert.equal(created, `${root}/b`);
  assert.equal(child, `${root}/b/c`);
  assert.equal(stat.version, 1);
  assert.equal(deleted, undefined);
  assert.equal(checked, undefined);
  assert.equal(sequential, `${root}/s-0000000002`);
  assert.equal(await zk.exists(`${root}/b/c`), null);
  assert.deepEqual(await zk.transaction().commit(), []);
  const [container, ttl, set] = await zk
    .transaction()
    .create(`${root}/c`, null, { mode: 'container' })
    .create(`${root}/t`, null, { mode: 'persistent-with-ttl', ttlMs: 500_000 })
    .set(`${root}/c`, 'x')
    .commit();
  assert.deepEqual([container, ttl, set.version], [`${root}/c`, `${root}/t`, 1]);
  assert.deepEqual((await zk.children(root)).sort(), ['a', 'b', 'c', 's-0000000002', 't']);
}

async function transactionsWithStat(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const { root } = stage;
  const [ephemeral, container] = await zk
    .transaction()
    .createWithStat(`${root}/e`, 'e', { mode: 'ephemeral' })
    .createWithStat(`${root}/c`, 'cc', { mode: 'container' })
    .commit();
  assert.equal(ephemeral.path, `${root}/e`);
  assert.equal(ephemeral.stat.ephemeralOwner, zk.session?.id);
  assert.deepEqual(await zk.exists(`${root}/c`), container.stat);
}

/** Servers before 3.8.2 answer without the stat. */
async function transactionsWithoutStat(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const { root } = stage;
  const builder = zk.transaction().create(`${root}/a`).createWithStat(`${root}/b`).create(`${root}/c`);
  const error = await failureOf(builder.commit());
  assert.match(error.message, /the transaction is done, but this server does not tell the stat/);
  assert.deepEqual((await zk.children(root)).sort(), ['a', 'b', 'c']);
}

async function multiRead(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  await zk.create(`${stage.root}/a`, 'data');
  const [got, missing, list, none] = await zk
    .multiRead()
    .get(`${stage.root}/a`)
    .get(`${stage.root}/missing`)
    .children(stage.root)
    .children(`${stage.root}/missing`)
    .commit();
  assert.ok(got.ok && String(got.value.data) === 'data' && got.value.stat.dataLength === 4);
  assert.ok(!missing.ok && missing.error.code === 'ZK_NO_NODE' && missing.error.path === `${stage.root}/missing`);
  assert.ok(list.ok);
  assert.deepEqual(list.value, ['a']);
  assert.ok(!none.ok && none.error.code === 'ZK_NO_NODE');
  assert.deepEqual(await zk.multiRead().commit(), []);
}

async function ephemeralsAndCounts(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const other = await stage.connect();
  const { root } = stage;
  await zk.create(`${root}/a`);
  for (const name of ['a/one', 'a/two', 'three']) await zk.create(`${root}/${name}`, null, { mode: 'ephemeral' });
  await other.create(`${root}/foreign`, null, { mode: 'ephemeral' });
  await zk.sync(root);
  assert.deepEqual((await zk.ephemerals()).sort(), [`${root}/a/one`, `${root}/a/two`, `${root}/three`]);
  assert.deepEqual((await zk.ephemerals(`${root}/a`)).sort(), [`${root}/a/one`, `${root}/a/two`]);
  assert.deepEqual(await zk.ephemerals(`${root}/nothing`), []);
  assert.equal(await zk.countDescendants(root), 5);
  assert.equal(await zk.countDescendants(`${root}/three`), 0);
}

async function pipelining(stage: Stage): Promise<void> {
  const zk = await stage.connect({ inFlightMax: 100 });
  const count = 2_000;
  const path = `${stage.root}/n`;
  await zk.create(path);
  const order: number[] = [];
  const writes = Array.from({ length: count }, (_, at) =>
    zk.set(path, String(at), { version: at }).then((stat) => order.push(stat.version)),
  );
  const last = zk.get(path);
  await Promise.all(writes);
  assert.deepEqual(
    order,
    Array.from({ length: count }, (_, at) => at + 1),
  );
  // A read sees the writes that were made before it.
  assert.equal(String((await last).data), String(count - 1));
}

async function configOfEnsemble(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  const config = await zk.config();
  const ports = stage.ensemble.members.map((member) => member.port);
  assert.deepEqual(
    config.servers.map(({ id, role, host }) => [id, role, host]),
    [1, 2, 3].map((id) => [id, 'participant', '127.0.0.1']),
  );
  assert.match(config.text, /server\.1=127\.0\.0\.1:/);
  assert.equal(typeof config.version, 'bigint');
  for (const { clientAddress } of config.servers)
    assert.ok(clientAddress === null || ports.includes(clientAddress.port));
  stage.note(`version 0x${config.version.toString(16)}`);
}

async function reconfiguration(stage: Stage): Promise<void> {
  const zk = await stage.connect();
  assert.equal(((await failureOf(zk.reconfig({ leaving: [3] }))) as { code?: string }).code, 'ZK_NO_AUTH');
  await zk.addAuth('digest', 'super:test');
  const before = await zk.config();
  const changes = zk.watchConfig()[Symbol.asyncIterator]();
  stage.defer(() => changes.return?.(undefined));
  assert.equal((await changes.next()).value?.version, before.version);
  const leaver = (await stage.ensemble.followers())[0]?.id as number;
  const line = before.text.split('\n').find((text) => text.startsWith(`server.${leaver}=`)) as string;
  const port = stage.ensemble.members[leaver - 1]?.port;
  const without = await zk.reconfig({ leaving: [leaver] });
  assert.equal(without.servers.length, 2);
  assert.ok(without.version > before.version);
  assert.equal((await changes.next()).value?.version, without.version);
  const stale = await failureOf(zk.reconfig({ leaving: [leaver], fromConfig: before.version }));
  assert.equal((stale as { code?: string }).code, 'ZK_BAD_VERSION');
  const joining = line.includes(';') ? line : `${line};${port}`;
  await until('the server has joined again', () =>
    zk.reconfig({ joining: [joining] }).then(
      (config) => config.servers.length === 3,
      (error) => {
        if (error.code === 'ZK_NEW_CONFIG_NO_QUORUM' || error.code === 'ZK_RECONFIG_IN_PROGRESS') return false;
        throw error;
      },
    ),
  );
  const all = await zk.config();
  assert.equal(all.servers.length, 3);
  assert.deepEqual(all.servers.find(({ id }) => id === leaver)?.clientAddress?.port, port);
}

export const operationRows: readonly ClientRow[] = [
  { name: 'create in every mode', run: createModes },
  { name: 'create with stat in every mode', run: createWithStat },
  { name: 'TTL znodes and containers go', run: reaped },
  { name: 'data: null, empty, text, bytes, a megabyte', run: data },
  { name: 'get, set, exists, children, delete, sync', run: readsAndWrites },
  { name: 'ACLs', run: acls },
  { name: 'identities: addAuth, auth option, whoAmI', run: identities },
  { name: 'transactions', run: transactions },
  { name: 'createWithStat in transactions', kinds: ['zoots', 'apache-3.9.5'], run: transactionsWithStat },
  { name: 'createWithStat in transactions of old servers', kinds: ['apache-3.8.0'], run: transactionsWithoutStat },
  { name: 'multiRead', run: multiRead },
  { name: 'ephemerals, countDescendants', run: ephemeralsAndCounts },
  { name: '2,000 writes in the pipeline keep their order', run: pipelining },
  { name: 'config', where: 'ensemble', run: configOfEnsemble },
  {
    name: 'reconfig, watchConfig',
    where: 'ensemble',
    // Ours answers that it has no reconfiguration yet.
    kinds: ['apache-3.8.0', 'apache-3.9.5'],
    isExclusive: true,
    run: reconfiguration,
    timeoutMs: 60_000,
  },
];
