import { BadVersionError, connect, json } from '@zoots/client';

await using zk = await connect(process.env.ZK ?? '127.0.0.1:2181');
const app = zk.namespace('/data-example');

// Missing parents are created on the way.
await app.create('/config/limits', '{"requests":10}', { parents: true });
console.log(await app.children('/config'));

// A set with the version that was read fails if somebody was faster.
const { stat } = await app.get('/config/limits');
await app.set('/config/limits', '{"requests":20}', { version: stat.version });
try {
  await app.set('/config/limits', '{"requests":30}', { version: stat.version });
} catch (error) {
  if (!(error instanceof BadVersionError)) throw error;
  console.log('somebody was faster');
}

// The same as a loop that tries until nobody was faster, with a typed value.
const limits = app.node('/config/limits', json<{ requests: number }>());
await limits.update((value) => ({ requests: value.requests + 1 }));
console.log((await limits.get()).value.requests);

// The server appends a number to sequential names, and takes ephemeral znodes away with the session.
console.log(await app.create('/jobs/job-', null, { mode: 'ephemeral-sequential', parents: true }));

for await (const path of app.descendants('/')) console.log(path);
console.log(await app.deleteRecursive('/config'), await app.exists('/config'));

// Prints:
// [ 'limits' ]
// somebody was faster
// 21
// /jobs/job-0000000000
// /
// /config
// /config/limits
// /jobs
// /jobs/job-0000000000
// 2 null
