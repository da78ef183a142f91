import { connect } from '@zoots/client';
import { TtlNode } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');

// The server needs extendedTypesEnabled=true.
await using progress = new TtlNode(zk, '/jobs/42/progress', 60_000, { data: '0 %' });
await progress.ready;
await progress.set('50 %');
console.log(String((await zk.get('/jobs/42/progress')).data));

// Prints:
// 50 %
