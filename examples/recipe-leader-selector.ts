import { connect } from '@zoots/client';
import { LeaderSelector } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
const shutdown = new AbortController();
let sweeps = 0;

// Runs while this process leads. `stop` is aborted when the leadership is lost, and when the process shuts down.
const selector = new LeaderSelector(zk, '/sweeper/leader', async (_leadership, stop) => {
  while (!stop.aborted) {
    console.log(`sweep ${++sweeps}`);
    if (sweeps === 3) shutdown.abort();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
});
await selector.run({ signal: shutdown.signal });
console.log('done');

// Prints:
// sweep 1
// sweep 2
// sweep 3
// done
