import { connect } from '@zoots/client';
import { MultiLock, SimpleLock } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
const lockOf = (account: string) => new SimpleLock(zk, `/locks/accounts/${account}`);

/** Has both accounts or none, in whatever order they are named. */
async function transfer(from: string, to: string): Promise<void> {
  await using held = await new MultiLock([lockOf(from), lockOf(to)]).acquire();
  const [a, b] = held.parts;
  console.log(`${from} to ${to}: ${a?.isHeld && b?.isHeld}`);
}

await Promise.all([transfer('anna', 'ben'), transfer('ben', 'anna')]);

// Prints:
// anna to ben: true
// ben to anna: true
