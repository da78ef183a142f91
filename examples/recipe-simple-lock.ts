import { connect } from '@zoots/client';
import { AcquireTimeoutError, SimpleLock } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
const lock = new SimpleLock(zk, '/locks/report', { id: 'host-1' });

// Runs when nobody else has the lock, and releases it whatever happens.
const pages = await lock.withLock(async (held) => {
  // Work that takes a signal stops as soon as the lock is lost.
  held.signal.throwIfAborted();
  return 12;
});
console.log(`${pages} pages`);

// By hand. Somebody else does not get it meanwhile.
const held = await lock.acquire();
console.log('free:', (await lock.tryAcquire()) !== null);
console.log('held by:', (await lock.contenders()).map(({ id }) => id).join());
try {
  await lock.acquire({ timeoutMs: 50 });
} catch (error) {
  console.log(error instanceof AcquireTimeoutError && error.code);
}
await held.release();

// Prints:
// 12 pages
// free: false
// held by: host-1
// ZK_ACQUIRE_TIMEOUT
