import { connect, json } from '@zoots/client';

const zk = await connect(process.env.ZK ?? '127.0.0.1:2181', { sessionTimeoutMs: 10_000 });
const settings = zk.node('/shop/settings', json());

const path = await zk.create('/shop/workers/w-', 'me', { mode: 'ephemeral-sequential', parents: true });
console.log('registered:', path);

await zk.getOrCreate('/shop/settings', '{"level":1}');
const changed = new Promise((resolve) => {
  void zk.exists('/shop/settings', { watch: resolve });
});
const { value, stat } = await settings.get();
console.log('settings:', value.level, 'version', stat.version);

await zk.transaction().set('/shop/settings', '{"level":2}').check('/shop/workers').commit();
const event = await changed;
console.log('event:', event.type, event.path);

console.log('children:', (await zk.children('/shop')).sort().join(' '));
await zk.deleteRecursive('/shop');
console.log('left:', await zk.exists('/shop'));
await zk.close();

// Prints:
// registered: /shop/workers/w-0000000000
// settings: 1 version 0
// event: changed /shop/settings
// children: settings workers
// left: null
