/** Service discovery: registration, what is found, strategies, instances that are down, and Curator's JSON. */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import {
  instanceCodec,
  parseUriSpec,
  random,
  roundRobin,
  ServiceDiscovery,
  type ServiceInstance,
  sticky,
  uriOf,
} from './index.js';
import { countListeners, staged, until, watchCount } from './stage.test.js';

staged('what is registered is found, updated and gone', async ({ server, one, two }) => {
  const listeners = countListeners(one);
  const ours = new ServiceDiscovery<{ zone: string }>(one, '/services');
  const theirs = new ServiceDiscovery<{ zone: string }>(two, '/services');
  const registration = await ours.register({ name: 'mail', id: 'm1', address: 'h1', port: 25, payload: { zone: 'a' } });
  assert.deepEqual(await theirs.services(), ['mail']);
  assert.deepEqual(await theirs.instances('nothing'), []);
  assert.equal(await theirs.instance('mail', 'm2'), null);
  const [found] = await theirs.instances('mail');
  assert.deepEqual(found, registration.instance);
  await registration.update({ port: 26, enabled: false });
  assert.deepEqual((await theirs.instance('mail', 'm1'))?.port, 26);
  await server.killSession(one);
  await until('it is gone or back', () => !registration.isRegistered);
  await until('it is back', async () => (await theirs.instance('mail', 'm1'))?.port === 26);
  await registration.close();
  assert.equal(await theirs.instance('mail', 'm1'), null);
  assert.equal(listeners(), 0);
  assert.equal(await watchCount(server), 0);
});

staged(
  'static and permanent instances outlive their session, permanent ones their registration',
  async ({ one, two }) => {
    const ours = new ServiceDiscovery(one, '/s');
    const fixed = await ours.register({ name: 'db', id: 'd1', serviceType: 'STATIC' });
    const forEver = await ours.register({ name: 'db', id: 'd2', serviceType: 'PERMANENT' });
    assert.equal((await two.exists('/s/db/d1'))?.ephemeralOwner, 0n);
    await fixed.close();
    await forEver.close();
    assert.deepEqual(
      (await ours.instances('db')).map(({ id }) => id),
      ['d2'],
    );
    await assert.rejects(ours.register({ name: 'a/b' }), /without slashes/);
  },
);

staged('a cache and a provider follow', async ({ server, one, two }) => {
  const ours = new ServiceDiscovery(one, '/s');
  const theirs = new ServiceDiscovery(two, '/s');
  await using a = await ours.register({ name: 'web', id: 'a' });
  const provider = await theirs.provider('web');
  assert.equal(provider.pick()?.id, 'a');
  const b = await ours.register({ name: 'web', id: 'b' });
  await one.create('/s/web/foreign', 'no JSON');
  await provider.sync();
  assert.deepEqual(
    [1, 2, 3, 4].map(() => provider.pick()?.id),
    ['b', 'a', 'b', 'a'],
  );
  await a.update({ enabled: false });
  await provider.sync();
  assert.deepEqual(
    provider.instances.map(({ id }) => id),
    ['b'],
  );
  await b.close();
  await provider.sync();
  assert.equal(provider.pick(), null);
  await provider.close();
  await a.close();
  assert.equal(await watchCount(server), 0);
});

staged('an instance that fails is left out for a while', async ({ one }) => {
  const discovery = new ServiceDiscovery(one, '/s');
  await using a = await discovery.register({ name: 'web', id: 'a' });
  await using b = await discovery.register({ name: 'web', id: 'b' });
  assert.ok(a.isRegistered && b.isRegistered);
  let nowMs = 0;
  const options = { down: { errorsMax: 2, timeoutMs: 100 }, nowMs: () => nowMs, strategy: sticky(roundRobin()) };
  await using provider = await discovery.provider('web', options);
  const first = provider.pick() as ServiceInstance;
  provider.noteError(first);
  assert.equal(provider.pick()?.id, 'a');
  provider.noteError(first);
  assert.equal(provider.pick()?.id, 'b');
  nowMs = 100;
  assert.equal(provider.instances.length, 2);
  assert.equal(provider.pick()?.id, 'b');
});

function instanceOf(id: string): ServiceInstance {
  return instanceCodec().decode(Buffer.from(JSON.stringify({ name: 'n', id })));
}

test('strategies', () => {
  const [a, b, c] = ['a', 'b', 'c'].map(instanceOf) as [ServiceInstance, ServiceInstance, ServiceInstance];
  const turn = roundRobin();
  assert.deepEqual([turn([a, b]), turn([a, b]), turn([a, b])], [a, b, a]);
  assert.equal(random(() => 0.99)([a, b, c]), c);
  assert.equal(random(() => 0)([a, b, c]), a);
  const stuck = sticky(roundRobin());
  assert.deepEqual([stuck([a, b, c]), stuck([c, b, a]), stuck([b, c])], [a, a, c]);
});

test('the JSON of Curator, also of older versions', () => {
  const codec = instanceCodec<string>();
  const text =
    '{"name":"test","id":"i","address":"10.0.0.1","port":80,"sslPort":null,"payload":"thing",' +
    '"registrationTimeUTC":5,"serviceType":"STATIC","uriSpec":{"parts":[{"value":"scheme","variable":true}]},"new":1}';
  const instance = codec.decode(Buffer.from(text));
  assert.equal(instance.enabled, true);
  assert.equal(instance.payload, 'thing');
  assert.equal(uriOf(instance), 'http');
  assert.deepEqual(codec.decode(codec.encode(instance) as Buffer), instance);
  assert.throws(() => codec.decode(Buffer.from('{}')), /name and id/);
  assert.throws(() => codec.decode(null));
});

test('addresses from parts', () => {
  const uriSpec = parseUriSpec('{scheme}://{address}:{ssl-port}/{ path }{[}x{]}{unknown}');
  const instance: ServiceInstance = { ...instanceOf('i'), address: 'h', port: 80, sslPort: 443, uriSpec };
  assert.equal(uriOf(instance, { path: 'p' }), 'https://h:443/p{x}');
  assert.equal(uriOf(instanceOf('i')), null);
  assert.throws(() => parseUriSpec('{a'), /needs its }/);
});
