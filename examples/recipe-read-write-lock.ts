import { connect } from '@zoots/client';
import { ReadWriteLock } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
const index = new ReadWriteLock(zk, '/locks/index');

// Readers share.
const reading = await index.read.acquire();
await index.read.withLock(() => console.log('two read'));
console.log('may write:', (await index.write.tryAcquire()) !== null);
await reading.release();

// A writer is alone. It may go on as a reader, with no other writer in between.
const writing = await index.write.acquire();
const afterwards = await index.downgrade(writing);
await writing.release();
console.log('others may read:', await index.read.withLock(() => true));
await afterwards.release();

// Prints:
// two read
// may write: false
// others may read: true
