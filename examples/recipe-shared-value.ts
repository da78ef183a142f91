import { connect, json } from '@zoots/client';
import { SharedValue } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
await using limit = await SharedValue.open(zk, '/limits/rate', json<number>(), 100);
console.log(limit.value);
limit.on((value) => console.log('now', value));

// Somebody else sets it.
await zk.set('/limits/rate', '50');
await limit.sync();

console.log(await limit.trySet(limit.value * 2));

// Prints:
// 100
// now 50
// now 100
// true
