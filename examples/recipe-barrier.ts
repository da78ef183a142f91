import { connect } from '@zoots/client';
import { Barrier } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
const barrier = new Barrier(zk, '/migration');

await barrier.set();
const waiting = barrier.wait({ timeoutMs: 60_000 }).then(() => console.log('go on'));
console.log('migrating');
await barrier.remove();
await waiting;

// Prints:
// migrating
// go on
