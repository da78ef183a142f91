import { connect } from '@zoots/client';
import { Lock } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
const lock = new Lock(zk, '/locks/accounts');

/** Wants the lock, whether its caller has it or not. */
async function audit(owner: object): Promise<string> {
  return lock.withLock(() => 'audited', { owner });
}

// Any object can be an owner: a request, a job. The same owner enters again without waiting.
const request = { id: 7 };
console.log(await audit(request));
await lock.withLock(async () => console.log(await audit(request)), { owner: request });

// Another owner would have to wait.
await using _held = await lock.acquire({ owner: request });
console.log(await lock.tryAcquire({ owner: { id: 8 } }));

// Prints:
// audited
// audited
// null
