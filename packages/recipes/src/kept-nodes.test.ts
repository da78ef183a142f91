/** Znodes that are kept, membership, and the partitioner: through deletions, lost sessions and deaths. */
import { strict as assert } from 'node:assert';
import { NoAuthError } from '@zoots/client';
import { GroupMembership, PersistentNode, SetPartitioner, type Share, TtlNode } from './index.js';
import { childrenOf, countListeners, staged, tracked, until, watchCount } from './stage.test.js';

staged('a persistent node comes back when it is deleted', async ({ server, one, two }) => {
  const listeners = countListeners(one);
  const node = new PersistentNode(one, '/a/n', { data: '1' });
  await node.ready;
  const { data, stat } = await two.get('/a/n');
  assert.equal(String(data), '1');
  assert.equal(stat.ephemeralOwner, one.session?.id);
  await node.set('2');
  assert.equal(String((await two.get('/a/n')).data), '2');
  await two.delete('/a/n');
  await until('it is back', async () => (await two.exists('/a/n')) !== null);
  assert.equal(String((await two.get('/a/n')).data), '2');
  await node.close();
  assert.equal(await two.exists('/a/n'), null);
  assert.equal(await watchCount(server), 0);
  assert.equal(listeners(), 0);
});

staged('a persistent node comes back in a new session', async ({ server, one, two }) => {
  await using node = new PersistentNode(one, '/n', { data: '1' });
  await node.ready;
  const before = one.session?.id;
  await server.killSession(one);
  await until('it is back', async () => {
    const stat = await two.exists('/n');
    return stat !== null && stat.ephemeralOwner !== before;
  });
  await until('it is known', () => node.isPresent);
});

staged('a node of somebody else is waited for', async ({ server, one, two }) => {
  const first = new PersistentNode(one, '/n', { data: 'first' });
  await first.ready;
  await using second = new PersistentNode(two, '/n', { data: 'second' });
  const { czxid } = (await one.get('/n')).stat;
  const ready = tracked(second.ready);
  await until('the second watches', async () => (await watchCount(server)) === 2);
  for (let i = 0; i < 10; i++) await two.sync('/n');
  assert.equal((await one.get('/n')).stat.czxid, czxid);
  assert.equal(ready.isSettled, false);
  assert.equal(second.isPresent, false);
  await first.close();
  await ready.promise;
  assert.equal(String((await one.get('/n')).data), 'second');
});

staged('a node that is not ephemeral, and stays', async ({ one }) => {
  await one.create('/n', 'old');
  const node = new PersistentNode(one, '/n', { mode: 'persistent', data: 'new', keepOnClose: true });
  await node.ready;
  assert.equal(String((await one.get('/n')).data), 'new');
  await node.close();
  assert.equal(String((await one.get('/n')).data), 'new');
});

staged('what cannot be created is told', async ({ one }) => {
  await one.create('/locked', null, { acl: [{ scheme: 'world', id: 'anyone', perms: 1 }] });
  const errors: Error[] = [];
  const node = new PersistentNode(one, '/locked/n', { onError: (error) => errors.push(error) });
  await assert.rejects(node.ready, NoAuthError);
  assert.equal(errors.length, 1);
  await node.close();
});

staged('a TTL node is touched while it is open', async ({ one, two }) => {
  const node = new TtlNode(one, '/ttl', 60, { data: 'x' });
  await node.ready;
  const first = (await two.get('/ttl/touch')).stat.version;
  await until('it is touched', async () => (await two.get('/ttl/touch')).stat.version >= first + 3);
  const { stat } = await two.get('/ttl');
  assert.equal(stat.version, 0);
  await node.close();
  const last = (await two.get('/ttl/touch')).stat.version;
  await one.sync('/');
  assert.equal((await two.get('/ttl/touch')).stat.version, last);
});

staged('members see each other come and go', async ({ server, one, two, another }) => {
  const three = await another();
  const a = new GroupMembership(one, '/group', { id: 'a', data: '1' });
  const b = new GroupMembership(two, '/group', { id: 'b' });
  const c = new GroupMembership(three, '/group');
  await Promise.all([a.ready, b.ready, c.ready]);
  assert.match(c.id, /^[0-9a-f]{32}__party__$/);
  await until('a sees all', () => a.members().size === 3);
  assert.equal(String(a.members().get('a')), '1');
  const events: string[] = [];
  a.on(({ type, path }) => events.push(`${type} ${path}`));
  await b.set('2');
  await b.close();
  await server.killSession(three);
  await until('c has joined again', () => events.length === 4);
  assert.deepEqual(events, ['changed /group/b', 'removed /group/b', `removed /group/${c.id}`, `added /group/${c.id}`]);
  await Promise.all([a.close(), c.close()]);
  assert.deepEqual(await one.children('/group'), []);
  await until('no watch is left', async () => (await watchCount(server)) === 0);
});

const items = ['i1', 'i2', 'i3', 'i4', 'i5'];

/** Takes share after share, and notes who has which item; fails when two have the same. */
function worker(name: string, partitioner: SetPartitioner, owners: Map<string, string>): Promise<void> {
  return (async () => {
    for await (const share of partitioner) {
      for (const item of share.items) {
        assert.equal(owners.get(item), undefined, `${item} belongs to ${owners.get(item)} and ${name}`);
        owners.set(item, name);
      }
      if (!share.signal.aborted) {
        await new Promise((resolve) => share.signal.addEventListener('abort', resolve, { once: true }));
      }
      for (const item of share.items) owners.delete(item);
    }
  })();
}

function sharesOf(owners: ReadonlyMap<string, string>): string {
  return [...owners]
    .map(([item, name]) => `${name}:${item}`)
    .sort()
    .join(' ');
}

staged('a set is divided among those who are there', async ({ server, one, two, another }) => {
  const three = await another();
  const owners = new Map<string, string>();
  const open = [one, two].map((zk) => new SetPartitioner(zk, '/set', items, { settleMs: 20 }));
  const [a, b] = open as [SetPartitioner, SetPartitioner];
  const working = [worker('a', a, owners), worker('b', b, owners)];
  await until('all are owned by two', () => owners.size === 5 && new Set(owners.values()).size === 2);
  const c = new SetPartitioner(three, '/set', items, { settleMs: 20 });
  working.push(worker('c', c, owners));
  await until('all are owned by three', () => owners.size === 5 && new Set(owners.values()).size === 3);
  await server.killSession(three);
  await until('c is out', () => !sharesOf(owners).includes('c'));
  await until('c is in again', () => owners.size === 5 && new Set(owners.values()).size === 3);
  await a.close();
  await until('two are left', () => owners.size === 5 && new Set(owners.values()).size === 2);
  await Promise.all([b.close(), c.close()]);
  await Promise.all(working);
  assert.equal(owners.size, 0);
  assert.deepEqual(await childrenOf(one, '/set/claims'), []);
  assert.deepEqual(await childrenOf(one, '/set/party'), []);
  await until('no watch is left', async () => (await watchCount(server)) === 0);
});

staged('an item is not handed out before its owner gave it back', async ({ server, one, two }) => {
  await using a = new SetPartitioner(one, '/set', ['only'], { settleMs: 10, divide: forFirst });
  const share = (await a.next()) as Share;
  assert.deepEqual(share.items, ['only']);
  await using b = new SetPartitioner(two, '/set', ['only'], { settleMs: 10, divide: forLast });
  const next = tracked(b.next());
  await until('it must be given back', () => share.signal.aborted);
  // Both watch the party and their member, and one the claim.
  await until('the other waits for the claim', async () => (await watchCount(server)) === 5);
  assert.equal(next.isSettled, false);
  const again = a.next();
  const theirs = (await next.promise) as Share;
  assert.deepEqual(theirs.items, ['only']);
  assert.ok((theirs.tokens.get('only') as number) > (share.tokens.get('only') as number));
  assert.deepEqual((await again)?.items, []);
});

/** a gets everything while it is alone, b as soon as it is there. */
function forFirst(all: readonly string[], members: readonly string[]): readonly string[] {
  return members.length === 1 ? all : [];
}
function forLast(all: readonly string[]): readonly string[] {
  return all;
}
