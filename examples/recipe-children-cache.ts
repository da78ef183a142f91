import { connect } from '@zoots/client';
import { ChildrenCache } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
await zk.create('/workers/w1', 'idle', { parents: true });

await using workers = new ChildrenCache(zk, '/workers');
await workers.ready;

// What is there first, then what happens.
for await (const { type, path, node } of workers.events({ initial: true })) {
  console.log(type, path, String(node?.data));
  if (type === 'changed') break;
  await zk.set(path, 'busy');
}

// Prints:
// added /workers/w1 idle
// changed /workers/w1 busy
