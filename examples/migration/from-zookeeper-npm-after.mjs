import { connect, NodeExistsError } from '@zoots/client';

const zk = await connect(process.env.ZK ?? '127.0.0.1:2181', { sessionTimeoutMs: 10_000 });

const path = await zk.create('/shop/workers/w-', 'me', { mode: 'ephemeral-sequential', parents: true });
console.log('registered:', path);

try {
  await zk.create('/shop/settings', '{"level":1}');
} catch (error) {
  if (!(error instanceof NodeExistsError)) throw error;
}

let onChange;
const changed = new Promise((resolve) => {
  onChange = resolve;
});
const { data, stat } = await zk.get('/shop/settings', { watch: onChange });
console.log('settings:', JSON.parse(data.toString()).level, 'version', stat.version);

await zk.set('/shop/settings', '{"level":2}', { version: stat.version });
const event = await changed;
console.log('event:', event.type === 'changed', event.path);

console.log('children:', (await zk.children('/shop')).sort().join(' '));
await zk.deleteRecursive('/shop');
console.log('left:', (await zk.exists('/shop')) !== null);
await zk.close();

// Prints:
// registered: /shop/workers/w-0000000000
// settings: 1 version 0
// event: true /shop/settings
// children: settings workers
// left: false
