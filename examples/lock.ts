import { connect } from '@zoots/client';
import { Lock } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
const lock = new Lock(zk, '/locks/report');

// The lock is released at the end of the block, whatever happens in it.
{
  await using held = await lock.acquire({ timeoutMs: 5_000 });
  // Its signal aborts when the lock is lost, and its token grows from holder to holder: give both to what you guard.
  console.log(held.isHeld, held.token > 0, held.signal.aborted);
}

// The same as a function.
console.log(await lock.withLock(async (held) => (held.isHeld ? 'done' : 'lost')));

// Prints:
// true true false
// done
