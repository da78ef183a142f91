import { ZooKeeper } from '@zoots/client';

// The constructor begins to connect and returns at once; calls wait for the connection.
await using zk = new ZooKeeper(process.env.ZK ?? '127.0.0.1:2181', { sessionTimeoutMs: 4_000 });
zk.on('state', (state, previous) => console.log(`${previous} -> ${state}`));

const session = await zk.connected();
console.log(session.timeoutMs);

// What must not go on without the session takes its signal.
session.signal.addEventListener('abort', () => console.log('the session is gone'));
await zk.create('/worker', null, { mode: 'ephemeral' });

await zk.close();
console.log(zk.state, zk.session);

// Prints:
// connecting -> connected
// 4000
// connected -> closed
// the session is gone
// closed null
