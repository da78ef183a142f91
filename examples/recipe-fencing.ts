import { connect } from '@zoots/client';
import { SimpleLock } from '@zoots/recipes';

/** What the lock guards: a store that remembers the highest token it has seen. */
class Store {
  #highestToken = 0;
  #text = '';

  write(token: number, text: string): void {
    if (token < this.#highestToken) throw new Error('too late: somebody else has the lock by now');
    this.#highestToken = token;
    this.#text = text;
  }

  read(): string {
    return this.#text;
  }
}

const target = process.env.ZK ?? '127.0.0.1:2181';
await using one = await connect(target);
await using two = await connect(target);
const store = new Store();

// The first holder writes, and then sleeps longer than its session lives. (Here somebody deletes its znode, which comes to the same.)
const late = await new SimpleLock(one, '/locks/store').acquire();
store.write(late.token, 'first');
await two.delete(late.path);

// The second one gets the lock.
const held = await new SimpleLock(two, '/locks/store').acquire();
store.write(held.token, 'second');

// The first one wakes up, and is not told in time that it has lost the lock. The store is not fooled.
try {
  store.write(late.token, 'first again');
} catch (error) {
  console.log((error as Error).message);
}
console.log(store.read());
await held.release();

// Prints:
// too late: somebody else has the lock by now
// second
