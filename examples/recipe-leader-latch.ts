import { connect } from '@zoots/client';
import { LeaderLatch } from '@zoots/recipes';

const target = process.env.ZK ?? '127.0.0.1:2181';
await using zk = await connect(target);
await using other = await connect(target);

await using first = new LeaderLatch(zk, '/scheduler/leader', { id: 'host-1' });
await using second = new LeaderLatch(other, '/scheduler/leader', { id: 'host-2' });
second.on('leader', (leadership) => console.log('host-2 leads:', leadership.isHeld));

const leadership = await first.leading();
await second.start();
console.log('host-1 leads:', first.isLeader, second.isLeader);
console.log((await second.participants()).map(({ id }) => id).join(', '));

// The leader steps down, and takes part again, at the end of the queue.
await leadership.release();
const next = await second.leading({ timeoutMs: 5_000 });
console.log('a higher token:', next.token > leadership.token);

// Prints:
// host-1 leads: true false
// host-1, host-2
// host-2 leads: true
// a higher token: true
