import { connect, NoNodeError, RequestAbortedError, RequestTimeoutError, ZooKeeperError } from '@zoots/client';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');

try {
  await zk.get('/no/such/znode');
} catch (error) {
  if (!(error instanceof NoNodeError)) throw error;
  console.log(error.code, error.path, error.outcome, error.retryable);
}

// Every call can be given up, by a signal or by its time.
try {
  await zk.get('/', { signal: AbortSignal.abort() });
} catch (error) {
  console.log(error instanceof RequestAbortedError, error instanceof RequestTimeoutError);
}

/** True if it was created, false if it was not; throws if that cannot be known. */
async function tryCreate(path: string): Promise<boolean> {
  try {
    await zk.create(path, null, { timeoutMs: 5_000 });
    return true;
  } catch (error) {
    // `unknown` means that it was sent and not answered: it may have happened, so look before you repeat it.
    if (error instanceof ZooKeeperError && error.outcome !== 'unknown') return false;
    throw error;
  }
}
console.log(await tryCreate('/errors'), await tryCreate('/errors'));

// Prints:
// ZK_NO_NODE /no/such/znode refused false
// true false
// true false
