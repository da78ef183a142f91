import { connect } from '@zoots/client';

// Hosts as every ZooKeeper client writes them; what follows the slash is a prefix for all paths of this client.
await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181', { sessionTimeoutMs: 10_000 });

console.log(zk.state);
await zk.create('/hello', 'world');
const { data, stat } = await zk.get('/hello');
console.log(String(data), stat.version);

// Prints:
// connected
// world 0
