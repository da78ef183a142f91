import { connect } from '@zoots/client';
import { NonBlockingLease } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
const leaseOf = (holder: string) => new NonBlockingLease(zk, '/leases/cleanup', { durationMs: 70 * 60_000, holder });

// Every machine asks once an hour; one of them gets it, and has it for 70 minutes, whatever happens to its process.
const held = await leaseOf('host-1').tryAcquire();
console.log('host-1:', held?.isHeld);
console.log('host-2:', await leaseOf('host-2').tryAcquire());

// An hour later the same machine has it again: the lease is renewed.
const again = await leaseOf('host-1').tryAcquire();
console.log('the same token:', again?.token === held?.token);

// Prints:
// host-1: true
// host-2: null
// the same token: true
