import { connect } from '@zoots/client';
import { SetPartitioner } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
await using partitioner = new SetPartitioner(zk, '/shards', ['s1', 's2', 's3'], { settleMs: 100 });

for await (const share of partitioner) {
  console.log(share.items);
  // Here: work on them until share.signal is aborted. The next share comes when this one was given back.
  break;
}

// Prints:
// [ 's1', 's2', 's3' ]
