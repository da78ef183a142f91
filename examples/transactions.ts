import { connect, TransactionError } from '@zoots/client';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
await zk.create('/accounts', null);
await zk.create('/accounts/a', '10');

// All of it happens, or nothing; the results have the types of their parts.
const [path, stat] = await zk
  .transaction()
  .create('/accounts/b', '5')
  .set('/accounts/a', '5', { version: 0 })
  .check('/accounts', { version: 0 })
  .commit();
console.log(path, stat.version);

try {
  await zk.transaction().delete('/accounts/b').set('/accounts/a', '0', { version: 0 }).commit();
} catch (error) {
  if (!(error instanceof TransactionError)) throw error;
  console.log(`part ${error.failedIndex}:`, error.code);
}

// Several reads in one request; one that fails leaves the others alone.
const [a, gone] = await zk.multiRead().get('/accounts/a').children('/accounts/c').commit();
console.log(a.ok && String(a.value.data), gone.ok || gone.error.code);

// Prints:
// /accounts/b 1
// part 1: ZK_BAD_VERSION
// 5 ZK_NO_NODE
