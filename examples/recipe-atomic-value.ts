import { connect, json } from '@zoots/client';
import { AtomicValue } from '@zoots/recipes';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
const votes = new AtomicValue(zk, '/votes', json<{ red: number; blue: number }>(), { red: 0, blue: 0 });

// Computed again if somebody else was faster.
const { before, after } = await votes.update((now) => ({ ...now, blue: now.blue + 1 }));
console.log(before.value, after.value);

// Or by hand: null if the value has another version by now.
const written = await votes.compareAndSet(after.stat.version, { red: 0, blue: 0 });
console.log(written?.value);
console.log(await votes.compareAndSet(after.stat.version, { red: 9, blue: 9 }));

// Prints:
// { red: 0, blue: 0 } { red: 0, blue: 1 }
// { red: 0, blue: 0 }
// null
