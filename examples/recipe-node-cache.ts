import { connect } from '@zoots/client';
import { NodeCache } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
await using flag = new NodeCache(zk, '/beta');
await flag.ready;
console.log(flag.current);

for await (const node of flag.values()) {
  console.log(String(node?.data ?? 'missing'));
  if (node !== null) break;
  await zk.create('/beta', 'on');
}

// Prints:
// null
// missing
// on
