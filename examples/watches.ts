import { connect } from '@zoots/client';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
await zk.create('/watched', null);

// A recursive watch sees the whole subtree, and lives until it is closed, over reconnects and new sessions.
await using watch = zk.watch('/watched', { recursive: true });
await watch.ready;

await zk.create('/watched/a', '1');
await zk.set('/watched/a', '2');
await zk.delete('/watched/a');

for await (const event of watch) {
  // A gap says that events may be missing, as the connection was made anew: read again what you need.
  console.log(event.type, event.path);
  if (event.type === 'deleted') break;
}

// A one-shot watch is part of a read: it tells of the first change of what was read.
const changed = new Promise<void>((resolve) => {
  void zk.get('/watched', {
    watch: (event) => {
      console.log('once:', event.type, event.path);
      resolve();
    },
  });
});
await zk.set('/watched', 'x');
await changed;

// Prints:
// created /watched/a
// changed /watched/a
// deleted /watched/a
// once: changed /watched
