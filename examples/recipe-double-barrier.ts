import { connect } from '@zoots/client';
import { DoubleBarrier } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');

async function compute(name: string): Promise<void> {
  const barrier = new DoubleBarrier(zk, '/batch-7', 2, { data: name });
  await barrier.enter();
  console.log('all are here');
  await barrier.leave();
  console.log('all have left');
}

await Promise.all([compute('a'), compute('b')]);

// Prints:
// all are here
// all are here
// all have left
// all have left
