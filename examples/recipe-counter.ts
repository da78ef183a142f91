import { connect } from '@zoots/client';
import { AtomicLong, Counter } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');

// As kazoo's Counter; { layout: 'int32' } is Curator's SharedCount.
const jobs = new Counter(zk, '/jobs/done');
const changes = await Promise.all([jobs.increment(), jobs.increment(), jobs.add(3)]);
console.log(changes.length, await jobs.get());

// As Curator's DistributedAtomicLong: 64 bits.
const bytes = new AtomicLong(zk, '/bytes');
await bytes.add(2n ** 53n);
const { before, after } = await bytes.increment();
console.log(before.value, after.value);

// Prints:
// 3 5
// 9007199254740992n 9007199254740993n
