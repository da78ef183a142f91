import { connect } from '@zoots/client';
import { LockingQueue } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
const jobs = new LockingQueue(zk, '/queues/jobs');
await jobs.put('resize 17');

{
  await using entry = await jobs.take();
  console.log(String(entry.data), await jobs.poll());
  // Left without done(): the entry goes back.
}
{
  await using entry = await jobs.take({ timeoutMs: 5_000 });
  await entry.done();
}
console.log(await jobs.size());

// Prints:
// resize 17 null
// 0
