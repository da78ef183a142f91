import { connect } from '@zoots/client';
import { startCluster } from '@zoots/testing';

// Three members of an ensemble in this process.
await using cluster = await startCluster(3);
await using zk = await connect(cluster.connectString);
await zk.create('/job', 'begun');

// The leader dies. The client finds another server by itself, with the session that it had.
const old = cluster.leader;
await old?.kill();
const next = await cluster.waitForLeader();
await zk.connected();
await zk.set('/job', 'done');
console.log(`${next === old ? 'the same member leads' : 'another member leads'}: ${(await zk.get('/job')).data}`);

await old?.start();
await cluster.whenServing();
console.log(`the old one is back: ${old?.role}`);

// Prints:
// another member leads: done
// the old one is back: following
