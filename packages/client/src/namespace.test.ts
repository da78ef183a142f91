import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startServer, type TestServer } from '@zoots/testing';
import { digestAcl, OPEN_ACL, READ_ACL } from './acl.js';
import { connect, type ZooKeeper } from './client.js';
import * as errors from './errors.js';
import type { CreateMode, WatchEvent } from './types.js';

let server: TestServer;
let zk: ZooKeeper;

before(async () => {
  server = await startServer();
  zk = await connect(server.connectString);
});

after(async () => {
  await zk.close();
  await server.stop();
});

test('create, get, set, delete and what they refuse', async () => {
  assert.equal(await zk.create('/crud', 'one'), '/crud');
  await assert.rejects(zk.create('/crud'), errors.NodeExistsError);
  await assert.rejects(zk.create('/missing/child'), errors.NoNodeError);
  const { data, stat } = await zk.get('/crud');
  assert.equal(data?.toString(), 'one');
  assert.equal(stat.version, 0);
  assert.equal(stat.dataLength, 3);
  const changed = await zk.set('/crud', Buffer.from([1, 2]), { version: 0 });
  assert.equal(changed.version, 1);
  await assert.rejects(zk.set('/crud', 'x', { version: 0 }), errors.BadVersionError);
  await assert.rejects(zk.delete('/crud', { version: 7 }), errors.BadVersionError);
  await zk.create('/crud/child');
  await assert.rejects(zk.delete('/crud'), errors.NotEmptyError);
  await zk.delete('/crud/child');
  await zk.delete('/crud', { version: 1 });
  await assert.rejects(zk.get('/crud'), errors.NoNodeError);
});

test('null, empty and absent data are three things', async () => {
  await zk.create('/null', null);
  await zk.create('/empty', '');
  assert.equal((await zk.get('/null')).data, null);
  assert.equal((await zk.get('/empty')).data?.length, 0);
  await zk.set('/null', 'é😀');
  assert.equal((await zk.get('/null')).data?.toString(), 'é😀');
});

test('data that was returned is the callers: a later reply does not change it', async () => {
  await zk.create('/own', 'first');
  const { data } = await zk.get('/own');
  await zk.set('/own', 'other');
  await Promise.all(Array.from({ length: 50 }, () => zk.get('/own')));
  assert.equal(data?.toString(), 'first');
});

test('every mode of creation', async () => {
  await zk.create('/modes');
  const modes: readonly (readonly [CreateMode, RegExp, object?])[] = [
    ['persistent', /^\/modes\/n$/],
    ['ephemeral', /^\/modes\/n$/],
    ['persistent-sequential', /^\/modes\/n\d{10}$/],
    ['ephemeral-sequential', /^\/modes\/n\d{10}$/],
    ['container', /^\/modes\/n$/],
    ['persistent-with-ttl', /^\/modes\/n$/, { ttlMs: 60_000 }],
    ['persistent-sequential-with-ttl', /^\/modes\/n\d{10}$/, { ttlMs: 60_000 }],
  ];
  for (const [mode, shape, more] of modes) {
    const { path, stat } = await zk.createWithStat('/modes/n', 'x', { mode, ...more });
    assert.match(path, shape, mode);
    assert.equal(stat.dataLength, 1, mode);
    if (mode.startsWith('ephemeral')) assert.equal(stat.ephemeralOwner, zk.session?.id);
    await zk.delete(path);
    const again = await zk.create('/modes/n', 'x', { mode, ...more });
    assert.match(again, shape, mode);
    await zk.delete(again);
  }
  assert.match(await zk.create('/modes/', null, { mode: 'persistent-sequential' }), /^\/modes\/\d{10}$/);
  await zk.create('/modes/e', null, { mode: 'ephemeral' });
  await assert.rejects(zk.create('/modes/e/child'), errors.NoChildrenForEphemeralsError);
});

test('arguments that can never work are refused here, as rejections', async () => {
  await assert.rejects(zk.get('relative'), errors.ArgumentError);
  await assert.rejects(zk.create('/a/'), errors.ArgumentError);
  await assert.rejects(zk.create('/ttl', '', { mode: 'persistent-with-ttl' }), /ttlMs/);
  await assert.rejects(zk.create('/ttl', '', { ttlMs: 5 }), /mode with TTL/);
  await assert.rejects(zk.create('/acl', '', { acl: [] }), /at least one entry/);
  await assert.rejects(zk.create('/mode', '', { mode: 'odd' as CreateMode }), /no mode "odd"/);
  assert.throws(() => zk.namespace('x'), errors.ArgumentError);
});

test('parents, and the path to a namespace', async () => {
  assert.equal(await zk.create('/deep/er/est', 'x', { parents: true }), '/deep/er/est');
  const stat = await zk.exists('/deep/er');
  assert.equal(stat?.dataLength, 0);
  await zk.ensurePath('/deep/er/more/still');
  await zk.ensurePath('/deep/er/more/still');
  assert.deepEqual((await zk.children('/deep/er')).sort(), ['est', 'more']);
});

test('a namespace sees its own part, in paths and in events', async () => {
  const app = zk.namespace('/app').namespace('/inner');
  assert.equal(app.prefix, '/app/inner');
  await app.ensurePath('/');
  const events: WatchEvent[] = [];
  await app.exists('/a', { watch: (event) => events.push(event) });
  assert.equal(await app.create('/a', 'x'), '/a');
  assert.deepEqual(await app.children('/'), ['a']);
  assert.equal((await zk.get('/app/inner/a')).data?.toString(), 'x');
  assert.deepEqual(
    events.map(({ type, path }) => [type, path]),
    [['created', '/a']],
  );
  await assert.rejects(app.get('/none'), (error: errors.NoNodeError) => error.path === '/none');
  await app.create('/e', null, { mode: 'ephemeral' });
  assert.deepEqual(await app.ephemerals(), ['/e']);
  assert.equal(app.client, zk);
});

test('a chroot in the connect string is a namespace, too', async () => {
  await zk.ensurePath('/chroot');
  await using inside = await connect(`${server.connectString}/chroot`);
  assert.equal(await inside.create('/x'), '/x');
  assert.notEqual(await zk.exists('/chroot/x'), null);
  assert.equal((await inside.config()).text, (await zk.config()).text);
});

test('children with stat, counts, sync, ACLs', async () => {
  await zk.create('/many');
  await Promise.all(Array.from({ length: 20 }, (_, i) => zk.create(`/many/${i}`)));
  const { children, stat } = await zk.childrenWithStat('/many');
  assert.equal(children.length, 20);
  assert.equal(stat.numChildren, 20);
  assert.equal(await zk.countDescendants('/many'), 20);
  await zk.sync('/many');
  assert.deepEqual((await zk.getAcl('/many')).acl, OPEN_ACL);
  const changed = await zk.setAcl('/many', READ_ACL);
  assert.equal(changed.aversion, 1);
  await assert.rejects(zk.create('/many/more'), errors.NoAuthError);
  await assert.rejects(zk.setAcl('/many', OPEN_ACL), errors.NoAuthError);
  await assert.rejects(
    zk.create('/odd', '', { acl: [{ perms: 31, scheme: 'nobody', id: 'x' }] }),
    errors.InvalidAclError,
  );
});

test('identities open what their ACL closes, also after a reconnect', async () => {
  await using other = await connect(server.connectString);
  await zk.create('/secret', 's', { acl: [digestAcl('bob', 'pw')] });
  await assert.rejects(other.get('/secret'), errors.NoAuthError);
  await other.addAuth('digest', 'bob:pw');
  assert.equal((await other.get('/secret')).data?.toString(), 's');
  assert.deepEqual(
    (await other.whoAmI()).map(({ scheme }) => scheme),
    ['ip', 'digest'],
  );
  server.dropConnection(other);
  assert.equal((await other.get('/secret')).data?.toString(), 's');
  await other.set('/secret', 'x');
});

test('get or create, and compare and set, with many at once', async () => {
  const all = await Promise.all(Array.from({ length: 10 }, () => zk.getOrCreate('/once', '0')));
  assert.equal(all.filter(({ created }) => created).length, 1);
  const increment = (): Promise<unknown> => zk.update('/once', (data) => String(Number(data?.toString()) + 1));
  await Promise.all(Array.from({ length: 10 }, increment));
  assert.equal((await zk.get('/once')).data?.toString(), '10');
  await assert.rejects(
    zk.update('/nobody', (data) => data),
    errors.NoNodeError,
  );
});
